/** Arithmetic where Go and JavaScript differ, and Go's formats of numbers. */

/** math.Pow: what is 1 whatever the exponent is, stays 1. */
export function goPow(x: number, y: number): number {
  if (x === 1 || y === 0) return 1;
  if (x === -1 && (y === Infinity || y === -Infinity)) return 1;
  return x ** y;
}

/** math.Max: infinity wins over NaN. */
export function goMax(x: number, y: number): number {
  return x === Infinity || y === Infinity ? Infinity : Math.max(x, y);
}

/** math.Min: the same. */
export function goMin(x: number, y: number): number {
  return x === -Infinity || y === -Infinity ? -Infinity : Math.min(x, y);
}

/** strconv.FormatFloat(v, 'f', -1, 64): all digits, never an exponent. */
export function formatFixed(value: number): string {
  if (Number.isNaN(value)) return 'NaN';
  if (!Number.isFinite(value)) return value > 0 ? '+Inf' : '-Inf';
  const sign = value < 0 || Object.is(value, -0) ? '-' : '';
  const [mantissa = '', exponent = '0'] = String(Math.abs(value)).split('e');
  const [whole = '', fraction = ''] = mantissa.split('.');
  const shift = Number(exponent);
  if (shift >= 0) {
    const digits = fraction.padEnd(shift, '0');
    const rest = digits.slice(shift);
    return sign + (whole + digits.slice(0, shift)).replace(/^0+(?=\d)/, '') + dotted(rest);
  }
  return `${sign}0${dotted('0'.repeat(-shift - whole.length) + whole + fraction)}`;
}

function dotted(digits: string): string {
  return digits === '' ? '' : `.${digits}`;
}

/** strconv.FormatFloat(v, 'g', -1, 64), which is also how Go prints a float by %v. */
export function formatShortest(value: number): string {
  if (!Number.isFinite(value) || value === 0) return formatFixed(value);
  const [mantissa = '', exponent = ''] = value.toExponential().split('e');
  const power = Number(exponent);
  if (power >= -4 && power < 6) return formatFixed(value);
  const sign = power < 0 ? '-' : '+';
  return `${mantissa}e${sign}${String(Math.abs(power)).padStart(2, '0')}`;
}

/** The value of a label that holds a number, as OpenMetrics writes it: 1 is "1.0". */
export function formatOpenMetrics(value: number): string {
  const text = formatShortest(value);
  return /^-?\d+$/.test(text) ? `${text}.0` : text;
}
