/** Vector selectors and their label matchers: `name{label="value"}`, `{"utf8 name", "label"=~"…"}`. */
import { errorText } from '../../lib/errors.ts';
import { METRIC_NAME } from '../../model/labels.ts';
import { Matcher, type MatchType } from '../../model/matcher.ts';
import type { VectorSelector } from './ast.ts';
import { parseString } from './parse-literal.ts';
import type { TokenStream } from './token-stream.ts';
import { METRIC_WORDS, type Token } from './token.ts';

const MATCH_OPERATORS: ReadonlySet<string> = new Set(['=', '!=', '=~', '!~']);

/** Reads a selector without any modifier. The caller has seen that one begins here. */
export function parseSelector(tokens: TokenStream): VectorSelector {
  const { start } = tokens.ahead;
  const name = METRIC_WORDS.has(tokens.ahead.kind) ? tokens.take().text : '';
  const matchers = tokens.ahead.kind === '{' ? parseMatchers(tokens) : [];
  if (name !== '') matchers.push(new Matcher('=', METRIC_NAME, name));
  else if (tokens.end === start) tokens.unexpected();
  return {
    kind: 'selector',
    name,
    matchers,
    offsetMs: 0,
    offsetExpr: undefined,
    timestamp: undefined,
    startOrEnd: undefined,
    anchored: false,
    smoothed: false,
    start,
    end: tokens.end,
  };
}

function parseMatchers(tokens: TokenStream): Matcher[] {
  tokens.expect('{');
  const matchers: Matcher[] = [];
  if (tokens.accept('}')) return matchers;
  return tokens.within('label matching', '', (context) => {
    for (;;) {
      context.expected = 'identifier or "}"';
      if (matchers.length > 0 && tokens.accept('}')) return matchers;
      matchers.push(parseMatcher(tokens, context));
      context.expected = '"," or "}"';
      if (tokens.accept('}')) return matchers;
      tokens.expect(',');
    }
  });
}

function parseMatcher(tokens: TokenStream, context: { expected: string }): Matcher {
  const label = tokens.ahead;
  const quoted = label.kind === 'string';
  if (!quoted && label.kind !== 'identifier') tokens.unexpected();
  const name = quoted ? parseString(tokens) : tokens.take().text;
  const op = tokens.ahead;
  if (!MATCH_OPERATORS.has(op.kind)) {
    // A quoted text alone is the metric's name.
    if (quoted) return new Matcher('=', METRIC_NAME, name);
    context.expected = 'label matching operator';
    tokens.unexpected();
  }
  tokens.take();
  context.expected = 'string';
  const valueToken = tokens.ahead;
  const value = parseString(tokens);
  return newMatcher(tokens, op.kind as MatchType, { label, name, valueToken, value });
}

interface MatcherParts {
  readonly label: Token;
  readonly name: string;
  readonly valueToken: Token;
  readonly value: string;
}

function newMatcher(tokens: TokenStream, op: MatchType, parts: MatcherParts): Matcher {
  try {
    return new Matcher(op, parts.name, parts.value);
  } catch (thrown) {
    const span = { start: parts.label.start, end: parts.valueToken.end };
    return tokens.fail(span, errorText(thrown));
  }
}
