/** The part of a selection that one of several shards has. Behaviour: prometheus tsdb/index/index.go, ShardedPostings. */
import type { Labels } from '../../model/labels.ts';
import type { Postings } from './postings.ts';
import { StableHasher } from './stable-hash.ts';

/** One shard of several. */
export interface Shard {
  /** From 0 on. */
  readonly index: number;
  /** How many shards there are, at least one. */
  readonly count: number;
}

/**
 * The series whose labels' stable hash belongs to a shard, in the order of `postings`, which stays as it is.
 *
 * perf: 5 µs a series (src/lib/xxhash64.ts): for selections of thousands, not for each query over millions.
 */
export function shardedPostings(
  postings: Postings,
  labelsOf: (series: number) => Labels,
  { index, count }: Shard,
): Postings {
  if (!(Number.isInteger(index) && Number.isInteger(count) && index >= 0 && index < count)) {
    throw new RangeError(`BUG: shard ${index} of ${count}`);
  }
  const hasher = new StableHasher();
  const wanted = BigInt(index);
  const shards = BigInt(count);
  return postings.filter((series) => hasher.hash(labelsOf(series)) % shards === wanted);
}
