/**
 * `ready`: how long `/-/ready` takes on a connection of its own, one request after the other, while the sender of
 * `ingest` loads remote write at full speed: while it creates series, and afterwards. Idle times are told for comparison.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Client } from 'undici';
import { startAll } from '../../test/support/server-process.ts';
import { temporaryDirectory } from '../../test/support/temporary-directory.ts';

const SERIES = 50_000;
const TICKS = 80;
/** Between two probes: the prober must not be the load. */
const PAUSE_MS = 2;
const IDLE_MS = 2000;

/** Runs the bench on a server command and answers its result. */
export async function benchReady(
  command: readonly [string, ...string[]],
): Promise<Record<string, unknown>> {
  using directory = temporaryDirectory();
  const server = await startAll({ dataDir: directory.path, command });
  const client = new Client(server.api, { pipelining: 1 });
  try {
    const idle = await probeWhile(client, sleep(IDLE_MS));
    const sender = spawn(
      process.execPath,
      [
        join(import.meta.dirname, 'ingest-sender.ts'),
        `${server.write}/api/v1/receive`,
        `${SERIES}`,
        `${TICKS}`,
      ],
      { stdio: ['pipe', 'pipe', 'inherit'] },
    );
    const ended = once(sender, 'exit');
    const lines = sender.stdout[Symbol.asyncIterator]();
    // The sender builds its bodies first; what is slow of that window is the creation of series.
    const creating = await probeWhile(client, lines.next());
    sender.stdin.write('go\n');
    const answered = lines.next();
    const loaded = await probeWhile(client, answered);
    const answer = JSON.parse(String((await answered).value)) as {
      stored: number;
      seconds: number;
    };
    await ended;
    return {
      bench: 'ready',
      series: SERIES,
      samples_per_second: Math.round(answer.stored / answer.seconds),
      seconds: Math.round(answer.seconds * 10) / 10,
      ...quantiles('idle', idle),
      ...quantiles('create', creating),
      ...quantiles('load', loaded),
    };
  } finally {
    await client.destroy();
    await server.process.stop();
  }
}

/** Asks until something has happened. Milliseconds each. @throws Error when the server is not ready. */
async function probeWhile(client: Client, until: Promise<unknown>): Promise<number[]> {
  const over = new AbortController();
  const watched = until.finally(() => over.abort());
  const out: number[] = [];
  while (!over.signal.aborted) {
    const begun = performance.now();
    const { statusCode, body } = await client.request({ path: '/-/ready', method: 'GET' });
    await body.dump();
    out.push(performance.now() - begun);
    if (statusCode !== 200) throw new Error(`/-/ready: status ${statusCode}`);
    await sleep(PAUSE_MS);
  }
  await watched;
  return out;
}

function quantiles(phase: string, ms: readonly number[]): Record<string, number> {
  const sorted = Float64Array.from(ms).sort();
  const at = (q: number): number =>
    Math.round((sorted[Math.min(sorted.length - 1, Math.floor(q * sorted.length))] ?? 0) * 100) /
    100;
  return {
    [`${phase}_probes`]: ms.length,
    [`${phase}_p50_ms`]: at(0.5),
    [`${phase}_p99_ms`]: at(0.99),
    [`${phase}_max_ms`]: at(1),
  };
}
