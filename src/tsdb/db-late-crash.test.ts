/** Samples that came out of order, and what the death of the machine does to the files that they are in. */
import { deepEqual, equal, ok } from 'node:assert/strict';
import { cpSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { DroppingFiles } from '../../test/support/dropping-files.ts';
import { dropUnsynced } from '../../test/support/synced-sizes.ts';
import { temporaryDirectory } from '../../test/support/temporary-directory.ts';
import { encodeWriteRequest } from '../../test/support/write-request.ts';
import { nopLogger } from '../lib/log.ts';
import { Random } from '../lib/prng.ts';
import { Matcher } from '../model/matcher.ts';
import { FloatColumns } from '../storage/storage.ts';
import { BlockCatalog, FileNumbers } from './block-catalog.ts';
import { createTable } from './block-table.ts';
import { PageCache } from './chunks/page-cache.ts';
import { Db } from './db.ts';
import { createArenaMemory } from './head/arena.ts';
import { TsdbReader } from './tsdb-reader.ts';

const T = 1_700_000_000_000;
/** Late samples of a series that fill its list. */
const LIST = 32;

class LateDb {
  readonly db: Db;
  readonly #reader: TsdbReader;

  constructor(directory: string, { writeBack = 0, seed = 1 } = {}) {
    const memories = [createArenaMemory(64 << 20)];
    const files = new DroppingFiles(new Random(seed), writeBack);
    const window = { outOfOrderWindowMs: 3_600_000 };
    this.db = Db.open({ directory, memories, fsync: 'always', files, log: nopLogger, ...window });
    const chunksDirectory = join(directory, 'chunks_head');
    const head = { number: 0, memories, chunksDirectory };
    const table = createTable();
    new BlockCatalog(table, new FileNumbers()).takeLate();
    this.#reader = new TsdbReader({ head, table }, new PageCache(PageCache.allocate(1 << 20)));
  }

  /** Writes the sample of a number: later numbers are further back. */
  async write(n: number, name = 'm'): Promise<void> {
    const labels = [['__name__', name]] as const;
    const counts = await this.db.writeDecoded(
      encodeWriteRequest([{ labels, samples: [[T - n * 1000, n]] }]),
    );
    equal(counts.accepted, 1);
  }

  /** The numbers that are there. */
  async numbers(name = 'm'): Promise<number[]> {
    const matchers = [new Matcher('=', '__name__', name)];
    const set = await this.#reader.select({ matchers, mint: -1e15, maxt: 1e15 });
    const columns = new FloatColumns();
    set.readFloats(0, columns, false);
    set.close();
    return [...columns.v.subarray(0, columns.length)].toReversed();
  }

  close(): void {
    this.#reader.close();
    this.db.close();
  }
}

/** What a process or a machine would find after the death of the one before. */
function copyOf(from: string, to: string): string {
  cpSync(from, to, { recursive: true });
  rmSync(join(to, 'lock'), { force: true });
  return to;
}

const upTo = (count: number): number[] => Array.from({ length: count }, (_, n) => n);

test('late samples outlive a machine that lost their chunks, and a process after it', async () => {
  using parent = temporaryDirectory();
  const [first, second, third] = ['1', '2', '3'].map((name) => join(parent.path, name));
  ok(first !== undefined && second !== undefined && third !== undefined);
  const open: LateDb[] = [];
  try {
    const before = new LateDb(first);
    open.push(before);
    // Number 0 is in order. The first full list is in a chunk that nobody has fsynced, and the log says so.
    for (let n = 0; n <= LIST + 1; n++) await before.write(n);
    dropUnsynced(copyOf(first, second), new Random(1), 0);
    const machine = new LateDb(second);
    open.push(machine);
    deepEqual(await machine.numbers(), upTo(LIST + 2));
    // The next full list takes the place in the file that the lost one had.
    for (let n = LIST + 2; n <= 3 * LIST; n++) await machine.write(n);
    deepEqual(await machine.numbers(), upTo(3 * LIST + 1));
    const process = new LateDb(copyOf(second, third));
    open.push(process);
    deepEqual(await process.numbers(), upTo(3 * LIST + 1));
  } finally {
    for (const db of open) db.close();
  }
});

test('late samples whose series the log lost are given to no other series', async () => {
  using parent = temporaryDirectory();
  const directory = join(parent.path, 'db');
  const open: LateDb[] = [];
  const reopen = (): LateDb => {
    open.pop()?.close();
    const db = new LateDb(directory);
    open.push(db);
    return db;
  };
  try {
    const before = reopen();
    for (let n = 0; n < 3; n++) await before.write(n);
    open.pop()?.close();
    // Two files, and the machine wrote back one of them.
    for (const name of readdirSync(join(directory, 'wal'))) rmSync(join(directory, 'wal', name));
    for (const name of ['first', 'second', 'third']) await reopen().write(9, name);
    const after = reopen();
    for (const name of ['first', 'second', 'third'])
      deepEqual(await after.numbers(name), [9], name);
  } finally {
    for (const db of open) db.close();
  }
});

test('segments of the out-of-order log go in order, so that no crash leaves a gap that Prometheus refuses', async () => {
  for (let seed = 1; seed <= 20; seed++) {
    using directory = temporaryDirectory();
    // Each start begins a segment.
    for (let n = 0; n < 5; n++) {
      const db = new LateDb(directory.path);
      await db.write(n);
      db.close();
    }
    const late = new LateDb(directory.path, { seed, writeBack: 0.5 });
    const plan = late.db.planLateCut();
    ok(plan !== undefined);
    late.db.truncateLate(plan);
    const segments = readdirSync(join(directory.path, 'wbl')).map(Number);
    segments.sort((a, b) => a - b);
    const gaps = segments.filter((n, i) => i > 0 && n !== (segments[i - 1] as number) + 1);
    late.close();
    deepEqual(gaps, [], `seed ${seed}: ${segments.join(' ')}`);
  }
});
