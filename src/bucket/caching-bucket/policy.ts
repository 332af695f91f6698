/**
 * Which operations on which objects are cached, and for how long. Behaviour: thanos
 * pkg/store/cache/caching_bucket_factory.go.
 */

/** Names of policies: values of the label `config`. */
export type PolicyName = 'chunks' | 'meta.jsons' | 'blocks-iter';

/** Whether something falls under a policy. */
export type NameMatcher = (name: string) => boolean;

/** Parts of objects, and their attributes. */
export interface RangePolicy {
  readonly matches: NameMatcher;
  /** Bytes; parts begin at its multiples. */
  readonly subrangeSize: number;
  /** Requests that one read may make; 0 or less is without limit. */
  readonly requestsMax: number;
  readonly attributesTtlMs: number;
  readonly subrangeTtlMs: number;
}

/** Small whole objects, and whether they are there. */
export interface ContentPolicy {
  readonly matches: NameMatcher;
  /** Larger objects are passed on. */
  readonly bytesMax: number;
  readonly contentTtlMs: number;
  readonly existsTtlMs: number;
  readonly absentTtlMs: number;
}

/** Listings. */
export interface IterPolicy {
  /** Of directories, as they were asked for. */
  readonly matches: NameMatcher;
  readonly ttlMs: number;
  readonly configHash: string;
}

/** What a caching bucket caches. */
export interface CachePolicy {
  readonly ranges: RangePolicy;
  readonly content: ContentPolicy;
  readonly listings: IterPolicy;
}

/** Segments of chunks in a block. */
export function isChunkSegment(name: string): boolean {
  return /\/chunks\/\d+$/.test(name);
}

/** meta.json and deletion marks of blocks. */
export function isMetaFile(name: string): boolean {
  return name.endsWith('/meta.json') || name.endsWith('/deletion-mark.json');
}

/** Where blocks lie. */
export function isBlocksRoot(directory: string): boolean {
  return directory === '';
}
