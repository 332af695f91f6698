/** Tokens of PromQL and how Prometheus names them in error texts. */
import { quote } from './quote.ts';

/** Set, arithmetic and comparison operators, and what the lexer counts among them. */
const OPERATORS = [
  '+',
  '/',
  '==',
  '=~',
  '>=',
  '>',
  '</',
  '>/',
  'and',
  'or',
  '<',
  '<=',
  'unless',
  '%',
  '*',
  '!=',
  '!~',
  '^',
  '-',
  '@',
  'atan2',
] as const;

/** The aggregation operators. */
const AGGREGATORS = [
  'sum',
  'avg',
  'count',
  'min',
  'max',
  'group',
  'stddev',
  'stdvar',
  'topk',
  'bottomk',
  'count_values',
  'quantile',
  'limitk',
  'limit_ratio',
] as const;

/** An aggregation operator. */
export type AggregateOp = (typeof AGGREGATORS)[number];

const KEYWORDS = [
  'bool',
  'by',
  'group_left',
  'group_right',
  'fill',
  'fill_left',
  'fill_right',
  'ignoring',
  'offset',
  'smoothed',
  'anchored',
  'on',
  'without',
] as const;

const PREPROCESSORS = ['start', 'end', 'step', 'range', 'max_of', 'min_of'] as const;

/** What a token is: punctuation and keywords are their own (lower-case) text. */
export type TokenKind =
  | (typeof OPERATORS)[number]
  | AggregateOp
  | (typeof KEYWORDS)[number]
  | (typeof PREPROCESSORS)[number]
  | '('
  | ')'
  | '{'
  | '}'
  | '['
  | ']'
  | ','
  | '='
  | ':'
  | 'identifier'
  | 'metric identifier'
  | 'string'
  | 'number'
  | 'duration'
  | 'end of input';

/** A token with its text and its place in the input, in UTF-16 units. */
export interface Token {
  readonly kind: TokenKind;
  readonly text: string;
  readonly start: number;
  readonly end: number;
}

const operators: ReadonlySet<string> = new Set(OPERATORS);
const aggregators: ReadonlySet<string> = new Set(AGGREGATORS);
const keywords: ReadonlySet<string> = new Set(KEYWORDS);

/** Words that the lexer turns into tokens of their own, in any case of letters. */
export const WORDS: ReadonlyMap<string, TokenKind> = new Map<string, TokenKind>([
  ...[...AGGREGATORS, ...KEYWORDS, ...PREPROCESSORS, 'and', 'or', 'unless', 'atan2'].map(
    (word): [string, TokenKind] => [word, word as TokenKind],
  ),
  ['inf', 'number'],
  ['nan', 'number'],
]);

/** Keyword tokens that may stand for a metric's name. */
export const METRIC_WORDS: ReadonlySet<TokenKind> = new Set<TokenKind>([
  ...AGGREGATORS,
  ...PREPROCESSORS,
  ...(['by', 'without', 'fill', 'fill_left', 'fill_right', 'offset'] as const),
  ...(['and', 'or', 'unless', 'anchored', 'smoothed'] as const),
  'identifier',
  'metric identifier',
]);

/** Keyword tokens that may stand for a label's name in a grouping. */
export const LABEL_WORDS: ReadonlySet<TokenKind> = new Set<TokenKind>([
  ...AGGREGATORS,
  ...PREPROCESSORS,
  ...KEYWORDS.filter((word) => word !== 'without'),
  ...(['and', 'or', 'unless', 'atan2', 'identifier', 'metric identifier'] as const),
]);

/** Whether a token is an aggregation operator. */
export function isAggregator(kind: TokenKind): kind is AggregateOp {
  return aggregators.has(kind);
}

/** A token as "unexpected …" names it. */
export function describeToken({ kind, text }: Token): string {
  switch (kind as string) {
    case 'end of input':
      return 'end of input';
    case 'identifier':
    case 'metric identifier':
      return `${kind} ${quote(text)}`;
    case 'string':
    case 'number':
    case 'duration':
      return `${kind} ${shorten(text)}`;
    default:
      if (keywords.has(kind)) return `<${text}>`;
      if (operators.has(kind)) return `<op:${text}>`;
      if (aggregators.has(kind)) return `<aggr:${text}>`;
      return shorten(text);
  }
}

/** Quoted; texts above ten bytes are cut after ten characters. */
function shorten(text: string): string {
  if (Buffer.byteLength(text) <= 10) return quote(text);
  return `${quote(Array.from(text.slice(0, 20)).slice(0, 10).join(''))}...`;
}
