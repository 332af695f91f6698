/**
 * `query-head`: the first query of docs/design/0001 over 1,500 series × 24 h that were written through remote write before,
 * through HTTP, median of five; nothing computed is kept. By then the older hours are in blocks.
 */
import { startAll } from '../../test/support/server-process.ts';
import { temporaryDirectory } from '../../test/support/temporary-directory.ts';
import { askRange } from './ask-range.ts';
import { SERIES, requestLabels } from './query-series.ts';
import { FIRST_QUERY } from './query-table.ts';
import { SCRAPE_MS, START_MS, SampleSource } from './series-data.ts';
import { BodyBuilder, labelBytes, postBody } from './write-body.ts';

const TICKS = 5760;

/** Runs the bench on a server command and answers its result. */
export async function benchQueryHead(
  command: readonly [string, ...string[]],
): Promise<Record<string, unknown>> {
  using directory = temporaryDirectory();
  const server = await startAll({ dataDir: directory.path, command });
  try {
    await fill(`${server.write}/api/v1/receive`);
    const endMs = START_MS + (TICKS - 1) * SCRAPE_MS - 1000;
    const measured = await askRange(server, FIRST_QUERY, { endMs, warmUps: 2, runs: 5 });
    return { bench: 'query-head', query: FIRST_QUERY.query, ...measured };
  } finally {
    await server.process.stop();
  }
}

async function fill(url: string): Promise<void> {
  const numbers = Array.from({ length: SERIES.requests }, (_, i) => i);
  const labels = numbers.map((i) => labelBytes(requestLabels(i)));
  const sources = numbers.map((i) => new SampleSource(i + 1, false));
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
