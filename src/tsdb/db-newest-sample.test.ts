/** Duplicates of a series' newest sample after a restart that knows it from a file of chunks only: the log lost it. */
import { equal, ok } from 'node:assert/strict';
import { cpSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { temporaryDirectory } from '../../test/support/temporary-directory.ts';
import { encodeWriteRequest } from '../../test/support/write-request.ts';
import type { TestHistogram, TestSeries } from '../../test/support/write-request.ts';
import { nopLogger } from '../lib/log.ts';
import { systemFiles } from '../lib/file-layer.ts';
import { STALE_NAN_HI, STALE_NAN_LO } from '../model/value.ts';
import { scanHeadChunkFile } from './chunks/head-chunk-reader.ts';
import { headChunkSequences } from './chunks/head-chunk-writer.ts';
import { Db } from './db.ts';
import { createArenaMemory } from './head/arena.ts';

const T = 1_700_000_000_000;
const STEP = 15_000;
/** Enough for a chunk of small histograms. */
const SAMPLES = 1000;

/** What a series gets at a time. */
type SampleAt = (t: number) => Pick<TestSeries, 'samples' | 'histograms'>;

function open(directory: string): Db {
  const memories = [createArenaMemory(64 << 20)];
  return Db.open({ directory, memories, fsync: 'always', files: systemFiles, log: nopLogger });
}

function request(at: SampleAt, t: number): Buffer {
  return encodeWriteRequest([{ labels: [['__name__', 'm']], ...at(t) }]);
}

/** The time of the newest sample in a file of chunks. */
function newestInFiles(directory: string): number {
  let newest = -Infinity;
  const chunks = join(directory, 'chunks_head');
  for (const sequence of headChunkSequences(chunks)) {
    scanHeadChunkFile(chunks, sequence, ({ maxt }) => (newest = Math.max(newest, maxt)));
  }
  return newest;
}

/** Fills a directory with a series whose log ends behind its first sample, its chunks being in files. */
async function fill(parent: string, at: SampleAt): Promise<string> {
  const [whole, first] = ['whole', 'first'].map((name) => join(parent, name));
  ok(whole !== undefined && first !== undefined);
  const db = open(whole);
  await db.writeDecoded(request(at, T));
  cpSync(join(whole, 'wal'), join(first, 'wal'), { recursive: true });
  for (let n = 1; n < SAMPLES; n++) await db.writeDecoded(request(at, T + n * STEP));
  db.close();
  cpSync(join(whole, 'chunks_head'), join(first, 'chunks_head'), { recursive: true });
  return first;
}

const histogramAt = (t: number, more: Partial<TestHistogram>): TestHistogram => {
  const count = (t - T) / STEP + 1;
  const buckets = [count, count * 2];
  return {
    t,
    isFloat: false,
    schema: 0,
    sum: count,
    zeroCount: 1,
    spans: [0, 2],
    buckets,
    ...more,
  };
};

/** One in four has an empty bucket more than the others, which the others get in the chunk. */
function wideNowAndThen(t: number): TestHistogram {
  const plain = histogramAt(t, {});
  return (t - T) % (4 * STEP) === 0
    ? { ...plain, spans: [0, 3], buckets: [...plain.buckets, 0] }
    : plain;
}

const kinds: readonly { name: string; at: SampleAt; other: SampleAt }[] = [
  {
    name: 'a float',
    at: (t) => ({ samples: [[t, t / 7]] }),
    other: (t) => ({ samples: [[t, 0]] }),
  },
  {
    name: 'a stale marker',
    at: (t) => ({ samples: [[t, [STALE_NAN_HI, STALE_NAN_LO]]] }),
    other: (t) => ({ samples: [[t, [STALE_NAN_HI, STALE_NAN_LO + 1]]] }),
  },
  {
    name: 'an integer histogram',
    at: (t) => ({ samples: [], histograms: [histogramAt(t, {})] }),
    other: (t) => ({ samples: [], histograms: [histogramAt(t, { sum: 0.5 })] }),
  },
  {
    name: 'a float histogram',
    at: (t) => ({ samples: [], histograms: [histogramAt(t, { isFloat: true })] }),
    other: (t) => ({ samples: [[t, 0]] }),
  },
  {
    name: 'a histogram without the empty buckets of its chunk',
    at: (t) => ({ samples: [], histograms: [wideNowAndThen(t)] }),
    other: (t) => ({ samples: [], histograms: [{ ...wideNowAndThen(t), spans: [1, 2] }] }),
  },
  {
    name: 'a stale histogram',
    at: (t) => ({ samples: [], histograms: [histogramAt(t, { sum: Number.NaN })] }),
    other: (t) => ({ samples: [[t, [STALE_NAN_HI, STALE_NAN_LO]]] }),
  },
  {
    name: 'a gauge histogram with custom buckets',
    at: (t) => ({
      samples: [],
      histograms: [histogramAt(t, { schema: -53, zeroCount: 0, customValues: [1, 2, 5], hint: 3 })],
    }),
    other: (t) => ({
      samples: [],
      histograms: [histogramAt(t, { schema: -53, zeroCount: 0, customValues: [1, 2, 6], hint: 3 })],
    }),
  },
];

for (const { name, at, other } of kinds) {
  test(`the newest sample in a file of chunks is ${name}: sent again it is identical`, async () => {
    using parent = temporaryDirectory();
    const directory = await fill(parent.path, at);
    const newest = newestInFiles(directory);
    ok(newest > T);
    const db = open(directory);
    try {
      const again = await db.writeDecoded(request(at, newest));
      equal(again.identical + again.identicalHistograms, 1);
      equal(again.conflicts, 0);
      const conflict = await db.writeDecoded(request(other, newest));
      equal(conflict.conflicts, 1);
      const next = await db.writeDecoded(request(at, newest + STEP));
      equal(next.accepted + next.histograms, 1);
    } finally {
      db.close();
    }
  });
}
