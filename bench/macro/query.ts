/**
 * `query`: PromQL through HTTP of a `thanos all` over a day of 4,700 series in twelve blocks. First the six queries that
 * are compared with other servers, each beside what it may take; then, over six hours, one query for each operator.
 * `npm run bench -- query --keep=DIRECTORY` leaves the blocks there, for another server to be asked.
 */
import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { startAll } from '../../test/support/server-process.ts';
import type { ThanosAll } from '../../test/support/server-process.ts';
import { temporaryDirectory } from '../../test/support/temporary-directory.ts';
import { counterDecodeNs } from '../micro/decode.ts';
import { askRange } from './ask-range.ts';
import { BLOCKS, BLOCKS_END_MS } from './query-blocks.ts';
import type { WrittenBlocks } from './query-blocks.ts';
import { OPERATORS } from './query-operators.ts';
import { TABLE } from './query-table.ts';
import type { TableQuestion } from './query-table.ts';
import { SCRAPE_MS } from './series-data.ts';

/** All series have a sample by then; a second before a scrape. */
const END_MS = BLOCKS_END_MS - SCRAPE_MS - 1000;
/** What decoding a sample takes on the machine that the goals are for. */
const GOAL_DECODE_NS = 12;

/** Runs the bench on a server command and gives its lines. */
export async function* benchQuery(
  command: readonly [string, ...string[]],
): AsyncGenerator<Record<string, unknown>> {
  const keep = process.argv.find((arg) => arg.startsWith('--keep='))?.slice('--keep='.length);
  using directory = temporaryDirectory();
  const data = keep ?? join(directory.path, 'tsdb');
  const begun = performance.now();
  const written = writeInProcess(data);
  const seconds = Math.round((performance.now() - begun) / 100) / 10;
  yield { bench: 'query', table: 'data', ...written, blocks: BLOCKS, write_seconds: seconds };
  if (keep !== undefined) return;
  const server = await startAll({
    dataDir: directory.path,
    command,
    args: [`--tsdb.path=${data}`],
  });
  try {
    await shipped(server);
    for (const question of TABLE) yield await tableLine(server, question);
    for (const [operator, question] of OPERATORS) {
      const measured = await askRange(server, question, { endMs: END_MS, warmUps: 1, runs: 3 });
      yield { bench: 'query', table: 'operators', operator, query: question.query, ...measured };
    }
  } finally {
    await server.process.stop();
  }
}

/** Whoever has made 27 M samples has a large heap, and marks it on the cores that are measured while he reads answers. */
function writeInProcess(directory: string): WrittenBlocks {
  const script = join(import.meta.dirname, 'write-query-blocks.ts');
  return JSON.parse(
    execFileSync(process.execPath, [script, directory]).toString(),
  ) as WrittenBlocks;
}

/** The goal is told for the speed that the machine has meanwhile: before and after, as it is rarely alone. */
async function tableLine(
  server: ThanosAll,
  question: TableQuestion,
): Promise<Record<string, unknown>> {
  const before = await counterDecodeNs();
  const measured = await askRange(server, question, { endMs: END_MS, warmUps: 2, runs: 5 });
  const decodeNs = (before + (await counterDecodeNs())) / 2;
  const goalMs = (question.goalMs * decodeNs) / GOAL_DECODE_NS;
  return {
    bench: 'query',
    table: 'compared',
    query: question.query,
    span_seconds: question.spanS,
    step_seconds: question.stepS,
    ...measured,
    decode_ns: Math.round(decodeNs * 100) / 100,
    goal_ms: Math.round(goalMs * 10) / 10,
    ratio: Math.round((measured.median_ms / goalMs) * 100) / 100,
  };
}

/** Waits until the blocks are in the bucket: shipping them must not be part of what is measured. */
async function shipped(server: ThanosAll): Promise<void> {
  const uploads = /^thanos_shipper_uploads_total(?:\{.*\})? (\d+)$/m;
  for (;;) {
    const response = await fetch(`${server.api}/metrics`);
    const match = uploads.exec(await response.text());
    if (Number(match?.[1]) >= BLOCKS) return;
    await sleep(100);
  }
}
