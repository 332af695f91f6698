import { deepEqual, equal, match, ok } from 'node:assert/strict';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { FakeClock } from '../lib/clock.ts';
import { systemFiles } from '../lib/file-layer.ts';
import type { FileLayer } from '../lib/file-layer.ts';
import { nopLogger } from '../lib/log.ts';
import { compareUtf8 } from '../lib/utf8.ts';
import type { Logger } from '../lib/log.ts';
import { Matcher } from '../model/matcher.ts';
import { MaintainedTsdb } from '../../test/support/maintained-tsdb.ts';
import type { Rows } from '../../test/support/maintained-tsdb.ts';
import { temporaryDirectory } from '../../test/support/temporary-directory.ts';
import { FloatColumns } from '../storage/storage.ts';
import type { MaintenanceWork } from './maintenance.ts';

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;

/** Writes a sample a minute of two series, one of which ends early and one of which begins late; notes them. */
async function fill(tsdb: MaintainedTsdb, from: number, to: number, want: Rows): Promise<void> {
  for (let t = from; t < to; t += MINUTE) {
    const samples: Record<string, [number, number]> = { steady: [t, t / MINUTE] };
    if (t < 1.5 * HOUR) samples['early'] = [t, -t];
    if (t >= 5 * HOUR) samples['late'] = [t, 0.5];
    for (const [name, sample] of Object.entries(samples)) (want[name] ??= []).push(sample);
    equal(await tsdb.write(samples), Object.keys(samples).length);
  }
}

function sorted(rows: Rows): Rows {
  return Object.fromEntries(Object.entries(rows).sort(([a], [b]) => (a < b ? -1 : 1)));
}

test('blocks are cut every two hours, and every sample is there once at every time', async () => {
  using directory = temporaryDirectory();
  const want: Rows = {};
  let tsdb = new MaintainedTsdb({ directory: directory.path });
  for (let hour = 0; hour < 8; hour++) {
    await fill(tsdb, hour * HOUR, (hour + 1) * HOUR, want);
    await tsdb.maintenance.run();
    deepEqual(await tsdb.read(), sorted(want), `after hour ${hour}`);
    if (hour === 4) {
      tsdb.close();
      tsdb = new MaintainedTsdb({ directory: directory.path });
      deepEqual(await tsdb.read(), sorted(want), 'after a restart');
    }
  }
  deepEqual(tsdb.ranges, [
    [0, 2],
    [2, 4],
    [4, 6],
  ]);
  equal(await tsdb.metric('blocks_loaded'), 3);
  ok(readdirSync(join(directory.path, 'wal')).some((name) => name.startsWith('checkpoint.')));
  // A range that goes through a block and the head, and one that begins inside a chunk.
  const part = (want['steady'] ?? []).filter(([t]) => t >= 3 * HOUR + 7 && t <= 7 * HOUR);
  deepEqual((await tsdb.read(3 * HOUR + 7, 7 * HOUR))['steady'], part);
  tsdb.close();
});

test('a head that nobody writes to becomes blocks by the clock', async () => {
  using directory = temporaryDirectory();
  const clock = new FakeClock(1e12);
  const want: Rows = {};
  const tsdb = new MaintainedTsdb({ directory: directory.path, clock });
  await fill(tsdb, HOUR, 2.5 * HOUR, want);
  clock.advance(3 * HOUR);
  await tsdb.maintenance.run();
  deepEqual(tsdb.ranges, []);
  clock.advance(1);
  await tsdb.maintenance.run();
  deepEqual(tsdb.ranges, [
    [1, 2],
    [2, 4],
  ]);
  equal(tsdb.db.stats().mint, undefined);
  deepEqual(await tsdb.read(), sorted(want));
  await fill(tsdb, 4 * HOUR, 4.1 * HOUR, want);
  deepEqual(await tsdb.read(), sorted(want));
  tsdb.close();
});

test('samples of a range that is being cut are refused, newer ones are not', async () => {
  using directory = temporaryDirectory();
  const tsdb = new MaintainedTsdb({ directory: directory.path });
  await fill(tsdb, 0, 4 * HOUR, {});
  equal(await tsdb.write({ other: [1.9 * HOUR, 1] }), 1);
  equal(tsdb.db.planCut()?.maxt, 2 * HOUR);
  equal(await tsdb.write({ another: [1.9 * HOUR, 1] }), 0);
  equal(await tsdb.write({ another: [2 * HOUR, 1] }), 1);
  tsdb.close();
});

const steps = ['cut', 'drain', 'truncateHead', 'checkpoint'] as const;

for (const step of steps) {
  for (const moment of ['before', 'after'] as const) {
    test(`a process that ends ${moment} "${step}" loses nothing and doubles nothing`, async () => {
      using directory = temporaryDirectory();
      const want: Rows = {};
      const reached = { step: false };
      const wrap = (work: MaintenanceWork): MaintenanceWork => ({
        ...work,
        [step]: async (...args: never[]) => {
          if (moment === 'after')
            await (work[step] as (...given: never[]) => Promise<unknown>)(...args);
          reached.step = true;
          throw new Error('the process ended');
        },
      });
      const first = new MaintainedTsdb({ directory: directory.path, wrap });
      await fill(first, 0, 6 * HOUR, want);
      await first.maintenance.run();
      ok(reached.step);
      deepEqual(await first.read(), sorted(want), 'in the process that failed');
      first.close();
      const second = new MaintainedTsdb({ directory: directory.path });
      deepEqual(await second.read(), sorted(want), 'after the restart');
      await second.maintenance.run();
      deepEqual(await second.read(), sorted(want), 'after the next round');
      deepEqual(second.ranges, [
        [0, 2],
        [2, 4],
      ]);
      second.close();
    });
  }
}

/** The system's files, on which the n-th write or fsync below a block fails. */
function failing(code: string, n: number): { files: FileLayer; failed: () => boolean } {
  let count = 0;
  let failed = false;
  const blockFiles = new Set<number>();
  const may = (fd: number): void => {
    if (!blockFiles.has(fd) || ++count !== n) return;
    failed = true;
    throw Object.assign(new Error(`${code}: it failed`), { code });
  };
  const files: FileLayer = {
    ...systemFiles,
    open: (path, create) => {
      const fd = systemFiles.open(path, create);
      if (path.includes('tmp-for-creation')) blockFiles.add(fd);
      else blockFiles.delete(fd);
      return fd;
    },
    write: (fd, bytes, offset) => (may(fd), systemFiles.write(fd, bytes, offset)),
    fsync: (fd) => (may(fd), systemFiles.fsync(fd)),
  };
  return { files, failed: () => failed };
}

test('a disk that refuses while a block is cut: named, nothing is left of it, the next round succeeds', async () => {
  const failures = { ENOSPC: 0, EIO: 0 };
  for (const code of ['ENOSPC', 'EIO'] as const) {
    for (let n = 1; ; n++) {
      using directory = temporaryDirectory();
      const want: Rows = {};
      const { files, failed } = failing(code, n);
      const said: string[] = [];
      const log: Logger = {
        ...nopLogger,
        error: (text, fields) => void said.push(`${text} ${JSON.stringify(fields)}`),
        with: () => log,
      };
      const tsdb = new MaintainedTsdb({ directory: directory.path, files, log });
      await fill(tsdb, 0, 3.5 * HOUR, want);
      await tsdb.maintenance.run();
      deepEqual(await tsdb.read(), sorted(want));
      if (!failed()) {
        tsdb.close();
        break;
      }
      failures[code]++;
      equal(await tsdb.metric('compactions_failed_total'), 1);
      match(said.join('\n'), /^cut block failed, it is tried again /);
      ok(said.join('\n').includes(code), said.join('\n'));
      deepEqual(
        readdirSync(directory.path).filter((name) => name.startsWith('01')),
        [],
      );
      deepEqual(tsdb.ranges, []);
      await tsdb.maintenance.run();
      deepEqual(tsdb.ranges, [[0, 2]]);
      deepEqual(await tsdb.read(), sorted(want));
      tsdb.close();
    }
  }
  ok(failures.ENOSPC >= 5 && failures.EIO >= 5, JSON.stringify(failures));
});

test('retention removes what it may, when nobody reads it, and nothing else', async () => {
  using directory = temporaryDirectory();
  const want: Rows = {};
  const safe = new Set<string>();
  const drains: number[] = [];
  let retention = { timeMs: 0, bytes: 0 };
  const open = (): MaintainedTsdb =>
    new MaintainedTsdb({
      directory: directory.path,
      retention: { ...retention, isSafe: async ({ meta }) => safe.has(meta.ulid) },
      wrap: (work) => ({
        ...work,
        drain: async () => {
          drains.push(readdirSync(directory.path).filter((name) => name.startsWith('01')).length);
        },
      }),
    });
  let tsdb = open();
  await fill(tsdb, 0, 12 * HOUR, want);
  await tsdb.maintenance.run();
  equal(tsdb.catalog.blocks.length, 5);
  const [oldest, second] = tsdb.catalog.blocks.map(({ meta }) => meta.ulid);
  tsdb.close();

  retention = { timeMs: 5 * HOUR, bytes: 0 };
  tsdb = open();
  await tsdb.maintenance.run();
  equal(tsdb.catalog.blocks.length, 5, 'none is safe');
  safe.add(second ?? '');
  drains.length = 0;
  await tsdb.maintenance.run();
  deepEqual(drains, [5], 'the files are there while earlier queries may read them');
  deepEqual(tsdb.ranges, [
    [0, 2],
    [4, 6],
    [6, 8],
    [8, 10],
  ]);
  for (const { meta } of tsdb.catalog.blocks) safe.add(meta.ulid);
  await tsdb.maintenance.run();
  deepEqual(tsdb.ranges, [
    [4, 6],
    [6, 8],
    [8, 10],
  ]);
  equal(readdirSync(directory.path).includes(oldest ?? ''), false);
  equal(await tsdb.metric('time_retentions_total'), 2);
  const left = (want['steady'] ?? []).filter(([t]) => t >= 4 * HOUR);
  deepEqual((await tsdb.read())['steady'], left);
  tsdb.close();
});

test('a set that was selected before the head was truncated says so, rather than leave samples out', async () => {
  using directory = temporaryDirectory();
  const tsdb = new MaintainedTsdb({ directory: directory.path });
  await fill(tsdb, 0, 4 * HOUR, {});
  const matchers = [new Matcher('=', '__name__', 'steady')];
  const set = await tsdb.reader.select({ matchers, mint: 0, maxt: 1e15 });
  // The work of this test drains nothing, which a process must not do.
  await tsdb.maintenance.run();
  let error = '';
  try {
    set.readFloats(0, new FloatColumns(), false);
  } catch (thrown) {
    error = String(thrown);
  }
  equal(error, 'CodedError: samples moved to a block during the query, ask again');
  tsdb.close();
});

test('blocks become larger ones where nobody else compacts them; sources go, reads stay as they are', async () => {
  using directory = temporaryDirectory();
  const options = { directory: directory.path, blockRanges: [2 * HOUR, 6 * HOUR] };
  using tsdb = new MaintainedTsdb(options);
  for (let hour = 0; hour <= 16; hour++)
    await tsdb.write({ a: [hour * HOUR, hour], [`only_at_${hour}`]: [hour * HOUR + 1, hour] });
  const before = await tsdb.read();
  await tsdb.maintenance.run();
  deepEqual(tsdb.ranges, [
    [0, 6],
    [6, 12],
    [12, 14],
  ]);
  deepEqual(await tsdb.read(), before);
  deepEqual(
    tsdb.catalog.blocks.map(({ meta }) => meta.compaction.level),
    [2, 2, 1],
  );
  const names = readdirSync(directory.path).filter((name) => name.length === 26);
  deepEqual(
    names.toSorted(compareUtf8),
    tsdb.catalog.blocks.map(({ meta }) => meta.ulid).toSorted(compareUtf8),
  );
});
