/** Numbers, durations and strings: token texts to values. */
import { errorText } from '../../lib/errors.ts';
import { parseDuration } from '../../lib/duration.ts';
import type { NumberLiteral } from './ast.ts';
import { quote, unquote } from './quote.ts';
import type { TokenStream } from './token-stream.ts';

/** limit: int64 nanoseconds, as Go's time.Duration, in seconds. */
const MAX_DURATION_S = 2 ** 63 / 1e9;

/** The value of a number token: decimal, hexadecimal, octal by a leading 0, underscores, Inf and NaN. */
function numberValue(text: string): number {
  const plain = text.replaceAll('_', '').toLowerCase();
  if (plain === 'inf') return Infinity;
  if (/^0[0-7]+$/.test(plain)) return Number.parseInt(plain, 8);
  return Number(plain);
}

/** Reads a number or duration token. */
export function parseNumber(tokens: TokenStream): NumberLiteral {
  const token = tokens.ahead;
  if (token.kind !== 'number' && token.kind !== 'duration') tokens.unexpected();
  tokens.take();
  const { start, end, text } = token;
  if (token.kind === 'duration') {
    try {
      const ms = parseDuration(text);
      return { kind: 'number', start, end, value: ms / 1000, duration: true };
    } catch (thrown) {
      return tokens.fail(token, errorText(thrown));
    }
  }
  const value = numberValue(text);
  if (Number.isNaN(value) && text.toLowerCase() !== 'nan') {
    const detail = `strconv.ParseFloat: parsing ${quote(text)}: invalid syntax`;
    tokens.fail(token, `error parsing number: ${detail}`);
  }
  if (!Number.isFinite(value) && /^\d/.test(text)) {
    const detail = `strconv.ParseFloat: parsing ${quote(text)}: value out of range`;
    tokens.fail(token, `error parsing number: ${detail}`);
  }
  return { kind: 'number', start, end, value, duration: false };
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

/** Whether seconds are more than a duration can hold. */
export function isDurationOutOfRange(seconds: number): boolean {
  return seconds > MAX_DURATION_S || seconds < -MAX_DURATION_S;
}

/** Milliseconds of seconds, as Go gets there: rounded to nanoseconds, then cut. */
export function secondsToMs(seconds: number): number {
  return Math.trunc(Math.round(seconds * 1e9) / 1e6) + 0;
}
