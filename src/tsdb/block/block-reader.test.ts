import { deepEqual, equal, ok, throws } from 'node:assert/strict';
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import fc from 'fast-check';
import { buildBlock, xorChunk } from '../../../test/support/block-builder.ts';
import type { TestSample, TestSeries } from '../../../test/support/block-builder.ts';
import { readBlock } from '../../../test/support/block-frames.ts';
import { encodeIndexV1 } from '../../../test/support/index-v1.ts';
import { temporaryDirectory } from '../../../test/support/temporary-directory.ts';
import { XorAppender } from '../../chunkenc/xor-twin.ts';
import { XorScratch } from '../../chunkenc/xor-scratch.ts';
import { systemFiles } from '../../lib/file-layer.ts';
import { Random } from '../../lib/prng.ts';
import { compareUtf8 } from '../../lib/utf8.ts';
import { Labels, compareLabels } from '../../model/labels.ts';
import { Matcher } from '../../model/matcher.ts';
import type { MatchType } from '../../model/matcher.ts';
import { PageCache } from '../chunks/page-cache.ts';
import type { ChunkSet } from '../index/chunk-set.ts';
import { IndexReader } from '../index/index-reader.ts';
import { BytesSource } from '../index/byte-source.ts';
import { LabelStore } from '../index/label-store.ts';
import { BlockReader } from './block-reader.ts';
import type { BlockHandle } from './block-handle.ts';
import { writeTombstones } from './tombstones.ts';

const EVER = { mint: -1e15, maxt: 1e15 };

function openReader(handle: BlockHandle, pages = 16): BlockReader {
  return new BlockReader(handle, new PageCache(PageCache.allocate(pages * 65536)));
}

/** Samples of the i-th series as [t, v], all sources of the scratch apart. */
function samplesOf(set: ChunkSet, i: number, scratch = new XorScratch()): TestSample[] {
  const start = scratch.length;
  set.appendFloats(i, scratch, false);
  const out: TestSample[] = [];
  for (let k = start; k < scratch.length; k++) {
    out.push([scratch.t[k] as number, scratch.v[k] as number]);
  }
  return out;
}

/** Everything of a set, by labels. */
function contentOf(set: ChunkSet): Record<string, TestSample[]> {
  const content: Record<string, TestSample[]> = {};
  for (let i = 0; i < set.count; i++) content[set.labels(i).toString()] = samplesOf(set, i);
  return content;
}

const NAMES = ['__name__', 'a', 'b', '\uffff', 'ü'];
const VALUES = ['x', 'y', 'z', 'xx', '\u{10000}', '\uffff'];

/** Series with labels of a small alphabet, so that matchers find some, each set once. */
function randomSeries(random: Random, count: number): TestSeries[] {
  const series = new Map<string, TestSeries>();
  for (let n = 0; n < count; n++) {
    const labels: Record<string, string> = { n: String(n % 7) };
    for (const name of NAMES) {
      if (random.below(3) > 0) labels[name] = VALUES[random.below(VALUES.length)] as string;
    }
    let t = random.below(1000);
    const chunks = Array.from({ length: 1 + random.below(4) }, () =>
      Array.from({ length: 1 + random.below(20) }, (): TestSample => {
        t += 1 + random.below(50);
        return [t, random.below(100)];
      }),
    );
    series.set(Labels.fromObject(labels).key, { labels, chunks });
  }
  return [...series.values()];
}

const matcher = fc
  .tuple(
    fc.constantFrom<MatchType>('=', '!=', '=~', '!~'),
    fc.constantFrom(...NAMES, 'n', 'none'),
    fc.constantFrom('', 'x', 'y|z', 'x.*', '.*', '.+', '1', 'x|', '\uffff'),
  )
  .map(([type, name, value]) => new Matcher(type, name, value));

test('block reader: selects and label queries are what a look at every series gives', () => {
  using directory = temporaryDirectory();
  const random = new Random(1);
  const made = randomSeries(random, 300);
  const handle = buildBlock(directory.path, made, { segmentBytesMax: 2000 });
  ok(handle.segments > 5);
  const reader = openReader(handle);
  const all = made
    .map(({ labels, chunks }) => ({ labels: Labels.fromObject(labels), chunks }))
    .sort((a, b) => compareLabels(a.labels, b.labels));
  const range = fc.tuple(fc.integer({ min: 0, max: 5000 }), fc.nat(2000));
  const sets = fc.array(fc.array(matcher, { minLength: 1, maxLength: 3 }), { maxLength: 2 });
  fc.assert(
    fc.property(sets, range, (matcherSets, [mint, length]) => {
      const maxt = mint + length;
      const overlapping = all
        .map(({ labels, chunks }) => ({
          labels,
          samples: (chunks as TestSample[][])
            .filter((chunk) => (chunk[0] as TestSample)[0] <= maxt)
            .filter((chunk) => (chunk.at(-1) as TestSample)[0] >= mint)
            .flat(),
        }))
        .filter(({ samples }) => samples.length > 0);
      const of = (matchers: readonly Matcher[]) =>
        overlapping.filter(({ labels }) => matchers.every((m) => m.matches(labels.get(m.name))));
      for (const matchers of [...matcherSets, []]) {
        const set = reader.select({ matchers, mint, maxt });
        const want = of(matchers);
        equal(set.count, want.length);
        for (const [i, { labels, samples }] of want.entries()) {
          deepEqual(set.labels(i).pairs, labels.pairs);
          deepEqual(samplesOf(set, i), samples);
          ok(set.sampleEstimate(i) > 0);
        }
        const picked = want.map((_, i) => i).filter((i) => i % 3 === 1);
        const opened = reader.openShared(structuredClone(set.share(picked)));
        deepEqual(
          picked.map((_, i) => samplesOf(opened, i)),
          picked.map((i) => want[i]?.samples),
        );
      }
      if (matcherSets.length === 0) return;
      const matching = overlapping.filter((one) => matcherSets.some((m) => of(m).includes(one)));
      const names = new Set(matching.flatMap(({ labels }) => [...labels].map(([name]) => name)));
      deepEqual(reader.labelNames(matcherSets, { mint, maxt }), [...names].sort(compareUtf8));
      const values = new Set(matching.map(({ labels }) => labels.get('a')));
      values.delete('');
      deepEqual(
        reader.labelValues('a', matcherSets, { mint, maxt }),
        [...values].sort(compareUtf8),
      );
    }),
    { numRuns: 60 },
  );
  const names = new Set(all.flatMap(({ labels }) => [...labels].map(([name]) => name)));
  deepEqual(reader.labelNames([], EVER), [...names].sort(compareUtf8));
  deepEqual(reader.labelValues('__name__', [], EVER), [...VALUES].sort(compareUtf8));
  deepEqual(reader.labelValues('none', [], EVER), []);
  deepEqual(reader.labelValues('', [], EVER), []);
  reader.close();
});

test('block reader: many values are found, in the order of their bytes', () => {
  using directory = temporaryDirectory();
  const count = 3000;
  const made = Array.from({ length: count }, (_, n) => ({
    labels: { __name__: 'm', id: `${n}${n % 5 === 0 ? '\uffff' : ''}`, even: String(n % 2) },
    chunks: [[[n, n]]],
  })) as TestSeries[];
  const reader = openReader(buildBlock(directory.path, made));
  const select = (...matchers: Matcher[]): string[] => {
    const set = reader.select({ matchers, ...EVER });
    return Array.from({ length: set.count }, (_, i) => set.labels(i).get('id'));
  };
  const ids = made.map(({ labels }) => labels['id'] as string).sort(compareUtf8);
  deepEqual(reader.labelValues('id', [], EVER), ids);
  deepEqual(select(new Matcher('=', '__name__', 'm')).sort(compareUtf8), ids);
  for (const id of ids) deepEqual(select(new Matcher('=', 'id', id)), [id]);
  deepEqual(select(new Matcher('=', 'id', '7x')), []);
  deepEqual(select(new Matcher('=', 'id', '\u{10ffff}')), []);
  deepEqual(select(new Matcher('=', 'id', '!')), []);
  const even = ids.filter((id) => Number.parseInt(id, 10) % 2 === 0);
  deepEqual(
    select(new Matcher('=', 'even', '0'), new Matcher('=~', 'id', '.+')).sort(compareUtf8),
    even,
  );
  const seven = ids.filter((id) => id.startsWith('7'));
  deepEqual(select(new Matcher('=~', 'id', '7.*')).sort(compareUtf8), seven);
  reader.close();
});

test('block reader: deleted samples are not there', () => {
  using directory = temporaryDirectory();
  const chunk = (from: number): TestSample[] =>
    Array.from({ length: 10 }, (_, i) => [from + i * 10, from + i]);
  const made: TestSeries[] = ['a', 'b', 'c'].map((name) => ({
    labels: { __name__: name },
    chunks: [chunk(0), chunk(100), chunk(200)],
  }));
  const handle = buildBlock(directory.path, made);
  const [a, b] = new IndexReader(
    new BytesSource(readFileSync(join(handle.directory, 'index'))),
    '',
    new LabelStore(),
  ).all();
  writeTombstones(
    systemFiles,
    handle.directory,
    new Map([
      [a as number, [{ mint: 0, maxt: 1000 }]],
      [
        b as number,
        [
          { mint: -5, maxt: 20 },
          { mint: 55, maxt: 55 },
          { mint: 90, maxt: 205 },
          { mint: 290, maxt: 290 },
        ],
      ],
    ]),
  );
  const reader = openReader(handle);
  const all = [...chunk(0), ...chunk(100), ...chunk(200)];
  const kept = all.filter(([t]) => t > 20 && !(t >= 90 && t <= 205) && t !== 290);
  const set = reader.select({ matchers: [], ...EVER });
  deepEqual(contentOf(set), { b: kept, c: all });
  // The second chunk is wholly deleted, so it is not counted either.
  equal(set.sampleEstimate(0), 240);
  deepEqual(reader.select({ matchers: [], mint: 100, maxt: 190 }).count, 1);
  // Behind samples of another source, which stay.
  const scratch = new XorScratch();
  const other = xorChunk([
    [-1000, 1],
    [55, 2],
  ]);
  scratch.append(other.data, 0, other.data.length, 2, false);
  deepEqual(samplesOf(set, 0, scratch), kept);
  deepEqual([...scratch.t.subarray(0, 2)], [-1000, 55]);
  reader.close();
});

/** Puts an index in place of a block's that says other times of its chunks; series by series, chunk by chunk. */
function retime(handle: BlockHandle, times: readonly [number, number][][]): void {
  const { series } = readBlock(handle.directory);
  const indexed = series.map(({ labels, chunks }, i) => ({
    labels,
    chunks: chunks.map(({ ref }, k) => {
      const [mint, maxt] = times[i]?.[k] ?? [0, 0];
      return { ref, mint, maxt };
    }),
  }));
  writeFileSync(join(handle.directory, 'index'), encodeIndexV1(indexed));
}

test('block reader: samples of chunks that overlap come in the order of time', () => {
  using directory = temporaryDirectory();
  // The writer refuses such chunks; other programs wrote them. So they are given other times first.
  const parts: TestSample[][] = [
    [10, 20, 30],
    [15, 20, 40],
    [5, 35],
    [50, 60],
  ].map((times, k) => times.map((t) => [t, t * 10 + k]));
  const chunks = parts.map((part, k) => ({ ...xorChunk(part), mint: k, maxt: k }));
  const handle = buildBlock(directory.path, [{ labels: { a: 'b' }, chunks }]);
  retime(handle, [
    [
      [10, 30],
      [15, 40],
      [5, 35],
      [50, 60],
    ],
  ]);
  const reader = openReader({ ...handle, maxt: 61 });
  const set = reader.select({ matchers: [], ...EVER });
  // Of two samples of one time the first chunk's is kept.
  const want: TestSample[] = [
    [5, 52],
    [10, 100],
    [15, 151],
    [20, 200],
    [30, 300],
    [35, 352],
    [40, 401],
    [50, 503],
    [60, 603],
  ];
  deepEqual(samplesOf(set, 0), want);
  const range = { mint: 36, maxt: 45 };
  deepEqual(samplesOf(reader.select({ matchers: [], ...range }), 0), [
    [15, 151],
    [20, 201],
    [40, 401],
  ]);
  // Behind samples of another block that overlap with them: the others are in order when all are there.
  const scratch = new XorScratch();
  const other = xorChunk([
    [12, 0],
    [20, 1],
    [55, 2],
  ]);
  scratch.append(other.data, 0, other.data.length, 3, false);
  set.appendFloats(0, scratch, false);
  scratch.mergeFrom(3);
  deepEqual(
    [...scratch.t.subarray(0, scratch.length)],
    [5, 10, 12, 15, 20, 30, 35, 40, 50, 55, 60],
  );
  equal(scratch.v[4], 1);
  reader.close();
});

test('block reader: float reads pass histograms over; what cannot be read at all is an error', () => {
  using directory = temporaryDirectory();
  const floats = xorChunk([[50, 5]]);
  const other = (encoding: number, t: number) => ({
    mint: t,
    maxt: t,
    encoding,
    count: 3,
    data: new Uint8Array([0, 3, 1, 2]),
  });
  const handle = buildBlock(directory.path, [
    { labels: { __name__: 'm' }, chunks: [other(2, 1), other(3, 2), floats, other(2, 60)] },
    { labels: { __name__: 'n' }, chunks: [floats, other(7, 60)] },
  ]);
  const reader = openReader(handle);
  const set = reader.select({ matchers: [], ...EVER });
  deepEqual(samplesOf(set, 0), [[50, 5]]);
  throws(
    () => samplesOf(set, 1),
    /^CodedError: chunks of encoding 7 are not implemented yet \(.*000001, offset \d+\)$/,
  );
  reader.close();
});

test('block reader: values keep their bits, stale markers are dropped on request', () => {
  using directory = temporaryDirectory();
  const bits = [
    [0x7ff00000, 2],
    [0x7ff80000, 1],
    [0x80000000, 0],
    [0x7ff00000, 0],
  ] as const;
  const appender = new XorAppender();
  for (const [i, [hi, lo]] of bits.entries()) appender.append(i, hi, lo);
  const data = appender.bytes();
  const chunk = { mint: 0, maxt: 3, encoding: 1, count: 4, data };
  const reader = openReader(buildBlock(directory.path, [{ labels: { a: 'b' }, chunks: [chunk] }]));
  const set = reader.select({ matchers: [], ...EVER });
  for (const dropStale of [false, true]) {
    const scratch = new XorScratch();
    set.appendFloats(0, scratch, dropStale);
    const words = new Uint32Array(scratch.v.buffer, scratch.v.byteOffset, scratch.length * 2);
    deepEqual(
      [...words],
      bits.slice(dropStale ? 1 : 0).flatMap(([hi, lo]) => [lo, hi]),
    );
  }
  reader.close();
});

test('block reader: a cache that is too small, and a scratch that grows, change nothing', () => {
  using directory = temporaryDirectory();
  const random = new Random(2);
  const made = Array.from({ length: 40 }, (_, n): TestSeries => {
    let t = 0;
    const chunks = Array.from({ length: 30 }, () =>
      Array.from({ length: 120 }, (): TestSample => [(t += 1 + random.below(1e6)), random.float()]),
    );
    return { labels: { n: String(100 + n) }, chunks };
  });
  const handle = buildBlock(directory.path, made, { segmentBytesMax: 1 << 19 });
  ok(handle.segments > 2);
  const reader = openReader(handle, 8);
  const set = reader.select({ matchers: [], ...EVER });
  for (let round = 0; round < 2; round++) {
    for (const [i, { chunks }] of made.entries()) {
      deepEqual(samplesOf(set, i, new XorScratch({ capacity: 16 })), chunks.flat());
    }
  }
  reader.close();
});

test('block reader: files that are missing are named', () => {
  using directory = temporaryDirectory();
  const made: TestSeries[] = ['a', 'b'].map((v) => ({ labels: { v }, chunks: [[[1, 1]]] }));
  const handle = buildBlock(directory.path, made, { segmentBytesMax: 10 });
  equal(handle.segments, 2);
  const reader = openReader({ ...handle, segments: 1 });
  const set = reader.select({ matchers: [], ...EVER });
  deepEqual(samplesOf(set, 0), [[1, 1]]);
  throws(() => samplesOf(set, 1), /a chunk lies in segment 2 of 1 \(.*chunks, offset 0\)/);
  reader.close();
  rmSync(join(handle.directory, 'chunks/000002'));
  const other = openReader(handle);
  const torn = other.select({ matchers: [], ...EVER });
  throws(() => samplesOf(torn, 1), { code: 'unavailable', message: /^read .*000002: ENOENT/ });
  other.close();
  rmSync(join(handle.directory, 'index'));
  throws(() => openReader(handle), { code: 'unavailable', message: /^read .*index: ENOENT/ });
});
