/** Numbers as Go's strconv prints them, for texts that must equal those of Go programs. */

/** As strconv.FormatFloat(v, 'g', -1, 64): shortest digits, with an exponent below 1e-4 and from 1e6 on. */
export function formatGoFloat(value: number): string {
  if (Number.isNaN(value)) return 'NaN';
  if (value === Infinity) return '+Inf';
  if (value === -Infinity) return '-Inf';
  if (value === 0) return Object.is(value, -0) ? '-0' : '0';
  const size = Math.abs(value);
  if (size >= 1e-4 && size < 1e6) return String(value);
  const scientific = value.toExponential();
  const at = scientific.indexOf('e');
  const digits = scientific.slice(at + 2).padStart(2, '0');
  return `${scientific.slice(0, at)}e${scientific[at + 1]}${digits}`;
}
