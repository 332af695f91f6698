/** Pipelines, commands and operands of templates. Grammar and error texts: Go's text/template/parse. */
import { errorText } from '../errors.ts';
import { quoteGo, unquoteGo } from '../go-strings.ts';
import type { Token, TokenKind } from './lexer.ts';
import type { Command, Operand, Pipe, VariableOperand } from './node.ts';
import { printPlace } from './node.ts';
import { readCharacter, readNumber } from './number.ts';
import type { TokenStream } from './token-stream.ts';

/** limit: parentheses inside each other. */
const DEPTH_MAX = 1000;

/** Reads pipelines from tokens, and keeps which variables are in scope. */
export class PipelineParser {
  readonly #tokens: TokenStream;
  readonly #isFunction: (name: string) => boolean;
  /** Variables in scope; those of an action stay until the end of the list around it. */
  #scope = ['$'];
  #depth = 0;

  constructor(tokens: TokenStream, isFunction: (name: string) => boolean) {
    this.#tokens = tokens;
    this.#isFunction = isFunction;
  }

  /** Runs what declares variables of its own. */
  inScope<T>(work: () => T): T {
    const size = this.#scope.length;
    const result = work();
    this.#scope.length = size;
    return result;
  }

  /** Runs what sees no variables but its data. */
  inOwnScope<T>(work: () => T): T {
    const scope = this.#scope;
    this.#scope = ['$'];
    const result = work();
    this.#scope = scope;
    return result;
  }

  /** The text of a literal. */
  unquote(literal: string): string {
    const text = unquoteGo(literal);
    if (text === undefined) throw this.#tokens.error('invalid syntax');
    return text;
  }

  /** Reads a pipeline and what ends it; `context` says in messages what it belongs to. */
  pipe(context: string, end: 'right' | 'close'): Pipe {
    const { at } = this.#tokens.peekNonSpace();
    const { variables, assigns } = this.#declarations(context);
    const commands: Command[] = [];
    for (;;) {
      const token = this.#tokens.takeNonSpace();
      if (token.kind === end) break;
      if (!STARTS_COMMAND.has(token.kind)) throw this.#tokens.unexpected(token, context);
      this.#tokens.back();
      commands.push(this.#command());
    }
    if (commands.length === 0) throw this.#tokens.error(`missing value for ${context}`);
    for (const [i, { operands }] of commands.entries()) {
      if (i > 0 && NOT_EXECUTABLE.has(operands[0].kind)) {
        throw this.#tokens.error(`non executable command in pipeline stage ${i + 1}`);
      }
    }
    return { kind: 'pipe', at, variables, assigns, commands };
  }

  /** `$x :=`, `$x =` or, for a range, `$i, $x :=`; nothing when the pipeline begins with a variable as a value. */
  #declarations(context: string): { variables: VariableOperand[]; assigns: boolean } {
    const variables: VariableOperand[] = [];
    for (;;) {
      const start = this.#tokens.position;
      const token = this.#tokens.takeNonSpace();
      const next = token.kind === 'variable' ? this.#tokens.takeNonSpace() : undefined;
      const declares = next?.kind === 'assign' || next?.kind === 'declare';
      const comma = next?.kind === 'punctuation' && next.text === ',';
      if (!declares && !comma) {
        this.#tokens.rewind(start);
        return { variables, assigns: false };
      }
      variables.push({ kind: 'variable', at: token.at, name: token.text, fields: [] });
      this.#scope.push(token.text);
      if (declares) return { variables, assigns: next.kind === 'assign' };
      if (context !== 'range' || variables.length > 1) {
        throw this.#tokens.error(`too many declarations in ${context}`);
      }
      const { kind } = this.#tokens.peekNonSpace();
      if (kind !== 'variable' && kind !== 'right' && kind !== 'close') {
        throw this.#tokens.error('range can only initialize variables');
      }
    }
  }

  /** Operands up to a bar, which is taken, or the end of the pipeline, which is not. */
  #command(): Command {
    const { at } = this.#tokens.peekNonSpace();
    const operands: Operand[] = [];
    for (;;) {
      this.#tokens.peekNonSpace();
      const operand = this.#operand();
      if (operand !== undefined) operands.push(operand);
      const token = this.#tokens.take();
      if (token.kind === 'space') continue;
      if (token.kind === 'right' || token.kind === 'close') this.#tokens.back();
      else if (token.kind !== 'pipe') throw this.#tokens.unexpected(token, 'operand');
      const [first, ...others] = operands;
      if (first === undefined) throw this.#tokens.error('empty command');
      return { kind: 'command', at, operands: [first, ...others] };
    }
  }

  /** A term and the fields behind it; undefined when no term begins here. */
  #operand(): Operand | undefined {
    const term = this.#term();
    if (term === undefined || this.#tokens.peek().kind !== 'field') return term;
    // compat: errors are reported at the second name.
    const { at } = this.#tokens.peek();
    const names: string[] = [];
    while (this.#tokens.peek().kind === 'field') names.push(this.#tokens.take().text.slice(1));
    if (term.kind === 'field') return { ...term, at, names: [...term.names, ...names] };
    if (term.kind === 'variable') return { ...term, at, fields: [...term.fields, ...names] };
    if (term.kind === 'pipe' || term.kind === 'function') {
      return { kind: 'chain', at, base: term, names };
    }
    throw this.#tokens.error(`unexpected . after term ${quoteGo(printPlace(term))}`);
  }

  #term(): Operand | undefined {
    const token = this.#tokens.takeNonSpace();
    const { kind, text, at } = token;
    if (kind === 'identifier') {
      if (!this.#isFunction(text))
        throw this.#tokens.error(`function ${quoteGo(text)} not defined`);
      return { kind: 'function', at, name: text };
    }
    if (kind === 'variable') {
      if (!this.#scope.includes(text)) {
        throw this.#tokens.error(`undefined variable ${quoteGo(text)}`);
      }
      return { kind: 'variable', at, name: text, fields: [] };
    }
    if (kind === 'field') return { kind: 'field', at, names: [text.slice(1)] };
    if (kind === '.') return { kind: 'dot', at };
    if (kind === 'nil') return { kind: 'nil', at };
    if (kind === 'boolean') return { kind: 'boolean', at, value: text === 'true' };
    if (kind === 'string' || kind === 'raw string') {
      return { kind: 'string', at, literal: text, value: this.unquote(text) };
    }
    if (kind === 'number' || kind === 'complex' || kind === 'character') return this.#number(token);
    if (kind === 'open') return this.#parenthesized();
    this.#tokens.back();
    return undefined;
  }

  #number({ kind, text, at }: Token): Operand {
    if (kind === 'complex' || (kind === 'number' && text.endsWith('i'))) {
      throw this.#tokens.error(`complex numbers are not implemented yet: ${quoteGo(text)}`);
    }
    try {
      return kind === 'character' ? readCharacter(text, at) : readNumber(text, at);
    } catch (thrown) {
      throw this.#tokens.error(errorText(thrown));
    }
  }

  #parenthesized(): Pipe {
    if (this.#depth >= DEPTH_MAX) throw this.#tokens.error('max expression depth exceeded');
    this.#depth++;
    const pipe = this.pipe('parenthesized pipeline', 'close');
    this.#depth--;
    return pipe;
  }
}

const STARTS_COMMAND: ReadonlySet<TokenKind> = new Set([
  'boolean',
  'character',
  'complex',
  '.',
  'field',
  'identifier',
  'number',
  'nil',
  'raw string',
  'string',
  'variable',
  'open',
]);

const NOT_EXECUTABLE: ReadonlySet<Operand['kind']> = new Set([
  'boolean',
  'dot',
  'nil',
  'number',
  'string',
]);
