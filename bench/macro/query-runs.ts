/** The first query of docs/design/0001, asked of a server through HTTP, the range shifted each time. */

/** Series that the query is asked over. */
export const QUERY_SERIES = 1500;
const STEP_S = 60;
const SPAN_S = 86_000;
const QUERY = 'sum by (namespace) (rate(http_requests_total[5m]))';

/** The labels of the i-th series. */
export function queryLabels(i: number): [string, string][] {
  return [
    ['__name__', 'http_requests_total'],
    ['code', ['200', '404', '500'][i % 3] as string],
    ['job', 'api'],
    ['namespace', `ns-${i % 20}`],
    ['pod', `pod-${Math.floor(i / 3)}`],
  ];
}

interface Answer {
  readonly data: { readonly result: readonly { readonly values: readonly unknown[] }[] };
}

/** Asks seven times, the last time for a range that ends at `endMs`; the median is of the last five. */
export async function runQuery(api: string, endMs: number): Promise<Record<string, unknown>> {
  const times: number[] = [];
  let groups = 0;
  let points = 0;
  for (let run = 6; run >= 0; run--) {
    const at = endMs / 1000 - run;
    const url = `${api}/api/v1/query_range?query=${encodeURIComponent(QUERY)}&start=${at - SPAN_S}&end=${at}&step=${STEP_S}`;
    const begun = performance.now();
    const response = await fetch(url);
    const bytes = await response.arrayBuffer();
    times.push(performance.now() - begun);
    // What the client makes of the answer is not the server's time.
    const body = JSON.parse(Buffer.from(bytes).toString()) as Answer;
    groups = body.data.result.length;
    points = body.data.result.reduce((n, series) => n + series.values.length, 0);
  }
  // The first two start workers and let the engine compile.
  const steady = times.slice(2).sort((a, b) => a - b);
  return {
    query: QUERY,
    series: QUERY_SERIES,
    step_seconds: STEP_S,
    median_ms: Math.round((steady[steady.length >> 1] as number) * 10) / 10,
    all_ms: times.map((ms) => Math.round(ms)),
    groups,
    points,
  };
}
