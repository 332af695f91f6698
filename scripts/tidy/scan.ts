/**
 * Splits TypeScript text into code, strings, comments and regular expressions: as much of a tokenizer as the checks need,
 * so that a word in a comment or a string is never taken for code.
 */

/** A piece of a source text: [start, end) in UTF-16 units. */
export interface Span {
  readonly start: number;
  readonly end: number;
  /** Comments: with their delimiters. Strings: the text between the quotes, escapes as written. */
  readonly text: string;
}

/** A scanned source. */
export interface Scanned {
  readonly text: string;
  /** As long as the text, line breaks in place; comments and the insides of strings and regexps are spaces. */
  readonly code: string;
  /** Plain strings and templates without `${}`; start is where the opening quote stands. */
  readonly strings: readonly Span[];
  readonly comments: readonly Span[];
}

/** Words after which a slash begins a regular expression, not a division. */
const BEFORE_REGEXP =
  /(?:^|[^\w$.])(?:return|typeof|case|in|of|do|else|void|delete|throw|new|await|yield)$/;

class Scanner {
  readonly text: string;
  readonly strings: Span[] = [];
  readonly comments: Span[] = [];
  #out: string[] = [];
  /** The last bits of code, white space and comments as one space: tells a regexp from a division. */
  #tail = '';
  #pos = 0;
  /** For each template that is open at a `${`: how many braces are open inside. */
  #templates: number[] = [];

  constructor(text: string) {
    this.text = text;
  }

  run(): Scanned {
    const { text } = this;
    while (this.#pos < text.length) {
      const c = text[this.#pos] as string;
      const next = text[this.#pos + 1];
      if (c === '/' && next === '/') this.#comment(endOr(text, '\n', this.#pos));
      else if (c === '/' && next === '*') this.#comment(endOr(text, '*/', this.#pos + 2, 2));
      else if (c === '#' && next === '!' && this.#pos === 0) this.#comment(endOr(text, '\n', 0));
      else if (c === "'" || c === '"') this.#string(c);
      else if (c === '`') this.#template(this.#pos);
      else if (c === '/' && this.#startsRegexp()) this.#regexp();
      else this.#plain(c);
    }
    return { text, code: this.#out.join(''), strings: this.strings, comments: this.comments };
  }

  #plain(c: string): void {
    const inner = this.#templates.length - 1;
    if (inner >= 0 && c === '{') this.#templates[inner] = (this.#templates[inner] ?? 0) + 1;
    if (inner >= 0 && c === '}') {
      const depth = this.#templates[inner] ?? 0;
      if (depth === 0) {
        this.#templates.pop();
        this.#template(this.#pos);
        return;
      }
      this.#templates[inner] = depth - 1;
    }
    this.#emit(c);
  }

  /** Takes one piece of the text over as code. */
  #emit(code: string): void {
    this.#out.push(code);
    this.#pos += code.length;
    if (code.trim() !== '') this.#tail = (this.#tail + code).slice(-12);
    else if (!this.#tail.endsWith(' ')) this.#tail += ' ';
  }

  #blank(to: number): void {
    this.#out.push(this.text.slice(this.#pos, to).replaceAll(/[^\n]/g, ' '));
    this.#pos = to;
  }

  #comment(end: number): void {
    this.comments.push({ start: this.#pos, end, text: this.text.slice(this.#pos, end) });
    this.#blank(end);
  }

  #string(quote: string): void {
    const start = this.#pos;
    let i = start + 1;
    while (i < this.text.length && this.text[i] !== quote && this.text[i] !== '\n') {
      i += this.text[i] === '\\' ? 2 : 1;
    }
    this.strings.push({ start, end: i + 1, text: this.text.slice(start + 1, i) });
    this.#emit(quote);
    this.#blank(Math.min(i, this.text.length));
    if (this.text[i] === quote) this.#plain(quote);
  }

  /** From a backquote or the brace that closes a `${`, to the next `${` or the end of the template. */
  #template(start: number): void {
    const { text } = this;
    let i = start + 1;
    while (i < text.length && text[i] !== '`' && !(text[i] === '$' && text[i + 1] === '{')) {
      i += text[i] === '\\' ? 2 : 1;
    }
    this.#emit(text[start] as string);
    this.#blank(Math.min(i, text.length));
    if (text[i] === '$') {
      this.#emit('${');
      this.#templates.push(0);
    } else if (text[i] === '`') {
      if (text[start] === '`') {
        this.strings.push({ start, end: i + 1, text: text.slice(start + 1, i) });
      }
      this.#emit('`');
    }
  }

  #startsRegexp(): boolean {
    const tail = this.#tail.trimEnd();
    const last = tail.at(-1);
    if (last === undefined) return true;
    return BEFORE_REGEXP.test(tail) || !/[\w$)\]}'"`]/.test(last);
  }

  #regexp(): void {
    const { text } = this;
    let i = this.#pos + 1;
    let inClass = false;
    while (i < text.length && text[i] !== '\n' && (inClass || text[i] !== '/')) {
      if (text[i] === '[') inClass = true;
      if (text[i] === ']') inClass = false;
      i += text[i] === '\\' ? 2 : 1;
    }
    this.#emit('/');
    this.#blank(Math.min(i, text.length));
    if (text[i] === '/') this.#plain('/');
  }
}

/** Where a mark stands after a position (plus its length), or the end of the text. */
function endOr(text: string, mark: string, from: number, length = 0): number {
  const at = text.indexOf(mark, from);
  return at === -1 ? text.length : at + length;
}

/** Scans a TypeScript source. Never throws: unfinished strings and comments end with the text. */
export function scan(text: string): Scanned {
  return new Scanner(text).run();
}

/** The 1-based line of an offset. */
export function lineAt(text: string, offset: number): number {
  let line = 1;
  for (let i = text.indexOf('\n'); i !== -1 && i < offset; i = text.indexOf('\n', i + 1)) line++;
  return line;
}
