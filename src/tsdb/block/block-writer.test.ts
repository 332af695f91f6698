import { deepEqual, equal, match, ok, throws } from 'node:assert/strict';
import { existsSync, mkdirSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import fc from 'fast-check';
import { buildBlock, xorChunk } from '../../../test/support/block-builder.ts';
import type { TestSeries } from '../../../test/support/block-builder.ts';
import { readBlock, readFrames } from '../../../test/support/block-frames.ts';
import { temporaryDirectory } from '../../../test/support/temporary-directory.ts';
import { WatchedFiles } from '../../../test/support/watched-files.ts';
import { CodedError } from '../../lib/errors.ts';
import { systemFiles } from '../../lib/file-layer.ts';
import { compareUtf8 } from '../../lib/utf8.ts';
import { Labels, compareLabels } from '../../model/labels.ts';
import { BlockWriter } from './block-writer.ts';
import type { BlockChunk } from './block-writer.ts';
import { readBlockMeta } from './meta.ts';

const ULID = '01M7YF3BR1GP05WD9HRQQM8XP2';
const COMPACTION = { level: 1, sources: [ULID] };

const chunk = xorChunk([
  [1000, 1],
  [2000, 2],
]);

/** Writes two series of one chunk each. */
function writeSmall(writer: BlockWriter): void {
  writer.symbols(['a', 'b', 'x', 'y']);
  writer.series(new Labels(['a', 'x']), [chunk]);
  writer.series(new Labels(['a', 'y', 'b', 'x']), [chunk]);
  writer.finish({ mint: 0, maxt: 2001, compaction: COMPACTION });
}

const text = fc.oneof(
  { weight: 4, arbitrary: fc.string({ minLength: 1, maxLength: 3 }) },
  fc.string({ unit: 'binary', minLength: 1, maxLength: 4 }),
  fc.constantFrom('\uffff', '\u{10000}', '\ue000', '\ufeffa', 'é', ' ', '\u0000', 'x'.repeat(300)),
);

test('block writer: what was written is read again, over as many segments as it takes', () => {
  const wellFormed = text.filter((s) => s.isWellFormed());
  const labels = fc.dictionary(wellFormed, wellFormed, { minKeys: 1, maxKeys: 4 });
  const step = fc.integer({ min: 1, max: 100_000 });
  const chunks = fc.array(
    fc.record({
      gap: step,
      samples: fc.array(fc.tuple(step, fc.double()), { minLength: 1, maxLength: 5 }),
    }),
    { minLength: 1, maxLength: 5 },
  );
  const start = fc.integer({ min: -(2 ** 41), max: 2 ** 41 });
  fc.assert(
    fc.property(
      fc.array(fc.record({ labels, chunks, start }), { minLength: 1, maxLength: 12 }),
      fc.integer({ min: 60, max: 1000 }),
      (made, segmentBytesMax) => {
        using directory = temporaryDirectory();
        const series = new Map(
          made.map((one): [string, TestSeries] => {
            let t = one.start;
            const written = one.chunks.map(({ gap, samples }) => {
              t += gap;
              return samples.map(([delta, v]): [number, number] => [(t += delta), v]);
            });
            return [Labels.fromObject(one.labels).key, { labels: one.labels, chunks: written }];
          }),
        );
        const wanted = [...series.values()].map((one) => ({
          labels: Labels.fromObject(one.labels),
          chunks: one.chunks.map((samples) => xorChunk(samples as [number, number][])),
        }));
        wanted.sort((a, b) => compareLabels(a.labels, b.labels));
        const handle = buildBlock(directory.path, [...series.values()], { segmentBytesMax });
        const { symbols, series: got } = readBlock(handle.directory);
        const texts = new Set(wanted.flatMap(({ labels: { pairs } }) => pairs));
        deepEqual(symbols, [...texts].sort(compareUtf8));
        deepEqual(
          got.map(({ labels: { pairs } }) => pairs),
          wanted.map(({ labels: { pairs } }) => pairs),
        );
        for (const [i, { chunks: want }] of wanted.entries()) {
          deepEqual(
            got[i]?.chunks.map(({ mint, maxt, data }) => ({ mint, maxt, data: [...data] })),
            want.map(({ mint, maxt, data }) => ({ mint, maxt, data: [...data] })),
          );
        }
      },
    ),
    { numRuns: 50 },
  );
});

test('block writer: a segment is closed before it could get too large, but holds a chunk at least', () => {
  const frame = (length: number): number => 1 + 1 + length + 4;
  // A chunk counts with five bytes for its length until its series is written.
  const f = (limit: number, seriesOf: number[][], want: number[]): void => {
    using directory = temporaryDirectory();
    const writer = new BlockWriter({
      parent: directory.path,
      ulid: ULID,
      files: systemFiles,
      segmentBytesMax: limit,
    });
    writer.symbols(['a', ...seriesOf.map((_, i) => `v${i}`)]);
    for (const [i, lengths] of seriesOf.entries()) {
      const chunks = lengths.map((length, k): BlockChunk => ({
        mint: k,
        maxt: k,
        encoding: 2,
        count: 1,
        data: new Uint8Array(length),
      }));
      writer.series(new Labels(['a', `v${i}`]), chunks);
    }
    writer.finish({ mint: 0, maxt: 100, compaction: COMPACTION });
    const sizes = readdirSync(join(directory.path, ULID, 'chunks')).map(
      (name) => readFileSync(join(directory.path, ULID, 'chunks', name)).length,
    );
    deepEqual(sizes, want);
    equal(readFrames(join(directory.path, ULID)).size, seriesOf.flat().length);
  };
  const two = 8 + 2 * frame(20);
  f(1000, [[20], [20]], [two]);
  // The second series would end at 8 + 26 + 30: the first chunk counts as it is, the second at its most.
  f(64, [[20], [20]], [two]);
  f(63, [[20], [20]], [8 + frame(20), 8 + frame(20)]);
  // In one series both count at their most: 8 + 30 + 30.
  f(68, [[20, 20]], [two]);
  f(67, [[20, 20]], [8 + frame(20), 8 + frame(20)]);
  f(10, [[20, 20]], [8 + frame(20), 8 + frame(20)]);
});

test('block writer: meta.json counts samples by kind, what is given wins', () => {
  using directory = temporaryDirectory();
  const writer = new BlockWriter({ parent: directory.path, ulid: ULID, files: systemFiles });
  writer.symbols(['a', 'x']);
  const of = (encoding: number, k: number): BlockChunk => ({
    mint: k,
    maxt: k,
    encoding,
    count: 10 ** k,
    data: new Uint8Array(3),
  });
  writer.series(
    new Labels(['a', 'x']),
    [1, 2, 3, 4, 5, 6, 255].map((encoding, k) => of(encoding, k)),
  );
  const extra = { thanos: { labels: {} } };
  const stats = { numTombstones: 3, numChunks: 9 };
  const meta = writer.finish({ mint: -5, maxt: 7, compaction: COMPACTION, stats, extra });
  deepEqual(meta, {
    ulid: ULID,
    minTime: -5,
    maxTime: 7,
    stats: {
      numSamples: 1111111,
      numFloatSamples: 1001,
      numHistogramSamples: 110110,
      numSeries: 1,
      numChunks: 9,
      numTombstones: 3,
    },
    compaction: COMPACTION,
    version: 1,
    extra,
  });
  deepEqual(readBlockMeta(join(directory.path, ULID)), meta);
});

test('block writer: a block without samples is not kept', () => {
  using directory = temporaryDirectory();
  const writer = new BlockWriter({ parent: directory.path, ulid: ULID, files: systemFiles });
  writer.symbols(['a', 'x']);
  writer.series(new Labels(['a', 'x']), []);
  const meta = writer.finish({ mint: 0, maxt: 1, compaction: COMPACTION });
  deepEqual(meta.stats, {});
  deepEqual(readdirSync(directory.path), []);
});

test('block writer: input out of order is refused', () => {
  const labels = new Labels(['a', 'x']);
  const at = (mint: number, maxt: number): BlockChunk => ({ ...chunk, mint, maxt });
  const f = (write: (writer: BlockWriter) => void, want: RegExp): void => {
    using directory = temporaryDirectory();
    const writer = new BlockWriter({ parent: directory.path, ulid: ULID, files: systemFiles });
    throws(
      () => write(writer),
      (thrown: CodedError) => {
        match(thrown.message, want);
        return thrown instanceof CodedError && thrown.code === 'internal';
      },
    );
    writer.abort();
    deepEqual(readdirSync(directory.path), []);
  };
  f((w) => w.symbols(['b', 'a']), /symbols of a block are not in order: "a" follows "b"/);
  f((w) => w.symbols(['a', 'a']), /symbols of a block are not in order/);
  f((w) => w.symbols(['\u{10000}', '\uffff']), /symbols of a block are not in order/);
  const series = (w: BlockWriter, ...chunks: BlockChunk[]): void => {
    w.symbols(['a', 'x']);
    w.series(labels, chunks);
    w.series(labels, [chunk]);
  };
  f((w) => series(w, chunk), /series of a block are not in order: \{a="x"\} follows \{a="x"\}/);
  f((w) => series(w, at(5, 4)), /chunks of \{a="x"\} are not in order/);
  f((w) => series(w, at(1, 5), at(5, 6)), /chunk 1 from 5 to 6 behind 5/);
  f((w) => series(w, at(1, 2 ** 53)), /chunks of \{a="x"\} are not in order/);
  f((w) => {
    w.symbols(['a']);
    w.series(labels, [chunk]);
  }, /"x" is not among the symbols of the block/);
});

test('block writer: the block gets its name when all of it is durable', () => {
  using directory = temporaryDirectory();
  const files = new WatchedFiles();
  writeSmall(new BlockWriter({ parent: directory.path, ulid: ULID, files }));
  const temporary = join(directory.path, `${ULID}.tmp-for-creation`);
  const { log } = files;
  const renamed = log.indexOf(`rename ${temporary}`);
  const last = (line: string): number => log.lastIndexOf(line);
  const made = [join(temporary, 'index'), join(temporary, 'chunks/000001')];
  for (const name of ['meta.json', 'tombstones']) {
    const path = join(temporary, name);
    const moved = last(`rename ${path}.tmp`);
    ok(last(`fsync ${path}.tmp`) > last(`write ${path}.tmp`) && moved > last(`fsync ${path}.tmp`));
    ok(last(`fsync ${temporary}`) > moved);
  }
  for (const path of made) {
    ok(last(`write ${path}`) >= 0);
    ok(last(`fsync ${path}`) > last(`write ${path}`), path);
    ok(last(`fsync ${dirname(path)}`) > last(`open ${path}`), path);
    ok(last(`fsync ${path}`) < renamed);
  }
  ok(last(`fsync ${temporary}`) < renamed && last(`fsync ${temporary}/chunks`) < renamed);
  equal(log.at(-1), `fsync ${directory.path}`);
  ok(log.length - 1 > renamed);
});

test('block writer: a disk that fails at any step leaves no block, and nothing at all after abort', () => {
  const whole = new WatchedFiles();
  {
    using directory = temporaryDirectory();
    writeSmall(new BlockWriter({ parent: directory.path, ulid: ULID, files: whole }));
  }
  for (let failAt = 1; failAt <= whole.log.length; failAt++) {
    using directory = temporaryDirectory();
    const files = new WatchedFiles(failAt);
    let writer: BlockWriter | undefined;
    throws(
      () => {
        writer = new BlockWriter({ parent: directory.path, ulid: ULID, files });
        writeSmall(writer);
      },
      (thrown: CodedError) => {
        const where = `step ${failAt}, ${files.log.at(-1)}`;
        equal(thrown.code, 'unavailable', where);
        match(thrown.message, /^(?:create|write|fsync|rename) .*: EIO: i\/o error$/, where);
        ok(thrown.message.includes(` ${directory.path}`), where);
        return true;
      },
    );
    const step = files.log.at(-1) ?? '';
    equal(existsSync(join(directory.path, ULID)), false, step);
    writer?.abort();
    writer?.abort();
    deepEqual(readdirSync(directory.path), [], step);
    equal(files.openCount, 0);
  }
});

test('block writer: what an earlier try left goes, a block of that name stays', () => {
  using directory = temporaryDirectory();
  const temporary = join(directory.path, `${ULID}.tmp-for-creation`);
  mkdirSync(join(temporary, 'chunks'), { recursive: true });
  writeFileSync(join(temporary, 'chunks', '000007'), 'old');
  const open = (): BlockWriter =>
    new BlockWriter({ parent: directory.path, ulid: ULID, files: systemFiles });
  writeSmall(open());
  deepEqual(readdirSync(join(directory.path, ULID, 'chunks')), ['000001']);
  const index = readFileSync(join(directory.path, ULID, 'index'));
  const again = open();
  throws(() => writeSmall(again), /^CodedError: rename .*: ENOTEMPTY/);
  again.abort();
  deepEqual(readdirSync(directory.path), [ULID]);
  deepEqual(readFileSync(join(directory.path, ULID, 'index')), index);
});
