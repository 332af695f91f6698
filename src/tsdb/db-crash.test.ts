import { deepEqual, equal, ok } from 'node:assert/strict';
import { cpSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { Random } from '../lib/prng.ts';
import { nopLogger } from '../lib/log.ts';
import { Matcher } from '../model/matcher.ts';
import { FloatColumns } from '../storage/storage.ts';
import { DroppingFiles } from '../../test/support/dropping-files.ts';
import { temporaryDirectory } from '../../test/support/temporary-directory.ts';
import { encodeWriteRequest } from '../../test/support/write-request.ts';
import { PageCache } from './chunks/page-cache.ts';
import { Db } from './db.ts';
import type { FsyncPolicy } from './wal/group-commit.ts';
import { createTable } from './block-table.ts';
import { TsdbReader } from './tsdb-reader.ts';
import { createArenaMemory } from './head/arena.ts';

function open(directory: string, fsync: FsyncPolicy): { db: Db; reader: TsdbReader } {
  const memories = [createArenaMemory(64 << 20)];
  const files = new DroppingFiles(new Random(1), 0);
  const db = Db.open({ directory, memories, fsync, files, log: nopLogger });
  const chunksDirectory = join(directory, 'chunks_head');
  const cache = new PageCache(PageCache.allocate(1 << 20));
  return {
    db,
    reader: new TsdbReader(
      { head: { number: 0, memories, chunksDirectory }, table: createTable() },
      cache,
    ),
  };
}

/** What the machine would find after it lost its power: a copy of what lies on the disk, without a lock holder. */
function crash(from: string, to: string): string {
  cpSync(from, to, { recursive: true });
  rmSync(join(to, 'lock'));
  return to;
}

function samples(count: number, offset: number): [number, number][] {
  return Array.from({ length: count }, (_, i) => [i * 1000 + offset, i + offset]);
}

async function readAll(reader: TsdbReader): Promise<Record<string, [number, number][]>> {
  const everything = [new Matcher('=~', '__name__', '.+')];
  const set = await reader.select({ matchers: everything, mint: -1e15, maxt: 1e15 });
  const columns = new FloatColumns();
  const rows: Record<string, [number, number][]> = {};
  for (let i = 0; i < set.count; i++) {
    set.readFloats(i, columns, false);
    const t = [...columns.t.subarray(0, columns.length)];
    rows[set.labels(i).toString()] = t.map((time, k) => [time, columns.v[k] ?? NaN]);
  }
  set.close();
  return rows;
}

test('db: a chunk whose series the log lost with the machine is given to no other series', async () => {
  using directory = temporaryDirectory();
  const at = (name: string): string => join(directory.path, name);
  const write = async (db: Db, name: string, values: [number, number][]): Promise<void> => {
    const labels = [['__name__', name]] as const;
    const { accepted } = await db.writeDecoded(encodeWriteRequest([{ labels, samples: values }]));
    equal(accepted, values.length);
  };
  // Chunks of it are written to files at once; without an fsync its records never reach the disk.
  const first = open(at('first'), 'segment');
  await write(first.db, 'lost', samples(400, 0));
  ok(readdirSync(at('first/chunks_head')).length > 0);

  const second = open(crash(at('first'), at('second')), 'always');
  deepEqual(await readAll(second.reader), {});
  await write(second.db, 'kept', samples(300, 7));

  const third = open(crash(at('second'), at('third')), 'always');
  deepEqual(await readAll(third.reader), { kept: samples(300, 7) });

  for (const { db, reader } of [first, second, third]) {
    reader.close();
    db.close();
  }
});
