import { deepEqual, equal, throws } from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { CorruptionError } from '../../lib/errors.ts';
import { ShortBytesError } from '../../lib/varint.ts';
import { ExemplarBatch, decodeExemplars, encodeExemplars } from './exemplar-records.ts';
import { HistogramBatch, decodeHistograms, encodeHistograms } from './histogram-records.ts';
import { MetadataBatch, decodeMetadata, encodeMetadata } from './metadata-records.ts';
import { MmapMarkerBatch, decodeMmapMarkers, encodeMmapMarkers } from './mmap-marker-records.ts';
import { SeriesRecordBuilder, decodeSeriesRecord } from './records.ts';
import { SampleBatch, decodeSamples, encodeSamples } from './sample-records.ts';
import {
  TombstoneBatch,
  decodeTombstoneRecord,
  encodeTombstoneRecord,
} from './tombstone-records.ts';

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');
const bytes = (...parts: string[]): Buffer =>
  Buffer.from(parts.join('').replaceAll(' ', ''), 'hex');
const ONE = '3ff0000000000000';
const TWO = '4000000000000000';
const STALE = '7ff0000000000002';
const MINUS_ZERO = '8000000000000000';

/** The halves of value i as one hex string. */
function bitsAt({ halves }: SampleBatch, i: number): string {
  const half = (k: number): string => (halves[k] as number).toString(16).padStart(8, '0');
  return half(2 * i + 1) + half(2 * i);
}

function rows(batch: SampleBatch): unknown[] {
  return Array.from({ length: batch.length }, (_, i) => [
    batch.refs[i],
    batch.t[i],
    batch.st[i],
    bitsAt(batch, i),
  ]);
}

test('samples: bases, then differences to them and value bits', () => {
  // ref 2^32 + 7 at 1000 ms; then ref 3 at 936: differences -(2^32 + 4) and -64 as zigzag varints.
  const record = bytes(
    '02 0000000100000007 00000000000003e8',
    `00 00 ${STALE}`,
    `8780808020 7f ${MINUS_ZERO}`,
  );
  const batch = new SampleBatch();
  decodeSamples(record, batch, '');
  deepEqual(rows(batch), [
    [2 ** 32 + 7, 1000, 0, STALE],
    [3, 936, 0, MINUS_ZERO],
  ]);
  equal(hex(encodeSamples(batch)), hex(record));
  equal(hex(encodeSamples(batch, { from: 2 })), '02');
  decodeSamples(bytes('02'), batch, '');
  equal(batch.length, 2);
});

test('samples with start timestamps: refs from the one before, markers for start timestamps', () => {
  const record = bytes(
    `0b 0a d00f c801 ${ONE}`, // ref 5 at 1000 ms since 100
    `02 02 01 ${STALE}`, // ref 6 at 1001, the same start
    `01 00 00 ${TWO}`, // ref 5 at 1000, no start
    `00 04 02 04 ${MINUS_ZERO}`, // ref 5 at 1002 since 102
  );
  const batch = new SampleBatch();
  decodeSamples(record, batch, '');
  deepEqual(rows(batch), [
    [5, 1000, 100, ONE],
    [6, 1001, 100, STALE],
    [5, 1000, 0, TWO],
    [5, 1002, 102, MINUS_ZERO],
  ]);
  equal(hex(encodeSamples(batch, { startTimestamps: true })), hex(record));
});

test('tombstones, markers, metadata, exemplars: bytes to columns and back', () => {
  const stones = new TombstoneBatch();
  const stoneRecord = bytes('03 0000000000000009 01 8001', '000000000000000a c801 c801');
  decodeTombstoneRecord(stoneRecord, stones, '');
  deepEqual([...stones.refs.subarray(0, 2)], [9, 10]);
  deepEqual([...stones.mint.subarray(0, 2)], [-1, 100]);
  deepEqual([...stones.maxt.subarray(0, 2)], [64, 100]);
  equal(hex(encodeTombstoneRecord(stones)), hex(stoneRecord));

  const markers = new MmapMarkerBatch();
  const markerRecord = bytes('05 0000000000000009 00000002fffffff8');
  decodeMmapMarkers(markerRecord, markers, '');
  deepEqual([markers.refs[0], markers.files[0], markers.offsets[0]], [9, 2, 0xfffffff8]);
  equal(hex(encodeMmapMarkers(markers)), hex(markerRecord));

  const metadata = new MetadataBatch();
  // UNIT "s", HELP "ü", and in the second entry a field that we do not know.
  const known = '04 554e4954 01 73 04 48454c50 02 c3bc';
  const record = bytes(`06 ac02 01 02 ${known}`, `05 02 03 01 58 02 5959 ${known}`);
  decodeMetadata(record, metadata, '');
  deepEqual([...metadata.refs.subarray(0, 2)], [300, 5]);
  deepEqual([...metadata.types.subarray(0, 2)], [1, 2]);
  for (const i of [0, 1]) {
    equal(hex(metadata.unitAt(i)), '73');
    equal(hex(metadata.helpAt(i)), 'c3bc');
  }
  equal(hex(encodeMetadata(metadata)), hex(bytes(`06 ac02 01 02 ${known}`, `05 02 02 ${known}`)));

  const exemplars = new ExemplarBatch();
  const exemplarRecord = bytes(
    '04 0000000000000005 ffffffffffffffff',
    `00 00 ${STALE} 01 01 61 02 c3bc`,
    `02 04 ${ONE} 00`,
  );
  decodeExemplars(exemplarRecord, exemplars, '');
  deepEqual(rows(exemplars.samples), [
    [5, -1, 0, STALE],
    [6, 1, 0, ONE],
  ]);
  deepEqual(exemplars.labelsAt(0).map(hex), ['61', 'c3bc']);
  deepEqual(exemplars.labelsAt(1), []);
  equal(hex(encodeExemplars(exemplars)), hex(exemplarRecord));
});

test('exemplars and metadata put in by hand are the bytes of the format', () => {
  const exemplars = new ExemplarBatch();
  const i = exemplars.add(5, 7, [Buffer.from('a'), Buffer.from('b')]);
  exemplars.samples.v.set(Float64Array.of(1), i);
  const want = bytes(`04 0000000000000005 0000000000000007 00 00 ${ONE} 01 01 61 01 62`);
  equal(hex(encodeExemplars(exemplars)), hex(want));
  const metadata = new MetadataBatch();
  metadata.add(1, { type: 7, unit: Buffer.from('s'), help: new Uint8Array(0) });
  equal(hex(encodeMetadata(metadata)), hex(bytes('06 01 07 02 04 554e4954 01 73 04 48454c50 00')));
});

/** An integer histogram: two positive spans, one negative one. Counts 3, 2 and 7; -: 1. Its sum is stale. */
const SPANS = '02 00 02 06 01 01 01 01';
const INTEGER = `02 02 ${ONE} 04 13 ${STALE} ${SPANS} 03 06 01 0a 01 02`;
/** The same as floats: counts 1, 2 and -0; -: 1. */
const FLOAT = `03 02 ${ONE} ${TWO} ${ONE} ${STALE} ${SPANS} 03 ${ONE}${TWO}${MINUS_ZERO} 01 ${ONE}`;
/** Custom bounds 1 and 2: counts 1, 1 and 0. */
const CUSTOM = `00 69 0000000000000000 00 02 ${TWO} 01 00 03 00 03 02 00 01 00 02 ${ONE} ${TWO}`;

test('histograms: all kinds in one batch, in records of their own', () => {
  const bases = '0000000000000001 0000000000000064';
  const records = [
    bytes(`07 ${bases} 00 00 ${INTEGER} 02 02 ${INTEGER}`),
    bytes(`09 ${bases} 00 00 ${CUSTOM}`),
    bytes(`08 ${bases} 00 00 ${FLOAT}`),
  ];
  const batch = new HistogramBatch();
  for (const record of records) decodeHistograms(record, batch, '');
  const { columns } = batch;
  deepEqual([...batch.refs.subarray(0, 4)], [1, 2, 1, 1]);
  deepEqual([...columns.t.subarray(0, 4)], [100, 101, 100, 100]);
  deepEqual([...columns.isFloat.subarray(0, 4)], [0, 0, 0, 1]);
  deepEqual([...columns.hint.subarray(0, 4)], [2, 2, 0, 3]);
  deepEqual([...columns.zeroCount.subarray(0, 4)], [4, 4, 0, 2]);
  deepEqual([...columns.count.subarray(0, 4)], [19, 19, 2, 1]);
  const sums = new Uint32Array(columns.sum.buffer);
  deepEqual([...sums.subarray(0, 2)], [2, 0x7ff00000]);
  deepEqual(columns.layouts.length, 3);
  const first = columns.layoutAt(0);
  equal(first, columns.layoutAt(1));
  deepEqual(
    [first.schema, first.zeroThreshold, [...first.positiveSpans], [...first.negativeSpans]],
    [1, 1, [0, 2, 3, 1], [-1, 1]],
  );
  deepEqual([...columns.buckets.subarray(0, 4)], [3, 2, 7, 1]);
  deepEqual([...columns.buckets.subarray(8, 11)], [1, 1, 0]);
  deepEqual([...columns.buckets.subarray(11, 15)], [1, 2, -0, 1]);
  deepEqual([...columns.layoutAt(2).customValues], [1, 2]);
  deepEqual(encodeHistograms(batch).map(hex), records.map(hex));
});

test('histograms with start timestamps, custom buckets among the others', () => {
  const records = [
    bytes(`0c 02 c801 64 ${INTEGER}`, `00 02 01 ${CUSTOM}`, `02 02 00 ${INTEGER}`),
    bytes(`0d 02 c801 00 ${FLOAT}`, `00 02 02 02 ${FLOAT}`),
  ];
  const batch = new HistogramBatch();
  for (const record of records) decodeHistograms(record, batch, '');
  deepEqual([...batch.refs.subarray(0, 5)], [1, 1, 2, 1, 1]);
  deepEqual([...batch.columns.t.subarray(0, 5)], [100, 101, 101, 100, 101]);
  deepEqual([...batch.st.subarray(0, 5)], [50, 50, 0, 0, 1]);
  deepEqual(encodeHistograms(batch, { startTimestamps: true }).map(hex), records.map(hex));
});

test('histograms: unknown schemas are passed over, finer ones joined', () => {
  const bases = '0000000000000001 0000000000000064';
  const batch = new HistogramBatch();
  // Schema 53 (6a) and -10 (13) are nobody's.
  const unknown = INTEGER.replace('02 02', '02 6a');
  const other = INTEGER.replace('02 02', '02 13');
  decodeHistograms(
    bytes(`07 ${bases} 00 00 ${unknown} 00 02 ${INTEGER} 00 00 ${other}`),
    batch,
    '',
  );
  deepEqual([batch.length, batch.unknownSchemas, batch.columns.t[0]], [1, 2, 101]);
  // Schema 10 has four buckets for one of schema 8: 1..4 are in 1, 5..8 in 2, -3..0 in 0.
  const f = (schema: string, spans: string, counts: string, want: [number[], number[]]): void => {
    batch.clear();
    const side = `00 ${schema} ${ONE} 00 00 ${ONE} ${spans} 00 ${counts} 00`;
    decodeHistograms(bytes(`07 ${bases} 00 00 ${side}`), batch, '');
    const layout = batch.columns.layoutAt(0);
    const got = batch.columns.buckets.subarray(0, batch.columns.bucketsLength);
    equal(layout.schema, 8);
    deepEqual([[...layout.positiveSpans], [...got]], want);
  };
  f('14', '01 02 05', '05 02 00 00 00 00', [
    [1, 2],
    [4, 1],
  ]); // buckets 1 to 5, one each
  f('14', '02 0a 02 18 01', '03 02 02 02', [
    [2, 1, 2, 1],
    [3, 3],
  ]); // 5 and 6, then 19: 1, 2, 3
  f('14', '01 05 04', '04 02 00 00 00', [[0, 1], [4]]); // -3 to 0
  f('68', '01 00 02', '02 02 00', [
    [0, 2],
    [1, 1],
  ]); // schema 52: 0, and 1, far finer
});

/** A time or ref that a double holds, the limits often. */
const safe = fc.oneof(
  fc.maxSafeInteger(),
  fc.constantFrom(Number.MAX_SAFE_INTEGER, Number.MIN_SAFE_INTEGER, 0, -1),
);
const ref = fc.oneof(fc.maxSafeNat(), fc.constantFrom(0, Number.MAX_SAFE_INTEGER));

test('samples: any refs, times and bits come back, also those that are far apart', () => {
  const sample = fc.record({
    ref,
    t: safe,
    st: safe,
    high: fc.nat(0xffffffff),
    low: fc.nat(0xffffffff),
  });
  fc.assert(
    fc.property(fc.array(sample, { maxLength: 20 }), fc.boolean(), (list, startTimestamps) => {
      const batch = new SampleBatch();
      for (const { ref: r, t, st, high, low } of list) {
        const i = batch.add(r, t, startTimestamps ? st : 0);
        batch.halves[2 * i + 1] = high;
        batch.halves[2 * i] = low;
      }
      const again = new SampleBatch();
      decodeSamples(encodeSamples(batch, { startTimestamps }), again, '');
      deepEqual(rows(again), rows(batch));
    }),
  );
});

test('records that end early or lie are refused, with the offset; the batch stays', () => {
  const bases = '0000000000000001 0000000000000064';
  const samples = new SampleBatch();
  const histograms = new HistogramBatch();
  const metadata = new MetadataBatch();
  const f = (record: string, want: RegExp): void => {
    const body = bytes(record);
    const type = body[0] as number;
    const batch = type === 6 ? metadata : type === 2 || type === 11 ? samples : histograms;
    const before = batch.length;
    throws(
      () => {
        if (batch === samples) decodeSamples(body, samples, 'f');
        else if (batch === metadata) decodeMetadata(body, metadata, 'f');
        else decodeHistograms(body, histograms, 'f');
      },
      (error) => error instanceof CorruptionError && want.test(error.message),
    );
    equal(batch.length, before);
  };
  decodeSamples(bytes(`02 ${bases} 00 00 ${ONE}`), samples, 'f');
  decodeHistograms(bytes(`07 ${bases} 00 00 ${INTEGER}`), histograms, 'f');
  f('02 00', /^record ends early \(f, offset 1\)/);
  f(`02 ${bases} 00 00 ${ONE} 00 00 ${ONE.slice(2)}`, /record ends early \(f, offset 29\)/);
  f(`02 0020000000000000 0000000000000000`, /series ref above 2\^53 \(f, offset 9\)/);
  f(`02 ${bases} 03 00 ${ONE}`, /series ref above 2\^53 \(f, offset 18\)/); // ref 1 - 2
  f(`02 0000000000000000 8000000000000000 00 00 ${ONE}`, /time beyond 2\^53 \(f, offset 17\)/);
  f(`02 ${bases} 00 feffffffffffffffff01 ${ONE}`, /time beyond 2\^53/);
  f(`02 ${bases} 00 ffffffffffffffffffff01 ${ONE}`, /record ends early/); // eleven bytes
  f('0b 02 02', /record ends early \(f, offset 3\)/);
  f(
    `07 ${bases} 00 00 ${INTEGER} 00 00 ${INTEGER.replace('03 06 01 0a', '02 06 01')}`,
    /2 buckets, and 3 in the spans \(f, offset 84\)/,
  );
  f(`07 ${bases} 00 00 ${INTEGER.replace('02 00 02', '02 00 ffffffffff7f')}`, /3 buckets, and/);
  f(`07 ${bases} 00 00 ${INTEGER.replace('02 00 02', 'ffffffffff7f 00 02')}`, /record ends early/);
  f(
    `07 ${bases} 00 00 ${INTEGER.replace('02 00 02', '02 8080808010 02')}`,
    /span offset beyond 2\^31/,
  );
  f(
    `07 ${bases} 00 00 ${INTEGER.replace('04 13', '8080808080808010 13')}`,
    /zero count above 2\^53/,
  );
  f(`09 ${bases} 00 00 ${CUSTOM.replace('00 02 3ff', '00 ff01 3ff')}`, /record ends early/);
  f(`0e ${bases}`, /record of type 14, want histograms/);
  f('06 01 01 ffffffff7f', /record ends early/);
  equal(histograms.columns.layouts.length, 1);
  deepEqual(encodeHistograms(histograms).map(hex), [hex(bytes(`07 ${bases} 00 00 ${INTEGER}`))]);
});

test('series: refs with more than 32 bits', () => {
  const builder = new SeriesRecordBuilder();
  builder.add(2 ** 53 - 1, [Buffer.from('a'), Buffer.from('b')]);
  equal(hex(builder.bytes), hex(bytes('01 001fffffffffffff 01 01 61 01 62')));
  const refs: number[] = [];
  decodeSeriesRecord(builder.bytes, (r) => refs.push(r));
  deepEqual(refs, [2 ** 53 - 1]);
  throws(() => decodeSeriesRecord(builder.bytes.subarray(0, 12), () => undefined), ShortBytesError);
});
