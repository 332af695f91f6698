/**
 * Mutated records of every type: what comes out is a batch or a CorruptionError, soon, and no larger than the bytes allow.
 * More rounds: scripts/soak-fuzz.ts.
 */
import { equal, ok } from 'node:assert/strict';
import { test } from 'node:test';
import { FUZZ_CASES, FUZZ_SEED } from '../../../test/support/mutation-fuzz.ts';
import { CorruptionError } from '../../lib/errors.ts';
import { Random } from '../../lib/prng.ts';
import { ShortBytesError } from '../../lib/varint.ts';
import { CheckpointFilter } from './checkpoint-filter.ts';
import { ExemplarBatch, decodeExemplars, encodeExemplars } from './exemplar-records.ts';
import { HistogramBatch, decodeHistograms, encodeHistograms } from './histogram-records.ts';
import { MetadataBatch, decodeMetadata, encodeMetadata } from './metadata-records.ts';
import { MmapMarkerBatch, decodeMmapMarkers, encodeMmapMarkers } from './mmap-marker-records.ts';
import { SNAPPY_FLAG, ZSTD_FLAG } from './page-format.ts';
import { compressRecord, decompressRecord } from './record-compression.ts';
import { RECORD, RECORD_NAMES, SeriesRecordBuilder, decodeSeriesRecord } from './records.ts';
import { SampleBatch, decodeSamples, encodeSamples } from './sample-records.ts';
import {
  TombstoneBatch,
  decodeTombstoneRecord,
  encodeTombstoneRecord,
} from './tombstone-records.ts';

const CASES = FUZZ_CASES;
const SEED = FUZZ_SEED;

/** Changes, removes, doubles or inserts bytes; the type byte stays. */
function mutate(record: Uint8Array, random: Random): Uint8Array {
  let bytes = Buffer.from(record);
  for (let left = 1 + random.below(4); left > 0; left--) {
    const at = 1 + random.below(Math.max(1, bytes.length - 1));
    const size = random.below(12);
    const noise = Buffer.from(
      Array.from({ length: size }, () => (random.below(3) === 0 ? 0xff : random.below(256))),
    );
    const way = random.below(5);
    if (way === 0) bytes = bytes.subarray(0, at);
    else if (way === 1) noise.copy(bytes, at);
    else if (way === 2) {
      bytes = Buffer.concat([bytes.subarray(0, at), noise, bytes.subarray(at)]);
    } else if (way === 3) {
      bytes = Buffer.concat([bytes.subarray(0, at), bytes.subarray(at + size)]);
    } else if (at < bytes.length) bytes[at] = (bytes[at] as number) ^ (1 << random.below(8));
    bytes = Buffer.from(bytes);
  }
  return bytes;
}

const samples = new SampleBatch();
const histograms = new HistogramBatch();
const tombstones = new TombstoneBatch();
const exemplars = new ExemplarBatch();
const metadata = new MetadataBatch();
const markers = new MmapMarkerBatch();

/** Decodes a record of any type into empty batches; answers how many entries came out. */
function decode(record: Uint8Array): number {
  let count = 0;
  const type = record[0] as number;
  for (const batch of [samples, histograms, tombstones, exemplars, metadata, markers])
    batch.clear();
  if (type === RECORD.series) decodeSeriesRecord(record, () => count++);
  else if (type === RECORD.samples || type === RECORD.samplesV2) decodeSamples(record, samples, '');
  else if (type === RECORD.tombstones) decodeTombstoneRecord(record, tombstones, '');
  else if (type === RECORD.exemplars) decodeExemplars(record, exemplars, '');
  else if (type === RECORD.mmapMarkers) decodeMmapMarkers(record, markers, '');
  else if (type === RECORD.metadata) decodeMetadata(record, metadata, '');
  else decodeHistograms(record, histograms, '');
  count += samples.length + histograms.length + tombstones.length;
  return count + exemplars.length + metadata.length + markers.length;
}

/** A sound record of each type. */
function soundRecord(type: number, random: Random): Uint8Array {
  const startTimestamps = type >= RECORD.samplesV2;
  for (let i = 1 + random.below(5); i > 0; i--) {
    const ref = random.below(1000);
    const t = 1_700_000_000_000 + random.below(100_000);
    samples.add(ref, t, t - random.below(3));
    tombstones.add(ref, t, t + 1);
    markers.add(ref, { file: 1, offset: random.u32() });
    metadata.add(ref, { type: 1, unit: Buffer.from('s'), help: Buffer.from('A help.') });
    exemplars.add(ref, t, [Buffer.from('trace_id'), Buffer.from('abc')]);
    addHistogram(type, { ref, t }, random);
  }
  if (type === RECORD.series) {
    const builder = new SeriesRecordBuilder();
    builder.add(1, [Buffer.from('__name__'), Buffer.from('up')]);
    builder.add(2, [Buffer.from('a'), Buffer.from('b'), Buffer.from('c'), Buffer.from('d')]);
    return builder.bytes;
  }
  if (type === RECORD.samples || type === RECORD.samplesV2) {
    return encodeSamples(samples, { startTimestamps });
  }
  if (type === RECORD.tombstones) return encodeTombstoneRecord(tombstones);
  if (type === RECORD.exemplars) return encodeExemplars(exemplars);
  if (type === RECORD.mmapMarkers) return encodeMmapMarkers(markers);
  if (type === RECORD.metadata) return encodeMetadata(metadata);
  return encodeHistograms(histograms, { startTimestamps })[0] as Uint8Array;
}

function addHistogram(type: number, at: { ref: number; t: number }, random: Random): void {
  const custom = type === RECORD.customHistograms || type === RECORD.customFloatHistograms;
  const isFloat = [8, 10, 13].includes(type);
  const { columns } = histograms;
  const buckets = 1 + random.below(5);
  const i = columns.add({
    schema: custom ? -53 : random.below(8),
    zeroThreshold: 0.5,
    positiveSpans: Int32Array.of(random.below(9), buckets),
    negativeSpans: custom ? new Int32Array(0) : Int32Array.of(0, 1, 3, 1),
    customValues: custom ? Float64Array.of(1, 2, 3) : new Float64Array(0),
    positiveCount: buckets,
    negativeCount: custom ? 0 : 2,
  });
  columns.t[i] = at.t;
  columns.isFloat[i] = isFloat ? 1 : 0;
  columns.count[i] = 20;
  columns.zeroCount[i] = 1;
  const start = columns.start[i] as number;
  for (let k = start; k < columns.bucketsLength; k++) columns.buckets[k] = random.below(100);
  histograms.setNewest(at.ref, at.t - 1);
}

for (let type = 1; type <= 13; type++) {
  test(`fuzz: ${CASES} mutated records of type ${type} (${RECORD_NAMES[type]}), seed ${SEED}`, () => {
    const random = new Random(SEED * 100 + type);
    let refused = 0;
    for (let i = 0; i < CASES; i++) {
      decode(Uint8Array.of(RECORD.samples));
      const sound = soundRecord(type, random);
      equal(sound[0], type);
      ok(decode(sound) > 0);
      const bytes = mutate(sound, random);
      try {
        // The smallest entries, those of metadata, take three bytes.
        ok(decode(bytes) <= bytes.length / 3);
      } catch (thrown) {
        // The decoder of series is older and has one error for records that end early.
        if (!(thrown instanceof CorruptionError) && !(thrown instanceof ShortBytesError))
          throw thrown;
        if (type !== RECORD.series) ok(thrown instanceof CorruptionError);
        equal(samples.length + histograms.length + tombstones.length, 0);
        refused++;
      }
      // A checkpoint reads the same bytes by its own way.
      try {
        const kept = new CheckpointFilter({ mint: 1_700_000_050_000 }).filter(bytes, '');
        ok(kept.length <= bytes.length + 20);
      } catch (thrown) {
        if (!(thrown instanceof CorruptionError)) throw thrown;
      }
    }
    ok(refused > CASES / 20 && refused < CASES, `${refused} refused`);
  });
}

for (const compression of ['snappy', 'zstd'] as const) {
  test(`fuzz: ${CASES} mutated ${compression} records, seed ${SEED}`, () => {
    const random = new Random(SEED * 100 + 50);
    const flag = compression === 'snappy' ? SNAPPY_FLAG : ZSTD_FLAG;
    const record = Buffer.alloc(3000, 'abcd');
    const sound = compressRecord(record, compression);
    ok(record.equals(decompressRecord(sound, flag)));
    for (let i = 0; i < CASES; i++) {
      const bytes = mutate(sound, random);
      if (random.below(2) === 0) bytes[0] = random.below(256);
      try {
        const out = decompressRecord(bytes, flag);
        ok(out.length < 1 << 24, `${out.length} bytes`);
      } catch (thrown) {
        ok(thrown instanceof Error);
      }
    }
  });
}
