/** Mutated snapshots of the head, and nonsense in their records under right checksums: all of it or a named error. */
import { deepEqual, equal, ok } from 'node:assert/strict';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after } from 'node:test';
import { ScratchFile, damage, mutate, testFuzz } from '../../../test/support/mutation-fuzz.ts';
import { temporaryDirectory } from '../../../test/support/temporary-directory.ts';
import { XorAppender } from '../../chunkenc/xor-twin.ts';
import { systemFiles } from '../../lib/file-layer.ts';
import { nopLogger } from '../../lib/log.ts';
import { HistogramColumns } from '../../model/histogram.ts';
import { ExemplarBatch } from './exemplar-records.ts';
import { FrameBuilder } from './frame-builder.ts';
import { segmentName } from './page-format.ts';
import { compressRecord } from './record-compression.ts';
import type { SnapshotSeries } from './snapshot-format.ts';
import { readSnapshot } from './snapshot-reader.ts';
import { writeSnapshot } from './snapshot-writer.ts';
import { TombstoneBatch } from './tombstone-records.ts';
import { readSegment } from './wal-reader.ts';

const directory = temporaryDirectory();

/** Series with a float chunk, a histogram chunk, and none. */
function* someSeries(): Generator<SnapshotSeries> {
  const labels = ['a', 'b'].map((text) => Buffer.from(text));
  yield { ref: 1, labels };
  const appender = new XorAppender();
  for (let i = 0; i < 20; i++) appender.append(i * 1000, 0x40000000 + i, i);
  const times = { mint: 0, maxt: 19_000 };
  const lastValue = Uint32Array.of(19, 0x40000013);
  yield { ref: 2, labels, chunk: { ...times, encoding: 1, bytes: appender.bytes(), lastValue } };
  const columns = new HistogramColumns();
  const row = columns.add({
    schema: 1,
    zeroThreshold: 0.5,
    positiveSpans: Int32Array.of(0, 2, 1, 1),
    negativeSpans: Int32Array.of(0, 1),
    customValues: new Float64Array(0),
    positiveCount: 3,
    negativeCount: 1,
  });
  columns.buckets.set([1, 2, 3, 4], columns.start[row]);
  columns.count[row] = 10;
  const bytes = Buffer.from('000100', 'hex');
  yield {
    ref: 3,
    labels,
    chunk: { ...times, encoding: 2, bytes, lastHistogram: { columns, row } },
  };
}

const tombstones = new TombstoneBatch();
tombstones.add(2, 5, 10);
tombstones.add(3, -5, 2 ** 40);
const exemplars = new ExemplarBatch();
exemplars.add(2, 5, [Buffer.from('trace_id'), Buffer.from('abc')]);
const { name } = writeSnapshot(
  { directory: directory.path, segment: 3, offset: 7, files: systemFiles, log: nopLogger },
  { series: someSeries(), tombstones, exemplars },
);
const sound = readFileSync(join(directory.path, name, segmentName(0)));
const records: Buffer[] = [];
readSegment(
  join(directory.path, name),
  0,
  (record) => records.push(Buffer.from(record)),
  () => ok(false),
);
equal(records.length, 5);

// In a directory of its own, without the list of files that the snapshot has.
const place = join(directory.path, 'fuzzed');
mkdirSync(place);
writeFileSync(join(place, segmentName(0)), sound);
const file = new ScratchFile(join(place, segmentName(0)));
after(() => {
  file[Symbol.dispose]();
  directory[Symbol.dispose]();
});

/** Reads the snapshot; answers what it holds, in order. */
function read(bytes: Uint8Array): unknown[] {
  file.put(bytes);
  const found: unknown[] = [];
  readSnapshot(place, {
    onSeries: ({ ref, labels, chunk }) => {
      ok(labels.length <= bytes.length * 22);
      const texts = labels.map((part) => Buffer.from(part).toString('latin1'));
      if (chunk === undefined) return void found.push([ref, texts]);
      const { mint, maxt, encoding, lastValue, lastHistogram } = chunk;
      const data = Buffer.from(chunk.bytes).toString('hex');
      const layout = lastHistogram?.columns.layoutAt(lastHistogram.row);
      ok((lastHistogram?.columns.buckets.length ?? 0) < bytes.length * 64 + 64);
      found.push([ref, texts, mint, maxt, encoding, data, lastValue?.slice(), layout?.schema]);
    },
    onTombstones: (batch) => found.push(Array.from(batch.refs.subarray(0, batch.length))),
    onExemplars: (batch) => found.push(Array.from(batch.samples.t.subarray(0, batch.length))),
  });
  return found;
}

const want = read(sound);

testFuzz({
  name: 'snapshots of the head',
  run: (random, i) => {
    const bytes = i % 2 === 0 ? damage(sound, random) : mutate(sound, random);
    const got = read(bytes);
    // Cut between two records it is shorter: the list of files that it has besides tells that.
    deepEqual(got, want.slice(0, got.length));
    return bytes.length;
  },
});

for (const [n, what] of [
  'a series',
  'a float series',
  'a histogram series',
  'deletions',
  'exemplars',
].entries())
  testFuzz({
    name: `${what} of snapshots of the head, under right checksums`,
    every: 2,
    refused: [0.02, 0.98],
    run: (random) => {
      const record = mutate(records[n] as Buffer, random, { from: random.below(4) === 0 ? 0 : 1 });
      const bytes = new FrameBuilder().build([compressRecord(record, 'snappy')], 0);
      ok(read(bytes).length <= 1);
      return record.length;
    },
  });
