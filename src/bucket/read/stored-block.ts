/** A block in a bucket as readers see it, and what a call that reads it carries along. */
import { throwIfAborted } from '../../lib/abort.ts';
import type { Labels } from '../../model/labels.ts';
import type { Matcher } from '../../model/matcher.ts';
import type { Bucket, ByteRange } from '../../objstore/bucket.ts';
import type { BlockMeta } from '../../tsdb/block/meta.ts';
import type { IndexHeader } from '../index-header/index-header.ts';
import type { Limiter } from './limits.ts';
import type { DataType, ReadCost } from './read-cost.ts';

/** A block that can be read. */
export interface StoredBlock {
  readonly ulid: string;
  readonly meta: BlockMeta;
  readonly externalLabels: Labels;
  /** ms between samples; 0 for raw ones. */
  readonly resolution: number;
  readonly bucket: Bucket;
  /** Names of its segment files, in their order. */
  readonly segments: readonly string[];
  /** Bytes of a series entry, and of a chunk, that are read at first. */
  readonly seriesBytesMax: number;
  readonly chunkBytesMax: number;
  /** Runs `work` with the index-header, which stays open meanwhile. @throws what opening it throws. */
  withHeader<T>(work: (header: IndexHeader) => Promise<T>): Promise<T>;
}

/** Postings and series that are kept between calls. Failures of a cache are misses. */
export interface ReadCache {
  /** The postings of label pairs, ascending, by place in `keys`; undefined for a miss. */
  fetchPostings(
    ulid: string,
    keys: readonly LabelPair[],
    call: ReadCall,
  ): Promise<readonly (CachedPostings | undefined)[]>;
  storePostings(ulid: string, key: LabelPair, postings: Uint32Array, call: ReadCall): void;
  fetchExpanded(
    ulid: string,
    matchers: readonly Matcher[],
    call: ReadCall,
  ): Promise<CachedPostings | undefined>;
  storeExpanded(
    ulid: string,
    matchers: readonly Matcher[],
    postings: Uint32Array,
    call: ReadCall,
  ): void;
  /** Entries of series by place in `refs`: the bytes between length and checksum. */
  fetchSeries(
    ulid: string,
    refs: Float64Array,
    call: ReadCall,
  ): Promise<readonly (Uint8Array | undefined)[] | undefined>;
  storeSeries(ulid: string, ref: number, entry: Uint8Array, call: ReadCall): void;
}

/** Postings of a cache. */
export interface CachedPostings {
  readonly postings: Uint32Array;
  /** What they take in the cache. */
  readonly bytes: number;
}

/** A label and its value. */
export interface LabelPair {
  readonly name: string;
  readonly value: string;
}

/** What a call carries along. */
export interface ReadCall {
  readonly signal: AbortSignal;
  readonly cost: ReadCost;
  /** Bytes from bucket and caches. */
  readonly bytesLimit: Limiter;
  readonly seriesLimit: Limiter;
  readonly chunksLimit: Limiter;
  readonly tenant: string;
  readonly cache: ReadCache | undefined;
}

/** Reads a range of an object of a block, into a buffer if one is given, and counts it. @throws as {@link Bucket.getRange} does. */
export async function readRange(
  block: StoredBlock,
  call: ReadCall,
  what: { readonly name: string; readonly type: DataType; readonly items: number } & ByteRange,
  into?: Uint8Array,
): Promise<Uint8Array> {
  const { name, type, items, offset, length } = what;
  throwIfAborted(call.signal);
  call.cost.fetch(type, block.ulid, items, length);
  return block.bucket.getRange(name, { offset, length }, { signal: call.signal, into });
}
