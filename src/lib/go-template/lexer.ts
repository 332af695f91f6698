/**
 * Templates to tokens. Between `{{` and `}}` blanks are tokens, for `.a .b` is two things and `.a.b` one; `{{- ` and
 * ` -}}` have eaten the white space beside them already. Grammar and error texts: Go's text/template/parse.
 */
import { quoteGo } from '../go-strings.ts';

/** What a token is; keywords are their own kind. */
export type TokenKind =
  | 'text'
  | 'left'
  | 'right'
  | 'space'
  | 'field'
  | 'variable'
  | 'identifier'
  | 'number'
  | 'complex'
  | 'character'
  | 'string'
  | 'raw string'
  | 'boolean'
  | 'assign'
  | 'declare'
  | 'pipe'
  | 'open'
  | 'close'
  | 'punctuation'
  | 'error'
  | 'eof'
  | Keyword;

/** Words with a meaning of their own; a dot alone is one of them. */
export type Keyword =
  | '.'
  | 'block'
  | 'break'
  | 'continue'
  | 'define'
  | 'else'
  | 'end'
  | 'if'
  | 'nil'
  | 'range'
  | 'template'
  | 'with';

/** A piece of a template. */
export interface Token {
  readonly kind: TokenKind;
  /** As it stands in the template; for an error what is wrong. */
  readonly text: string;
  /** Where it begins, in UTF-16 units. */
  readonly at: number;
  /** The line where it begins, from 1. */
  readonly line: number;
}

const KEYWORDS: ReadonlySet<string> = new Set<Keyword>([
  '.',
  'block',
  'break',
  'continue',
  'define',
  'else',
  'end',
  'if',
  'nil',
  'range',
  'template',
  'with',
]);

/** A token as error messages show it. */
export function showToken({ kind, text }: Token): string {
  if (kind === 'eof') return 'EOF';
  if (kind === 'error') return text;
  if (KEYWORDS.has(kind)) return `<${text}>`;
  const cut = Array.from(text);
  return cut.length > 10 ? `${quoteGo(cut.slice(0, 10).join(''))}...` : quoteGo(text);
}

/** All tokens of a template; the last one is `eof` or an error. */
export function tokenizeTemplate(text: string): Token[] {
  const lexer = new Lexer(text);
  lexer.run();
  return lexer.tokens;
}

/** Ends the lexer at an error. */
class LexicalError extends Error {}

const SPACES = /[ \t\r\n]*/y;
const TRAILING_SPACES = /[ \t\r\n]+$/;
const WORD = /[\p{L}\p{Nd}_]*/uy;
const WORD_CHAR = /[\p{L}\p{Nd}_]/uy;
const RIGHT = /(?:[ \t\r\n]-)?\}\}/y;
const NUMBER =
  /[-+]?(?:0[xX][\da-fA-F_]*(?:\.[\da-fA-F_]*)?(?:[pP][-+]?[\d_]*)?|0[oO][0-7_]*(?:\.[0-7_]*)?|0[bB][01_]*(?:\.[01_]*)?|[\d_]*(?:\.[\d_]*)?(?:[eE][-+]?[\d_]*)?)i?/y;
const QUOTED = {
  '"': /"(?:[^"\\\n]|\\[^\n])*"/y,
  "'": /'(?:[^'\\\n]|\\[^\n])*'/y,
  '`': /`[^`]*`/y,
};

class Lexer {
  readonly tokens: Token[] = [];
  readonly #text: string;
  #at = 0;
  #line = 1;
  /** How far lines have been counted. */
  #counted = 0;
  #depth = 0;

  constructor(text: string) {
    this.#text = text;
  }

  run(): void {
    try {
      while (this.#textUpToAction()) this.#action();
      this.#push('eof', '', this.#text.length);
    } catch (thrown) {
      if (!(thrown instanceof LexicalError)) throw thrown;
      this.#push('error', thrown.message, this.#at);
    }
  }

  /** Adds a token that begins at a place behind all before it. */
  #push(kind: TokenKind, text: string, at: number): void {
    for (let i = this.#counted; i < at; i++) if (this.#text[i] === '\n') this.#line++;
    this.#counted = Math.max(this.#counted, at);
    this.tokens.push({ kind, text, at, line: this.#line });
  }

  /** Reads text; answers whether an action follows, whose `{{` has been read then. */
  #textUpToAction(): boolean {
    for (;;) {
      const start = this.#at;
      const open = this.#text.indexOf('{{', start);
      const end = open < 0 ? this.#text.length : open;
      const trim = open >= 0 && /^-[ \t\r\n]/.test(this.#text.slice(open + 2, open + 4));
      const raw = this.#text.slice(start, end);
      const text = trim ? raw.replace(TRAILING_SPACES, '') : raw;
      if (text !== '') this.#push('text', text, start);
      if (open < 0) return false;
      const inside = open + (trim ? 4 : 2);
      if (!this.#text.startsWith('/*', inside)) {
        this.#push('left', '{{', open);
        this.#at = inside;
        return true;
      }
      this.#at = inside;
      this.#comment();
    }
  }

  #comment(): void {
    const close = this.#text.indexOf('*/', this.#at + 2);
    if (close < 0) throw new LexicalError('unclosed comment');
    const end = this.#match(RIGHT, close + 2);
    if (end === undefined) throw new LexicalError('comment ends before closing delimiter');
    this.#closeAction(end, close + 2 + end.length);
  }

  /** Behind `}}`, or behind ` -}}` and the white space that it eats. */
  #closeAction(delimiter: string, end: number): void {
    const trimmed = delimiter === '}}' ? '' : (this.#match(SPACES, end) ?? '');
    this.#at = end + trimmed.length;
  }

  /** The tokens of an action up to its end. */
  #action(): void {
    this.#depth = 0;
    for (;;) {
      const delimiter = this.#match(RIGHT, this.#at);
      if (delimiter !== undefined) {
        if (this.#depth > 0) throw new LexicalError('unclosed left paren');
        const end = this.#at + delimiter.length;
        this.#push('right', '}}', end - 2);
        this.#closeAction(delimiter, end);
        return;
      }
      this.#inside();
    }
  }

  #inside(): void {
    const code = this.#text.codePointAt(this.#at);
    if (code === undefined) throw new LexicalError('unclosed action');
    const char = String.fromCodePoint(code);
    const next = this.#text[this.#at + 1] ?? '';
    if (/[ \t\r\n]/.test(char)) this.#space();
    else if (char === '=') this.#take('assign', char);
    else if (char === ':') {
      if (next !== '=') throw new LexicalError('expected :=');
      this.#take('declare', ':=');
    } else if (char === '|') this.#take('pipe', char);
    else if (char === '"' || char === '`' || char === "'") this.#quoted(char);
    else if (char === '$') this.#name('variable');
    else if (char === '.' && !/^\d$/.test(next)) this.#name('field');
    else if (/[-+.\d]/.test(char)) this.#number();
    else if (this.#match(WORD_CHAR, this.#at) !== undefined) this.#word();
    else if (char === '(') {
      this.#depth++;
      this.#take('open', char);
    } else if (char === ')') {
      if (this.#depth-- === 0) throw new LexicalError('unexpected right paren');
      this.#take('close', char);
    } else if (/^[!-~]$/.test(char)) this.#take('punctuation', char);
    else throw new LexicalError(`unrecognized character in action: ${showCharacter(char)}`);
  }

  #take(kind: TokenKind, text: string): void {
    this.#push(kind, text, this.#at);
    this.#at += text.length;
  }

  /** Blanks, but not the last one where it belongs to ` -}}`. */
  #space(): void {
    const all = this.#match(SPACES, this.#at) ?? '';
    const end = this.#at + all.length;
    const marked = this.#text.startsWith('-}}', end);
    if (!marked) this.#take('space', all);
    else if (all.length > 1) this.#take('space', all.slice(0, -1));
  }

  #quoted(mark: '"' | "'" | '`'): void {
    const text = this.#match(QUOTED[mark], this.#at);
    const [kind, name] = {
      '"': ['string', 'quoted string'],
      "'": ['character', 'character constant'],
      '`': ['raw string', 'raw quoted string'],
    }[mark] as [TokenKind, string];
    if (text === undefined) throw new LexicalError(`unterminated ${name}`);
    this.#take(kind, text);
  }

  /** `.name`, `$name`, or the dot or dollar alone. */
  #name(kind: 'field' | 'variable'): void {
    const word = this.#match(WORD, this.#at + 1) ?? '';
    const end = this.#at + 1 + word.length;
    this.#checkTerminator(end);
    const text = this.#text.slice(this.#at, end);
    this.#take(text === '.' ? '.' : kind, text);
  }

  #word(): void {
    const word = this.#match(WORD, this.#at) ?? '';
    this.#checkTerminator(this.#at + word.length);
    if (KEYWORDS.has(word)) this.#take(word as Keyword, word);
    else this.#take(word === 'true' || word === 'false' ? 'boolean' : 'identifier', word);
  }

  /** After a name comes a blank, the end, or one of `.,|:()`. */
  #checkTerminator(end: number): void {
    const code = this.#text.codePointAt(end);
    if (code === undefined || this.#text.startsWith('}}', end)) return;
    const char = String.fromCodePoint(code);
    if (!/[ \t\r\n.,|:()]/.test(char)) {
      throw new LexicalError(`bad character ${showCharacter(char)}`);
    }
  }

  #number(): void {
    const first = this.#scanNumber(this.#at);
    const sign = this.#text[this.#at + first.length];
    if (sign !== '+' && sign !== '-') {
      this.#take('number', first);
      return;
    }
    const text = first + this.#scanNumber(this.#at + first.length);
    if (!text.endsWith('i')) throw new LexicalError(`bad number syntax: ${quoteGo(text)}`);
    this.#take('complex', text);
  }

  #scanNumber(at: number): string {
    const text = this.#match(NUMBER, at) ?? '';
    const more = this.#match(WORD_CHAR, at + text.length);
    if (more === undefined) return text;
    const shown = this.#text.slice(this.#at, at + text.length + more.length);
    throw new LexicalError(`bad number syntax: ${quoteGo(shown)}`);
  }

  #match(pattern: RegExp, at: number): string | undefined {
    pattern.lastIndex = at;
    return pattern.exec(this.#text)?.[0];
  }
}

/** `U+0040 '@'`. */
function showCharacter(char: string): string {
  const code = (char.codePointAt(0) ?? 0).toString(16).toUpperCase().padStart(4, '0');
  return /^[\p{L}\p{M}\p{N}\p{P}\p{S} ]$/u.test(char) ? `U+${code} '${char}'` : `U+${code}`;
}
