/**
 * Label names in URLs: `U__` escaped ones stand for UTF-8 names. Behaviour: prometheus/common model.UnescapeName
 * with ValueEncodingEscaping: `__` is `_`, `_3b1_` is the character with that code, and what does not follow the
 * rules stands for itself.
 */

/** The name that a `U__` escaped one stands for, or the name itself. */
export function unescapeLabelName(name: string): string {
  if (!name.startsWith('U__')) return name;
  let out = '';
  for (let i = 3; i < name.length; i++) {
    const char = name[i] as string;
    if (char !== '_') {
      out += char;
      continue;
    }
    if (name[i + 1] === '_') {
      out += '_';
      i++;
      continue;
    }
    const end = name.indexOf('_', i + 1);
    const hex = name.slice(i + 1, end < 0 ? name.length : end);
    // compat: the Go decoder gives up at the sixth digit, though U+10FFFF has six.
    if (end < 0 || !/^[0-9a-fA-F]{1,5}$/.test(hex)) return name;
    const code = Number.parseInt(hex, 16);
    if (code >= 0xd800 && code <= 0xdfff) return name;
    out += String.fromCodePoint(code);
    i = end;
  }
  return out;
}
