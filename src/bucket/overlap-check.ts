/**
 * Whether a compacted block may be uploaded: not when the bucket has a block of the same producer for the same time,
 * whose samples would then be there twice. Behaviour: thanos pkg/shipper/shipper.go (lazyOverlapChecker).
 *
 * compat: Go refuses when any two blocks overlap, downsampled ones included; here only overlaps of the block itself with
 * raw ones count.
 */
import { CodedError } from '../lib/errors.ts';
import type { Labels } from '../model/labels.ts';
import type { Bucket } from '../objstore/bucket.ts';
import type { BlockMeta } from '../tsdb/block/meta.ts';
import { metaPath } from './block-path.ts';
import { fetchMetas } from './list-metas.ts';
import { externalLabels, readThanos } from './meta.ts';

/** Asks the bucket for its blocks at the first question, and remembers them for one pass of a shipper. */
export class OverlapCheck {
  readonly #bucket: Bucket;
  readonly #labels: Labels;
  #metas: BlockMeta[] | undefined;

  /** The labels are the external ones of the blocks to be uploaded. */
  constructor(bucket: Bucket, labels: Labels) {
    this.#bucket = bucket;
    this.#labels = labels;
  }

  /** @throws CodedError conflict that names the other block; what {@link fetchMetas} throws. */
  async refuseOverlap(block: BlockMeta, signal: AbortSignal | undefined): Promise<void> {
    this.#metas ??= await this.#fetch(signal);
    const other = this.#metas.find(
      ({ ulid, minTime, maxTime }) =>
        ulid !== block.ulid && minTime < block.maxTime && block.minTime < maxTime,
    );
    if (other === undefined) return;
    const { ulid, minTime, maxTime } = other;
    throw new CodedError(
      'conflict',
      `shipping compacted block ${block.ulid} is blocked; overlap spotted: block ${ulid} from ${minTime} to ${maxTime}`,
    );
  }

  /** Counts a block that was uploaded meanwhile. */
  add(block: BlockMeta): void {
    this.#metas?.push(block);
  }

  async #fetch(signal: AbortSignal | undefined): Promise<BlockMeta[]> {
    const { metas } = await fetchMetas(this.#bucket, { signal });
    return [...metas.values()].filter((meta) => {
      const path = metaPath(meta.ulid);
      const { resolution } = readThanos(meta, path).downsample;
      return resolution === 0 && externalLabels(meta, path).key === this.#labels.key;
    });
  }
}
