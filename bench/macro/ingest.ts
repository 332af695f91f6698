/**
 * `ingest`: samples per CPU second of the whole server, 10 labels a series, shuffled in every tick, 2,000 samples a
 * request on one connection, WAL on and compressed, --wal.fsync=segment. Creation of the series is told apart.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { startAll } from '../../test/support/server-process.ts';
import { temporaryDirectory } from '../../test/support/temporary-directory.ts';

/** Runs the bench on a server command and answers its result. */
export async function benchIngest(
  command: readonly [string, ...string[]],
  series = 50_000,
): Promise<Record<string, unknown>> {
  using directory = temporaryDirectory();
  const server = await startAll({ dataDir: directory.path, command });
  try {
    const ticks = Math.max(10, Math.ceil(4_000_000 / series));
    const before = server.process.cpuSeconds();
    const sender = spawn(
      process.execPath,
      [
        join(import.meta.dirname, 'ingest-sender.ts'),
        `${server.write}/api/v1/receive`,
        `${series}`,
        `${ticks}`,
      ],
      { stdio: ['pipe', 'pipe', 'inherit'] },
    );
    const lines = sender.stdout[Symbol.asyncIterator]();
    await lines.next();
    const created = server.process.cpuSeconds();
    const phasesBefore = await writePhases(server.api);
    const ended = once(sender, 'exit');
    sender.stdin.write('go\n');
    const answer = JSON.parse(String((await lines.next()).value)) as {
      stored: number;
      seconds: number;
    };
    const cpu = server.process.cpuSeconds() - created;
    await ended;
    const phases = await writePhases(server.api);
    const perSample = Object.entries(phases).map(([phase, seconds]) => [
      phase,
      Math.round(((seconds - (phasesBefore[phase] ?? 0)) / answer.stored) * 1e9),
    ]);
    return {
      bench: 'ingest',
      series,
      samples: answer.stored,
      samples_per_cpu_second: Math.round(answer.stored / cpu),
      samples_per_second: Math.round(answer.stored / answer.seconds),
      phase_ns_per_sample: Object.fromEntries(perSample),
      series_per_cpu_second: Math.round(series / (created - before)),
      create_cpu_seconds: Math.round((created - before) * 100) / 100,
      resident_mib: Math.round(server.process.residentMib()),
    };
  } finally {
    await server.process.stop();
  }
}

/** Seconds that the tenant's writes took so far, by phase. */
async function writePhases(api: string): Promise<Record<string, number>> {
  const text = await (await fetch(`${api}/metrics`)).text();
  const phases: Record<string, number> = {};
  const line = /^thanos_tsdb_write_seconds_total\{([^}]*tenant="default-tenant"[^}]*)\} (\S+)/gm;
  for (const [, labels = '', value] of text.matchAll(line)) {
    const phase = /phase="([^"]*)"/.exec(labels)?.[1];
    if (phase !== undefined) phases[phase] = Number(value);
  }
  return phases;
}
