/** Directories that look like blocks, for tests of what carries blocks and does not read their content. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { encodeBlockMeta } from '../../src/tsdb/block/meta.ts';
import type { BlockMeta } from '../../src/tsdb/block/meta.ts';

/** What the block's meta.json says and which files it has; the rest has defaults. */
export interface TinyBlock {
  readonly ulid: string;
  readonly minTime?: number;
  readonly maxTime?: number;
  readonly level?: number;
  readonly sources?: readonly string[];
  readonly samples?: number;
  /** Paths in the block's directory and their content, in place of two segments and an index. */
  readonly files?: Readonly<Record<string, string>>;
}

const FILES = {
  'chunks/000001': 'content of the first segment',
  'chunks/000002': 'and of the second',
  index: 'index of both',
};

/** A ULID whose time is so many hours after the epoch, for tests that want order. */
export function tinyUlid(hours: number): string {
  const digits = '0123456789ABCDEFGHJKMNPQRSTVWXYZ';
  let [text, rest] = ['', hours * 3600_000];
  for (let i = 0; i < 10; i++, rest = Math.floor(rest / 32)) text = `${digits[rest % 32]}${text}`;
  return `${text}${'0'.repeat(16)}`;
}

/** The meta that {@link writeTinyBlock} writes. */
export function tinyMeta(block: TinyBlock): BlockMeta {
  const { ulid, minTime = 0, maxTime = 7_200_000, level = 1, samples = 10 } = block;
  return {
    ulid,
    minTime,
    maxTime,
    stats: { numSamples: samples, numSeries: 1, numChunks: 1 },
    compaction: { level, sources: block.sources ?? [ulid] },
    version: 1,
    extra: {},
  };
}

/** Writes a block into a TSDB's directory and returns the block's own directory. */
export function writeTinyBlock(tsdb: string, block: TinyBlock): string {
  const directory = join(tsdb, block.ulid);
  mkdirSync(join(directory, 'chunks'), { recursive: true });
  for (const [name, content] of Object.entries(block.files ?? FILES)) {
    writeFileSync(join(directory, name), content);
  }
  writeFileSync(join(directory, 'meta.json'), encodeBlockMeta(tinyMeta(block)));
  return directory;
}
