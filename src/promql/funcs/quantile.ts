/** Quantiles of plain values (Prometheus 3.14, promql/quantile.go). */

/** The q-quantile, interpolated between neighbours. Sorts the values in place; NaN sorts first. */
export function quantileOf(q: number, values: Float64Array): number {
  sortNanFirst(values);
  return quantileOfSorted(q, values);
}

/** The q-quantile of values that {@link sortNanFirst} has sorted. */
export function quantileOfSorted(q: number, values: Float64Array): number {
  const n = values.length;
  if (n === 0 || Number.isNaN(q)) return NaN;
  if (q < 0) return -Infinity;
  if (q > 1) return Infinity;
  const rank = q * (n - 1);
  const lower = Math.max(0, Math.floor(rank));
  const upper = Math.min(n - 1, lower + 1);
  const weight = rank - Math.floor(rank);
  return (values[lower] as number) * (1 - weight) + (values[upper] as number) * weight;
}

/** Typed arrays sort by number with NaN last; here it comes first. -0 comes before 0. */
export function sortNanFirst(values: Float64Array): void {
  values.sort(); // tidy: bare-sort: typed array
  let n = values.length;
  while (n > 0 && Number.isNaN(values[n - 1])) n--;
  if (n === values.length) return;
  values.copyWithin(values.length - n, 0, n);
  values.fill(NaN, 0, values.length - n);
}
