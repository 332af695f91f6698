/** Chunks of a local block on their way to the StoreAPI: as they are, transcoded, without what is deleted; never what is damaged. */
import { deepEqual, equal, ok, throws } from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { buildBlock, xorChunk } from '../../../test/support/block-builder.ts';
import type { TestSeries } from '../../../test/support/block-builder.ts';
import { readBlock } from '../../../test/support/block-frames.ts';
import { FLOAT_CASES } from '../../../test/support/float-cases.ts';
import { HISTOGRAM_CASES } from '../../../test/support/histogram-cases.ts';
import { PROMETHEUS_CHUNKS } from '../../../test/support/prometheus-chunks.ts';
import { readSeriesAnswer } from '../../../test/support/store-answers.ts';
import { field } from '../../../test/support/protobuf.ts';
import { temporaryDirectory } from '../../../test/support/temporary-directory.ts';
import { ChunkFramer } from '../../bucket/read/frame-chunks.ts';
import { histogramChunkCount } from '../../chunkenc/histogram-chunk-header.ts';
import { XorScratch } from '../../chunkenc/xor-scratch.ts';
import { systemFiles } from '../../lib/file-layer.ts';
import type { BlockHandle } from '../../tsdb/block/block-handle.ts';
import { writeTombstones } from '../../tsdb/block/tombstones.ts';
import { PageCache } from '../../tsdb/chunks/page-cache.ts';
import { StoreBlockChunks } from './store-block-chunks.ts';
import { ChunkFrames } from './store-chunk-frames.ts';

const T = 1_700_000_000_000;

/** Reads all chunks of series; those of the block as a plain reader finds them by default. */
function readAll(handle: BlockHandle, series = readBlock(handle.directory).series): ChunkFrames[] {
  const block = new StoreBlockChunks(handle, new PageCache(PageCache.allocate(1 << 18)));
  const scratch = new XorScratch();
  try {
    return series.map(({ number, chunks }) => {
      const frames = new ChunkFrames();
      const refs = Float64Array.from(chunks, ({ ref }) => ref);
      block.append(number, refs, { from: 0, to: refs.length }, scratch, frames);
      return frames;
    });
  } finally {
    block.close();
  }
}

/** Chunks of a case as Prometheus wrote them in an encoding, one behind the other in time. */
function chunksOf(encoding: number, name: string, samples: readonly number[]) {
  const all = PROMETHEUS_CHUNKS[`${encoding} ${name}`] ?? [];
  let from = 0;
  return all.map((hex) => {
    const data = Buffer.from(hex, 'hex');
    const count =
      encoding === 1 || encoding === 4
        ? data.readUInt16BE()
        : histogramChunkCount(data, 0, encoding);
    const [mint = 0, maxt = 0] = [samples[from], samples[from + count - 1]];
    from += count;
    return { mint, maxt, encoding, count, data };
  });
}

test('newer encodings become those that every reader knows, to the bytes that Prometheus writes', () => {
  using directory = temporaryDirectory();
  const f = (from: number, to: number, name: string, samples: readonly number[]): void => {
    const series: TestSeries = { labels: { __name__: 'm' }, chunks: chunksOf(from, name, samples) };
    const [frames] = readAll(buildBlock(directory.path, [series]));
    const want = PROMETHEUS_CHUNKS[`${to} ${name}`] ?? [];
    deepEqual(
      frames
        ?.copiesFrom(0)
        .map(({ encoding, data }) => [encoding, Buffer.from(data).toString('hex')]),
      want.map((hex) => [to, hex]),
      `${from} ${name}`,
    );
  };
  for (const [name, samples] of Object.entries(FLOAT_CASES)) {
    const times = samples.map(([t]) => t);
    f(1, 1, name, times);
    f(4, 1, name, times);
  }
  for (const [name, histograms] of Object.entries(HISTOGRAM_CASES)) {
    const times = histograms.map(({ t }) => t);
    for (const [from, to] of [
      [2, 2],
      [3, 3],
      [5, 2],
      [6, 3],
    ] as const)
      f(from, to, name, times);
  }
});

test('what is deleted is not there', () => {
  using directory = temporaryDirectory();
  const samples = Array.from({ length: 100 }, (_, i) => [T + i * 1000, i] as const);
  const chunks = [samples.slice(0, 50), samples.slice(50)];
  const handle = buildBlock(directory.path, [{ labels: { __name__: 'm' }, chunks }]);
  const [series] = readBlock(handle.directory).series;
  const intervals = [
    { mint: T + 10_000, maxt: T + 19_999 },
    { mint: T + 50_000, maxt: T + 99_000 },
  ];
  writeTombstones(systemFiles, handle.directory, new Map([[series?.number ?? -1, intervals]]));
  const [frames] = readAll(handle);
  const { bytes } = frames?.finish(new ChunkFramer()) ?? { bytes: Buffer.of() };
  const [answer] = readSeriesAnswer([field(1, Buffer.from(bytes))]).series;
  deepEqual(
    answer?.chunks.flatMap((chunk) => chunk.samples),
    samples.filter((_, i) => i < 10 || (i >= 20 && i < 50)).map(([t, v]) => [t, String(v)]),
  );
});

test('every byte of a segment counts', () => {
  using directory = temporaryDirectory();
  const samples = Array.from({ length: 30 }, (_, i) => [T + i * 1000, Math.sin(i)] as const);
  const handle = buildBlock(directory.path, [{ labels: { __name__: 'm' }, chunks: [samples] }]);
  const file = join(handle.directory, 'chunks/000001');
  const sound = readFileSync(file);
  const want = xorChunk(samples).data;
  const places = readBlock(handle.directory).series;
  const read = (): Buffer[] =>
    readAll(handle, places)
      .flatMap((frames) => frames.copiesFrom(0))
      .map(({ data }) => Buffer.from(data));
  ok(read()[0]?.equals(want));
  // Behind the file's header.
  for (let at = 8; at < sound.length; at++) {
    const damaged = Buffer.from(sound);
    damaged[at] = (damaged[at] as number) ^ 0x10;
    writeFileSync(file, damaged);
    throws(() => read(), { code: 'corrupt' }, `byte ${at}`);
  }
  writeFileSync(file, sound.subarray(0, sound.length - 3));
  throws(() => read(), { code: 'corrupt' });
  writeFileSync(file, sound);
  equal(read().length, 1);
});
