/** Number and character constants of templates, by Go's rules for untyped ones. */
import { CodedError } from '../errors.ts';
import { quoteGo, unquoteGo } from '../go-strings.ts';
import type { NumberOperand } from './node.ts';

const INT_MIN = -(2n ** 63n);
const INT_MAX = 2n ** 63n - 1n;
const UINT_MAX = 2n ** 64n - 1n;

/** Digits may be parted by single underscores, also behind the prefix of a base. */
const INTEGER =
  /^[-+]?(?:0[xX](?:_?[\da-fA-F])+|0[oO](?:_?[0-7])+|0[bB](?:_?[01])+|0(?:_?[0-7])*|[1-9](?:_?\d)*)$/;
const FLOAT = /^[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?$/;
const HEX_FLOAT = /^([-+]?)0[xX]([\da-fA-F]*)(?:\.([\da-fA-F]*))?[pP]([-+]?\d+)$/;
const UNDERSCORES = /^(?:[^_]|(?<=[\da-fA-FxX])_(?=[\da-fA-F]))*$/;

/** Reads a number. @throws CodedError bad_data in Go's words. */
export function readNumber(text: string, at: number): NumberOperand {
  const constant = { kind: 'number', at, text } as const;
  if (INTEGER.test(text)) {
    const value = integerOf(text);
    if (value >= INT_MIN && value <= INT_MAX) {
      return { ...constant, integer: value, float: Number(value), isFloat: false };
    }
    // Fits an unsigned integer only, which nothing here takes.
    if (value > INT_MAX && value <= UINT_MAX) {
      return { ...constant, integer: undefined, float: Number(value), isFloat: false };
    }
    throw new CodedError('bad_data', `integer overflow: ${quoteGo(text)}`);
  }
  const float = floatOf(text);
  if (float === undefined) {
    throw new CodedError('bad_data', `illegal number syntax: ${quoteGo(text)}`);
  }
  // compat: what a float reads but no integer, 08 for one, is said to be too large.
  if (!/[.eEpP]/.test(text)) {
    throw new CodedError('bad_data', `integer overflow: ${quoteGo(text)}`);
  }
  const whole = Number.isInteger(float) && Math.abs(float) < 2 ** 63;
  return { ...constant, integer: whole ? BigInt(float) : undefined, float, isFloat: true };
}

function integerOf(text: string): bigint {
  const digits = text.replaceAll('_', '').replace(/^[-+]/, '');
  const octal = /^0\d/.test(digits) ? `0o${digits.slice(1)}` : digits;
  const value = BigInt(octal);
  return text.startsWith('-') ? -value : value;
}

function floatOf(literal: string): number | undefined {
  if (!UNDERSCORES.test(literal)) return undefined;
  const text = literal.replaceAll('_', '');
  if (FLOAT.test(text)) {
    const value = Number(text);
    return Number.isFinite(value) ? value : undefined;
  }
  const match = HEX_FLOAT.exec(text);
  if (match === null) return undefined;
  const [, sign, whole = '', fraction = '', power] = match;
  if (whole + fraction === '') return undefined;
  const mantissa = Number(BigInt(`0x${whole}${fraction}`));
  return (sign === '-' ? -1 : 1) * mantissa * 2 ** (Number(power) - 4 * fraction.length);
}

/** Reads a character constant, which is a number. @throws CodedError bad_data in Go's words. */
export function readCharacter(literal: string, at: number): NumberOperand {
  const char = unquoteGo(literal);
  if (char === undefined) {
    const malformed = /^'(?:[^\\]|\\.).+'$/su.test(literal);
    throw new CodedError(
      'bad_data',
      malformed ? `malformed character constant: ${literal}` : 'invalid syntax',
    );
  }
  const code = char.codePointAt(0) ?? 0;
  // A byte that is no UTF-8 is kept as a lone surrogate.
  const value = code >= 0xdc80 && code <= 0xdcff ? code - 0xdc00 : code;
  return {
    kind: 'number',
    at,
    text: literal,
    integer: BigInt(value),
    float: value,
    isFloat: false,
  };
}
