/**
 * Blocks that the Go programs wrote: everything decodes, and what is written anew from what was decoded is the same
 * byte for byte. (Recorded answers over their samples: golden-block-answers.test.ts.)
 */
import assert from 'node:assert/strict';
import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { AGGREGATES, AggrParts, ENCODING_AGGR, joinAggrChunk } from '../src/chunkenc/aggr-chunk.ts';
import { XorScratch } from '../src/chunkenc/xor-scratch.ts';
import { XorAppender } from '../src/chunkenc/xor-twin.ts';
import { systemFiles } from '../src/lib/file-layer.ts';
import { HistogramColumns } from '../src/model/histogram.ts';
import { MAX_TIME, MIN_TIME } from '../src/model/value.ts';
import { blockIndexStats } from '../src/tsdb/block/block-index-stats.ts';
import { BlockReader } from '../src/tsdb/block/block-reader.ts';
import { BlockWriter } from '../src/tsdb/block/block-writer.ts';
import type { BlockChunk } from '../src/tsdb/block/block-writer.ts';
import { listBlocks } from '../src/tsdb/block/list-blocks.ts';
import type { ListedBlock } from '../src/tsdb/block/list-blocks.ts';
import { encodeBlockMeta } from '../src/tsdb/block/meta.ts';
import { PageCache } from '../src/tsdb/chunks/page-cache.ts';
import { aggregateChunks, aggregateColumns, rawColumns } from './support/block-columns.ts';
import { countOf, decodeXor, readBlock } from './support/block-frames.ts';
import type { BlockSeries, Columns, PlacedChunk } from './support/block-frames.ts';
import { temporaryDirectory } from './support/temporary-directory.ts';

const GOLDEN = fileURLToPath(new URL('../../shared/golden', import.meta.url));
const skip = existsSync(GOLDEN) ? false : 'the golden data (../shared/golden) are not here';

const ENCODING_XOR = 1;
const HISTOGRAMS = new Set([2, 3]);

function goldenBlocks(): ListedBlock[] {
  if (skip !== false) return [];
  return ['bucket', 'vertical', 'head/snapshot-a', 'head/snapshot-b'].flatMap((place) => {
    const listing = listBlocks(join(GOLDEN, place));
    assert.deepEqual([listing.broken, listing.leftovers], [[], []]);
    return listing.blocks;
  });
}

function goldenSeries(name: string): BlockSeries[] {
  return readBlock(join(GOLDEN, name)).series;
}

/** Encodes an XOR chunk anew from its samples. */
function reencodeXor(data: Buffer): Uint8Array {
  const { t, v } = decodeXor([data]);
  const halves = new Uint32Array(v.buffer);
  const appender = new XorAppender();
  for (let i = 0; i < t.length; i++) {
    appender.append(t[i] as number, halves[2 * i + 1] as number, halves[2 * i] as number);
  }
  return appender.bytes();
}

/** Encodes an aggregate chunk anew from the samples of its float parts; histograms are carried as they are. */
function reencodeAggr(data: Buffer): Uint8Array {
  const parts = new AggrParts();
  assert.ok(parts.split(data, 0, data.length));
  return joinAggrChunk(
    AGGREGATES.map((_, k) => {
      const [offset, length] = [parts.offsets[k] as number, parts.lengths[k] as number];
      const encoding = parts.encodings[k] as number;
      if (length === 0) return undefined;
      const part = data.subarray(offset, offset + length);
      return { encoding, data: encoding === ENCODING_XOR ? reencodeXor(part) : part };
    }),
  );
}

function reencode({ mint, maxt, encoding, data }: PlacedChunk): BlockChunk {
  if (encoding === ENCODING_AGGR) {
    const parts = new AggrParts();
    assert.ok(parts.split(data, 0, data.length));
    const count = data.readUInt16BE(parts.offsets[0]);
    return { mint, maxt, encoding, count, data: reencodeAggr(data) };
  }
  const bytes = encoding === ENCODING_XOR ? reencodeXor(data) : data;
  return { mint, maxt, encoding, count: countOf(data), data: bytes };
}

test(
  'golden blocks: written anew from decoded samples they are the same, file by file',
  { skip },
  async (t) => {
    const blocks = goldenBlocks();
    assert.equal(blocks.length, 9);
    for (const { ulid, directory, meta } of blocks) {
      await t.test(ulid, () => {
        using scratch = temporaryDirectory();
        const { symbols, series } = readBlock(directory);
        const writer = new BlockWriter({ parent: scratch.path, ulid, files: systemFiles });
        writer.symbols(symbols);
        for (const { labels, chunks } of series) writer.series(labels, chunks.map(reencode));
        const { minTime, maxTime, compaction, extra, stats } = meta;
        const downsampled = series.some(({ chunks }) => chunks[0]?.encoding === ENCODING_AGGR);
        const written = writer.finish({
          mint: minTime,
          maxt: maxTime,
          compaction,
          extra,
          // compat: downsampling carries the counts of its source over.
          ...(downsampled && { stats }),
        });
        assert.deepEqual(written, meta);
        const made = join(scratch.path, ulid);
        for (const entry of readdirSync(directory, { recursive: true, withFileTypes: true })) {
          if (!entry.isFile()) continue;
          const file = join(entry.parentPath, entry.name).slice(directory.length + 1);
          const [got, want] = [made, directory].map((at) => readFileSync(join(at, file)));
          assert.ok(want !== undefined && got?.equals(want), `${file} differs`);
        }
        assert.equal(encodeBlockMeta(meta), readFileSync(join(directory, 'meta.json'), 'utf8'));
      });
    }
  },
);

test('golden blocks: sizes in the index are those that Thanos recorded', { skip }, () => {
  let recorded = 0;
  for (const { directory, meta } of goldenBlocks()) {
    const stats = blockIndexStats(directory);
    assert.equal(stats.totalSeries, meta.stats.numSeries);
    assert.equal(stats.totalChunks, meta.stats.numChunks);
    const { thanos } = meta.extra as {
      thanos?: { index_stats: { series_max_size?: number; chunk_max_size?: number } };
    };
    if (thanos?.index_stats.series_max_size === undefined) continue;
    recorded++;
    const { series_max_size: series, chunk_max_size: chunk } = thanos.index_stats;
    assert.deepEqual([stats.seriesMaxSize, stats.chunkMaxSize], [series, chunk]);
  }
  assert.equal(recorded, 5);
});

test('golden blocks: the reader gives the same series and bits as the plain way', { skip }, () => {
  const cache = new PageCache(PageCache.allocate(1 << 20));
  const scratch = new XorScratch();
  for (const [k, { ulid, directory, meta, segments }] of goldenBlocks().entries()) {
    const { minTime: mint, maxTime: maxt } = meta;
    const handle = { ulid, directory, mint, maxt, firstFile: k * 10, segments, revision: 0 };
    const reader = new BlockReader(handle, cache);
    const set = reader.select({ matchers: [], mint: MIN_TIME, maxt: MAX_TIME });
    const { series } = readBlock(directory);
    if (series.some(({ chunks }) => chunks[0]?.encoding === ENCODING_AGGR)) {
      // Only a store reads aggregates: here they are refused, not left out.
      assert.throws(() => set.appendFloats(0, scratch, false), /encoding 255/);
      reader.close();
      continue;
    }
    assert.equal(set.count, series.length);
    let floats = 0;
    for (const [i, one] of series.entries()) {
      assert.deepEqual(set.labels(i), one.labels);
      scratch.clear();
      set.appendFloats(i, scratch, false);
      const want = rawColumns(one) ?? { t: new Float64Array(0), v: new Float64Array(0) };
      const { length } = scratch;
      assert.deepEqual(scratch.t.slice(0, length), want.t);
      assert.ok(bytesOf(scratch.v.subarray(0, length)).equals(bytesOf(want.v)));
      floats += length;
    }
    const all = series.flatMap(({ chunks }) => chunks);
    if (all.every(({ encoding }) => encoding !== ENCODING_AGGR)) {
      assert.equal(floats, meta.stats.numFloatSamples);
      const histograms = all.filter(({ encoding }) => HISTOGRAMS.has(encoding));
      const samples = histograms.reduce((sum, { data }) => sum + countOf(data), 0);
      assert.equal(samples, meta.stats.numHistogramSamples);
      const columns = new HistogramColumns();
      for (let i = 0; i < series.length; i++) set.appendHistograms(i, scratch, columns);
      assert.equal(columns.length, samples);
    }
    reader.close();
  }
});

function bytesOf({ buffer, byteOffset, byteLength }: Float64Array): Buffer {
  return Buffer.from(buffer, byteOffset, byteLength);
}

test('golden blocks: what penalty deduplication wrote are samples of its sources', { skip }, () => {
  const sources = ['01M7YF2Z91SGB2KEBY4MJJ0436', '01M7YF2ZE24Q0RESYAH07PVC9Y'].map((ulid) =>
    bitsByTime(goldenSeries(`bucket/${ulid}`)),
  );
  const written = bitsByTime(goldenSeries('vertical/01M7YF3BR1GP05WD9HRQQM8XP2'));
  let samples = 0;
  for (const [labels, bits] of written) {
    for (const [t, value] of bits) {
      const found = sources.some((source) => source.get(labels)?.get(t) === value);
      assert.ok(found, `${labels} at ${t}: ${value}`);
      samples++;
    }
  }
  assert.equal(samples, 199769);
});

/** Values' bits by time, by series. */
function bitsByTime(series: readonly BlockSeries[]): Map<string, Map<number, bigint>> {
  const out = new Map<string, Map<number, bigint>>();
  for (const one of series) {
    const columns = rawColumns(one);
    if (columns === undefined) continue;
    const bits = new BigUint64Array(columns.v.buffer);
    out.set(one.labels.key, new Map(Array.from(columns.t, (t, i) => [t, bits[i] as bigint])));
  }
  return out;
}

/** Pairs of a block and what was downsampled from it. */
const DOWNSAMPLED = [
  ['bucket/01M7YF2Z91SGB2KEBY4MJJ0436', 'bucket/01M7YF2ZK8XRHYKTKAQ923MTET'],
  ['vertical/01M7YF3BR1GP05WD9HRQQM8XP2', 'vertical/01M7YF4SYYRR5A323QMB6SCB8H'],
] as const;

test('golden blocks: aggregates are those of the raw samples between their times', { skip }, () => {
  for (const [rawName, name] of DOWNSAMPLED) {
    const raw = new Map(goldenSeries(rawName).map((series) => [series.labels.key, series]));
    let checked = 0;
    for (const series of goldenSeries(name)) {
      const samples = rawColumns(raw.get(series.labels.key) as BlockSeries);
      if (samples === undefined) continue;
      checked += checkAggregates(series, samples);
      checkCounters(series, samples);
    }
    assert.ok(checked > 30_000, `${checked} windows`);
  }
});

/** Compares each window's aggregates with the raw samples behind the window before it. */
function checkAggregates(series: BlockSeries, raw: Columns): number {
  const [count, sum, min, max] = (['count', 'sum', 'min', 'max'] as const).map((aggregate) =>
    aggregateColumns(series, aggregate),
  );
  assert.ok(count !== undefined && sum !== undefined && min !== undefined && max !== undefined);
  let k = 0;
  for (let i = 0; i < count.t.length; i++) {
    const values: number[] = [];
    for (; k < raw.t.length && (raw.t[k] as number) <= (count.t[i] as number); k++) {
      // Thanos leaves stale markers and other NaN out.
      if (!Number.isNaN(raw.v[k])) values.push(raw.v[k] as number);
    }
    const where: string = `${series.labels.toString()} at ${count.t[i]}`;
    assert.deepEqual([sum.t[i], min.t[i], max.t[i]], Array(3).fill(count.t[i]), where);
    assert.equal(count.v[i], values.length, where);
    assert.equal(
      sum.v[i],
      values.reduce((a, b) => a + b, 0),
      where,
    );
    assert.equal(min.v[i], Math.min(...values), where);
    assert.equal(max.v[i], Math.max(...values), where);
  }
  return count.t.length;
}

/** A counter part begins with a raw sample and ends with one, that one's time being there twice. */
function checkCounters(series: BlockSeries, raw: Columns): void {
  const at = new Map(Array.from(raw.t, (t, i) => [t, raw.v[i] as number]));
  for (const part of aggregateChunks(series, 'counter')) {
    assert.ok(part !== undefined);
    const { t, v } = decodeXor([part]);
    const last = t.length - 1;
    assert.equal(t[last], t[last - 1]);
    assert.equal(v[0], at.get(t[0] as number));
    assert.equal(v[last], at.get(t[last] as number));
  }
}
