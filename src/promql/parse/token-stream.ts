/**
 * Tokens with one token of lookahead (two where a word decides), and the contexts that "unexpected …" errors name.
 *
 * A context is open while the text that it names is read. An error names the innermost open one; a context that is
 * `undefined` says that nothing is known there, which no caller opens: errors then go without.
 */
import { Lexer } from './lexer.ts';
import { ParseError } from './parse-error.ts';
import { describeToken, type Token, type TokenKind } from './token.ts';
import type { Span } from './ast.ts';

/** limit: what a large expression of people or their programs has is far below; ten times as many take a second. */
const TOKENS_MAX = 100_000;

/**
 * limit: characters and instructions of all regular expressions that need the engine, which compiles about 600,000 of
 * either in a second.
 */
const REGEXP_SIZE_MAX = 500_000;

interface Context {
  readonly name: string;
  expected: string;
}

/** The tokens of one query. */
export class TokenStream {
  readonly query: string;
  readonly #lexer: Lexer;
  readonly #contexts: Context[] = [];
  #ahead: Token | undefined;
  #second: Token | undefined;
  #end = 0;
  #read = 0;
  #regexpSize = 0;

  constructor(query: string) {
    this.query = query;
    this.#lexer = new Lexer(query);
  }

  /** The next token, not taken. */
  get ahead(): Token {
    this.#ahead ??= this.#next();
    return this.#ahead;
  }

  /** The token after the next one. What the lexer refuses there is an error at once, as it is in Prometheus. */
  get second(): Token {
    this.#ahead ??= this.#next();
    this.#second ??= this.#next();
    return this.#second;
  }

  #next(): Token {
    const token = this.#lexer.next();
    if (++this.#read > TOKENS_MAX)
      this.fail(token, `expression has more than ${TOKENS_MAX} tokens`);
    return token;
  }

  /** Where the token taken last ended. */
  get end(): number {
    return this.#end;
  }

  /** Takes the next token. */
  take(): Token {
    const token = this.ahead;
    this.#ahead = this.#second;
    this.#second = undefined;
    this.#end = token.end;
    return token;
  }

  /** Takes the next token when it is of this kind. */
  accept(kind: TokenKind): Token | undefined {
    return this.ahead.kind === kind ? this.take() : undefined;
  }

  /** Takes the next token, which must be of this kind. */
  expect(kind: TokenKind): Token {
    return this.accept(kind) ?? this.unexpected();
  }

  /** Reads something inside a context. `expected` goes into the error text when it is not empty. */
  within<T>(name: string, expected: string, read: (context: { expected: string }) => T): T {
    const context = { name, expected };
    this.#contexts.push(context);
    const value = read(context);
    this.#contexts.pop();
    return value;
  }

  /** Adds to what the query's regular expressions cost, and refuses the one that makes it too much. */
  countRegexp(span: Span, size: number): void {
    this.#regexpSize += size;
    if (this.#regexpSize > REGEXP_SIZE_MAX) {
      this.fail(span, 'regular expressions of the query are too large');
    }
  }

  /** Refuses the next token. */
  unexpected(): never {
    const token = this.ahead;
    const context = this.#contexts.at(-1);
    let detail = `unexpected ${describeToken(token)}`;
    if (context !== undefined) {
      detail += ` in ${context.name}`;
      if (context.expected !== '') detail += `, expected ${context.expected}`;
    }
    return this.fail(token, detail);
  }

  /** Refuses a part of the query. */
  fail(span: Span, detail: string): never {
    throw new ParseError(this.query, span, detail);
  }
}
