/**
 * Tasks of the maintenance worker: it cuts blocks beside ingest and queries, lists and deletes them, and shortens logs.
 * Its files are synchronous, and a cut takes seconds: nobody else waits for this thread.
 */
import { existsSync } from 'node:fs';
import { basename, join } from 'node:path';
import type { IndexStats } from '../../bucket/meta.ts';
import { fromSpecs } from '../../http/matcher-specs.ts';
import type { MatcherSpec } from '../../http/tsdb-service.ts';
import { CodedError } from '../../lib/errors.ts';
import { systemFiles } from '../../lib/file-layer.ts';
import type { FileLayer } from '../../lib/file-layer.ts';
import type { Logger } from '../../lib/log.ts';
import type { Task, TaskContext } from '../../ops/worker-runtime.ts';
import { indexStats } from '../../tsdb/block/block-index-stats.ts';
import {
  DELETION_SUFFIX,
  directoryBytes,
  inspectBlock,
  listBlocks,
} from '../../tsdb/block/list-blocks.ts';
import type { BlockListing, ListedBlock } from '../../tsdb/block/list-blocks.ts';
import { snapshotBlock } from '../../tsdb/block/snapshot-block.ts';
import { deleteFromBlock } from '../../tsdb/compact/delete-from-block.ts';
import { rewriteTombstones } from '../../tsdb/compact/rewrite-tombstones.ts';
import type { Rewritten } from '../../tsdb/compact/rewrite-tombstones.ts';
import type { TimeRange } from '../../storage/storage.ts';
import { compactBlocks } from '../../tsdb/compact/compact-blocks.ts';
import { cutBlock } from '../../tsdb/compact/cut-block.ts';
import type { CutRange } from '../../tsdb/compact/cut-block.ts';
import type { HeadPart } from '../../tsdb/head/head-range.ts';
import type { HeadHandle } from '../../tsdb/head/chunk-source.ts';
import { INDEX_FILE } from '../../tsdb/index/index-format.ts';
import { makeCheckpoint } from '../../tsdb/wal/checkpoint.ts';
import type { CheckpointReport, DeadRefs } from '../../tsdb/wal/checkpoint.ts';

/** What `blocks.cut` takes. */
export interface CutRequest {
  readonly directory: string;
  readonly head: HeadHandle;
  readonly range: CutRange;
  readonly ulid: string;
  /** Samples that came in order by default. */
  readonly part?: HeadPart;
}

/** What `blocks.checkpoint` takes. */
export interface CheckpointRequest {
  readonly directory: string;
  readonly mint: number;
  readonly segment: number;
  /** What the checkpoint may leave out. */
  readonly dead: DeadRefs;
}

/** What `blocks.compact` takes: directories of blocks, and the data directory and name for the block in their place. */
export interface CompactRequest {
  readonly sources: readonly string[];
  readonly directory: string;
  readonly ulid: string;
}

/** What `blocks.delete` takes: directories of blocks, and what is to be deleted of each. */
export interface DeleteRequest {
  readonly directories: readonly string[];
  readonly matcherSets: readonly (readonly MatcherSpec[])[];
  /** ms, inclusive. */
  readonly range: TimeRange;
}

/** What `blocks.clean` takes: a block's directory, and the data directory and name for the block in its place. */
export interface CleanRequest {
  readonly block: string;
  readonly directory: string;
  readonly ulid: string;
}

/** What `blocks.snapshot` takes. */
export interface SnapshotRequest {
  /** Directories of blocks. */
  readonly blocks: readonly string[];
  /** The directory of the snapshot, which is made. */
  readonly target: string;
  /** The head becomes a block of the snapshot. */
  readonly head?: { readonly handle: HeadHandle; readonly range: CutRange; readonly ulid: string };
}

/** Answers of the tasks by name. */
export interface BlockAnswers {
  readonly 'blocks.list': BlockListing;
  readonly 'blocks.cut': ListedBlock | undefined;
  readonly 'blocks.compact': ListedBlock | undefined;
  readonly 'blocks.checkpoint': CheckpointReport | undefined;
  readonly 'blocks.remove': null;
  readonly 'blocks.headBytes': number;
  readonly 'blocks.delete': readonly ListedBlock[];
  readonly 'blocks.clean': Rewritten;
  readonly 'blocks.snapshot': null;
  readonly 'blocks.indexStats': IndexStats;
}

/** The tasks; `files` is the layer under everything that must be durable. */
export function blockTasks(log: Logger, files: FileLayer = systemFiles): Record<string, Task> {
  return {
    'blocks.list': (directory: string): BlockListing => listBlocks(directory),
    'blocks.cut': (request: CutRequest, { signal }: TaskContext): ListedBlock | undefined => {
      const { directory, head, range, ulid, part = 'inOrder' } = request;
      return cutBlock(head, range, { directory, ulid, files, signal, part });
    },
    'blocks.compact': (
      { sources, directory, ulid }: CompactRequest,
      { signal }: TaskContext,
    ): ListedBlock | undefined => compactBlocks(sources, { directory, ulid, files, signal }),
    'blocks.checkpoint': (request: CheckpointRequest): CheckpointReport | undefined => {
      const directory = join(request.directory, 'wal');
      const { mint, segment, dead } = request;
      return makeCheckpoint({ directory, mint, openSegment: segment, dead, files, log });
    },
    'blocks.remove': (block: string): null => {
      // compat: under this name Prometheus, too, finishes a removal that was cut off.
      const leaving = `${block}${DELETION_SUFFIX}`;
      files.rename(block, leaving);
      files.remove(leaving);
      return null;
    },
    'blocks.delete': ({ directories, matcherSets, range }: DeleteRequest): ListedBlock[] =>
      directories.map((directory) => {
        for (const specs of matcherSets)
          deleteFromBlock(files, directory, { matchers: fromSpecs(specs), ...range });
        return lookAt(directory);
      }),
    'blocks.clean': ({ block, ...options }: CleanRequest, { signal }: TaskContext): Rewritten =>
      rewriteTombstones(block, { ...options, files, signal }),
    'blocks.snapshot': (
      { blocks, target, head }: SnapshotRequest,
      { signal }: TaskContext,
    ): null => {
      files.makeDirectory(target);
      for (const block of blocks) snapshotBlock(block, target);
      if (head !== undefined) {
        const { handle, range, ulid } = head;
        cutBlock(handle, range, { directory: target, ulid, files, signal });
      }
      return null;
    },
    'blocks.headBytes': (directory: string): number =>
      ['wal', 'wbl', 'chunks_head']
        .map((name) => join(directory, name))
        .reduce((bytes, path) => bytes + (existsSync(path) ? directoryBytes(path) : 0), 0),
    'blocks.indexStats': (directory: string): IndexStats => {
      // What readers plan with does not depend on the block's range.
      const everything = { mint: -Infinity, maxt: Infinity };
      const { seriesMaxSize, chunkMaxSize } = indexStats(join(directory, INDEX_FILE), everything);
      return { series_max_size: seriesMaxSize, chunk_max_size: chunkMaxSize };
    },
  };
}

function lookAt(directory: string): ListedBlock {
  const block = inspectBlock(directory, basename(directory));
  if ('reason' in block) throw new CodedError('corrupt', `block ${directory}: ${block.reason}`);
  return block;
}
