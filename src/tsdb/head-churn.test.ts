/** Series that come and go: what is read stays right, and the head's memory and log stop growing. */
import { deepEqual, equal, ok } from 'node:assert/strict';
import { test } from 'node:test';
import { FakeClock } from '../lib/clock.ts';
import { Matcher } from '../model/matcher.ts';
import { MaintainedTsdb } from '../../test/support/maintained-tsdb.ts';
import { temporaryDirectory } from '../../test/support/temporary-directory.ts';
import { encodeWriteRequest } from '../../test/support/write-request.ts';
import type { TestSeries } from '../../test/support/write-request.ts';
import { FloatColumns } from '../storage/storage.ts';
import { PostingsReader } from './head/postings-reader.ts';
import { ArenaView } from './head/arena.ts';
import type { ArenaMemory } from './head/arena.ts';

const HOUR = 3_600_000;
const BASE = 1_700_006_400_000 - (1_700_006_400_000 % (2 * HOUR));
const WAVE = 400;

/** Series of a wave; some are spelled so that they are found by an alias, some have labels beyond ASCII. */
function wave(n: number, t: number): TestSeries[] {
  return Array.from({ length: WAVE }, (_, i): TestSeries => {
    const pod: [string, string] = ['pod', i % 50 === 0 ? `pöd-${n}-${i}` : `pod-${n}-${i}`];
    const labels: [string, string][] = [['__name__', `churn_${i % 3}`], ['job', 'j'], pod];
    if (i % 7 === 0) labels.reverse();
    return { labels, samples: [[t + i, i]] };
  });
}

function steady(t: number): TestSeries[] {
  return Array.from({ length: 50 }, (_, i): TestSeries => ({
    labels: [
      ['__name__', 'steady'],
      ['job', 'j'],
      ['i', String(i)],
    ],
    samples: [[t + i, t / 1000 + i]],
  }));
}

interface Model {
  readonly samples: Map<string, number>;
  /** Labels of the series that got samples in each wave. */
  readonly waves: string[][];
}

async function write(tsdb: MaintainedTsdb, series: TestSeries[], model: Model): Promise<string[]> {
  const counts = await tsdb.db.writeDecoded(encodeWriteRequest(series));
  equal(counts.accepted, series.length, counts.firstProblem);
  return series.map(({ labels }) => {
    const key = JSON.stringify([...labels].sort(([a], [b]) => (a < b ? -1 : 1)));
    model.samples.set(key, (model.samples.get(key) ?? 0) + 1);
    return key;
  });
}

/** How many samples each series has, by its labels. */
async function read(tsdb: MaintainedTsdb): Promise<Map<string, number>> {
  const rows = await tsdb.reader.select({
    matchers: [new Matcher('=', 'job', 'j')],
    mint: -1e15,
    maxt: 1e15,
  });
  const found = new Map<string, number>();
  const columns = new FloatColumns();
  for (let i = 0; i < rows.count; i++) {
    rows.readFloats(i, columns, false);
    found.set(JSON.stringify([...rows.labels(i)]), columns.length);
  }
  rows.close();
  return found;
}

test('series that come and go: reads are right, memory is used again, the log forgets them', async () => {
  using directory = temporaryDirectory();
  const clock = new FakeClock(BASE);
  const options = { directory: directory.path, clock };
  const model: Model = { samples: new Map(), waves: [] };
  const used: number[] = [];
  const heads: number[] = [];
  let tsdb = new MaintainedTsdb(options);
  try {
    for (let n = 0; n < 24; n++) {
      const t = BASE + n * 2 * HOUR;
      for (const part of [0, 0.4, 0.8]) {
        await write(tsdb, steady(t + part * 2 * HOUR), model);
        await write(tsdb, wave(n, t + part * 2 * HOUR), model);
      }
      // One that was there before comes back, and is another series for the head.
      if (n >= 4) await write(tsdb, wave(n - 4, t + 1.9 * HOUR).slice(0, 20), model);
      await tsdb.maintenance.run();
      deepEqual(await read(tsdb), model.samples, `wave ${n}`);
      const { series, arenaBytes } = tsdb.db.stats();
      used.push(arenaBytes);
      heads.push(series);
      if (n === 9) {
        tsdb.close();
        tsdb = new MaintainedTsdb(options);
        deepEqual(await read(tsdb), model.samples, 'after another start');
      }
    }
    // Of 24 waves the head holds those of its time only.
    ok(Math.max(...heads.slice(3)) < 3 * WAVE + 200, `series: ${heads.join(' ')}`);
    ok(heads.at(-1) === heads.at(-2), `series: ${heads.join(' ')}`);
    // Slots and memory of the dead serve the living: the arena grows no more.
    equal(used[9], used[6], `bytes: ${used.join(' ')}`);
    equal(used[23], used[22], `bytes: ${used.join(' ')}`);
    const view = new ArenaView(tsdb.memories[0] as ArenaMemory);
    const postings = new PostingsReader(view);
    const pods = postings.values('pod').map((pod) => Number(pod.split('-')[1]));
    ok(Math.min(...pods) >= 18, `pods of waves ${[...new Set(pods)].join(' ')}`);
  } finally {
    tsdb.close();
  }
  // The log that is left names no series that is long gone.
  using again = new MaintainedTsdb(options);
  // Series stay in it for as long as a segment names them that no checkpoint stands for.
  ok(again.db.report.series < 11 * WAVE, `${again.db.report.series} series replayed`);
  deepEqual(await read(again), model.samples, 'after the last start');
});
