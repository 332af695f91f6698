/**
 * Snapshots of the head in memory (docs/format/chunk-snapshot.md): what they are called, and what a series' record holds.
 * Prometheus tsdb/head_wal.go is the format's home.
 */
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import {
  ENCODING_FLOAT_HISTOGRAM,
  ENCODING_FLOAT_HISTOGRAM_ST,
  ENCODING_HISTOGRAM,
  ENCODING_HISTOGRAM_ST,
  ENCODING_XOR,
  ENCODING_XOR2,
} from '../../chunkenc/encodings.ts';
import type { FileLayer } from '../../lib/file-layer.ts';
import type { HistogramColumns } from '../../model/histogram.ts';

/** The first byte of a record. */
export const SNAPSHOT_RECORD = { series: 1, tombstones: 2, exemplars: 3 } as const;

/** The version of the deletions in a snapshot: that of a block's tombstones file. */
export const SNAPSHOT_TOMBSTONES_VERSION = 1;

/** What is behind the bytes of a chunk, by its encoding: the bits of its last value, or its last histogram. */
export const LAST_OF_ENCODING: ReadonlyMap<number, 'float' | 'histogram' | 'floatHistogram'> =
  new Map([
    [ENCODING_XOR, 'float'],
    [ENCODING_XOR2, 'float'],
    [ENCODING_HISTOGRAM, 'histogram'],
    [ENCODING_HISTOGRAM_ST, 'histogram'],
    [ENCODING_FLOAT_HISTOGRAM, 'floatHistogram'],
    [ENCODING_FLOAT_HISTOGRAM_ST, 'floatHistogram'],
  ]);

/** The open chunk of a series. */
export interface SnapshotChunk {
  /** Times of its first and last sample in ms. */
  readonly mint: number;
  readonly maxt: number;
  /** One of chunkenc/encodings.ts. */
  readonly encoding: number;
  /** The chunk as a block has it, without its encoding. */
  readonly bytes: Uint8Array;
  /** The bits of the last value, the low half first; undefined for histograms. */
  readonly lastValue?: Uint32Array;
  /** The last histogram, as a row of columns, whose time is not used; undefined for floats. */
  readonly lastHistogram?: { readonly columns: HistogramColumns; readonly row: number };
}

/** A series. */
export interface SnapshotSeries {
  readonly ref: number;
  /** Name, value, … as UTF-8, sorted by name. */
  readonly labels: readonly Uint8Array[];
  /** Undefined for a series without an open chunk. */
  readonly chunk?: SnapshotChunk;
}

/** A snapshot and the point of the log that it stands for: records from there on are not in it. */
export interface SnapshotName {
  /** The directory's name. */
  readonly name: string;
  readonly segment: number;
  /** Offset in the segment. */
  readonly offset: number;
}

/** The name of the snapshot of a point of the log. */
export function snapshotName(segment: number, offset: number): string {
  return `chunk_snapshot.${String(segment).padStart(6, '0')}.${String(offset).padStart(10, '0')}`;
}

/** The snapshots in the directory of a TSDB, the newest last: the newest is the one to read. */
export function listSnapshots(directory: string): SnapshotName[] {
  if (!existsSync(directory)) return [];
  const found: SnapshotName[] = [];
  for (const name of readdirSync(directory)) {
    const match = /^chunk_snapshot\.(\d+)\.(\d+)$/.exec(name);
    if (match === null) continue;
    found.push({ name, segment: Number(match[1]), offset: Number(match[2]) });
  }
  return found.sort((a, b) => a.segment - b.segment || a.offset - b.offset);
}

/** Deletes the snapshots of a directory and what crashes left of them, all but one if it is given. */
export function removeSnapshots(directory: string, files: FileLayer, keep?: string): void {
  if (!existsSync(directory)) return;
  for (const name of readdirSync(directory)) {
    if (!/^chunk_snapshot\.\d+\.\d+(\.tmp)?$/.test(name) || name === keep) continue;
    files.remove(join(directory, name));
  }
}
