/**
 * logfmt as go-kit writes it: `key=value key="quoted value"`. Behaviour: go-logfmt's encoder, which quotes values
 * with a space, control character, `=`, `"` or U+FFFD, drops such characters from keys and writes nil as null.
 */
import type { LogValue } from '../lib/log.ts';

/** What makes a value need quotes: everything up to the space, `=`, `"` and the replacement character. */
// eslint-disable-next-line no-control-regex
const NEEDS_QUOTES = /[\u0000-\u0020="\ufffd]/;

/** Characters that a quoted value escapes. */
// eslint-disable-next-line no-control-regex
const ESCAPED = /[\u0000-\u001f"\\]/g;

/** Characters that a key cannot hold. */
// eslint-disable-next-line no-control-regex
const BAD_KEY = /[\u0000-\u0020="\ufffd]/g;

const SHORT_ESCAPES: Readonly<Record<string, string>> = {
  '"': '\\"',
  '\\': '\\\\',
  '\n': '\\n',
  '\r': '\\r',
  '\t': '\\t',
};

/** One ` key=value` with its leading space, or '' for a field that is undefined. */
export function logfmtField(key: string, value: LogValue): string {
  if (value === undefined) return '';
  return ` ${logfmtKey(key)}=${logfmtValue(value)}`;
}

/** A key without the characters that would break the line. */
function logfmtKey(key: string): string {
  return NEEDS_QUOTES.test(key) ? key.replace(BAD_KEY, '') : key;
}

/** A value, quoted where logfmt needs it. */
export function logfmtValue(value: LogValue): string {
  if (value === null || value === undefined) return 'null';
  if (typeof value === 'number' || typeof value === 'boolean') return String(value);
  const text = (typeof value === 'string' ? value : value.message).toWellFormed();
  // The text null in quotes is a string, without them it is nil.
  if (text === 'null') return '"null"';
  return NEEDS_QUOTES.test(text) ? `"${text.replace(ESCAPED, escape)}"` : text;
}

function escape(char: string): string {
  return SHORT_ESCAPES[char] ?? `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`;
}
