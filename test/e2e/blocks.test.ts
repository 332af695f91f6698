/**
 * Blocks that are cut by a running process: Debian's tools accept them, Debian's Prometheus reads the same samples from
 * them as we do, and what it makes of the directory afterwards is adopted again.
 */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { cpSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { Random } from '../../src/lib/prng.ts';
import { InteropData } from '../support/interop-data.ts';
import { complaints, openCopyInPrometheus } from '../support/prometheus.ts';
import { compareRawSamples, readRawSamples } from '../support/raw-samples.ts';
import { RemoteWriteSender } from '../support/remote-write-sender.ts';
import { runThanos } from '../support/run-command.ts';
import { startAll } from '../support/server-process.ts';
import { temporaryDirectory } from '../support/temporary-directory.ts';

const SELECTORS = 200;
const SCRAPE_MS = 30_000;
const HOUR_MS = 3_600_000;
const HOURS = 9;
/** A time at which a block begins. */
const START_MS = 1_700_006_400_000;

function blocksIn(directory: string): string[] {
  return readdirSync(directory).filter((name) => /^[0-9A-HJKMNP-TV-Z]{26}$/.test(name));
}

/** limit: a cut takes a fraction of a second, and a round comes every second. */
async function until(what: string, holds: () => boolean): Promise<void> {
  for (let tries = 0; tries < 300; tries++) {
    if (holds()) return;
    await sleep(100);
  }
  assert.fail(`${what} did not come`);
}

test('200 selectors agree between a Prometheus over our directory and us', async (t) => {
  const seed = Number(process.env['SEED'] ?? 20_261_123);
  t.diagnostic(`seed ${seed}`);
  const random = new Random(seed);
  using directory = temporaryDirectory();
  const dataDir = join(directory.path, 'data');
  const tsdb = join(dataDir, 'tsdb/default-tenant');
  const args = ['--tsdb.block-reload-interval=1s'];
  let all = await startAll({ dataDir, args });
  t.after(() => all.process.stop('SIGKILL'));

  const scrapes = (HOURS * HOUR_MS) / SCRAPE_MS;
  const data = new InteropData(random, 120, scrapes);
  const sender = new RemoteWriteSender(all.write);
  for (let n = 0; n < scrapes; n++) {
    const series = data.scrape(n, START_MS + n * SCRAPE_MS);
    if (series.length === 0) continue;
    const { status, text } = await sender.send(series);
    assert.equal(status, 200, text);
  }
  await sender.close();
  // 9 hours: blocks of hours 0 to 6, and up to three hours in the head.
  await until('the third block', () => blocksIn(tsdb).length === 3);
  assert.equal(await all.process.stop(), 0, all.process.output);

  await t.test('promtool accepts the directory and each block', () => {
    const blocks = blocksIn(tsdb);
    const list = execFileSync('promtool', ['tsdb', 'list', tsdb], { encoding: 'utf8' });
    const analyses = blocks.map((block) =>
      execFileSync('promtool', ['tsdb', 'analyze', tsdb, block], { encoding: 'utf8' }),
    );
    for (const [i, block] of blocks.entries()) {
      assert.match(list, new RegExp(`^${block} `, 'm'));
      assert.match(analyses[i] ?? '', new RegExp(`^Block ID: ${block}\nDuration: `, 'm'));
    }
  });

  const prometheus = await openCopyInPrometheus(tsdb, join(directory.path, 'prometheus'));
  t.after(() => prometheus.process.stop('SIGKILL'));
  all = await startAll({ dataDir, args });
  const questions = Array.from({ length: SELECTORS }, () => ({
    selector: `${data.selector()}[${1 + random.below(HOURS * 60)}m]`,
    // Off the grid: ranges were closed on the left before Prometheus 3.
    time: (START_MS + random.below(HOURS * HOUR_MS)) / 1000 + 0.0005,
  }));

  /** Answers how many samples and non-empty answers were compared. */
  const compare = async (ours: string): Promise<{ samples: number; nonEmpty: number }> => {
    const total = { samples: 0, nonEmpty: 0 };
    for (const { selector, time } of questions) {
      const want = await readRawSamples(prometheus.api, selector, time);
      const got = await readRawSamples(ours, selector, time);
      const { samples, differences } = compareRawSamples(want, got);
      assert.deepEqual(differences, [], `${selector} at ${time}`);
      total.samples += samples;
      if (samples > 0) total.nonEmpty++;
    }
    return total;
  };

  await t.test('over the blocks that we cut', async (st) => {
    const { samples, nonEmpty } = await compare(all.api);
    st.diagnostic(`${SELECTORS} selectors, ${nonEmpty} not empty, ${samples} samples`);
    assert.ok(nonEmpty > SELECTORS / 2, `only ${nonEmpty} answers are not empty`);
    assert.deepEqual(complaints(prometheus), []);
  });

  await t.test('a directory that Prometheus holds is refused', async () => {
    const held = join(directory.path, 'prometheus/tsdb');
    const { code, stderr } = await runThanos(
      'all',
      `--data-dir=${join(directory.path, 'second')}`,
      `--tsdb.path=${held}`,
      '--http-address=127.0.0.1:0',
      '--remote-write.address=127.0.0.1:0',
      '--grpc-address=127.0.0.1:0',
    );
    assert.equal(code, 1, stderr);
    assert.match(stderr, /thanos: error: directory .* is in use by process \d+ \(lock\)\n$/);
  });

  await t.test('over the directory as Prometheus goes on with it, adopted again', async () => {
    const again = join(directory.path, 'again');
    cpSync(join(directory.path, 'prometheus/tsdb'), again, { recursive: true });
    rmSync(join(again, 'thanos-ts.json'));
    assert.equal(await all.process.stop(), 0, all.process.output);
    all = await startAll({
      dataDir: join(directory.path, 'third'),
      args: [`--tsdb.path=${again}`],
    });
    await compare(all.api);
    assert.match(all.process.output, /adopted a directory with data of another program/);
  });
});
