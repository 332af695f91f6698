/**
 * `replay`: how long the start takes over the log of 500,000 series with 10 samples each, left by a killed process, and the
 * memory of the process when it is ready.
 */
import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { startAll } from '../../test/support/server-process.ts';
import { temporaryDirectory } from '../../test/support/temporary-directory.ts';

const SAMPLES = 10;

/** Runs the bench on a server command and answers its result. */
export async function benchReplay(
  command: readonly [string, ...string[]],
  series = 500_000,
): Promise<Record<string, unknown>> {
  using directory = temporaryDirectory();
  const options = { dataDir: directory.path, command };
  const first = await startAll(options);
  await fill(first.write, series);
  await first.process.stop('SIGKILL');
  const begun = performance.now();
  const second = await startAll(options);
  const ready = performance.now() - begun;
  try {
    const line = /tsdb=default-tenant msg="TSDB opened".*/.exec(second.process.output)?.[0] ?? '';
    return {
      bench: 'replay',
      series: Number(/ series=(\d+)/.exec(line)?.[1]),
      samples: Number(/ wal_samples=(\d+)/.exec(line)?.[1]),
      replay_seconds: Number(/ duration=([\d.]+)s/.exec(line)?.[1]),
      ready_seconds: Math.round(ready) / 1000,
      cpu_seconds: second.process.cpuSeconds(),
      resident_mib: Math.round(second.process.residentMib()),
    };
  } finally {
    await second.process.stop();
  }
}

/** Writes all samples: the sender of the ingest bench. */
async function fill(address: string, series: number): Promise<void> {
  const script = join(import.meta.dirname, 'ingest-sender.ts');
  const sender = spawn(
    process.execPath,
    [script, `${address}/api/v1/receive`, `${series}`, `${SAMPLES}`],
    { stdio: ['pipe', 'pipe', 'inherit'] },
  );
  const lines = sender.stdout[Symbol.asyncIterator]();
  await lines.next();
  sender.stdin.write('go\n');
  await lines.next();
}
