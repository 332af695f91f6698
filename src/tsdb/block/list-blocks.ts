/**
 * The blocks in a data directory: those that can be read, those that cannot and why, and what an interrupted creation
 * or deletion left. Nothing is changed. Prometheus tsdb/db.go (blockDirs, isTmpDir) names the directories.
 */
import { readdirSync, statSync } from 'node:fs';
import { extname, join } from 'node:path';
import { errorText } from '../../lib/errors.ts';
import { onDisk } from '../../lib/on-disk.ts';
import { isUlid } from '../../model/ulid.ts';
import { CREATION_SUFFIX } from './block-writer.ts';
import { checkBlockFiles } from './check-block-files.ts';
import { readBlockMeta } from './meta.ts';
import type { BlockMeta } from './meta.ts';

/** What a directory is called that is about to be removed. */
export const DELETION_SUFFIX = '.tmp-for-deletion';
/** Both before Prometheus 2.21. */
const LEGACY_SUFFIX = '.tmp';
/** Snapshots of the head's chunks, which Prometheus makes in the same way. */
const SNAPSHOT_PREFIX = 'chunk_snapshot.';

/** A block that can be read, as far as its ends tell. */
export interface ListedBlock {
  readonly ulid: string;
  readonly directory: string;
  readonly meta: BlockMeta;
  /** How many chunk segments there are. */
  readonly segments: number;
  /** What its files add up to. */
  readonly bytes: number;
}

/** A block that cannot be read. */
export interface BrokenBlock {
  readonly ulid: string;
  readonly directory: string;
  /** A sentence without a full stop. */
  readonly reason: string;
  /** When that much can be read. */
  readonly meta?: BlockMeta;
}

/** What was left of a creation or deletion that did not come to its end: to be removed by whoever owns the directory. */
export interface Leftover {
  readonly directory: string;
  readonly kind: 'creation' | 'deletion' | 'legacy';
}

/** The blocks in a directory, by ULID. */
export interface BlockListing {
  readonly blocks: readonly ListedBlock[];
  readonly broken: readonly BrokenBlock[];
  readonly leftovers: readonly Leftover[];
}

/**
 * Blocks beside one that was made of them and holds what they do: of a compaction or cleaning that ended before it could
 * delete them.
 */
export function supersededBlocks({ blocks }: Pick<BlockListing, 'blocks'>): ListedBlock[] {
  const parents = new Set(
    blocks.flatMap(({ meta }) => (meta.compaction.parents ?? []).map(({ ulid }) => ulid)),
  );
  return blocks.filter(({ meta }) => parents.has(meta.ulid));
}

/** Lists the blocks of a data directory. @throws CodedError unavailable when it cannot be read. */
export function listBlocks(dataDirectory: string): BlockListing {
  const entries = onDisk(`read ${dataDirectory}`, () =>
    readdirSync(dataDirectory, { withFileTypes: true }),
  );
  const names = entries.filter((entry) => entry.isDirectory()).map(({ name }) => name);
  const blocks: ListedBlock[] = [];
  const broken: BrokenBlock[] = [];
  const leftovers: Leftover[] = [];
  for (const name of names.sort((a, b) => (a < b ? -1 : 1))) {
    const directory = join(dataDirectory, name);
    const kind = leftoverKind(name);
    if (kind !== undefined) leftovers.push({ directory, kind });
    if (!isUlid(name)) continue;
    const found = inspectBlock(directory, name);
    if ('reason' in found) broken.push(found);
    else blocks.push(found);
  }
  return { blocks, broken, leftovers };
}

/** Looks at one block's directory: what it holds, or why it cannot be read. */
export function inspectBlock(directory: string, ulid: string): ListedBlock | BrokenBlock {
  let meta: BlockMeta | undefined;
  try {
    meta = readBlockMeta(directory);
    if (meta.ulid !== ulid) {
      const reason = `its meta.json is that of block ${meta.ulid}`;
      return { ulid, directory, meta, reason };
    }
    const segments = checkBlockFiles(directory);
    return { ulid, directory, meta, segments, bytes: directoryBytes(directory) };
  } catch (thrown) {
    return { ulid, directory, reason: errorText(thrown), ...(meta !== undefined && { meta }) };
  }
}

/** What the files in a directory and below add up to. @throws CodedError unavailable. */
export function directoryBytes(directory: string): number {
  return onDisk(`read ${directory}`, () => {
    let bytes = 0;
    for (const entry of readdirSync(directory, { recursive: true, withFileTypes: true })) {
      if (entry.isFile()) bytes += statSync(join(entry.parentPath, entry.name)).size;
    }
    return bytes;
  });
}

function leftoverKind(name: string): Leftover['kind'] | undefined {
  const suffix = extname(name);
  const stem = name.slice(0, name.length - suffix.length);
  if (!isUlid(stem) && !name.startsWith(SNAPSHOT_PREFIX)) return undefined;
  if (suffix === CREATION_SUFFIX) return 'creation';
  if (suffix === DELETION_SUFFIX) return 'deletion';
  return suffix === LEGACY_SUFFIX ? 'legacy' : undefined;
}
