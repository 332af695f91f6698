/**
 * The logs of Prometheus 3.14 with records of all types: each record is the same, byte by byte, when it is encoded again
 * from what was decoded, and what the records say together is what that Prometheus answered.
 */
import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { gunzipSync } from 'node:zlib';
import { decodeUtf8 } from '../src/lib/utf8.ts';
import {
  ExemplarBatch,
  decodeExemplars,
  encodeExemplars,
} from '../src/tsdb/wal/exemplar-records.ts';
import {
  HistogramBatch,
  decodeHistograms,
  encodeHistograms,
} from '../src/tsdb/wal/histogram-records.ts';
import {
  METRIC_TYPE,
  MetadataBatch,
  decodeMetadata,
  encodeMetadata,
} from '../src/tsdb/wal/metadata-records.ts';
import {
  MmapMarkerBatch,
  decodeMmapMarkers,
  encodeMmapMarkers,
} from '../src/tsdb/wal/mmap-marker-records.ts';
import { RECORD, SeriesRecordBuilder, decodeSeriesRecord } from '../src/tsdb/wal/records.ts';
import { SampleBatch, decodeSamples, encodeSamples } from '../src/tsdb/wal/sample-records.ts';
import {
  TombstoneBatch,
  decodeTombstoneRecord,
  encodeTombstoneRecord,
} from '../src/tsdb/wal/tombstone-records.ts';
import { readSegment } from '../src/tsdb/wal/wal-reader.ts';
import { segmentIndexes } from '../src/tsdb/wal/wal-writer.ts';
import {
  apiNumber,
  byText,
  compareSamples,
  histogramText,
  readAnswer,
} from './support/golden-samples.ts';
import type { Answer } from './support/golden-samples.ts';

const GOLDEN = fileURLToPath(new URL('../../shared/golden/head', import.meta.url));
const skip = existsSync(GOLDEN) ? false : 'the golden data (../shared/golden) are not here';

/** How many records of each type the logs hold. */
const RECORDS: Readonly<Record<string, Readonly<Record<number, number>>>> = {
  'all-records-snappy/wal': { 1: 2, 2: 539, 3: 1, 4: 20, 6: 1, 7: 539, 8: 500, 9: 500, 10: 500 },
  'all-records-snappy/wbl': { 2: 49, 5: 19, 7: 44 },
  'all-records-zstd-st/wal': { 1: 1, 11: 400, 12: 400, 13: 400 },
  'prometheus-data-dir/wal': { 1: 42, 2: 3101, 4: 249, 7: 1731 },
};

/** Everything that logs say, in batches. */
class Decoded {
  readonly series = new Map<number, string>();
  readonly samples = new SampleBatch();
  readonly histograms = new HistogramBatch();
  readonly tombstones = new TombstoneBatch();
  readonly exemplars = new ExemplarBatch();
  readonly metadata = new MetadataBatch();
  readonly markers = new MmapMarkerBatch();

  /** Takes a record in and answers it encoded again from what was taken in. */
  add(record: Uint8Array): Uint8Array[] {
    const type = record[0] as number;
    if (type === RECORD.series) return [this.#addSeries(record)];
    if (type === RECORD.samples || type === RECORD.samplesV2) {
      const from = this.samples.length;
      decodeSamples(record, this.samples, 'golden');
      return [encodeSamples(this.samples, { from, startTimestamps: type === RECORD.samplesV2 })];
    }
    if (type === RECORD.exemplars) {
      const from = this.exemplars.length;
      decodeExemplars(record, this.exemplars, 'golden');
      return [encodeExemplars(this.exemplars, { from })];
    }
    if (type === RECORD.tombstones) {
      decodeTombstoneRecord(record, this.tombstones, 'golden');
      return [encodeTombstoneRecord(this.tombstones)];
    }
    if (type === RECORD.metadata) {
      decodeMetadata(record, this.metadata, 'golden');
      return [encodeMetadata(this.metadata)];
    }
    if (type === RECORD.mmapMarkers) {
      this.markers.clear();
      decodeMmapMarkers(record, this.markers, 'golden');
      return [encodeMmapMarkers(this.markers)];
    }
    const from = this.histograms.length;
    decodeHistograms(record, this.histograms, 'golden');
    return encodeHistograms(this.histograms, {
      from,
      startTimestamps: type >= RECORD.histogramsV2,
    });
  }

  #addSeries(record: Uint8Array): Uint8Array {
    const builder = new SeriesRecordBuilder();
    decodeSeriesRecord(record, (ref, labels) => {
      builder.add(ref, labels);
      this.series.set(ref, labelKey(labels));
    });
    return builder.bytes;
  }
}

function labelKey(parts: readonly Uint8Array[]): string {
  const texts = parts.map(decodeUtf8);
  const pairs = texts.flatMap((text, i) => (i % 2 === 0 ? [[text, texts[i + 1]]] : []));
  return JSON.stringify(Object.fromEntries(pairs));
}

function readLog(decoded: Decoded, log: string, counts: Record<number, number>): void {
  const directory = join(GOLDEN, log);
  for (const index of segmentIndexes(directory)) {
    readSegment(
      directory,
      index,
      (record, offset) => {
        const type = record[0] as number;
        const again = decoded.add(record).map((bytes) => Buffer.from(bytes).toString('hex'));
        assert.deepEqual(again, [Buffer.from(record).toString('hex')], `type ${type} at ${offset}`);
        counts[type] = (counts[type] ?? 0) + 1;
      },
      ({ reason }) => assert.fail(reason),
    );
  }
}

for (const [log, want] of Object.entries(RECORDS)) {
  test(`golden ${log}: records encoded again are the same bytes`, { skip }, (t) => {
    const counts: Record<number, number> = {};
    readLog(new Decoded(), log, counts);
    assert.deepEqual(counts, want);
    const figures = Object.entries(counts).map(([type, count]) => `${count} of type ${type}`);
    t.diagnostic(`${figures.join(', ')}: identical`);
  });
}

function readGolden(name: string): string {
  return gunzipSync(readFileSync(join(GOLDEN, name))).toString();
}

function golden(name: string): Answer {
  return readAnswer(join(GOLDEN, `${name}.samples.json.gz`));
}

/** The same from decoded batches: without stale samples and what was deleted. */
function toAnswer(decoded: Decoded): Answer {
  const answer: Answer = new Map();
  const { samples, histograms, tombstones } = decoded;
  const set = (ref: number, t: number, text: string): void => {
    for (let i = 0; i < tombstones.length; i++) {
      const { refs, mint, maxt } = tombstones;
      if (refs[i] === ref && t >= (mint[i] as number) && t <= (maxt[i] as number)) return;
    }
    const key = decoded.series.get(ref) ?? `unknown ref ${ref}`;
    const series = answer.get(key) ?? new Map<number, string>();
    answer.set(key, series.set(t, text));
  };
  for (let i = 0; i < samples.length; i++) {
    const stale = samples.halves[2 * i] === 2 && samples.halves[2 * i + 1] === 0x7ff00000;
    if (!stale) set(samples.refs[i] as number, samples.t[i] as number, apiNumber(samples.v[i]));
  }
  const { columns } = histograms;
  const sumHalves = new Uint32Array(columns.sum.buffer);
  for (let i = 0; i < columns.length; i++) {
    if (sumHalves[2 * i] === 2 && sumHalves[2 * i + 1] === 0x7ff00000) continue;
    set(histograms.refs[i] as number, columns.t[i] as number, histogramText(columns, i));
  }
  return answer;
}

test(
  'golden all-records-snappy: what the records say is what Prometheus answered',
  { skip },
  (t) => {
    const decoded = new Decoded();
    readLog(decoded, 'all-records-snappy/wal', {});
    readLog(decoded, 'all-records-snappy/wbl', {});
    const compared = compareSamples(toAnswer(decoded), golden('all-records-snappy'));
    t.diagnostic(`${compared} samples and histograms agree`);
    assert.equal(compared, 8426);

    const exemplars = JSON.parse(readGolden('all-records-snappy.exemplars.json.gz')) as {
      data: {
        seriesLabels: Record<string, string>;
        exemplars: { labels: Record<string, string>; value: string; timestamp: number }[];
      }[];
    };
    const want = exemplars.data.flatMap(({ seriesLabels, exemplars: list }) =>
      list.map((e) => [
        JSON.stringify(seriesLabels),
        JSON.stringify(e.labels),
        Number(e.value),
        Math.round(e.timestamp * 1000),
      ]),
    );
    const { samples } = decoded.exemplars;
    const got = Array.from({ length: decoded.exemplars.length }, (_, i) => [
      decoded.series.get(samples.refs[i] as number),
      labelKey(decoded.exemplars.labelsAt(i)),
      samples.v[i],
      samples.t[i],
    ]);
    assert.deepEqual(sortRows(got), sortRows(want));
    t.diagnostic(`${got.length} exemplars agree`);
  },
);

test(
  'golden all-records-zstd-st: what the records say is what Prometheus answered',
  { skip },
  (t) => {
    const decoded = new Decoded();
    readLog(decoded, 'all-records-zstd-st/wal', {});
    const compared = compareSamples(toAnswer(decoded), golden('all-records-zstd-st'));
    t.diagnostic(`${compared} samples and histograms agree`);
    assert.equal(compared, 2400);
    const starts = [decoded.samples, decoded.histograms].map((batch) =>
      batch.st.subarray(0, batch.length),
    );
    assert.deepEqual([...new Set(starts[0])], [1_709_999_999_000, 1_710_002_995_000]);
    assert.deepEqual([...new Set(starts[1])], [1_709_999_999_000]);
  },
);

test('golden all-records-snappy: metadata', { skip }, () => {
  const decoded = new Decoded();
  readLog(decoded, 'all-records-snappy/wal', {});
  const { metadata } = decoded;
  const rows = Array.from({ length: metadata.length }, (_, i) => [
    nameOf(decoded.series.get(metadata.refs[i] as number)),
    metadata.types[i],
    decodeUtf8(metadata.unitAt(i)),
    decodeUtf8(metadata.helpAt(i)),
  ]);
  assert.deepEqual(
    rows,
    Array.from({ length: 8 }, () => [
      'h_counter_total',
      METRIC_TYPE.counter,
      'things',
      'A counter.',
    ]),
  );
});

function nameOf(key: string | undefined): string | undefined {
  const labels: Record<string, string> = JSON.parse(key ?? '{}');
  return labels['__name__'];
}

function sortRows(rows: unknown[][]): string[] {
  return rows.map((row) => JSON.stringify(row)).sort(byText);
}
