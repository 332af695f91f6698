/**
 * Go's quoting of strings and characters, and the reading of PromQL's string literals.
 *
 * A literal may name single bytes (`"\xc5"`) that are no UTF-8. JavaScript strings cannot hold them, so such a byte b
 * becomes the lone surrogate U+DC00+b, which no input can contain otherwise; printing turns it back into `\xNN`.
 */

const BYTE_BASE = 0xdc00;
const PRINTABLE = /^[\p{L}\p{M}\p{N}\p{P}\p{S} ]$/u;

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

/** The string between double quotes, escaped as Go's strconv.Quote. */
export function quote(text: string): string {
  // Nearly every text is plain ASCII without anything to escape.
  if (/^[ !#-[\]-~]*$/.test(text)) return `"${text}"`;
  let out = '"';
  for (const c of text) out += c === '"' ? '\\"' : escapeChar(c);
  return `${out}"`;
}

/** One character between single quotes, as Go's %q prints a rune; undefined is the end of the input. */
export function quoteChar(c: string | undefined): string {
  if (c === undefined) return "'\uFFFD'";
  return c === "'" ? "'\\''" : `'${escapeChar(c)}'`;
}

function escapeChar(c: string): string {
  const simple = SIMPLE_ESCAPES[c];
  if (simple !== undefined) return simple;
  const code = c.codePointAt(0) as number;
  if (code >= BYTE_BASE + 0x80 && code <= BYTE_BASE + 0xff) return `\\x${hex(code - BYTE_BASE, 2)}`;
  if (code < 0x20 || code === 0x7f) return `\\x${hex(code, 2)}`;
  if (PRINTABLE.test(c)) return c;
  return code > 0xffff ? `\\U${hex(code, 8)}` : `\\u${hex(code, 4)}`;
}

function hex(value: number, digits: number): string {
  return value.toString(16).padStart(digits, '0');
}

/** Whether a text is well-formed Unicode, that is, free of the stand-ins for single bytes. */
export function isValidText(text: string): boolean {
  return text.isWellFormed();
}

const ESCAPES: Readonly<Record<string, number>> = {
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

/** The text that a literal (with its quotes) stands for, or undefined when it is malformed. */
export function unquote(literal: string): string | undefined {
  const mark = literal[0];
  if (literal.length < 2 || mark !== literal.at(-1)) return undefined;
  const body = literal.slice(1, -1);
  if (mark === '`') return body;
  if (!body.includes('\\')) return body;
  const bytes: number[] = [];
  const pattern =
    /\\(?:x([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})|([0-7]{3})|(.))|[^\\]+/gsu;
  for (const match of body.matchAll(pattern)) {
    const [whole, x, u, wide, octal, single] = match;
    if (x !== undefined) bytes.push(Number.parseInt(x, 16));
    else if (octal !== undefined) bytes.push(Number.parseInt(octal, 8));
    else if (u !== undefined || wide !== undefined) {
      bytes.push(...Buffer.from(String.fromCodePoint(Number.parseInt(u ?? wide ?? '', 16))));
    } else if (single !== undefined) {
      const value = ESCAPES[single];
      // The other quote needs no escape and may not have one.
      if (value === undefined || ((single === '"' || single === "'") && single !== mark)) {
        return undefined;
      }
      bytes.push(value);
    } else bytes.push(...Buffer.from(whole));
  }
  return textOfBytes(Uint8Array.from(bytes));
}

/** Decodes UTF-8, keeping bytes that are none as lone surrogates. */
function textOfBytes(bytes: Uint8Array): string {
  const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
  try {
    return decoder.decode(bytes);
  } catch {
    let out = '';
    for (let i = 0; i < bytes.length;) {
      const size = sequenceSize(bytes[i] as number);
      try {
        out += decoder.decode(bytes.subarray(i, i + size));
        i += size;
      } catch {
        out += String.fromCharCode(BYTE_BASE + (bytes[i] as number));
        i++;
      }
    }
    return out;
  }
}

function sequenceSize(first: number): number {
  if (first < 0x80) return 1;
  if (first < 0xe0) return 2;
  return first < 0xf0 ? 3 : 4;
}
