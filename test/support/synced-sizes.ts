/**
 * How much of the files of chunks_head/ was fsynced, kept beside that directory so that it outlives the process. Other
 * threads read those files by path, so that a layer cannot keep them in memory ({@link DroppingFiles}); they only grow,
 * so that cutting them back before the next start loses the same.
 */
import {
  mkdirSync,
  readFileSync,
  readdirSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { basename, dirname, join } from 'node:path';
import type { Random } from '../../src/lib/prng.ts';

const CHUNKS = 'chunks_head';
const SIZES = 'chunks_head.fsynced';

/** Whether a path is one of a file with head chunks. */
export function isHeadChunks(path: string): boolean {
  return basename(dirname(path)) === CHUNKS;
}

/** Takes in that all of a file with head chunks has reached the disk. */
export function noteSynced(path: string, size: number): void {
  const sizes = join(dirname(path), '..', SIZES);
  mkdirSync(sizes, { recursive: true });
  writeFileSync(join(sizes, basename(path)), String(size));
}

/**
 * Cuts the files of a TSDB's chunks_head/ back to what was fsynced of them, as the loss of the machine would; `writeBack` is
 * the probability that a file is spared. Those without anything fsynced go.
 */
export function dropUnsynced(tsdb: string, random: Random, writeBack: number): void {
  for (const path of filesIn(join(tsdb, CHUNKS))) {
    const { size } = statSync(path);
    const synced = syncedSize(join(tsdb, SIZES, basename(path)));
    if (synced >= size || random.float() < writeBack) noteSynced(path, size);
    else if (synced === 0) rmSync(path);
    else truncateSync(path, synced);
  }
}

function filesIn(directory: string): string[] {
  try {
    return readdirSync(directory)
      .sort((a, b) => Number(a) - Number(b))
      .map((name) => join(directory, name));
  } catch {
    return [];
  }
}

function syncedSize(path: string): number {
  try {
    return Number(readFileSync(path, 'utf8'));
  } catch {
    return 0;
  }
}
