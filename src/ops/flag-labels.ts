/** `--label name="value"` flags as labels. Texts: Thanos' parseFlagLabels, with the flag's value added. */
import { CodedError } from '../lib/errors.ts';
import { Labels } from '../model/labels.ts';

const NAME = /^[a-zA-Z_][a-zA-Z0-9_]*$/;

/**
 * Labels from texts such as `replica="0"`.
 * @throws CodedError bad_data that names the first text that is not a label, or a name that comes twice.
 */
export function parseLabels(texts: readonly string[]): Labels {
  const entries = new Map<string, string>();
  for (const text of texts) {
    const at = text.indexOf('=');
    if (at < 0) throw bad(`unrecognized label ${JSON.stringify(text)}, expected name="value"`);
    const name = text.slice(0, at);
    if (!NAME.test(name)) throw bad(`unsupported format for label ${text}: bad name`);
    const value = unquote(text.slice(at + 1));
    if (value === undefined) {
      throw bad(`unquote label value of ${text}: expected a quoted string, as in ${name}="value"`);
    }
    if (entries.has(name)) throw bad(`label ${name} is given twice`);
    entries.set(name, value);
  }
  return Labels.fromPairs(entries);
}

function bad(message: string): CodedError {
  return new CodedError('bad_data', message);
}

const ESCAPES: Readonly<Record<string, string>> = {
  a: '\u0007',
  b: '\b',
  f: '\f',
  n: '\n',
  r: '\r',
  t: '\t',
  v: '\v',
  '\\': '\\',
  '"': '"',
};

/** A Go string literal: `"…"` with escapes, or backquoted as it stands; undefined when it is neither. */
function unquote(text: string): string | undefined {
  if (/^`[^`]*`$/s.test(text)) return text.slice(1, -1).replaceAll('\r', '');
  const inner = /^"((?:[^"\\\n]|\\.)*)"$/s.exec(text)?.[1];
  if (inner === undefined) return undefined;
  let known = true;
  const value = inner.replaceAll(
    /\\(?:u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})|(.))/gs,
    (_, short: string | undefined, long: string | undefined, char: string | undefined) => {
      const hex = short ?? long;
      const code = hex === undefined ? undefined : Number.parseInt(hex, 16);
      const plain = code === undefined ? ESCAPES[char ?? ''] : codePoint(code);
      if (plain === undefined) known = false;
      return plain ?? '';
    },
  );
  return known ? value : undefined;
}

function codePoint(code: number): string | undefined {
  const surrogate = code >= 0xd800 && code <= 0xdfff;
  return surrogate || code > 0x10ffff ? undefined : String.fromCodePoint(code);
}
