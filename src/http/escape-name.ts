/**
 * Names of metrics and labels for readers that may not know UTF-8 names. Behaviour: prometheus/common model.EscapeName;
 * label-name.ts has the way back.
 */

/** How names beyond `[a-zA-Z_:][a-zA-Z0-9_:]*` are written, in the words of content negotiation. */
export type EscapingScheme = 'allow-utf-8' | 'underscores' | 'dots' | 'values';

const LEGACY = /^[a-zA-Z_:][a-zA-Z0-9_:]*$/;
const LEGACY_CHAR = /^[a-zA-Z_:]$/;
const DIGIT = /^[0-9]$/;

/** Whether a name is one that every reader knows. compat: label names may have colons here, as in Go. */
export function isLegacyName(name: string): boolean {
  return LEGACY.test(name);
}

/** A name in a scheme; one that every reader knows stays as it is. */
export function escapeName(name: string, scheme: EscapingScheme): string {
  if (scheme === 'allow-utf-8' || name === '' || LEGACY.test(name)) return name;
  let out = scheme === 'values' ? 'U__' : '';
  let isFirst = true;
  for (const char of name) {
    const isLegacy = LEGACY_CHAR.test(char) || (!isFirst && DIGIT.test(char));
    out += escapeChar(char, isLegacy, scheme);
    isFirst = false;
  }
  return out;
}

function escapeChar(char: string, isLegacy: boolean, scheme: EscapingScheme): string {
  if (scheme === 'underscores') return isLegacy ? char : '_';
  if (char === '_') return '__';
  if (scheme === 'dots' && char === '.') return '_dot_';
  if (isLegacy) return char;
  return scheme === 'dots' ? '__' : `_${(char.codePointAt(0) ?? 0).toString(16)}_`;
}
