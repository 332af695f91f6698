/**
 * Go's quoting of strings and characters, and the reading of PromQL's string literals.
 *
 * A literal may name single bytes (`"\xc5"`) that are no UTF-8. JavaScript strings cannot hold them, so such a byte b
 * becomes the lone surrogate U+DC00+b, which no input can contain otherwise; printing turns it back into `\xNN`.
 */

import { GO_ESCAPES, goText, quoteGo, quoteGoRune } from '../../lib/go-strings.ts';

/** The string between double quotes, escaped as Go's strconv.Quote. */
export function quote(text: string): string {
  return quoteGo(text);
}

/** One character between single quotes, as Go's %q prints a rune; undefined is the end of the input. */
export function quoteChar(c: string | undefined): string {
  return c === undefined ? "'\uFFFD'" : quoteGoRune(c);
}

/** Whether a text is well-formed Unicode, that is, free of the stand-ins for single bytes. */
export function isValidText(text: string): boolean {
  return text.isWellFormed();
}

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
      const value = GO_ESCAPES[single];
      // The other quote needs no escape and may not have one.
      if (value === undefined || ((single === '"' || single === "'") && single !== mark)) {
        return undefined;
      }
      bytes.push(value);
    } else bytes.push(...Buffer.from(whole));
  }
  return goText(Uint8Array.from(bytes));
}
