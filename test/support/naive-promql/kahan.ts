/** Neumaier's summation, step by step as Prometheus does it: sum and compensation. */

/** Adds a value. */
export function kahanAdd(value: number, [sum, c]: readonly [number, number]): [number, number] {
  const total = sum + value;
  if (total === Infinity || total === -Infinity) return [total, 0];
  if (Math.abs(sum) >= Math.abs(value)) return [total, c + (sum - total + value)];
  return [total, c + (value - total + sum)];
}
