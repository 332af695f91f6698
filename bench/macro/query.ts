/**
 * `query`: the first query of docs/design/0001 over 1,500 series × 24 h in the head, through HTTP, the range shifted
 * each time, median of five. The data is written through remote write before; nothing computed is kept.
 */
import { startAll } from '../../test/support/server-process.ts';
import { temporaryDirectory } from '../../test/support/temporary-directory.ts';
import { SCRAPE_MS, START_MS, SampleSource } from './series-data.ts';
import { BodyBuilder, labelBytes, postBody } from './write-body.ts';

const SERIES = 1500;
const TICKS = 5760;
const STEP_S = 60;
const SPAN_S = 86_000;
const QUERY = 'sum by (namespace) (rate(http_requests_total[5m]))';

/** Runs the bench on a server command and answers its result. */
export async function benchQuery(
  command: readonly [string, ...string[]],
): Promise<Record<string, unknown>> {
  using directory = temporaryDirectory();
  const server = await startAll({ dataDir: directory.path, command });
  try {
    await fill(`${server.write}/api/v1/receive`);
    const end = (START_MS + TICKS * SCRAPE_MS) / 1000 - 120;
    const times: number[] = [];
    let groups = 0;
    let points = 0;
    for (let run = 0; run < 7; run++) {
      const at = end - run;
      const url = `${server.api}/api/v1/query_range?query=${encodeURIComponent(QUERY)}&start=${at - SPAN_S}&end=${at}&step=${STEP_S}`;
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
    const median = steady[steady.length >> 1] as number;
    return {
      bench: 'query',
      query: QUERY,
      series: SERIES,
      samples: SERIES * TICKS,
      step_seconds: STEP_S,
      median_ms: Math.round(median * 10) / 10,
      all_ms: times.map((ms) => Math.round(ms)),
      groups,
      points,
      samples_per_second: Math.round((SERIES * TICKS) / (median / 1000)),
      resident_mib: Math.round(server.process.residentMib()),
    };
  } finally {
    await server.process.stop();
  }
}

interface Answer {
  readonly data: { readonly result: readonly { readonly values: readonly unknown[] }[] };
}

async function fill(url: string): Promise<void> {
  const labels = Array.from({ length: SERIES }, (_, i) =>
    labelBytes([
      ['__name__', 'http_requests_total'],
      ['code', ['200', '404', '500'][i % 3] as string],
      ['job', 'api'],
      ['namespace', `ns-${i % 20}`],
      ['pod', `pod-${Math.floor(i / 3)}`],
    ]),
  );
  const sources = Array.from({ length: SERIES }, (_, i) => new SampleSource(i + 1, false));
  const builder = new BodyBuilder();
  for (let tick = 0; tick < TICKS; tick++) {
    for (const [i, source] of sources.entries()) {
      source.next();
      builder.add(labels[i] as Uint8Array, source.t, source.v);
    }
    const status = await postBody(url, builder.take());
    if (status !== 200) throw new Error(`write answered ${status}`);
  }
}
