/**
 * Every chunk of the golden data, of every encoding: it decodes, and written anew from its columns it is the same, byte by
 * byte.
 */
import assert from 'node:assert/strict';
import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { AGGREGATES, AggrParts, ENCODING_AGGR, joinAggrChunk } from '../src/chunkenc/aggr-chunk.ts';
import { ENCODING_XOR, ENCODING_XOR2 } from '../src/chunkenc/encodings.ts';
import { HistogramAppender } from '../src/chunkenc/histogram-appender.ts';
import { histogramChunkCount, histogramChunkHint } from '../src/chunkenc/histogram-chunk-header.ts';
import { decodeHistogramChunk } from '../src/chunkenc/histogram-decode.ts';
import { StartTimes } from '../src/chunkenc/start-times.ts';
import { XorScratch } from '../src/chunkenc/xor-scratch.ts';
import { XorAppender } from '../src/chunkenc/xor-twin.ts';
import { Xor2Appender, decodeXor2 } from '../src/chunkenc/xor2.ts';
import { HistogramColumns, RESET_HINT } from '../src/model/histogram.ts';
import { OUT_OF_ORDER_MASK } from '../src/tsdb/chunks/head-chunk-format.ts';
import { scanHeadChunkFile } from '../src/tsdb/chunks/head-chunk-reader.ts';
import { readBlock } from './support/block-frames.ts';

const GOLDEN = fileURLToPath(new URL('../../shared/golden', import.meta.url));
const skip = existsSync(GOLDEN) ? false : 'the golden data (../shared/golden) are not here';

/** A chunk; `data` begins with its count. */
interface Chunk {
  readonly encoding: number;
  readonly data: Uint8Array;
}

/** How many chunks of each kind were seen. */
type Seen = Map<string, number>;

function count(seen: Seen, what: string): void {
  seen.set(what, (seen.get(what) ?? 0) + 1);
}

const scratch = new XorScratch();

function reencodeFloats({ encoding, data }: Chunk): Uint8Array {
  const samples = ((data[0] as number) << 8) | (data[1] as number);
  if (encoding === ENCODING_XOR2) {
    const out = { t: new Float64Array(samples), halves: new Uint32Array(samples * 2) };
    const st = new StartTimes();
    const chunk = { bytes: data, offset: 0, length: data.length, count: samples };
    assert.equal(decodeXor2(chunk, out, 0, { dropStale: false, st }), samples);
    const appender = new Xor2Appender();
    for (let i = 0; i < samples; i++) {
      const [lo, hi] = out.halves.subarray(2 * i, 2 * i + 2);
      appender.append(out.t[i] as number, hi as number, lo as number, st.values[i]);
    }
    return appender.bytes();
  }
  scratch.clear();
  assert.ok(scratch.append(data, 0, data.length, samples, false));
  const halves = new Uint32Array(scratch.v.buffer, scratch.v.byteOffset, samples * 2);
  const appender = new XorAppender();
  for (let i = 0; i < samples; i++) {
    const [lo, hi] = halves.subarray(2 * i, 2 * i + 2);
    appender.append(scratch.t[i] as number, hi as number, lo as number);
  }
  return appender.bytes();
}

function columnsOf({ encoding, data }: Chunk): { columns: HistogramColumns; starts: StartTimes } {
  const columns = new HistogramColumns();
  const starts = new StartTimes();
  const samples = decodeHistogramChunk(data, 0, data.length, encoding, columns, 'golden', starts);
  assert.equal(samples, histogramChunkCount(data, 0, encoding));
  assert.ok(samples > 0);
  return { columns, starts };
}

function reencodeHistograms(chunk: Chunk): Uint8Array {
  const { encoding, data } = chunk;
  const { columns, starts } = columnsOf(chunk);
  const hint = histogramChunkHint(data, 0, encoding);
  const appender = HistogramAppender.withHint(encoding, hint);
  for (let i = 0; i < columns.length; i++) {
    if (hint === RESET_HINT.gauge) columns.hint[i] = hint;
    assert.equal(appender.append(columns, i, starts.values[i]), 'appended');
  }
  assert.equal(appender.byteLength, data.length);
  return appender.bytes();
}

/** Encodes a chunk anew from its samples. */
function reencode(chunk: Chunk, seen: Seen): Uint8Array {
  const { encoding, data } = chunk;
  if (encoding === ENCODING_XOR || encoding === ENCODING_XOR2) {
    count(seen, `encoding ${encoding}`);
    return reencodeFloats(chunk);
  }
  if (encoding !== ENCODING_AGGR) {
    count(seen, `encoding ${encoding}`);
    return reencodeHistograms(chunk);
  }
  count(seen, 'aggregates');
  const parts = new AggrParts();
  assert.ok(parts.split(data, 0, data.length));
  return joinAggrChunk(
    AGGREGATES.map((aggregate, k) => {
      const [offset, length] = [parts.offsets[k] as number, parts.lengths[k] as number];
      if (length === 0) return undefined;
      const part = data.subarray(offset, offset + length);
      const inner = { encoding: parts.encodings[k] as number, data: part };
      const again = reencode(inner, new Map());
      count(seen, `${aggregate} of encoding ${inner.encoding}`);
      return { encoding: inner.encoding, data: again };
    }),
  );
}

/** The chunks of all blocks, those of a series together. */
function blockChunks(place: string): Chunk[][] {
  const directory = join(GOLDEN, place);
  return readdirSync(directory)
    .filter((name) => existsSync(join(directory, name, 'meta.json')))
    .flatMap((ulid) => readBlock(join(directory, ulid)).series.map(({ chunks }) => [...chunks]));
}

/** The chunks of a chunks_head directory, those of a series together. */
function headChunks(directory: string): Chunk[][] {
  const bySeries = new Map<number, Chunk[]>();
  for (const name of readdirSync(directory)) {
    const bytes = readFileSync(join(directory, name));
    scanHeadChunkFile(directory, Number(name), ({ ref, encoding, offset, length }) => {
      const data = bytes.subarray(offset, offset + length);
      const chunks = bySeries.get(ref) ?? [];
      bySeries.set(ref, [...chunks, { encoding: encoding & ~OUT_OF_ORDER_MASK, data }]);
    });
  }
  return [...bySeries.values()];
}

/** The appender of a chunk that holds its samples. */
function appenderOf(chunk: Chunk): HistogramAppender {
  const { columns } = columnsOf(chunk);
  const appender = HistogramAppender.withHint(chunk.encoding, histogramChunkHint(chunk.data));
  for (let i = 0; i < columns.length; i++) appender.append(columns, i);
  return appender;
}

/** What the appender says of a counter reset before the first sample of a chunk, after the chunk before. */
function hintAfter(before: Chunk, chunk: Chunk): number {
  const { columns } = columnsOf(chunk);
  let last = appenderOf(before);
  // The chunk before ended because it did not take the sample, or for another reason.
  if (last.append(columns, 0) === 'appended') last = appenderOf(before);
  const next = new HistogramAppender(chunk.encoding, last);
  next.append(columns, 0);
  return histogramChunkHint(next.bytes());
}

function checkAll(series: readonly (readonly Chunk[])[]): Seen {
  const seen: Seen = new Map();
  for (const chunk of series.flat()) {
    const again = reencode(chunk, seen);
    assert.ok(
      Buffer.from(again).equals(chunk.data),
      `a chunk of encoding ${chunk.encoding} differs`,
    );
  }
  return seen;
}

/**
 * What is in each place, so that a chunk that is not read is missed. A directory of the head is read as far as its
 * entries go.
 */
const PLACES: readonly (readonly [place: string, want: Readonly<Record<string, number>>])[] = [
  [
    'bucket',
    {
      'encoding 1': 3450,
      'encoding 2': 642,
      'encoding 3': 203,
      aggregates: 432,
      'count of encoding 1': 432,
      'sum of encoding 1': 360,
      'min of encoding 1': 360,
      'max of encoding 1': 360,
      'counter of encoding 1': 360,
      'sum of encoding 3': 72,
      'counter of encoding 3': 72,
    },
  ],
  [
    'vertical',
    {
      'encoding 1': 1711,
      'encoding 2': 319,
      'encoding 3': 45,
      aggregates: 411,
      'count of encoding 1': 411,
      'sum of encoding 1': 340,
      'min of encoding 1': 340,
      'max of encoding 1': 340,
      'counter of encoding 1': 340,
      'sum of encoding 3': 71,
      'counter of encoding 3': 71,
    },
  ],
  ['head/snapshot-a', { 'encoding 1': 8188, 'encoding 2': 326 }],
  ['head/snapshot-b', { 'encoding 1': 8188, 'encoding 2': 326 }],
  ['head/all-records-snappy/chunks_head', {}],
  ['head/prometheus-data-dir/chunks_head', { 'encoding 1': 8179, 'encoding 2': 211 }],
];

test('golden chunks: written anew from decoded columns they are the same', { skip }, async (t) => {
  for (const [place, want] of PLACES) {
    await t.test(place, () => {
      const series = place.endsWith('chunks_head')
        ? headChunks(join(GOLDEN, place))
        : blockChunks(place);
      assert.deepEqual(Object.fromEntries(checkAll(series)), want);
    });
  }
});

test(
  'golden chunks: headers say of counter resets what the appender makes of the chunk before',
  { skip },
  () => {
    const seen: Seen = new Map();
    for (const place of ['bucket', 'head/snapshot-a', 'head/snapshot-b']) {
      for (const chunks of blockChunks(place)) {
        for (let k = 1; k < chunks.length; k++) {
          const [before, chunk] = [chunks[k - 1] as Chunk, chunks[k] as Chunk];
          if (chunk.encoding !== before.encoding || ![2, 3].includes(chunk.encoding)) continue;
          const hint = histogramChunkHint(chunk.data);
          // Whatever wrote such a chunk was not told of the one before it.
          if (hint === RESET_HINT.unknown) continue;
          assert.equal(hintAfter(before, chunk), hint, `${place}, chunk ${k}`);
          count(seen, `encoding ${chunk.encoding}, hint ${hint}`);
        }
      }
    }
    assert.deepEqual(Object.fromEntries(seen), {
      'encoding 2, hint 1': 28,
      'encoding 2, hint 2': 551,
      'encoding 2, hint 3': 93,
      'encoding 3, hint 1': 4,
      'encoding 3, hint 2': 195,
    });
  },
);
