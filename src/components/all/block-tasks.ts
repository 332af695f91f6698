/**
 * Tasks of the maintenance worker: it cuts blocks beside ingest and queries, lists and deletes them, and shortens logs.
 * Its files are synchronous, and a cut takes seconds: nobody else waits for this thread.
 */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { IndexStats } from '../../bucket/meta.ts';
import { systemFiles } from '../../lib/file-layer.ts';
import type { FileLayer } from '../../lib/file-layer.ts';
import type { Logger } from '../../lib/log.ts';
import type { Task, TaskContext } from '../../ops/worker-runtime.ts';
import { indexStats } from '../../tsdb/block/block-index-stats.ts';
import { DELETION_SUFFIX, directoryBytes, listBlocks } from '../../tsdb/block/list-blocks.ts';
import type { BlockListing, ListedBlock } from '../../tsdb/block/list-blocks.ts';
import { cutBlock } from '../../tsdb/compact/cut-block.ts';
import type { CutRange } from '../../tsdb/compact/cut-block.ts';
import type { HeadPart } from '../../tsdb/head/head-range.ts';
import type { HeadHandle } from '../../tsdb/head/chunk-source.ts';
import { INDEX_FILE } from '../../tsdb/index/index-format.ts';
import { makeCheckpoint } from '../../tsdb/wal/checkpoint.ts';
import type { CheckpointReport } from '../../tsdb/wal/checkpoint.ts';

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
}

/** Answers of the tasks by name. */
export interface BlockAnswers {
  readonly 'blocks.list': BlockListing;
  readonly 'blocks.cut': ListedBlock | undefined;
  readonly 'blocks.checkpoint': CheckpointReport | undefined;
  readonly 'blocks.remove': null;
  readonly 'blocks.headBytes': number;
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
    'blocks.checkpoint': (request: CheckpointRequest): CheckpointReport | undefined => {
      const directory = join(request.directory, 'wal');
      const { mint, segment } = request;
      return makeCheckpoint({ directory, mint, openSegment: segment, files, log });
    },
    'blocks.remove': (block: string): null => {
      // compat: under this name Prometheus, too, finishes a removal that was cut off.
      const leaving = `${block}${DELETION_SUFFIX}`;
      files.rename(block, leaving);
      files.remove(leaving);
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
