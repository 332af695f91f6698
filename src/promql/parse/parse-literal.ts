/** Numbers, durations and strings: token texts to values. */
import { errorText } from '../../lib/errors.ts';
import { parseDuration } from '../../lib/duration.ts';
import type { NumberLiteral } from './ast.ts';
import { quote, unquote } from './quote.ts';
import type { TokenStream } from './token-stream.ts';
import type { Token } from './token.ts';

/** limit: int64 nanoseconds, as Go's time.Duration, in seconds. */
const MAX_DURATION_S = 2 ** 63 / 1e9;

const MIN_DURATION_MS = Math.trunc(-(2 ** 63) / 1e6);

/** An underscore that Go does not take: one that is not between digits, a prefix `0x` being one. */
const STRAY_UNDERSCORE = /(?<!\d)_|_(?!\d)/;
const STRAY_HEX_UNDERSCORE = /(?<![\da-f]|^0x)_|_(?![\da-f])/;

/**
 * The value of a number token: decimal, hexadecimal, octal by a leading 0, underscores, Inf and NaN. Undefined when it is
 * none; NaN only for `NaN`.
 */
function numberValue(text: string): number | undefined {
  const lower = text.toLowerCase();
  if (lower === 'inf') return Infinity;
  if (lower === 'nan') return NaN;
  const hexadecimal = lower.startsWith('0x');
  if ((hexadecimal ? STRAY_HEX_UNDERSCORE : STRAY_UNDERSCORE).test(lower)) return undefined;
  const plain = lower.replaceAll('_', '');
  // compat: hexadecimal and octal are integers of 64 bits; octal digits beyond these are read as decimal.
  if (hexadecimal) return integerValue(plain);
  const octal = /^0[0-7]+$/.test(plain) ? integerValue(`0o${plain}`) : undefined;
  if (octal !== undefined) return octal;
  const value = Number(plain);
  return Number.isNaN(value) ? undefined : value;
}

/** An integer with a prefix, unless it is more than an int64. */
function integerValue(text: string): number | undefined {
  if (!/^0[xo][\da-f]+$/.test(text)) return undefined;
  const value = BigInt(text);
  return value < 2n ** 63n ? Number(value) : undefined;
}

/** Reads a number or duration token. */
export function parseNumber(tokens: TokenStream): NumberLiteral {
  const token = tokens.ahead;
  if (token.kind !== 'number' && token.kind !== 'duration') tokens.unexpected();
  tokens.take();
  const { start, end, text } = token;
  if (token.kind === 'duration') {
    try {
      return { kind: 'number', start, end, value: secondsOf(parseDuration(text)), duration: true };
    } catch (thrown) {
      return tokens.fail(token, errorText(thrown));
    }
  }
  const value = numberValue(text);
  if (value === undefined) return badNumber(tokens, token, 'invalid syntax');
  if (value === Infinity && text.toLowerCase() !== 'inf') {
    return badNumber(tokens, token, 'value out of range');
  }
  return { kind: 'number', start, end, value, duration: false };
}

function badNumber(tokens: TokenStream, token: Token, why: string): never {
  const text = quote(token.text);
  return tokens.fail(token, `error parsing number: strconv.ParseFloat: parsing ${text}: ${why}`);
}

/** Reads a string token. */
export function parseString(tokens: TokenStream): string {
  const token = tokens.expect('string');
  const value = unquote(token.text);
  if (value === undefined) {
    tokens.fail(token, `error unquoting string ${quote(token.text)}: invalid syntax`);
  }
  return value;
}

/** Seconds of milliseconds, in the last bit as Go's Duration.Seconds gives them. */
function secondsOf(ms: number): number {
  return Math.trunc(ms / 1000) + (ms % 1000) / 1000;
}

/** Whether seconds are more than a duration can hold. */
export function isDurationOutOfRange(seconds: number): boolean {
  return seconds > MAX_DURATION_S || seconds < -MAX_DURATION_S;
}

/** Milliseconds of seconds, as Go gets there: rounded to nanoseconds, then cut. */
export function secondsToMs(seconds: number): number {
  const ns = Math.round(seconds * 1e9);
  if (Number.isSafeInteger(ns)) return (ns - (ns % 1e6)) / 1e6 + 0;
  // compat: Go makes the least int64 of NaN, which no check of a duration refuses.
  return Number.isNaN(ns) ? MIN_DURATION_MS : Number(BigInt(ns) / 1_000_000n);
}
