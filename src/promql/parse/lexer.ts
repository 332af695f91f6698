/**
 * Text to tokens. What a character means depends on where it stands: inside braces words are label names, inside
 * brackets only durations and their arithmetic are allowed until the first number has been seen. The states and the
 * error texts answer to Prometheus 3.14 (promql/parser/lex.go).
 */
import { isPrintable } from '../../lib/go-strings.ts';
import { ParseError } from './parse-error.ts';
import { quote, quoteChar } from './quote.ts';
import { WORDS, type Token, type TokenKind } from './token.ts';

const DURATION_WORDS: ReadonlySet<string> = new Set(['step', 'range', 'max_of', 'min_of']);

const isSpace = (c: string | undefined) => c === ' ' || c === '\t' || c === '\n' || c === '\r';
const isLineEnd = (c: string | undefined) => c === '\n' || c === '\r';
const isDigit = (c: string | undefined) => c !== undefined && c >= '0' && c <= '9';
const isAlpha = (c: string | undefined) =>
  c !== undefined && (c === '_' || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'));
const isAlphaNumeric = (c: string | undefined) => isAlpha(c) || isDigit(c);

/** Reads the tokens of one query, one at a time. */
export class Lexer {
  readonly #input: string;
  #pos = 0;
  #start = 0;
  #parenDepth = 0;
  #inBraces = false;
  #inBracket = false;
  /** Right after `[`, before the first number. */
  #inDuration = false;
  #gotColon = false;
  #gotDuration = false;

  constructor(input: string) {
    this.#input = input;
  }

  /** The next token; after the end of the input the same token again and again. */
  next(): Token {
    this.#skipBlanks();
    this.#start = this.#pos;
    if (this.#inBraces) return this.#insideBraces();
    return this.#inDuration ? this.#durationExpr() : this.#statement();
  }

  /** Spaces, and comments except right after a bracket, where `#` is an error. */
  #skipBlanks(): void {
    const input = this.#input;
    for (;;) {
      while (isSpace(input[this.#pos])) this.#pos++;
      if (input[this.#pos] !== '#' || this.#inDuration) return;
      while (this.#pos < input.length && !isLineEnd(input[this.#pos])) this.#pos++;
    }
  }

  #peek(): string | undefined {
    return this.#input[this.#pos];
  }

  /** Takes one code point, undefined at the end. */
  #take(): string | undefined {
    const code = this.#input.codePointAt(this.#pos);
    if (code === undefined) return undefined;
    const c = String.fromCodePoint(code);
    this.#pos += c.length;
    return c;
  }

  #accept(set: string): boolean {
    const c = this.#peek();
    if (c === undefined || !set.includes(c)) return false;
    this.#pos++;
    return true;
  }

  #emit(kind: TokenKind): Token {
    const { start, end } = { start: this.#start, end: this.#pos };
    this.#start = end;
    return { kind, text: this.#input.slice(start, end), start, end };
  }

  #fail(detail: string): never {
    throw new ParseError(this.#input, { start: this.#start, end: this.#input.length }, detail);
  }

  #statement(): Token {
    const c = this.#take();
    if (c === undefined) {
      if (this.#parenDepth !== 0) this.#fail('unclosed left parenthesis');
      if (this.#inBracket) this.#fail('unclosed left bracket');
      return this.#emit('end of input');
    }
    if (isDigit(c) || (c === '.' && isDigit(this.#peek()))) {
      this.#pos = this.#start;
      return this.#numberOrDuration();
    }
    if (isAlpha(c) || c === ':') return this.#word(c);
    switch (c) {
      case ',':
      case '*':
      case '/':
      case '%':
      case '+':
      case '-':
      case '^':
      case '@':
        return this.#emit(c);
      case '=':
        if (this.#peek() === '~') this.#fail("unexpected character after '=': '~'");
        return this.#emit(this.#accept('=') ? '==' : '=');
      case '!': {
        const after = this.#take();
        if (after !== '=') this.#fail(`unexpected character after '!': ${quoteChar(after)}`);
        return this.#emit('!=');
      }
      case '<':
        if (this.#accept('=')) return this.#emit('<=');
        return this.#emit(this.#accept('/') ? '</' : '<');
      case '>':
        if (this.#accept('=')) return this.#emit('>=');
        return this.#emit(this.#accept('/') ? '>/' : '>');
      case '"':
      case "'":
        return this.#string(c);
      case '`':
        return this.#rawString();
      default:
        return this.#bracketOrFail(c);
    }
  }

  #bracketOrFail(c: string): Token {
    switch (c) {
      case '(':
      case ')':
        return this.#paren(c);
      case '{':
        this.#inBraces = true;
        return this.#emit(c);
      case '[':
        if (this.#inBracket) this.#fail("unexpected left bracket '['");
        this.#gotColon = false;
        this.#inBracket = true;
        this.#inDuration = true;
        return this.#emit(c);
      case ']':
        if (!this.#inBracket) this.#fail("unexpected right bracket ']'");
        this.#inBracket = false;
        return this.#emit(c);
      default:
        return this.#fail(`unexpected character: ${quoteChar(c)}`);
    }
  }

  #paren(c: '(' | ')'): Token {
    const token = this.#emit(c);
    this.#parenDepth += c === '(' ? 1 : -1;
    if (this.#parenDepth < 0) this.#fail("unexpected right parenthesis ')'");
    return token;
  }

  /** A word or a colon outside braces. In brackets only a colon and the duration functions may stand. */
  #word(first: string): Token {
    if (!this.#inBracket) {
      this.#pos = this.#start;
      return this.#keywordOrIdentifier();
    }
    if (first === ':') {
      if (this.#gotColon) this.#fail("unexpected colon ':'");
      this.#gotColon = true;
      return this.#emit(':');
    }
    const token = this.#durationWord(first);
    return token ?? this.#fail(`unexpected character: ${quoteChar(first)}, expected ':'`);
  }

  /** A duration function, or undefined with the word consumed. */
  #durationWord(first: string): Token | undefined {
    if (!/[srm]/i.test(first)) return undefined;
    while (isAlpha(this.#peek())) this.#pos++;
    const word = this.#input.slice(this.#start, this.#pos).toLowerCase();
    return DURATION_WORDS.has(word) ? this.#emit(word as TokenKind) : undefined;
  }

  #keywordOrIdentifier(): Token {
    while (isAlphaNumeric(this.#peek()) || this.#peek() === ':') this.#pos++;
    const word = this.#input.slice(this.#start, this.#pos);
    const kind = WORDS.get(word.toLowerCase());
    if (kind === undefined)
      return this.#emit(word.includes(':') ? 'metric identifier' : 'identifier');
    // fill, fill_left and fill_right are keywords only before a parenthesis: metrics may have these names.
    if (kind.startsWith('fill') && !/^[ \t\r\n]*\(/.test(this.#input.slice(this.#pos))) {
      return this.#emit('identifier');
    }
    return this.#emit(kind);
  }

  #insideBraces(): Token {
    const c = this.#take();
    if (c === undefined) this.#fail('unexpected end of input inside braces');
    if (isAlpha(c)) {
      while (isAlphaNumeric(this.#peek())) this.#pos++;
      return this.#emit('identifier');
    }
    switch (c) {
      case ',':
        return this.#emit(c);
      case '"':
      case "'":
        return this.#string(c);
      case '`':
        return this.#rawString();
      case '=':
        return this.#emit(this.#accept('~') ? '=~' : '=');
      case '!': {
        const after = this.#take();
        if (after === '~') return this.#emit('!~');
        if (after === '=') return this.#emit('!=');
        return this.#fail(`unexpected character after '!' inside braces: ${quoteChar(after)}`);
      }
      case '{':
        return this.#fail("unexpected left brace '{'");
      case '}':
        this.#inBraces = false;
        return this.#emit(c);
      default:
        return this.#fail(`unexpected character inside braces: ${quoteChar(c)}`);
    }
  }

  #durationExpr(): Token {
    const c = this.#take();
    if (c === undefined) this.#fail('unexpected end of input in duration expression');
    if (isDigit(c) || (c === '.' && isDigit(this.#peek()))) {
      this.#pos = this.#start;
      this.#gotDuration = true;
      this.#inDuration = false;
      return this.#numberOrDuration();
    }
    switch (c) {
      case ']':
        this.#inBracket = false;
        this.#inDuration = false;
        this.#gotColon = false;
        return this.#emit(c);
      case ':': {
        const token = this.#emit(c);
        if (!this.#gotDuration) {
          this.#fail('unexpected colon before duration in duration expression');
        }
        if (this.#gotColon) this.#fail('unexpected repeated colon in duration expression');
        this.#gotColon = true;
        return token;
      }
      case '(':
      case ')':
        return this.#paren(c);
      case '+':
      case '-':
      case '*':
      case '/':
      case '%':
      case '^':
      case ',':
        return this.#emit(c);
      default: {
        const token = this.#durationWord(c);
        if (token !== undefined) return token;
        return this.#fail(`unexpected character in duration expression: ${quoteChar(c)}`);
      }
    }
  }

  #numberOrDuration(): Token {
    if (this.#scanNumber()) return this.#emit('number');
    if (this.#scanDuration()) return this.#emit('duration');
    const text = this.#input.slice(this.#start, this.#pos);
    return this.#fail(`bad number or duration syntax: ${quote(text)}`);
  }

  /** The units that follow the digits scanned so far. On failure the position tells how far it looked. */
  #scanDuration(): boolean {
    if (!this.#accept('smhdwy')) return false;
    this.#accept('s');
    while (isDigit(this.#peek())) {
      while (isDigit(this.#peek())) this.#pos++;
      if (!this.#accept('smhdw')) return false;
      this.#accept('s');
    }
    if (!isAlphaNumeric(this.#peek())) return true;
    this.#pos++;
    return false;
  }

  /** A number in any of its forms; what passes here may still be refused when its value is read. */
  #scanNumber(): boolean {
    let digits = '0123456789';
    if (this.#accept('0') && this.#accept('xX')) {
      this.#accept('_');
      digits = '0123456789abcdefABCDEF';
    }
    this.#accept('.');
    this.#accept(digits);
    let dot = false;
    let exponent = false;
    const more = `${digits}._eE`;
    for (let c = this.#peek(); c !== undefined && more.includes(c); c = this.#peek()) {
      if (c === '.') {
        this.#pos++;
        if (dot) return false;
        dot = true;
        if (this.#accept('_.') || digits.length > 10) return false;
      } else if (c === 'e' || c === 'E') {
        // compat: after a first digit an `e` is an exponent even in a hexadecimal number.
        this.#pos++;
        if (exponent) return false;
        exponent = true;
        this.#accept('+-');
        if (this.#accept('._eE') || this.#peek() === undefined) return false;
      } else if (c === '_') {
        this.#pos++;
        if (this.#accept('._eE') || this.#peek() === undefined) return false;
      } else while (digits.includes(this.#peek() ?? '.')) this.#pos++;
    }
    return this.#pos > this.#start && !isAlphaNumeric(this.#peek());
  }

  #string(mark: string): Token {
    for (;;) {
      const c = this.#take();
      if (c === '\\') this.#escape(mark);
      else if (c === '\uFFFD') this.#fail('invalid UTF-8 rune');
      else if (c === undefined || c === '\n') this.#fail('unterminated quoted string');
      else if (c === mark) return this.#emit('string');
    }
  }

  #rawString(): Token {
    for (;;) {
      const c = this.#take();
      if (c === '\uFFFD') this.#fail('invalid UTF-8 rune');
      if (c === undefined) this.#fail('unterminated raw string');
      if (c === '`') return this.#emit('string');
    }
  }

  #escape(mark: string): void {
    const c = this.#take();
    if (c === undefined) this.#fail('escape sequence not terminated');
    if (c === mark || 'abfnrtv\\'.includes(c)) return;
    if (c >= '0' && c <= '7') {
      this.#pos--;
      this.#escapeDigits(3, 8, 255);
    } else if (c === 'x') this.#escapeDigits(2, 16, 255);
    else if (c === 'u') this.#escapeDigits(4, 16, 0x10ffff);
    else if (c === 'U') this.#escapeDigits(8, 16, 0x10ffff);
    else this.#fail(`unknown escape sequence ${codePointName(c)}`);
  }

  #escapeDigits(count: number, base: number, max: number): void {
    let value = 0;
    for (let i = 0; i < count; i++) {
      const c = this.#take();
      if (c === undefined) this.#fail('escape sequence not terminated');
      const digit = Number.parseInt(c, base);
      if (Number.isNaN(digit)) {
        this.#fail(`illegal character ${codePointName(c)} in escape sequence`);
      }
      value = value * base + digit;
    }
    if (value > max || (value >= 0xd800 && value < 0xe000)) {
      this.#fail('escape sequence is an invalid Unicode code point');
    }
  }
}

/** `U+0071 'q'`, and `U+000A` alone for what cannot be printed. */
function codePointName(c: string): string {
  const code = (c.codePointAt(0) as number).toString(16).toUpperCase().padStart(4, '0');
  return isPrintable(c) ? `U+${code} '${c}'` : `U+${code}`;
}
