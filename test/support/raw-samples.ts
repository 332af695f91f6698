/** Raw samples as the HTTP API of a Prometheus or of ours gives them: an instant query with a range selector. */

/** One series of an answer: its labels and its samples as [time in seconds, value text]. */
export interface RawSeries {
  readonly metric: Readonly<Record<string, string>>;
  readonly values: readonly (readonly [number, string])[];
}

interface MatrixAnswer {
  readonly status: string;
  readonly error?: string;
  readonly warnings?: readonly string[];
  readonly data?: { readonly resultType: string; readonly result: readonly RawSeries[] };
}

/**
 * The raw samples of a range selector at a time in seconds. Without stale markers, which neither server shows.
 * @throws Error with the server's sentence unless it answers a matrix without warnings.
 */
export async function readRawSamples(
  api: string,
  selector: string,
  timeSeconds: number,
): Promise<readonly RawSeries[]> {
  const body = new URLSearchParams({ query: selector, time: String(timeSeconds) });
  const response = await fetch(`${api}/api/v1/query`, { method: 'POST', body });
  const answer = (await response.json()) as MatrixAnswer;
  if (answer.data?.resultType !== 'matrix' || answer.warnings !== undefined) {
    const said = answer.error ?? JSON.stringify(answer.warnings ?? answer.data?.resultType);
    throw new Error(`${selector} at ${timeSeconds}: status ${response.status}: ${said}`);
  }
  return answer.data.result;
}

/** What two answers have in common, and where they differ. */
export interface RawComparison {
  readonly series: number;
  readonly samples: number;
  /** The first differences, as sentences; empty when both are equal. */
  readonly differences: readonly string[];
}

/** limit: differences that are described. */
const DIFFERENCES_MAX = 20;

/** Compares labels, timestamps and value texts; the order of series is free. */
export function compareRawSamples(
  want: readonly RawSeries[],
  got: readonly RawSeries[],
): RawComparison {
  const differences: string[] = [];
  const left = new Map(got.map((series) => [labelKey(series), series]));
  if (left.size !== got.length) differences.push('a series occurs twice');
  let samples = 0;
  for (const series of want) {
    const key = labelKey(series);
    const other = left.get(key);
    left.delete(key);
    if (other === undefined) differences.push(`${key}: missing`);
    else {
      const problem = firstDifference(series.values, other.values);
      if (problem === undefined) samples += series.values.length;
      else differences.push(`${key}: ${problem}`);
    }
  }
  for (const key of left.keys()) differences.push(`${key}: not expected`);
  return { series: want.length, samples, differences: differences.slice(0, DIFFERENCES_MAX) };
}

function firstDifference(want: RawSeries['values'], got: RawSeries['values']): string | undefined {
  const length = Math.max(want.length, got.length);
  for (let i = 0; i < length; i++) {
    const [a, b] = [want[i], got[i]];
    if (a?.[0] === b?.[0] && a?.[1] === b?.[1]) continue;
    const counts = `${want.length} samples wanted, ${got.length} there`;
    return `sample ${i} is ${JSON.stringify(b)}, want ${JSON.stringify(a)} (${counts})`;
  }
  return undefined;
}

function labelKey({ metric }: RawSeries): string {
  const names = Object.keys(metric).sort((a, b) => (a < b ? -1 : 1));
  return JSON.stringify(names.map((name) => [name, metric[name]]));
}
