/** A block that a store gateway serves. */
import { BLOCK_ID_LABEL } from '../../bucket/filter-relabel.ts';
import type { HeaderHandle } from '../../bucket/index-header/header-handle.ts';
import type { IndexHeader } from '../../bucket/index-header/index-header.ts';
import type { StoredBlock } from '../../bucket/read/stored-block.ts';
import { externalLabels, readThanos } from '../../bucket/meta.ts';
import { metaPath } from '../../bucket/block-path.ts';
import type { Labels } from '../../model/labels.ts';
import type { Matcher } from '../../model/matcher.ts';
import type { Bucket } from '../../objstore/bucket.ts';
import type { BlockMeta } from '../../tsdb/block/meta.ts';

/** Sizes that reading plans with. */
export interface SizeEstimates {
  readonly seriesBytes: number;
  readonly chunkBytes: number;
}

/** What a block is made of. */
export interface LoadedBlockOptions {
  readonly meta: BlockMeta;
  readonly bucket: Bucket;
  readonly header: HeaderHandle;
  /** Names of its segment files, in their order. */
  readonly segments: readonly string[];
  readonly estimates: SizeEstimates;
}

/** A block with its index-header. */
export class LoadedBlock implements StoredBlock {
  readonly meta: BlockMeta;
  readonly ulid: string;
  readonly externalLabels: Labels;
  readonly resolution: number;
  readonly bucket: Bucket;
  readonly segments: readonly string[];
  readonly seriesBytesMax: number;
  readonly chunkBytesMax: number;
  readonly header: HeaderHandle;

  constructor({ meta, bucket, header, segments, estimates }: LoadedBlockOptions) {
    const path = metaPath(meta.ulid);
    const { downsample, index_stats: stats } = readThanos(meta, path);
    this.meta = meta;
    this.ulid = meta.ulid;
    this.externalLabels = externalLabels(meta, path);
    this.resolution = downsample.resolution;
    this.bucket = bucket;
    this.header = header;
    this.segments = segments;
    this.seriesBytesMax = smaller(stats?.series_max_size, estimates.seriesBytes);
    this.chunkBytesMax = smaller(stats?.chunk_max_size, estimates.chunkBytes);
  }

  withHeader<T>(work: (header: IndexHeader) => Promise<T>): Promise<T> {
    return this.header.withHeader(work);
  }

  /** Keeps it from being closed, when it leaves the bucket, until the answer is called. */
  hold(): () => void {
    return this.header.hold();
  }

  /** Whether it touches mint..maxt, both inclusive; a block ends before its maxTime. */
  overlaps(mint: number, maxt: number): boolean {
    return this.meta.minTime <= maxt && mint < this.meta.maxTime;
  }

  /** Whether its external labels, and its ULID as `__block_id`, satisfy matchers of a request's hints. */
  satisfies(matchers: readonly Matcher[]): boolean {
    return matchers.every((matcher) =>
      matcher.matches(
        matcher.name === BLOCK_ID_LABEL ? this.ulid : this.externalLabels.get(matcher.name),
      ),
    );
  }
}

/** What a block says of itself, where it says less than the flag. */
function smaller(own: number | undefined, estimate: number): number {
  return own !== undefined && own > 0 && own < estimate ? own : estimate;
}
