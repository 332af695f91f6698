/** `startup`: from the start of the process to ready on an empty directory, and idle memory a little later. */
import { setTimeout as sleep } from 'node:timers/promises';
import { startAll } from '../../test/support/server-process.ts';
import { temporaryDirectory } from '../../test/support/temporary-directory.ts';

/** Runs the bench on a server command and answers its result. */
export async function benchStartup(
  command: readonly [string, ...string[]],
): Promise<Record<string, unknown>> {
  const ready: number[] = [];
  const resident: number[] = [];
  for (let run = 0; run < 5; run++) {
    using directory = temporaryDirectory();
    const begun = performance.now();
    const server = await startAll({ dataDir: directory.path, command });
    ready.push(performance.now() - begun);
    await sleep(3000);
    resident.push(server.process.residentMib());
    await server.process.stop();
  }
  return {
    bench: 'startup',
    ready_ms: Math.round(median(ready)),
    idle_resident_mib: Math.round(median(resident)),
  };
}

function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[sorted.length >> 1] as number;
}
