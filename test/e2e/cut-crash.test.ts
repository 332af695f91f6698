/** `kill -9` while blocks are cut: every sample is there afterwards, once, and no block is half done or there twice. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { Random } from '../../src/lib/prng.ts';
import { InteropData } from '../support/interop-data.ts';
import { compareRawSamples, readRawSamples } from '../support/raw-samples.ts';
import { RemoteWriteSender } from '../support/remote-write-sender.ts';
import { startAll } from '../support/server-process.ts';
import { temporaryDirectory } from '../support/temporary-directory.ts';

const START_MS = 1_700_006_400_000;
const SCRAPE_MS = 60_000;
const HOURS = 13;
const SCRAPES = (HOURS * 3_600_000) / SCRAPE_MS;
const SERIES = 600;
/** Blocks that 13 hours make: all but the last three hours. */
const BLOCKS = 5;
const KILLS = 12;
const UNFINISHED = '.tmp-for-creation';

test('killed while it cuts blocks', async (t) => {
  const seed = Number(process.env['SEED'] ?? Date.now() % 1e6);
  t.diagnostic(`seed ${seed}`);
  const random = new Random(seed);
  using directory = temporaryDirectory();
  const tsdb = join(directory.path, 'tsdb/default-tenant');
  const start = (interval: string): ReturnType<typeof startAll> =>
    startAll({
      dataDir: directory.path,
      args: [`--tsdb.block-reload-interval=${interval}`],
    });
  let all = await start('1h');
  t.after(() => all.process.stop('SIGKILL'));
  const data = new InteropData(random, SERIES, SCRAPES);
  const sender = new RemoteWriteSender(all.write);
  for (let n = 0; n < SCRAPES; n++) {
    const { status, text } = await sender.send(data.scrape(n, START_MS + n * SCRAPE_MS));
    assert.equal(status, 200, text);
  }
  await sender.close();
  const end = START_MS / 1000 + HOURS * 3600;
  const read = () => readRawSamples(all.api, `{i=~".+"}[${HOURS}h]`, end);
  const want = await read();
  assert.ok(want.length > SERIES / 2);
  assert.equal(await all.process.stop(), 0, all.process.output);

  const blocks = (): string[] => readdirSync(tsdb).filter((name) => /^[0-9A-Z]{26}$/.test(name));
  let halfDone = 0;
  let kills = 0;
  for (; kills < KILLS && blocks().length < BLOCKS; kills++) {
    all = await start('1s');
    const cut = blocks().length;
    const isCutting = (): boolean => readdirSync(tsdb).some((name) => name.endsWith(UNFINISHED));
    for (let tries = 0; tries < 2000 && !isCutting() && blocks().length === cut; tries++)
      await sleep(1);
    // Sometimes in the middle of the block, sometimes behind it.
    await sleep(random.below(kills % 2 === 0 ? 15 : 120));
    await all.process.stop('SIGKILL');
    if (isCutting()) halfDone++;
  }
  t.diagnostic(`${kills} kills, ${halfDone} of them inside a block`);
  assert.ok(kills > 1 && halfDone > 0, 'no cut was interrupted');
  all = await start('1s');
  for (let tries = 0; tries < 200 && blocks().length < BLOCKS; tries++) await sleep(100);
  assert.deepEqual(compareRawSamples(want, await read()).differences, []);
  assert.equal(await all.process.stop(), 0, all.process.output);

  assert.equal(blocks().length, BLOCKS);
  assert.deepEqual(
    readdirSync(tsdb).filter((name) => name.includes('tmp')),
    [],
  );
  const list = execFileSync('promtool', ['tsdb', 'list', tsdb], { encoding: 'utf8' });
  const ranges = [...list.matchAll(/^\S{26}\s+(\d+)\s+(\d+)/gm)].map(([, mint, maxt]) => [
    Number(mint),
    Number(maxt),
  ]);
  assert.equal(ranges.length, BLOCKS);
  ranges.sort((a, b) => (a[0] ?? 0) - (b[0] ?? 0));
  for (const [i, [mint = 0]] of ranges.entries())
    assert.ok(i === 0 || mint >= (ranges[i - 1]?.[1] ?? 0), `blocks overlap: ${list}`);
  all = await start('1h');
  assert.deepEqual(compareRawSamples(want, await read()).differences, []);
});
