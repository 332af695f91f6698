/**
 * Records of the logs that are nonsense under right checksums, replayed into a head by the kernel and by its twin: the head
 * goes on, with what it had.
 */
import { equal, ok } from 'node:assert/strict';
import { after } from 'node:test';
import {
  openHead,
  messageField,
  labelField,
  sampleField,
} from '../../../test/support/head-probe.ts';
import type { ProbedHead } from '../../../test/support/head-probe.ts';
import { mutate, testFuzz } from '../../../test/support/mutation-fuzz.ts';
import { temporaryDirectory } from '../../../test/support/temporary-directory.ts';
import { CodedError } from '../../lib/errors.ts';
import type { Random } from '../../lib/prng.ts';
import { ExemplarBatch, encodeExemplars } from '../wal/exemplar-records.ts';
import { HistogramBatch, encodeHistograms } from '../wal/histogram-records.ts';
import { MetadataBatch, encodeMetadata } from '../wal/metadata-records.ts';
import { MmapMarkerBatch, encodeMmapMarkers } from '../wal/mmap-marker-records.ts';
import { RECORD, RECORD_NAMES, SeriesRecordBuilder } from '../wal/records.ts';
import { SampleBatch, encodeSamples } from '../wal/sample-records.ts';
import { TombstoneBatch, encodeTombstoneRecord } from '../wal/tombstone-records.ts';
import { ReplayChunks } from './replay-chunks.ts';
import { RecordReplay } from './replay-records.ts';

const T = 1_700_000_000_000;
const SERIES = 40;

/** Records of a type, of the series that the head knows. */
function soundRecord(type: number, random: Random): Uint8Array {
  const startTimestamps = type >= RECORD.samplesV2;
  const samples = new SampleBatch();
  const histograms = new HistogramBatch();
  const tombstones = new TombstoneBatch();
  const exemplars = new ExemplarBatch();
  const metadata = new MetadataBatch();
  const markers = new MmapMarkerBatch();
  const builder = new SeriesRecordBuilder();
  for (let left = 1 + random.below(6); left > 0; left--) {
    const ref = 1 + random.below(SERIES + 2);
    const t = T + random.below(100_000_000);
    samples.add(ref, t, startTimestamps ? t - 5 : 0);
    tombstones.add(ref, t, t + random.below(10_000));
    exemplars.add(ref, t, [Buffer.from('trace_id'), Buffer.from('abc')]);
    metadata.add(ref, { type: 1, unit: Buffer.from('s'), help: Buffer.from('A help.') });
    markers.add(ref, { file: random.below(3), offset: 8 });
    const labels = ['__name__', 'm', 'i', String(ref)].map((text) => Buffer.from(text));
    builder.add(ref, labels);
    const custom = type === RECORD.customHistograms || type === RECORD.customFloatHistograms;
    const i = histograms.columns.add({
      schema: custom ? -53 : random.below(8),
      zeroThreshold: custom ? 0 : 0.5,
      positiveSpans: Int32Array.of(random.below(3), 2),
      negativeSpans: custom ? new Int32Array(0) : Int32Array.of(0, 1),
      customValues: custom ? Float64Array.of(1, 2, 3, 4, 5) : new Float64Array(0),
      positiveCount: 2,
      negativeCount: custom ? 0 : 1,
    });
    const { columns } = histograms;
    columns.t[i] = t;
    columns.isFloat[i] = [8, 10, 13].includes(type) ? 1 : 0;
    columns.count[i] = 30;
    for (let k = columns.start[i] as number; k < columns.bucketsLength; k++) columns.buckets[k] = 5;
    histograms.setNewest(ref, 0);
  }
  if (type === RECORD.series) return builder.bytes;
  if (type === RECORD.samples || type === RECORD.samplesV2)
    return encodeSamples(samples, { startTimestamps });
  if (type === RECORD.tombstones) return encodeTombstoneRecord(tombstones);
  if (type === RECORD.exemplars) return encodeExemplars(exemplars);
  if (type === RECORD.mmapMarkers) return encodeMmapMarkers(markers);
  if (type === RECORD.metadata) return encodeMetadata(metadata);
  return encodeHistograms(histograms, { startTimestamps })[0] as Uint8Array;
}

/** A head with some series, and the replay of a log into it; a fresh one when its memory is full. */
class Target {
  readonly #twin: boolean;
  readonly #directory = temporaryDirectory();
  #opened: ProbedHead;
  #checks = 0;
  replay: RecordReplay;

  constructor(twin: boolean) {
    this.#twin = twin;
    [this.#opened, this.replay] = this.#open();
  }

  #open(): [ProbedHead, RecordReplay] {
    const opened = openHead(this.#directory.path, {
      twin: this.#twin,
      arenaBytes: 48 << 20,
      exemplarsMax: 100,
    });
    const replay = new RecordReplay(opened.head, new ReplayChunks(opened.head, () => undefined));
    const builder = new SeriesRecordBuilder();
    for (let ref = 1; ref <= SERIES; ref++)
      builder.add(
        ref,
        ['__name__', 'm', 'i', String(ref)].map((text) => Buffer.from(text)),
      );
    replay.takeWal(builder.bytes, 'fuzz');
    ok(opened.head.stats().series >= SERIES);
    return [opened, replay];
  }

  renew(): void {
    this.#opened[Symbol.dispose]();
    [this.#opened, this.replay] = this.#open();
  }

  /** The head takes samples of a series of its own as if nothing had been. */
  check(): void {
    const name = `sound_${this.#checks++}`;
    const fields = [labelField('__name__', name), sampleField([2 ** 50, 0, 1])];
    equal(this.#opened.head.write(messageField(1, Buffer.concat(fields))).accepted, 1);
  }

  close(): void {
    this.#opened[Symbol.dispose]();
    this.#directory[Symbol.dispose]();
  }
}

for (const twin of [false, true]) {
  const target = new Target(twin);
  after(() => target.close());
  for (let type = 1; type <= 13; type++) {
    testFuzz({
      name: `records of type ${type} (${RECORD_NAMES[type]}), replayed by the ${twin ? 'twin' : 'kernel'}`,
      every: 2,
      refused: [0, 0.98],
      run: (random, i) => {
        const record = mutate(soundRecord(type, random), random, { from: 1 });
        try {
          target.replay.takeWal(record, 'fuzz');
          target.replay.takeWbl(record, 'fuzz');
        } catch (thrown) {
          if (thrown instanceof CodedError && thrown.code === 'unavailable') target.renew();
          throw thrown;
        } finally {
          if (i % 50 === 0) target.check();
        }
        return record.length;
      },
    });
  }
}
