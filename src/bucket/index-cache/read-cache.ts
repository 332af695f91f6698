/** An index cache as those who read blocks use it. */
import type { Matcher } from '../../model/matcher.ts';
import type { CachedPostings, LabelPair, ReadCache, ReadCall } from '../read/stored-block.ts';
import type { Found, IndexCache, IndexScope } from './index-cache.ts';
import { PostingsCache } from './postings-cache.ts';
import type { PostingsCacheDeps } from './postings-cache.ts';

/** Postings decoded, series as they are; misses for whatever goes wrong. */
export class IndexReadCache implements ReadCache {
  readonly #cache: IndexCache;
  readonly #postings: PostingsCache;

  constructor(cache: IndexCache, deps: PostingsCacheDeps) {
    this.#cache = cache;
    this.#postings = new PostingsCache(cache, deps);
  }

  async fetchPostings(
    ulid: string,
    keys: readonly LabelPair[],
    call: ReadCall,
  ): Promise<readonly (CachedPostings | undefined)[]> {
    const { signal } = call;
    const found = await this.#postings.fetch(scopeOf(ulid, call), keys, { signal });
    return found.map(sized);
  }

  storePostings(ulid: string, key: LabelPair, postings: Uint32Array, call: ReadCall): void {
    this.#postings.store(scopeOf(ulid, call), key, postings);
  }

  async fetchExpanded(
    ulid: string,
    matchers: readonly Matcher[],
    call: ReadCall,
  ): Promise<CachedPostings | undefined> {
    const { signal } = call;
    return sized(await this.#postings.fetchExpanded(scopeOf(ulid, call), matchers, { signal }));
  }

  storeExpanded(
    ulid: string,
    matchers: readonly Matcher[],
    postings: Uint32Array,
    call: ReadCall,
  ): void {
    this.#postings.storeExpanded(scopeOf(ulid, call), matchers, postings);
  }

  fetchSeries(ulid: string, refs: Float64Array, call: ReadCall): Promise<Found> {
    const { signal } = call;
    return this.#cache.fetchSeries(scopeOf(ulid, call), refs, { signal });
  }

  storeSeries(ulid: string, ref: number, entry: Uint8Array, call: ReadCall): void {
    this.#cache.storeSeries(scopeOf(ulid, call), ref, entry);
  }
}

function scopeOf(block: string, { tenant }: ReadCall): IndexScope {
  return { block, tenant };
}

function sized(postings: Uint32Array | undefined): CachedPostings | undefined {
  return postings === undefined ? undefined : { postings, bytes: postings.byteLength };
}
