/** The tokens of a template, read with some looking ahead, and the errors that name their lines. */
import { CodedError } from '../errors.ts';
import { showToken, tokenizeTemplate } from './lexer.ts';
import type { Token, TokenKind } from './lexer.ts';

/** Walks the tokens of a template. */
export class TokenStream {
  /** The line of the action that is being read, 0 outside of one: errors name it when they lie on another line. */
  actionLine = 0;
  readonly #name: string;
  readonly #tokens: readonly Token[];
  #next = 0;
  /** How far tokens have been looked at: errors are reported on the last one's line. */
  #seen = 0;

  constructor({ name, text }: { readonly name: string; readonly text: string }) {
    this.#name = name;
    this.#tokens = tokenizeTemplate(text);
  }

  /** Where the next token is, for {@link rewind}. */
  get position(): number {
    return this.#next;
  }

  /** Goes back to a position. */
  rewind(position: number): void {
    this.#next = position;
  }

  /** Goes back by the token that was taken last. */
  back(): void {
    this.#next--;
  }

  /** The next token; the last one again and again. */
  take(): Token {
    const token = this.#tokens[Math.min(this.#next, this.#tokens.length - 1)] as Token;
    this.#seen = Math.max(this.#seen, this.#next);
    this.#next++;
    return token;
  }

  /** The next token, left where it is. */
  peek(): Token {
    const token = this.take();
    this.#next--;
    return token;
  }

  /** The next token that is no blank. */
  takeNonSpace(): Token {
    let token = this.take();
    while (token.kind === 'space') token = this.take();
    return token;
  }

  /** Drops blanks; answers the token behind them, left where it is. */
  peekNonSpace(): Token {
    const token = this.takeNonSpace();
    this.#next--;
    return token;
  }

  /** Takes a token of a kind. @throws CodedError when another one is there. */
  expect(kind: TokenKind, context: string): Token {
    const token = this.takeNonSpace();
    if (token.kind !== kind) throw this.unexpected(token, context);
    return token;
  }

  /** An error as `template: name:line: what`. */
  error(what: string): CodedError {
    const line = this.#tokens[Math.min(this.#seen, this.#tokens.length - 1)]?.line ?? 1;
    return new CodedError('bad_data', `template: ${this.#name}:${line}: ${what}`);
  }

  /** The error for a token that should not be there. */
  unexpected(token: Token, context: string): CodedError {
    if (token.kind !== 'error') return this.error(`unexpected ${showToken(token)} in ${context}`);
    if (this.actionLine === 0 || this.actionLine === token.line) return this.error(token.text);
    const started = `started at ${this.#name}:${this.actionLine}`;
    const repeats = token.text.endsWith(' action');
    return this.error(`${token.text}${repeats ? '' : ' in action'} ${started}`);
  }
}
