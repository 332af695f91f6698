/**
 * Numbers as Go's fmt prints them. Floats are rounded from their exact decimal expansion, halves to the even digit:
 * JavaScript's toFixed rounds 0.125 up, Go does not.
 */
import { isPrintable, quoteGoRune } from '../go-strings.ts';

/** What stands between % and the verb. */
export interface FormatFlags {
  readonly plus: boolean;
  readonly minus: boolean;
  readonly sharp: boolean;
  readonly space: boolean;
  readonly zero: boolean;
  /** %+v: structs with the names of their fields. */
  readonly names: boolean;
  /** %#v: as Go's source has it. */
  readonly source: boolean;
  /** Characters at least. */
  readonly width?: number | undefined;
  readonly precision?: number | undefined;
}

/** A text, filled up to the width. compat: the flag 0 fills any text with zeros. */
export function pad(text: string, { width = 0, minus, zero }: FormatFlags): string {
  const missing = width - Array.from(text).length;
  if (missing <= 0) return text;
  if (minus) return text + ' '.repeat(missing);
  return (zero ? '0' : ' ').repeat(missing) + text;
}

const BASES: Readonly<Record<string, number>> = { v: 10, d: 10, b: 2, o: 8, O: 8, x: 16, X: 16 };

/** An integer by a verb; undefined when the verb is not one for integers. */
export function formatInteger(value: bigint, verb: string, flags: FormatFlags): string | undefined {
  if (verb === 'c' || verb === 'q' || verb === 'U') return formatCharacter(value, verb, flags);
  const base = BASES[verb];
  if (base === undefined) return undefined;
  const { precision, width, sharp } = flags;
  const sign = signOf(value < 0n, flags);
  let digits = (value < 0n ? -value : value).toString(base);
  const spaces = { ...flags, zero: false };
  if (precision === 0 && value === 0n) return pad('', spaces);
  // Zeros up to the width go behind the sign, and only where no precision says how many digits there are.
  const zeros = flags.zero && !flags.minus && precision === undefined && width !== undefined;
  digits = digits.padStart(precision ?? (zeros ? width - sign.length : 0), '0');
  if (verb === 'X') digits = digits.toUpperCase();
  return pad(sign + prefixOf(verb, digits, sharp) + digits, spaces);
}

function prefixOf(verb: string, digits: string, sharp: boolean): string {
  const octal = sharp && !digits.startsWith('0') ? '0' : '';
  if (verb === 'O') return `0o${octal}`;
  if (verb === 'o') return octal;
  if (!sharp) return '';
  if (verb === 'b') return '0b';
  return verb === 'x' || verb === 'X' ? `0${verb}` : '';
}

function signOf(negative: boolean, { plus, space }: FormatFlags): string {
  if (negative) return '-';
  if (plus) return '+';
  return space ? ' ' : '';
}

function formatCharacter(value: bigint, verb: string, flags: FormatFlags): string {
  const valid = value >= 0n && value <= 0x10ffffn && (value < 0xd800n || value > 0xdfffn);
  const char = valid ? String.fromCodePoint(Number(value)) : '\ufffd';
  if (verb === 'c') return pad(char, flags);
  if (verb === 'q') return pad(quoteGoRune(char, { ascii: flags.plus }), flags);
  const digits = BigInt.asUintN(64, value).toString(16).toUpperCase();
  const shown = flags.sharp && valid && isPrintable(char) ? ` '${char}'` : '';
  const code = digits.padStart(Math.max(4, flags.precision ?? 0), '0');
  return pad(`U+${code}${shown}`, { ...flags, zero: false });
}

/** A float by a verb; undefined when the verb is not one for floats. */
export function formatFloat(value: number, verb: string, flags: FormatFlags): string | undefined {
  if (!/^[veEfFgGxX]$/.test(verb)) return undefined;
  const negative = value < 0 || Object.is(value, -0);
  const size = Math.abs(value);
  const infinite = !Number.isFinite(value);
  // The signs of infinities and of what is no number: +Inf always has one.
  let sign = signOf(negative, flags);
  if (value === Infinity && sign === '' && !flags.space) sign = '+';
  const text = infinite ? (Number.isNaN(value) ? 'NaN' : 'Inf') : printSize(size, verb, flags);
  const { width = 0, zero, minus } = flags;
  const fill = zero && !minus && !infinite ? Math.max(0, width - sign.length - text.length) : 0;
  return pad(sign + '0'.repeat(fill) + text, { ...flags, zero: false });
}

function printSize(size: number, verb: string, { precision, sharp }: FormatFlags): string {
  switch (verb) {
    case 'e':
    case 'E': {
      const text = exponential(roundDigits(size, (precision ?? 6) + 1));
      return verb === 'E' ? text.toUpperCase() : text;
    }
    case 'f':
    case 'F':
      return fixed(size, precision ?? 6);
    case 'x':
    case 'X': {
      const text = hexadecimal(size, precision);
      return verb === 'X' ? text.toUpperCase() : text;
    }
    default: {
      const text = general(size, precision, sharp && verb !== 'v');
      return verb === 'G' ? text.toUpperCase() : text;
    }
  }
}

/** Decimal digits without zeros in front, and the power of ten of the first one. */
interface Decimal {
  readonly digits: string;
  readonly exponent: number;
}

/** All digits of a double that is not negative. */
function exactDigits(value: number): Decimal {
  if (value === 0) return { digits: '0', exponent: 0 };
  const bits = new DataView(new ArrayBuffer(8));
  bits.setFloat64(0, value);
  const biased = bits.getUint16(0) >>> 4;
  const fraction = bits.getBigUint64(0) & 0xfffffffffffffn;
  const mantissa = biased === 0 ? fraction : fraction | 0x10000000000000n;
  const power = (biased === 0 ? 1 : biased) - 1075;
  // m * 2^-k is m * 5^k * 10^-k.
  const scaled = power >= 0 ? mantissa << BigInt(power) : mantissa * 5n ** BigInt(-power);
  const digits = scaled.toString();
  return { digits, exponent: digits.length - 1 + Math.min(0, power) };
}

/** The first `count` digits, rounded; 0 or fewer may round up to one. */
function roundDigits(value: number, count: number): Decimal {
  const { digits, exponent } = exactDigits(value);
  if (count >= digits.length) return { digits: digits.padEnd(count, '0'), exponent };
  if (count < 0) return { digits: '', exponent };
  const kept = digits.slice(0, count);
  const rest = digits.slice(count);
  const half = `5${'0'.repeat(rest.length - 1)}`;
  const odd = count > 0 && Number(kept.at(-1)) % 2 === 1;
  if (rest < half || (rest === half && !odd)) return { digits: kept, exponent };
  const up = (BigInt(`0${kept}`) + 1n).toString().padStart(count, '0');
  return up.length > count
    ? { digits: up.slice(0, Math.max(count, 1)), exponent: exponent + 1 }
    : { digits: up, exponent };
}

/** The fewest digits that read back as the same double. */
function shortestDigits(value: number): Decimal {
  const [mantissa = '', exponent = '0'] = value.toExponential().split('e');
  return { digits: mantissa.replace('.', ''), exponent: Number(exponent) };
}

function exponential({ digits, exponent }: Decimal): string {
  const fraction = digits.length > 1 ? `.${digits.slice(1)}` : '';
  const power = String(Math.abs(exponent)).padStart(2, '0');
  return `${digits.slice(0, 1)}${fraction}e${exponent < 0 ? '-' : '+'}${power}`;
}

function fixed(value: number, decimals: number): string {
  const { exponent } = exactDigits(value);
  const rounded = roundDigits(value, exponent + 1 + decimals);
  return positional(rounded, decimals);
}

/** Digits around a point, with exactly so many behind it. */
function positional({ digits, exponent }: Decimal, decimals: number): string {
  const whole = exponent < 0 ? '0' : digits.slice(0, exponent + 1).padEnd(exponent + 1, '0');
  const behind = exponent < 0 ? '0'.repeat(-exponent - 1) + digits : digits.slice(exponent + 1);
  return decimals <= 0 ? whole : `${whole}.${behind.slice(0, decimals).padEnd(decimals, '0')}`;
}

/** As %g: with an exponent below 1e-4 and from 10^precision on, 10^6 for the shortest form. */
function general(value: number, precision: number | undefined, keepZeros: boolean): string {
  const count = precision === 0 ? 1 : precision;
  const rounded = count === undefined ? shortestDigits(value) : roundDigits(value, count);
  const { exponent } = rounded;
  const trimmed = rounded.digits.replace(/0+$/, '') || '0';
  // compat: digits that there are not, because they are zeros, do not count, as long as none stands before the point.
  const few = count !== undefined && count > trimmed.length && trimmed.length > exponent;
  const limit = few ? trimmed.length : (count ?? 6);
  const digits = keepZeros ? rounded.digits.padEnd(count ?? 6, '0') : trimmed;
  const text =
    exponent < -4 || exponent >= limit
      ? exponential({ digits, exponent })
      : positional({ digits, exponent }, Math.max(0, digits.length - exponent - 1));
  // compat: whoever keeps zeros keeps the point, too.
  return keepZeros && !text.includes('.') ? text.replace(/(?=e|$)/, '.') : text;
}

/** As %x: 0x1.8p+01. */
function hexadecimal(value: number, precision: number | undefined): string {
  if (value === 0) {
    return `0x0${precision === undefined || precision === 0 ? '' : `.${'0'.repeat(precision)}`}p+00`;
  }
  const bits = new DataView(new ArrayBuffer(8));
  bits.setFloat64(0, value);
  let exponent = (bits.getUint16(0) >>> 4) - 1023;
  let mantissa = bits.getBigUint64(0) & 0xfffffffffffffn;
  if (exponent === -1023) {
    // A subnormal number, moved up until it begins with a one.
    exponent = -1022;
    while (mantissa < 0x10000000000000n) {
      mantissa <<= 1n;
      exponent--;
    }
  } else mantissa |= 0x10000000000000n;
  if (precision !== undefined && precision < 13) {
    const drop = BigInt(4 * (13 - precision));
    const rest = mantissa & ((1n << drop) - 1n);
    const half = 1n << (drop - 1n);
    mantissa >>= drop;
    if (rest > half || (rest === half && mantissa % 2n === 1n)) mantissa++;
    mantissa <<= drop;
    if (mantissa >= 0x20000000000000n) {
      mantissa >>= 1n;
      exponent++;
    }
  }
  const all = (mantissa & 0xfffffffffffffn).toString(16).padStart(13, '0');
  const digits =
    precision === undefined
      ? all.replace(/0+$/, '')
      : all.padEnd(precision, '0').slice(0, precision);
  const power = String(Math.abs(exponent)).padStart(2, '0');
  return `0x1${digits === '' ? '' : `.${digits}`}p${exponent < 0 ? '-' : '+'}${power}`;
}
