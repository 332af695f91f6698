/**
 * Go's strings are bytes. JavaScript's cannot hold bytes that are no UTF-8 (a literal such as `"\xff"` names one), so
 * such a byte b is the lone surrogate U+DC00+b here, which no text has that was UTF-8.
 */

const BYTE_BASE = 0xdc00;

/** What Go's unicode.IsPrint says yes to. */
const PRINTABLE = /^[\p{L}\p{M}\p{N}\p{P}\p{S} ]$/u;

/** The bytes of a text. */
export function goBytes(text: string): Uint8Array {
  if (text.isWellFormed()) return Buffer.from(text);
  const parts: Buffer[] = [];
  for (const char of text) {
    const code = char.codePointAt(0) ?? 0;
    const single = code >= BYTE_BASE + 0x80 && code <= BYTE_BASE + 0xff;
    parts.push(single ? Buffer.of(code - BYTE_BASE) : Buffer.from(char));
  }
  return Buffer.concat(parts);
}

const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** The text of bytes. */
export function goText(bytes: Uint8Array): string {
  try {
    return decoder.decode(bytes);
  } catch {
    let text = '';
    for (let i = 0; i < bytes.length;) {
      const [char, size] = charAt(bytes, i);
      text += char;
      i += size;
    }
    return text;
  }
}

/** The character that begins at a byte and its length, or that byte alone. */
function charAt(bytes: Uint8Array, at: number): [string, number] {
  const first = bytes[at] as number;
  const size = first < 0xc0 ? 1 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
  try {
    return [decoder.decode(bytes.subarray(at, at + size)), size];
  } catch {
    return [String.fromCharCode(BYTE_BASE + first), 1];
  }
}

/** Whether a character is one that Go prints as it is, and not escaped. */
export function isPrintable(char: string): boolean {
  return PRINTABLE.test(char);
}

const SIMPLE_ESCAPES: Readonly<Record<string, string>> = {
  '\u0007': '\\a',
  '\b': '\\b',
  '\f': '\\f',
  '\n': '\\n',
  '\r': '\\r',
  '\t': '\\t',
  '\v': '\\v',
  '\\': '\\\\',
};

/** How quoting treats what could be printed. */
export interface QuoteOptions {
  /** Escapes everything that is not ASCII. */
  readonly ascii?: boolean;
}

/** A text in double quotes with Go's escapes: strconv.Quote. */
export function quoteGo(text: string, options: QuoteOptions = {}): string {
  // perf: nearly every text is plain ASCII without anything to escape.
  if (/^[ !#-[\]-~]*$/.test(text)) return `"${text}"`;
  let out = '"';
  for (const char of text) out += char === '"' ? '\\"' : escapeChar(char, options);
  return `${out}"`;
}

/** A character in single quotes: strconv.QuoteRune. */
export function quoteGoRune(char: string, options: QuoteOptions = {}): string {
  return char === "'" ? "'\\''" : `'${escapeChar(char, options)}'`;
}

function escapeChar(char: string, { ascii = false }: QuoteOptions): string {
  const simple = SIMPLE_ESCAPES[char];
  if (simple !== undefined) return simple;
  const code = char.codePointAt(0) ?? 0;
  if (code >= BYTE_BASE + 0x80 && code <= BYTE_BASE + 0xff) return `\\x${hex(code - BYTE_BASE, 2)}`;
  if (code < 0x20 || code === 0x7f) return `\\x${hex(code, 2)}`;
  if (ascii ? code < 0x7f : PRINTABLE.test(char)) return char;
  return code > 0xffff ? `\\U${hex(code, 8)}` : `\\u${hex(code, 4)}`;
}

function hex(value: number, digits: number): string {
  return value.toString(16).padStart(digits, '0');
}

/** The code points of escapes of one letter in literals. */
export const GO_ESCAPES: Readonly<Record<string, number>> = {
  a: 7,
  b: 8,
  f: 12,
  n: 10,
  r: 13,
  t: 9,
  v: 11,
  '\\': 92,
  "'": 39,
  '"': 34,
};

const PIECE =
  /\\(?:x([\da-fA-F]{2})|u([\da-fA-F]{4})|U([\da-fA-F]{8})|([0-7]{3})|([abfnrtv\\'"]))|[^\\\n]/guy;

/**
 * The text of a literal in double quotes, backquotes or single quotes (then one character): strconv.Unquote. Undefined
 * when it is none.
 */
export function unquoteGo(literal: string): string | undefined {
  const mark = literal[0];
  if (literal.length < 2 || mark !== literal.at(-1)) return undefined;
  const body = literal.slice(1, -1);
  if (mark === '`') return body.includes('`') ? undefined : body.replaceAll('\r', '');
  if (mark !== '"' && mark !== "'") return undefined;
  const parts: Uint8Array[] = [];
  let end = 0;
  for (const match of body.matchAll(PIECE)) {
    const bytes = pieceBytes(match, mark);
    if (bytes === undefined) return undefined;
    parts.push(bytes);
    end = match.index + match[0].length;
  }
  if (end !== body.length || (mark === "'" && parts.length !== 1)) return undefined;
  return goText(Buffer.concat(parts));
}

function pieceBytes(match: RegExpExecArray, mark: string): Uint8Array | undefined {
  const [whole, byte, short, long, octal, single] = match;
  if (byte !== undefined) return Buffer.of(Number.parseInt(byte, 16));
  if (octal !== undefined) {
    const value = Number.parseInt(octal, 8);
    return value > 0xff ? undefined : Buffer.of(value);
  }
  const point = short ?? long;
  if (point !== undefined) {
    const code = Number.parseInt(point, 16);
    const valid = code <= 0x10ffff && (code < 0xd800 || code > 0xdfff);
    return valid ? Buffer.from(String.fromCodePoint(code)) : undefined;
  }
  // The other quote needs no escape and may not have one; the mark itself must have one.
  if (single === undefined) return whole === mark ? undefined : goBytes(whole);
  if ((single === '"' || single === "'") && single !== mark) return undefined;
  return Buffer.of(GO_ESCAPES[single] ?? 0);
}
