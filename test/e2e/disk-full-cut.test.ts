/** A disk that is full when a block is to be cut: said, tried again, and nothing is lost or left half done. */
import assert from 'node:assert/strict';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { Random } from '../../src/lib/prng.ts';
import { compareRawSamples, readRawSamples } from '../support/raw-samples.ts';
import { RemoteWriteSender } from '../support/remote-write-sender.ts';
import { startAll } from '../support/server-process.ts';
import { MountedDisk, mountSmallDisk } from '../support/small-disk.ts';
import { temporaryDirectory } from '../support/temporary-directory.ts';

const START_MS = 1_700_006_400_000;
const MINUTE_MS = 60_000;
const SERIES = 1500;
/** More than three hours: enough for a block of two hours. */
const MINUTES = 182;

async function until(what: string, holds: () => boolean): Promise<void> {
  for (let tries = 0; tries < 300; tries++) {
    if (holds()) return;
    await sleep(100);
  }
  assert.fail(`${what} did not come`);
}

test('disk full while a block is cut', async (t) => {
  using directory = temporaryDirectory();
  const unavailable = mountSmallDisk(directory.path, 24 << 20);
  if (unavailable !== undefined) return t.skip(unavailable);
  using disk = new MountedDisk(directory.path);
  const tsdb = join(disk.path, 'tsdb/default-tenant');
  const start = (interval: string): ReturnType<typeof startAll> =>
    startAll({ dataDir: disk.path, args: [`--tsdb.block-reload-interval=${interval}`] });

  let all = await start('1h');
  t.after(() => all.process.stop('SIGKILL'));
  const random = new Random(1);
  const sender = new RemoteWriteSender(all.write);
  for (let minute = 0; minute < MINUTES; minute++) {
    const series = Array.from({ length: SERIES }, (_, i) => ({
      labels: [
        ['__name__', 'noise'],
        ['i', String(i)],
      ] as const,
      samples: [[START_MS + minute * MINUTE_MS, random.float()]] as const,
    }));
    const { status, text } = await sender.send(series);
    assert.equal(status, 200, text);
  }
  await sender.close();
  const end = (START_MS + MINUTES * MINUTE_MS) / 1000;
  const read = () => readRawSamples(all.api, 'noise[4h]', end);
  const want = await read();
  assert.equal(want.length, SERIES);
  assert.equal(await all.process.stop(), 0, all.process.output);

  disk.addBallast();
  all = await start('1s');
  await until('a failed cut', () => all.process.output.includes('cut block failed'));
  assert.match(all.process.output, /cut block failed, it is tried again.*ENOSPC/);
  assert.deepEqual(compareRawSamples(want, await read()).differences, []);
  const blocks = (): string[] => readdirSync(tsdb).filter((name) => name.startsWith('0'));
  assert.deepEqual(
    blocks().filter((name) => !name.endsWith('.tmp-for-creation')),
    [],
  );

  disk.removeBallast();
  await until('the block', () => all.process.output.includes('block cut from the head'));
  assert.equal(blocks().length, 1);
  assert.deepEqual(compareRawSamples(want, await read()).differences, []);
  assert.equal(await all.process.stop(), 0, all.process.output);
  all = await start('1h');
  assert.deepEqual(compareRawSamples(want, await read()).differences, []);
});
