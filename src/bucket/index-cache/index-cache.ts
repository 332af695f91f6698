/**
 * What was read of the indexes of blocks: postings by label, postings by all matchers of a query, and series. At best
 * effort, as src/cache/cache.ts has it: nothing here rejects, and what is not found, for whatever reason, is undefined.
 * Model: thanos pkg/store/cache/cache.go.
 *
 * Values are the bytes that all programs of a fleet exchange: postings as postings-codec.ts has them, a series as its
 * entry in the index without length and checksum. Values that are found must not be changed; they may share memory with
 * each other, so whoever keeps one for long copies it. Values that are stored are copied at once.
 */
import type { FetchOptions } from '../../cache/cache.ts';
import type { Matcher } from '../../model/matcher.ts';
import type { PostingsLabel } from './cache-keys.ts';

/** Values of the label `item_type`, and of `enabled_items`. */
export type IndexItem = 'Postings' | 'Series' | 'ExpandedPostings';

/** All of them. */
export const INDEX_ITEMS: readonly IndexItem[] = ['Postings', 'Series', 'ExpandedPostings'];

/** Which block, and for whom. */
export interface IndexScope {
  /** The block's ULID. */
  readonly block: string;
  /** For metrics; what one tenant has stored is found by all. */
  readonly tenant: string;
}

/** A value for each key that was asked for, in their order. */
export type Found = readonly (Uint8Array | undefined)[];

/** The cache of the indexes of many blocks. */
export interface IndexCache {
  storePostings(scope: IndexScope, label: PostingsLabel, value: Uint8Array): void;
  fetchPostings(
    scope: IndexScope,
    labels: readonly PostingsLabel[],
    options?: FetchOptions,
  ): Promise<Found>;

  /** Matchers in any order. */
  storeExpandedPostings(scope: IndexScope, matchers: readonly Matcher[], value: Uint8Array): void;
  fetchExpandedPostings(
    scope: IndexScope,
    matchers: readonly Matcher[],
    options?: FetchOptions,
  ): Promise<Uint8Array | undefined>;

  /** `ref` is the series' offset in the index. */
  storeSeries(scope: IndexScope, ref: number, value: Uint8Array): void;
  fetchSeries(scope: IndexScope, refs: ArrayLike<number>, options?: FetchOptions): Promise<Found>;

  /** Gives memory and connections free. */
  close(): Promise<void>;
}
