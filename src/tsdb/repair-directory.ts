/** Brings the files of a TSDB's directory to what replay took from them, so that any reader sees the same. */
import { join } from 'node:path';
import type { FileLayer } from '../lib/file-layer.ts';
import type { Logger } from '../lib/log.ts';
import { onDisk } from '../lib/on-disk.ts';
import { DELETION_SUFFIX, supersededBlocks } from './block/list-blocks.ts';
import type { BlockListing } from './block/list-blocks.ts';
import { headChunkFileName } from './chunks/head-chunk-format.ts';
import type { ReplayReport } from './head/replay.ts';
import { rewriteSegment } from './wal/rewrite-segment.ts';

/** What repairs work with. */
export interface RepairOptions {
  readonly directory: string;
  readonly files: FileLayer;
  readonly log: Logger;
}

/** Cuts torn ends off, and replaces what is damaged by what of it is sound. @throws CodedError unavailable. */
export function repairDirectory(
  replay: ReplayReport,
  { directory, files, log }: RepairOptions,
): void {
  for (const { file, soundEnd } of replay.tornEnds) {
    truncate(files, file, soundEnd);
    log.info('cut the torn end off the WAL', { file, size: soundEnd });
  }
  for (const { log: name, segment } of replay.damagedSegments) {
    const records = rewriteSegment(files, join(directory, name), segment);
    log.warn(
      'rewrote a damaged WAL segment with its sound records, the old one is kept beside it',
      {
        segment,
        records,
      },
    );
  }
  for (const { sequence, soundEnd } of replay.damagedChunkFiles) {
    const path = join(directory, 'chunks_head', headChunkFileName(sequence));
    if (soundEnd > 0) truncate(files, path, soundEnd);
    else onDisk(`rename ${path}`, () => files.rename(path, `${path}.damaged`));
    log.info('repaired chunks_head', { file: path, size: soundEnd });
  }
}

/**
 * Removes what a creation or a deletion that was cut off has left, as Prometheus does at its start. A superseded block must
 * not outlive the one that holds what it does: it would be taken for sound then, and with it what was deleted meanwhile.
 */
export function removeLeftovers(
  listing: BlockListing,
  { files, log }: Pick<RepairOptions, 'files' | 'log'>,
): void {
  for (const { directory, meta } of supersededBlocks(listing)) {
    const leaving = `${directory}${DELETION_SUFFIX}`;
    onDisk(`remove ${directory}`, () => {
      files.rename(directory, leaving);
      files.remove(leaving);
    });
    log.info('removed a block beside the one that was made of it', { ulid: meta.ulid });
  }
  const { leftovers } = listing;
  for (const { directory, kind } of leftovers) {
    onDisk(`remove ${directory}`, () => files.remove(directory));
    log.info('removed what was left of a block', { path: directory, of: kind });
  }
}

function truncate(files: FileLayer, path: string, size: number): void {
  onDisk(`cut ${path}`, () => {
    const fd = files.open(path, false);
    try {
      files.truncate(fd, size);
      files.fsync(fd);
    } finally {
      files.close(fd);
    }
  });
}
