/** Blocks for tests, from samples or from chunks as they are. */
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { XorAppender } from '../../src/chunkenc/xor-twin.ts';
import { systemFiles } from '../../src/lib/file-layer.ts';
import type { FileLayer } from '../../src/lib/file-layer.ts';
import { compareUtf8 } from '../../src/lib/utf8.ts';
import { Labels, compareLabels } from '../../src/model/labels.ts';
import { newUlid } from '../../src/model/ulid.ts';
import type { BlockHandle } from '../../src/tsdb/block/block-handle.ts';
import { BlockWriter } from '../../src/tsdb/block/block-writer.ts';
import type { BlockChunk } from '../../src/tsdb/block/block-writer.ts';

/** A sample: time in ms, value. */
export type TestSample = readonly [t: number, v: number];

/** A series: labels, and chunks, each by its samples or as it is. */
export interface TestSeries {
  readonly labels: Readonly<Record<string, string>>;
  readonly chunks: readonly (readonly TestSample[] | BlockChunk)[];
}

/** perf: a test writes many blocks, and none of them has to survive the machine. */
const unsyncedFiles: FileLayer = {
  ...systemFiles,
  fsync: () => undefined,
  fsyncDirectory: () => undefined,
};

const value = new DataView(new ArrayBuffer(8));

/** An XOR chunk of samples in time order. */
export function xorChunk(samples: readonly TestSample[]): BlockChunk {
  const appender = new XorAppender();
  for (const [t, v] of samples) {
    value.setFloat64(0, v);
    appender.append(t, value.getUint32(0), value.getUint32(4));
  }
  const [mint, maxt] = [samples[0]?.[0] ?? 0, samples.at(-1)?.[0] ?? 0];
  return { mint, maxt, encoding: 1, count: samples.length, data: appender.bytes() };
}

let nextFile = 1;

/** Writes a block below a directory; answers what opens it. */
export function buildBlock(
  parent: string,
  series: readonly TestSeries[],
  options: { readonly segmentBytesMax?: number } = {},
): BlockHandle {
  const sorted = series
    .map(({ labels, chunks }) => ({ labels: Labels.fromObject(labels), chunks }))
    .sort((a, b) => compareLabels(a.labels, b.labels));
  const ulid = newUlid(1_700_000_000_000);
  const writer = new BlockWriter({ parent, ulid, files: unsyncedFiles, ...options });
  writer.symbols([...new Set(sorted.flatMap(({ labels }) => labels.pairs))].sort(compareUtf8));
  let [mint, maxt] = [Infinity, -Infinity];
  for (const { labels, chunks } of sorted) {
    const written = chunks.map((chunk) => ('data' in chunk ? chunk : xorChunk(chunk)));
    for (const chunk of written) {
      mint = Math.min(mint, chunk.mint);
      maxt = Math.max(maxt, chunk.maxt + 1);
    }
    writer.series(labels, written);
  }
  writer.finish({ mint, maxt, compaction: { level: 1, sources: [ulid] } });
  return openHandle(parent, ulid, { mint, maxt });
}

/** The handle of a block that is there, with page cache numbers that no other block of the process has. */
export function openHandle(
  parent: string,
  ulid: string,
  { mint, maxt }: { readonly mint: number; readonly maxt: number },
): BlockHandle {
  const directory = join(parent, ulid);
  const segments = readdirSync(join(directory, 'chunks')).length;
  const firstFile = nextFile;
  nextFile += segments + 1;
  return { ulid, directory, mint, maxt, firstFile, segments, revision: 0 };
}
