/** Deleting samples of a block, and writing it anew without them. */
import { deepEqual, equal, ok, throws } from 'node:assert/strict';
import { existsSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { buildBlock } from '../../../test/support/block-builder.ts';
import type { TestSample, TestSeries } from '../../../test/support/block-builder.ts';
import { readBlock } from '../../../test/support/block-frames.ts';
import { blockSamples } from '../../../test/support/block-samples.ts';
import { temporaryDirectory } from '../../../test/support/temporary-directory.ts';
import { WatchedFiles } from '../../../test/support/watched-files.ts';
import { encodePlain } from '../../../test/support/plain-histogram.ts';
import { systemFiles } from '../../lib/file-layer.ts';
import { Matcher } from '../../model/matcher.ts';
import { newUlid } from '../../model/ulid.ts';
import type { BlockHandle } from '../block/block-handle.ts';
import { encodeBlockMeta, readBlockMeta } from '../block/meta.ts';
import { readTombstones } from '../block/tombstones.ts';
import { FROM_OUT_OF_ORDER } from './cut-block.ts';
import { deleteFromBlock } from './delete-from-block.ts';
import { rewriteTombstones } from './rewrite-tombstones.ts';
import type { Rewritten } from './rewrite-tombstones.ts';

function every10(from: number, to: number): TestSample[] {
  return Array.from({ length: (to - from) / 10 }, (_, i) => [from + i * 10, i]);
}

/** Series a, b and c with samples each 10 ms in chunks 0..90 and 200..290; d has a chunk from 300 on. */
function build(directory: string): BlockHandle {
  const series = (name: string, ...chunks: TestSample[][]): TestSeries => ({
    labels: { __name__: 'm', name },
    chunks,
  });
  const two = [every10(0, 100), every10(200, 300)];
  return buildBlock(directory, [
    series('a', ...two),
    series('b', ...two),
    series('c', ...two),
    series('d', every10(300, 400)),
  ]);
}

function remove(
  block: BlockHandle,
  value: string,
  [mint, maxt]: readonly [number, number],
  files = systemFiles,
): void {
  const matchers = [new Matcher('=~', 'name', value)];
  const meta = deleteFromBlock(files, block.directory, { matchers, mint, maxt });
  deepEqual(meta, readBlockMeta(block.directory));
}

/** The tombstones of a block by the series' label `name`. */
function stones(block: BlockHandle): Record<string, [number, number][]> {
  const tombstones = readTombstones(block.directory);
  const out: Record<string, [number, number][]> = {};
  for (const { number, labels } of readBlock(block.directory).series) {
    const found = tombstones.get(number)?.map(({ mint, maxt }): [number, number] => [mint, maxt]);
    if (found !== undefined) out[labels.get('name')] = found;
  }
  return out;
}

function tombstoneCount(block: BlockHandle): number | undefined {
  return readBlockMeta(block.directory).stats.numTombstones;
}

test('delete from block: ranges as far as the chunks of a series go, joined, and counted', () => {
  using directory = temporaryDirectory();
  const block = build(directory.path);
  const before = readBlockMeta(block.directory);
  remove(block, 'a|b', [50, 1000]);
  deepEqual(stones(block), { a: [[50, 290]], b: [[50, 290]] });
  equal(tombstoneCount(block), 2);
  // Between the chunks of a series there is nothing to delete; d has no chunk there.
  remove(block, '.*', [100, 199]);
  remove(block, 'd', [0, 299]);
  remove(block, 'x', [0, 1000]);
  equal(tombstoneCount(block), 2);
  // Touching and overlapping ranges become one, others stay apart.
  remove(block, 'a', [40, 49]);
  remove(block, 'b|c', [-1000, 20]);
  remove(block, 'd', [390, 390]);
  deepEqual(stones(block), {
    a: [[40, 290]],
    b: [
      [0, 20],
      [50, 290],
    ],
    c: [[0, 20]],
    d: [[390, 390]],
  });
  const stats = { ...before.stats, numTombstones: 5 };
  deepEqual(readBlockMeta(block.directory), { ...before, stats });
});

test('delete from block: durable, tombstones first; a disk that refuses leaves old or new files', () => {
  const whole = new WatchedFiles();
  {
    using directory = temporaryDirectory();
    remove(build(directory.path), 'a', [0, 10], whole);
  }
  const steps = whole.log.map((line) => line.replace(/ .*\//, ' '));
  const written = (name: string): string[] => [
    `open ${name}.tmp`,
    `write ${name}.tmp`,
    `fsync ${name}.tmp`,
    `rename ${name}.tmp`,
  ];
  const isDirectory = (line: string): boolean => /^fsync [0-9A-Z]{26}$/.test(line);
  deepEqual(
    steps.map((line) => (isDirectory(line) ? 'fsync directory' : line)),
    [...written('tombstones'), 'fsync directory', ...written('meta.json'), 'fsync directory'],
  );
  for (let failAt = 1; failAt <= whole.log.length; failAt++) {
    using directory = temporaryDirectory();
    const block = build(directory.path);
    const there = readdirSync(block.directory);
    throws(
      () => remove(block, 'a', [0, 10], new WatchedFiles(failAt)),
      /^CodedError: write .*(?:tombstones|meta\.json): EIO/,
    );
    deepEqual(readdirSync(block.directory), there, `step ${failAt}`);
    deepEqual(stones(block), failAt < 5 ? {} : { a: [[0, 10]] }, `step ${failAt}`);
    equal(tombstoneCount(block), failAt < 10 ? undefined : 1, `step ${failAt}`);
  }
});

function rewrite(block: BlockHandle, directory: string): Rewritten {
  const ulid = newUlid(1_800_000_000_000);
  return rewriteTombstones(block.directory, { directory, ulid, files: systemFiles });
}

test('rewrite tombstones: what is deleted is gone, the block and its tombstones stay', () => {
  using directory = temporaryDirectory();
  using target = temporaryDirectory();
  const block = build(directory.path);
  deepEqual(rewrite(block, target.path), { kind: 'no tombstones' });
  deepEqual(readdirSync(target.path), []);
  remove(block, 'a', [35, 245]);
  remove(block, 'b', [0, 99]);
  remove(block, 'c', [0, 1000]);
  // In a gap between samples: the chunk is written anew with all of them.
  remove(block, 'd', [311, 319]);
  const meta = readBlockMeta(block.directory);
  const hinted = {
    ...meta,
    compaction: { ...meta.compaction, level: 3, hints: [FROM_OUT_OF_ORDER] },
    extra: { thanos: { version: 1 } },
  };
  writeFileSync(join(block.directory, 'meta.json'), encodeBlockMeta(hinted));
  const before = snapshot(block.directory);
  const answer = rewrite(block, target.path);
  if (answer.kind !== 'rewritten') throw new Error(answer.kind);
  const { ulid, directory: path } = answer.block;
  deepEqual(snapshot(block.directory), before);
  deepEqual(
    [...blockSamples(path)],
    [...blockSamples(block.directory)].filter(([, s]) => s.size > 0),
  );
  const chunks = readBlock(path).series.map(({ labels, chunks: list }) => [
    labels.get('name'),
    list.map(({ mint, maxt }) => [mint, maxt]),
  ]);
  deepEqual(chunks, [
    [
      'a',
      [
        [0, 30],
        [250, 290],
      ],
    ],
    ['b', [[200, 290]]],
    ['d', [[300, 390]]],
  ]);
  deepEqual(readBlockMeta(path), {
    ...hinted,
    ulid,
    stats: { numSamples: 29, numFloatSamples: 29, numSeries: 3, numChunks: 4 },
    compaction: {
      level: 1,
      sources: [ulid],
      parents: [{ ulid: block.ulid, minTime: meta.minTime, maxTime: meta.maxTime }],
      hints: [FROM_OUT_OF_ORDER],
    },
  });
  equal(readTombstones(path).size, 0);
});

test('rewrite tombstones: nothing left', () => {
  using directory = temporaryDirectory();
  using target = temporaryDirectory();
  const block = build(directory.path);
  // All samples of d, one by one: its chunk is not deleted as a whole.
  for (let t = 300; t < 400; t += 10) remove(block, 'd', [t, t]);
  remove(block, 'a|b|c', [0, 1000]);
  equal(tombstoneCount(block), 13);
  deepEqual(rewrite(block, target.path), { kind: 'nothing left' });
  deepEqual(readdirSync(target.path), []);
  ok(existsSync(block.directory));
});

test('rewrite tombstones: of histograms, too', () => {
  using directory = temporaryDirectory();
  const samples = Array.from({ length: 6 }, (_, i) => {
    return { t: i * 10, positiveSpans: [[0, 1] as const], positive: [i + 1], sum: i };
  });
  const chunks = [2, 3].map((encoding) => {
    const [data = new Uint8Array(0)] = encodePlain(encoding, samples);
    return { mint: 0, maxt: 50, encoding, count: 6, data };
  });
  const block = buildBlock(directory.path, [
    { labels: { name: 'i' }, chunks: chunks.slice(0, 1) },
    { labels: { name: 'f' }, chunks: chunks.slice(1) },
  ]);
  remove(block, '.*', [5, 30]);
  const answer = rewrite(block, directory.path);
  if (answer.kind !== 'rewritten') throw new Error(answer.kind);
  deepEqual(blockSamples(answer.block.directory), blockSamples(block.directory));
  const rest = samples.filter(({ t }) => t < 5 || t > 30);
  deepEqual(
    readBlock(answer.block.directory).series.map(({ chunks: [chunk] }) => chunk?.data),
    [3, 2].map((encoding) => Buffer.from(encodePlain(encoding, rest)[0] ?? [])),
  );
  rmSync(answer.block.directory, { recursive: true });
});

/** Every file with its bytes. */
function snapshot(directory: string): [string, Buffer][] {
  return readdirSync(directory, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => [entry.name, readFileSync(join(entry.parentPath, entry.name))]);
}
