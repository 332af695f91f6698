import { deepEqual, equal, match, ok, rejects, throws } from 'node:assert/strict';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { systemFiles } from '../lib/file-layer.ts';
import { nopLogger } from '../lib/log.ts';
import { Matcher } from '../model/matcher.ts';
import { FloatColumns } from '../storage/storage.ts';
import { temporaryDirectory } from '../../test/support/temporary-directory.ts';
import { encodeWriteRequest } from '../../test/support/write-request.ts';
import type { TestSeries } from '../../test/support/write-request.ts';
import { PageCache } from './chunks/page-cache.ts';
import { Db } from './db.ts';
import { createTable } from './block-table.ts';
import { TsdbReader } from './tsdb-reader.ts';
import { createArenaMemory } from './head/arena.ts';
import type { ArenaMemory } from './head/arena.ts';

interface Opened {
  db: Db;
  reader: TsdbReader;
}

function open(directory: string, arenas = 1): Opened {
  const memories: ArenaMemory[] = Array.from({ length: arenas }, () => createArenaMemory(64 << 20));
  const db = Db.open({ directory, memories, fsync: 'segment', files: systemFiles, log: nopLogger });
  const cache = new PageCache(PageCache.allocate(1 << 20));
  const reader = new TsdbReader(
    {
      head: { number: 0, memories, chunksDirectory: join(directory, 'chunks_head') },
      table: createTable(),
    },
    cache,
  );
  return { db, reader };
}

function close({ db, reader }: Opened): void {
  reader.close();
  db.close();
}

type Rows = Record<string, [number, number][]>;

async function readAll(
  reader: TsdbReader,
  matcher = new Matcher('=~', '__name__', '.+'),
): Promise<Rows> {
  const set = await reader.select({ matchers: [matcher], mint: -1e15, maxt: 1e15 });
  const columns = new FloatColumns();
  const rows: Rows = {};
  for (let i = 0; i < set.count; i++) {
    set.readFloats(i, columns, false);
    const samples: [number, number][] = [];
    for (let k = 0; k < columns.length; k++)
      samples.push([columns.t[k] as number, columns.v[k] as number]);
    rows[set.labels(i).toString()] = samples;
  }
  set.close();
  return rows;
}

const series = (name: string, ...samples: [number, number][]): TestSeries => ({
  labels: [['__name__', name]],
  samples,
});

for (const arenas of [1, 4]) {
  test(`db: what is written is read, before and after a restart (${arenas} arenas)`, async () => {
    using directory = temporaryDirectory();
    const want: Rows = {};
    let opened = open(directory.path, arenas);
    for (let t = 0; t < 700; t++) {
      const request = Array.from({ length: 20 }, (_, i) => {
        const labels: [string, string][] = [
          ['__name__', 'm'],
          ['i', `${i}`],
        ];
        return { labels, samples: [[t * 15_000 + (t % 3), Math.sin(t * i)]] as [number, number][] };
      });
      for (const [i, { samples }] of request.entries()) {
        (want[`m{i="${i}"}`] ??= []).push(...samples);
      }
      const counts = await opened.db.writeDecoded(encodeWriteRequest(request));
      equal(counts.accepted, 20);
      if (t === 300 || t === 500) {
        close(opened);
        opened = open(directory.path, arenas);
        equal(opened.db.report.series, 20);
      }
    }
    deepEqual(await readAll(opened.reader), want);
    ok(readdirSync(join(directory.path, 'chunks_head')).length > 0);
    close(opened);
    opened = open(directory.path, arenas);
    deepEqual(await readAll(opened.reader), want);
    close(opened);
  });
}

test('db: labels in any order, empty labels and labels in two pieces are one series', async () => {
  using directory = temporaryDirectory();
  const opened = open(directory.path, 2);
  const spellings: [string, string][][] = [
    [
      ['__name__', 'm'],
      ['a', '1'],
      ['b', '2'],
    ],
    [
      ['b', '2'],
      ['__name__', 'm'],
      ['a', '1'],
    ],
    [
      ['a', '1'],
      ['c', ''],
      ['b', '2'],
      ['__name__', 'm'],
    ],
  ];
  for (let t = 0; t < 30; t++) {
    const labels = spellings[t % 3] as [string, string][];
    const request = encodeWriteRequest([{ labels, samples: [[t, t]] }], {
      splitLabels: t % 5 === 4,
    });
    equal((await opened.db.writeDecoded(request)).accepted, 1, `t=${t}`);
  }
  const rows = await readAll(opened.reader);
  deepEqual(Object.keys(rows), ['m{a="1", b="2"}']);
  equal(rows['m{a="1", b="2"}']?.length, 30);
  close(opened);
});

test('db: order and duplicates are judged as Prometheus does, and the good samples are kept', async () => {
  using directory = temporaryDirectory();
  let opened = open(directory.path);
  const f = async (samples: [number, number][], want: string): Promise<void> => {
    const counts = await opened.db.writeDecoded(encodeWriteRequest([series('m', ...samples)]));
    const { accepted, identical, outOfOrder, conflicts } = counts;
    equal([accepted, identical, outOfOrder, conflicts].join(' '), want);
  };
  await f([[10, 1]], '1 0 0 0');
  await f([[10, 1]], '0 1 0 0');
  await f([[10, 2]], '0 0 0 1');
  await f([[9, 1]], '0 0 1 0');
  await f(
    [
      [11, NaN],
      [11, NaN],
      [12, 5],
      [11, 5],
      [13, -0],
      [13, 0],
    ],
    '3 1 1 1',
  );
  close(opened);
  opened = open(directory.path);
  await f([[13, -0]], '0 1 0 0');
  await f([[13, 0]], '0 0 0 1');
  await f([[14, 0]], '1 0 0 0');
  deepEqual(await readAll(opened.reader), {
    m: [
      [10, 1],
      [11, NaN],
      [12, 5],
      [13, -0],
      [14, 0],
    ],
  });
  close(opened);
});

test('db: refused labels leave the others alone', async () => {
  using directory = temporaryDirectory();
  const opened = open(directory.path);
  let t = 0;
  const f = async (labels: TestSeries['labels'], problem: RegExp): Promise<void> => {
    const request = encodeWriteRequest([{ labels, samples: [[1, 1]] }, series('good', [t++, 1])]);
    const counts = await opened.db.writeDecoded(request);
    equal(counts.invalidSeries, 1);
    equal(counts.accepted, 1);
    match(counts.firstProblem, problem);
  };
  await f([['a', 'b']], /invalid labels: no metric name/);
  await f(
    [
      ['__name__', 'm'],
      ['', 'b'],
    ],
    /empty label name/,
  );
  await f(
    [
      ['__name__', 'm'],
      ['a', '1'],
      ['a', '2'],
    ],
    /duplicate label name "a"/,
  );
  await f(
    [
      ['__name__', 'm'],
      ['a', new Uint8Array([0x61, 0xff])],
    ],
    /value of label "a" is not UTF-8/,
  );
  deepEqual(Object.keys(await readAll(opened.reader)), ['good']);
  close(opened);
});

test('db: malformed bodies are refused whole, with an offset', async () => {
  using directory = temporaryDirectory();
  const opened = open(directory.path);
  const good = encodeWriteRequest([series('a', [1, 1]), series('b', [1, 1])]);
  for (let cut = 1; cut < good.length; cut++) {
    const torn = good.subarray(0, cut);
    // A cut between two series is a whole request of one.
    const first = encodeWriteRequest([series('a', [1, 1])]).length;
    if (cut === first) continue;
    await rejects(
      opened.db.writeDecoded(torn),
      /not a prometheus.WriteRequest at byte \d+ of \d+/,
      `${cut}`,
    );
  }
  await rejects(
    opened.db.write(new Uint8Array([0xff]), { maxDecodedBytes: 1000 }),
    /snappy: corrupt input/,
  );
  await rejects(
    opened.db.write(new Uint8Array([0xff, 0xff, 0xff, 0x7f]), { maxDecodedBytes: 1000 }),
    /exceeds 1000/,
  );
  deepEqual(await readAll(opened.reader), {});
  close(opened);
});

test('db: a directory takes one process', () => {
  using directory = temporaryDirectory();
  const opened = open(directory.path);
  throws(() => open(directory.path), /is in use by process \d+/);
  close(opened);
  close(open(directory.path));
});

test('db: matchers and label listings', async () => {
  using directory = temporaryDirectory();
  const opened = open(directory.path, 2);
  const labelSets: [string, string][][] = [
    [
      ['__name__', 'a'],
      ['job', 'x'],
    ],
    [
      ['__name__', 'a'],
      ['job', 'y'],
      ['zone', 'é'],
    ],
    [
      ['__name__', 'b'],
      ['job', 'x'],
    ],
    [['__name__', 'b']],
  ];
  await opened.db.writeDecoded(
    encodeWriteRequest(labelSets.map((labels) => ({ labels, samples: [[5, 1]] }))),
  );
  const f = async (matchers: Matcher[], want: string[]): Promise<void> => {
    const set = await opened.reader.select({ matchers, mint: 0, maxt: 10 });
    deepEqual(
      Array.from({ length: set.count }, (_, i) => set.labels(i).toString()),
      want,
    );
  };
  await f([new Matcher('=', '__name__', 'a')], ['a{job="x"}', 'a{job="y", zone="é"}']);
  await f([new Matcher('=~', '__name__', 'a|b'), new Matcher('=', 'job', '')], ['b']);
  await f(
    [new Matcher('=~', 'job', '.+'), new Matcher('!=', 'zone', 'é')],
    ['a{job="x"}', 'b{job="x"}'],
  );
  await f([new Matcher('!~', 'job', 'x|')], ['a{job="y", zone="é"}']);
  await f(
    [new Matcher('=~', 'zone', 'é?'), new Matcher('=', '__name__', 'a')],
    ['a{job="x"}', 'a{job="y", zone="é"}'],
  );
  await f([new Matcher('=', '__name__', 'none')], []);
  const everything = { mint: -1e15, maxt: 1e15 };
  deepEqual((await opened.reader.labelNames([], everything)).texts, ['__name__', 'job', 'zone']);
  deepEqual((await opened.reader.labelValues('job', [], everything)).texts, ['x', 'y']);
  const onlyB = [[new Matcher('=', '__name__', 'b')]];
  deepEqual((await opened.reader.labelNames(onlyB, everything)).texts, ['__name__', 'job']);
  deepEqual((await opened.reader.labelValues('job', onlyB, everything)).texts, ['x']);
  deepEqual((await opened.reader.labelNames(onlyB, { mint: 6, maxt: 10 })).texts, []);
  close(opened);
});
