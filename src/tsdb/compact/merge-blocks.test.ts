import { deepEqual, equal, match, ok, throws } from 'node:assert/strict';
import { readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { buildBlock, xorChunk } from '../../../test/support/block-builder.ts';
import type { TestSample, TestSeries } from '../../../test/support/block-builder.ts';
import { readBlock } from '../../../test/support/block-frames.ts';
import { blockSamples, chunkTexts, unionSamples } from '../../../test/support/block-samples.ts';
import { encodeIndexV1 } from '../../../test/support/index-v1.ts';
import { temporaryDirectory } from '../../../test/support/temporary-directory.ts';
import { encodePlain } from '../../../test/support/plain-histogram.ts';
import type { PlainHistogram } from '../../../test/support/plain-histogram.ts';
import { systemFiles } from '../../lib/file-layer.ts';
import { CodedError, CorruptionError } from '../../lib/errors.ts';
import { Random } from '../../lib/prng.ts';
import { compareUtf8 } from '../../lib/utf8.ts';
import { newUlid } from '../../model/ulid.ts';
import { blockIndexStats } from '../block/block-index-stats.ts';
import type { BlockHandle } from '../block/block-handle.ts';
import type { BlockChunk } from '../block/block-writer.ts';
import type { ListedBlock } from '../block/list-blocks.ts';
import { encodeBlockMeta, readBlockMeta } from '../block/meta.ts';
import { writeTombstones } from '../block/tombstones.ts';
import { compactBlocks } from './compact-blocks.ts';
import { mergeBlocks } from './merge-blocks.ts';
import type { WriteMergedOptions } from './write-merged.ts';

const random = new Random(7);

function options(directory: string, more: Partial<WriteMergedOptions> = {}): WriteMergedOptions {
  return { directory, ulid: newUlid(1_800_000_000_000, random), files: systemFiles, ...more };
}

function merge(directory: string, blocks: readonly BlockHandle[]): ListedBlock {
  const paths = blocks.map((block) => block.directory);
  const merged = mergeBlocks(paths, options(directory));
  if (merged === undefined) throw new Error('nothing was merged');
  return merged;
}

/** The samples of all chunks of a block, chunk by chunk. */
function chunksOf(directory: string): [number, number][][] {
  return readBlock(directory).series.flatMap(({ chunks }) =>
    chunks.map((chunk) =>
      chunkTexts(chunk).map(([t, bits]): [number, number] => [t, valueOf(bits)]),
    ),
  );
}

function valueOf(bits: string): number {
  return Buffer.from(bits.padStart(16, '0'), 'hex').readDoubleBE(0);
}

function range(from: number, to: number, step: number, value = 0): TestSample[] {
  return Array.from({ length: (to - from) / step }, (_, i) => [from + i * step, value + i]);
}

test('merge blocks: neighbours keep their chunks byte for byte, series come in label order', () => {
  using directory = temporaryDirectory();
  const series = (labels: Record<string, string>, ...times: number[]): TestSeries => ({
    labels: { __name__: 'm', ...labels },
    chunks: times.map((t) => range(t, t + 50, 5)),
  });
  const blocks = [
    buildBlock(directory.path, [series({ a: '1' }, 0, 50), series({ a: '1', b: 'ü' }, 10)]),
    buildBlock(directory.path, [
      series({ a: '0' }, 100),
      series({ a: '1', b: '\u{10000}' }, 100, 150),
    ]),
    buildBlock(directory.path, [
      series({ a: '1' }, 200),
      series({ a: '1', b: '\uffff' }, 210, 260),
    ]),
  ];
  const merged = merge(directory.path, blocks);
  const got = readBlock(merged.directory);
  const parts = blocks.map((block) => readBlock(block.directory));
  deepEqual(got.symbols, [...new Set(parts.flatMap(({ symbols }) => symbols))].sort(compareUtf8));
  deepEqual(
    got.series.map(({ labels }) => labels.toObject()),
    [
      { a: '0' },
      { a: '1' },
      { a: '1', b: 'ü' },
      { a: '1', b: '\uffff' },
      { a: '1', b: '\u{10000}' },
    ].map((labels) => ({ __name__: 'm', ...labels })),
  );
  for (const { labels, chunks } of got.series) {
    const same = parts.flatMap((part) =>
      part.series.filter((one) => one.labels.key === labels.key),
    );
    const bytes = same.flatMap((one) =>
      one.chunks.map(({ mint, maxt, data }) => ({ mint, maxt, data })),
    );
    deepEqual(
      chunks.map(({ mint, maxt, data }) => ({ mint, maxt, data })),
      bytes,
    );
  }
  const { stats, compaction, ...rest } = readBlockMeta(merged.directory);
  deepEqual(stats, { numSamples: 90, numFloatSamples: 90, numSeries: 5, numChunks: 9 });
  deepEqual(compaction, {
    level: 2,
    sources: blocks.map(({ ulid }) => ulid).sort(compareUtf8),
    parents: blocks.map(({ ulid, mint, maxt }) => ({ ulid, minTime: mint, maxTime: maxt })),
  });
  deepEqual([rest.minTime, rest.maxTime, rest.extra], [0, 306, {}]);
  const index = blockIndexStats(merged.directory);
  deepEqual([index.totalSeries, index.outOfOrderSeries, index.outsideChunks], [5, 0, 0]);
});

/** Chunks of samples, as `0=1 10=2 | 20=3`: times and values. */
function parseChunks(text: string): TestSample[][] {
  return text.split(' | ').map((chunk) =>
    chunk.split(' ').map((sample): TestSample => {
      const [t, v] = sample.split('=').map(Number);
      return [t ?? NaN, v ?? NaN];
    }),
  );
}

function chunksText(chunks: readonly (readonly TestSample[])[]): string {
  return chunks.map((chunk) => chunk.map(([t, v]) => `${t}=${v}`).join(' ')).join(' | ');
}

/** Merges blocks of one series, each by its chunks. */
function mergesTo(blocks: readonly string[], want: string): void {
  using directory = temporaryDirectory();
  const handles = blocks.map((chunks) =>
    buildBlock(directory.path, [{ labels: { a: '1' }, chunks: parseChunks(chunks) }]),
  );
  equal(chunksText(chunksOf(merge(directory.path, handles).directory)), want);
}

test('merge blocks: chunks that overlap become chunks of 120, equal ones one', () => {
  const long = range(0, 1000, 5);
  const asIs = chunksText([long]);
  // The same samples: one of the chunks, as it is, however long.
  mergesTo([asIs, asIs], asIs);
  mergesTo([asIs, asIs, asIs], asIs);
  // In turn: 250 samples of both.
  const odd = range(2, 252, 5, 1000);
  const both = [...long, ...odd].sort((a, b) => a[0] - b[0]);
  const parts = [both.slice(0, 120), both.slice(120, 240), both.slice(240)];
  mergesTo([asIs, chunksText([odd])], chunksText(parts));
  // What touches neither stays a chunk of its own.
  mergesTo(['0=1 10=2 | 20=3 30=4', '5=5 | 35=6'], '0=1 5=5 10=2 | 20=3 30=4 | 35=6');
  // A chunk that overlaps two makes one of all.
  mergesTo(['0=1 10=2 | 20=3 30=4', '11=5 22=6 25=7'], '0=1 10=2 | 11=5 20=3 22=6 25=7 30=4');
  mergesTo(['0=1 10=2 | 20=3 30=4', '9=5 25=7'], '0=1 9=5 10=2 20=3 25=7 30=4');
});

/** What Prometheus 2.42 and 3.14 made of such blocks: the reader that waits goes before the one that is under way. */
test('merge blocks: of equal times the sample that Prometheus keeps', () => {
  mergesTo(['1=1 2=1 3=1', '1=2 2=2 3=2'], '1=1 2=1 3=1');
  mergesTo(['1=1 2=1 3=1', '3=2'], '1=1 2=1 3=2');
  mergesTo(['1=1 3=1', '2=2 3=2'], '1=1 2=2 3=1');
  mergesTo(['1=1 2=1 3=1', '1=2 2=2 3=2', '1=3 2=3 3=3'], '1=3 2=2 3=1');
  mergesTo(['0=1 10=2 | 20=3 30=4', '10=9 20=9'], '0=1 10=9 20=9 30=4');
  mergesTo(['0=1 10=2 | 20=3 30=4', '10=9 20=9 25=9'], '0=1 10=9 20=9 25=9 30=4');
});

/** Samples of a series in chunks, with now and then a pause between them. */
function randomChunks(n: number, kind: string): BlockChunk[] {
  const chunks: BlockChunk[] = [];
  for (let k = random.below(4), t = random.below(300); k >= 0; k--, t += random.below(200)) {
    const times = Array.from({ length: 1 + random.below(20) }, () => (t += 1 + random.below(9)));
    if (kind === 'float') {
      chunks.push(
        xorChunk(times.map((time) => [time, random.below(2) === 0 ? n : random.float()])),
      );
      continue;
    }
    const hint = kind === 'gauge' ? 'gauge' : 'unknown';
    const start = random.below(100);
    const samples = times.map((time, i): PlainHistogram => {
      const spans = [[0, 1 + (i > 5 ? 2 : 0)] as const];
      const positive = Array.from({ length: spans[0]?.[1] ?? 0 }, () => start + i);
      return { t: time, positiveSpans: spans, positive, sum: start + n, hint };
    });
    const encoding = kind === 'float histogram' ? 3 : 2;
    let from = 0;
    for (const data of encodePlain(encoding, samples)) {
      const count = Buffer.from(data).readUInt16BE(0);
      const [mint, maxt] = [times[from] ?? 0, times[from + count - 1] ?? 0];
      chunks.push({ mint, maxt, encoding, count, data });
      from += count;
    }
  }
  return chunks;
}

const KINDS = ['float', 'histogram', 'gauge', 'float histogram'];

function randomBlock(directory: string, n: number): BlockHandle {
  const series = Array.from({ length: 8 }, (_, i) => i)
    .filter((i) => i === 0 || random.below(3) > 0)
    .map((i) => ({
      labels: { __name__: 'm', i: String(i), ...(i % 2 === 1 && { 'ü.x': 'y' }) },
      // A series may be of one kind in one block and of another in the next.
      chunks: randomChunks(n, KINDS[random.below(8) === 0 ? random.below(4) : i % 4] ?? 'float'),
    }));
  const block = buildBlock(directory, series, { segmentBytesMax: 300 });
  const stones = readBlock(block.directory)
    .series.filter(() => random.below(3) === 0)
    .map(({ number }) => {
      const mint = random.below(400);
      return [number, [{ mint, maxt: mint + random.below(300) }]] as const;
    });
  writeTombstones(systemFiles, block.directory, new Map(stones));
  return block;
}

test('merge blocks: random blocks, compared with their samples put together', () => {
  for (let round = 0; round < 60; round++) {
    using directory = temporaryDirectory();
    const count = 1 + random.below(4);
    const blocks = Array.from({ length: count }, (_, n) => randomBlock(directory.path, n));
    const sources = blocks.map((block) => block.directory);
    const want = unionSamples(sources);
    const merged = mergeBlocks(sources, options(directory.path, { segmentBytesMax: 400 }));
    const got = merged === undefined ? new Map() : blockSamples(merged.directory);
    const where = `round ${round}`;
    deepEqual(new Set(got.keys()), new Set(want.keys()), where);
    let samples = 0;
    for (const [key, times] of blockSamples(merged?.directory ?? sources[0] ?? '')) {
      if (merged === undefined) break;
      const all = want.get(key) ?? new Map<number, Set<string>>();
      deepEqual(
        [...times.keys()],
        [...all.keys()].sort((a, b) => a - b),
        where,
      );
      for (const [t, texts] of times) {
        deepEqual([...texts].length, 1, where);
        ok(
          [...texts].every((text) => all.get(t)?.has(text)),
          `${where}: ${key} at ${t}`,
        );
        samples++;
      }
    }
    if (merged === undefined) continue;
    equal(merged.meta.stats.numSamples, samples);
    const { outOfOrderSeries, outsideChunks } = blockIndexStats(merged.directory);
    deepEqual([outOfOrderSeries, outsideChunks], [0, 0], where);
  }
});

test('merge blocks: chunks with start timestamps lose them, those of downsampled blocks are refused', () => {
  using directory = temporaryDirectory();
  const samples: PlainHistogram[] = [
    { t: 10, st: 5, positiveSpans: [[0, 1]], positive: [4], sum: 1 },
    { t: 20, st: 5, positiveSpans: [[0, 1]], positive: [7], sum: 2 },
  ];
  const chunk = (encoding: number): BlockChunk => {
    const [data = new Uint8Array(0)] = encodePlain(encoding, samples);
    return { mint: 10, maxt: 20, encoding, count: 2, data };
  };
  const built = (encoding: number): BlockHandle =>
    buildBlock(directory.path, [{ labels: { a: '1' }, chunks: [chunk(encoding)] }]);
  for (const [from, to] of [
    [5, 2],
    [6, 3],
  ] as const) {
    const merged = merge(directory.path, [built(from)]);
    const [one] = readBlock(merged.directory).series[0]?.chunks ?? [];
    equal(one?.encoding, to);
    deepEqual(one?.data, Buffer.from(chunk(to).data));
    equal(merged.meta.stats.numHistogramSamples, 2);
  }
  const aggregate: BlockChunk = {
    mint: 1,
    maxt: 2,
    encoding: 255,
    count: 2,
    data: new Uint8Array(9),
  };
  const downsampled = buildBlock(directory.path, [{ labels: { a: '1' }, chunks: [aggregate] }]);
  throws(
    () => merge(directory.path, [downsampled]),
    /^CodedError: merging chunks of downsampled blocks \(encoding 255\) is not implemented yet \(.*chunks\/000001, offset 8\)$/,
  );
});

/** Puts an index of version 1 in place of a block's, with other times of its chunks where they are given. */
function rewriteIndex(block: BlockHandle, times?: readonly (readonly [number, number])[]): void {
  const { series } = readBlock(block.directory);
  const indexed = series.map(({ labels, chunks }) => ({
    labels,
    chunks: chunks.map(({ ref, mint, maxt }, i) => {
      const [from, to] = times?.[i] ?? [mint, maxt];
      return { ref, mint: from, maxt: to };
    }),
  }));
  writeFileSync(join(block.directory, 'index'), encodeIndexV1(indexed));
}

test('merge blocks: an index of version 1, and chunks of one block that overlap', () => {
  using directory = temporaryDirectory();
  const old = buildBlock(directory.path, [
    { labels: { b: 'x', a: '1' }, chunks: [range(0, 50, 5), range(60, 90, 5)] },
    { labels: { b: 'y', a: '1' }, chunks: [range(0, 50, 5)] },
  ]);
  rewriteIndex(old);
  const other = buildBlock(directory.path, [
    { labels: { b: 'y', a: '1' }, chunks: [range(2, 50, 3)] },
  ]);
  const want = unionSamples([old.directory, other.directory]);
  const got = blockSamples(merge(directory.path, [old, other]).directory);
  deepEqual([...got.keys()], [...want.keys()]);
  deepEqual(
    [...got.values()].map((samples) => samples.size),
    [...want.values()].map((s) => s.size),
  );
  // The writer refuses such chunks, so they get their times afterwards.
  const [first = [], second = []] = parseChunks('0=1 50=2 | 20=3 70=4');
  const later = { ...xorChunk(second), mint: 60 };
  const messy = buildBlock(directory.path, [
    { labels: { a: '1' }, chunks: [xorChunk(first), later] },
  ]);
  const times: [number, number][] = [
    [0, 50],
    [20, 70],
  ];
  rewriteIndex(messy, times);
  const merged = merge(directory.path, [messy]);
  equal(chunksText(chunksOf(merged.directory)), '0=1 20=3 50=2 70=4');
});

test('merge blocks: samples beyond the range that meta.json says are left out', () => {
  using directory = temporaryDirectory();
  const block = buildBlock(directory.path, [
    { labels: { a: '1' }, chunks: [range(0, 50, 5), range(50, 100, 5), range(100, 150, 5)] },
    { labels: { a: '2' }, chunks: [range(100, 150, 5)] },
  ]);
  const meta = readBlockMeta(block.directory);
  const text = encodeBlockMeta({ ...meta, minTime: 20, maxTime: 100 });
  writeFileSync(join(block.directory, 'meta.json'), text);
  const merged = merge(directory.path, [block]);
  deepEqual(chunksOf(merged.directory), [
    range(20, 50, 5, 4).map(([t, v]) => [t, v]),
    range(50, 100, 5).map(([t, v]) => [t, v]),
  ]);
  deepEqual([merged.meta.minTime, merged.meta.maxTime, merged.meta.stats.numSeries], [20, 100, 1]);
});

test('compact blocks: sources without samples are deletable, those that cannot be merged failed', () => {
  using directory = temporaryDirectory();
  const block = buildBlock(directory.path, [{ labels: { a: '1' }, chunks: [range(0, 50, 5)] }]);
  const [series] = readBlock(block.directory).series;
  const all = [{ mint: -1, maxt: 100 }];
  writeTombstones(systemFiles, block.directory, new Map([[series?.number ?? 0, all]]));
  const before = readBlockMeta(block.directory);
  equal(compactBlocks([block.directory], options(directory.path)), undefined);
  deepEqual(readdirSync(directory.path), [block.ulid]);
  const after = readBlockMeta(block.directory);
  deepEqual(after, { ...before, compaction: { ...before.compaction, deletable: true } });

  const aborted = AbortSignal.abort();
  const other = buildBlock(directory.path, [{ labels: { a: '1' }, chunks: [range(0, 50, 5)] }]);
  const sources = [other.directory];
  throws(() => compactBlocks(sources, options(directory.path, { signal: aborted })), /aborted/);
  equal(readBlockMeta(other.directory).compaction.failed, undefined);
  const segment = join(other.directory, 'chunks/000001');
  const bytes = readFileSync(segment);
  bytes[20] = (bytes[20] as number) ^ 1;
  writeFileSync(segment, bytes);
  throws(() => compactBlocks(sources, options(directory.path)), CorruptionError);
  equal(readBlockMeta(other.directory).compaction.failed, true);
  deepEqual(readdirSync(directory.path).length, 2);
});

test('merge blocks: each byte of a source flipped: a named error, or the same block', () => {
  using directory = temporaryDirectory();
  const made = (value: string, from: number): BlockHandle =>
    buildBlock(directory.path, [
      { labels: { a: '1', b: value }, chunks: [range(from, from + 20, 5)] },
      { labels: { a: '2' }, chunks: [range(from, from + 20, 5), range(from + 30, from + 50, 5)] },
    ]);
  const blocks = [made('x', 0), made('y', 40)];
  const sources = blocks.map((block) => block.directory);
  const read = (): unknown => {
    using target = temporaryDirectory();
    const merged = mergeBlocks(sources, options(target.path));
    return merged === undefined ? undefined : [...blockSamples(merged.directory)];
  };
  const want = read();
  const outcomes = { error: 0, same: 0 };
  for (const name of ['index', 'chunks/000001', 'tombstones']) {
    const path = join(sources[0] ?? '', name);
    const bytes = readFileSync(path);
    for (let i = 0; i < bytes.length; i++) {
      const damaged = Buffer.from(bytes);
      damaged[i] = (damaged[i] as number) ^ (1 << (i % 8));
      writeFileSync(path, damaged);
      try {
        deepEqual(read(), want, `${name}, byte ${i}`);
        outcomes.same++;
      } catch (thrown) {
        ok(thrown instanceof CodedError, `${name}, byte ${i}: ${String(thrown)}`);
        equal(thrown.code, 'corrupt', thrown.message);
        match(thrown.message, /index|000001|tombstones/);
        outcomes.error++;
      }
    }
    writeFileSync(path, bytes);
  }
  // Zeros between sections, the segment's header and lists of single values are not looked at.
  ok(outcomes.error > outcomes.same * 3, JSON.stringify(outcomes));
});
