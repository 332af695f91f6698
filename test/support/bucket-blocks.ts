/** Blocks for tests and benches of the store gateway, as a bucket has them: in a directory, with Thanos' part of meta.json. */
import { readFileSync, readdirSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { ENCODING_XOR } from '../../src/chunkenc/encodings.ts';
import { XorAppender } from '../../src/chunkenc/xor-twin.ts';
import { systemFiles } from '../../src/lib/file-layer.ts';
import { compareUtf8 } from '../../src/lib/utf8.ts';
import { Labels, compareLabels } from '../../src/model/labels.ts';
import { newUlid } from '../../src/model/ulid.ts';
import type { BlockChunk } from '../../src/tsdb/block/block-writer.ts';
import { BlockWriter } from '../../src/tsdb/block/block-writer.ts';

/** How long a block is. */
export const RANGE_MS = 7_200_000;
/** Where the first one begins. */
export const START_MS = 1_600_000_000_000 - (1_600_000_000_000 % RANGE_MS);
const SERIES = 100;

/** Gives every block in a directory the part that an upload adds. */
export function addThanosMetas(directory: string, labels: Readonly<Record<string, string>>): void {
  for (const ulid of readdirSync(directory)) {
    const block = join(directory, ulid);
    if (ulid.length !== 26 || !statSync(block).isDirectory()) continue;
    const files = ['chunks/000001', 'index'].map((name) => ({
      rel_path: name,
      size_bytes: statSync(join(block, name)).size,
    }));
    const path = join(block, 'meta.json');
    const meta = JSON.parse(readFileSync(path, 'utf8')) as Record<string, unknown>;
    const thanos = {
      version: 1,
      labels,
      downsample: { resolution: 0 },
      source: 'sidecar',
      files: [...files, { rel_path: 'meta.json' }],
    };
    writeFileSync(path, JSON.stringify({ ...meta, thanos }, undefined, '\t'));
  }
}

/** Writes so many small blocks, one behind the other in time. */
export function writeSmallBlocks(directory: string, count: number): void {
  systemFiles.makeDirectory(directory);
  const series = Array.from({ length: SERIES }, (_, i) =>
    Labels.fromObject({ __name__: 'up', instance: `host-${i}:9100`, job: 'node' }),
  ).sort(compareLabels);
  for (let n = 0; n < count; n++) {
    const mint = START_MS + n * RANGE_MS;
    const chunk = constantChunk(mint);
    const ulid = newUlid(mint + RANGE_MS);
    const writer = new BlockWriter({ parent: directory, ulid, files: NOT_DURABLE });
    writer.symbols([...new Set(series.flatMap(({ pairs }) => pairs))].sort());
    for (const labels of series) writer.series(labels, [chunk]);
    writer.finish({ mint, maxt: mint + RANGE_MS, compaction: { level: 1, sources: [ulid] } });
  }
}

/** perf: what is thrown away in the end need not survive the machine. */
const NOT_DURABLE = {
  ...systemFiles,
  fsync: (): void => undefined,
  fsyncDirectory: (): void => undefined,
};

function constantChunk(mint: number): BlockChunk {
  const appender = new XorAppender();
  const value = new Float64Array([1]);
  const halves = new Uint32Array(value.buffer);
  for (let i = 0; i < 120; i++) {
    appender.append(mint + i * 60_000, halves[1] as number, halves[0] as number);
  }
  const maxt = mint + 119 * 60_000;
  return { mint, maxt, encoding: ENCODING_XOR, count: 120, data: appender.bytes() };
}

/** A block of many series with few samples. */
export interface WideBlock {
  readonly series: number;
  /** Names and values of the i-th series, sorted by name; series ascend by their labels. */
  readonly labels: (i: number) => Readonly<Record<string, string>>;
}

/** Writes a block of many series, one chunk each, as a bucket has it, and answers its ULID. */
export function writeWideBlock(directory: string, { series, labels }: WideBlock): string {
  systemFiles.makeDirectory(directory);
  const texts = new Set<string>();
  for (let i = 0; i < series; i++) {
    for (const [name, value] of Object.entries(labels(i))) texts.add(name).add(value);
  }
  const symbols = [...texts].sort(compareUtf8);
  const numbers = new Map(symbols.map((text, i) => [text, i]));
  const chunk = constantChunk(START_MS);
  const ulid = newUlid(START_MS + RANGE_MS);
  const writer = new BlockWriter({ parent: directory, ulid, files: NOT_DURABLE });
  writer.symbols(symbols);
  for (let i = 0; i < series; i++) {
    const pairs = Object.entries(labels(i)).flat();
    writer.numberedSeries(
      Uint32Array.from(pairs, (text) => numbers.get(text) ?? 0),
      [chunk],
    );
  }
  const mint = START_MS;
  writer.finish({ mint, maxt: mint + RANGE_MS, compaction: { level: 1, sources: [ulid] } });
  return ulid;
}
