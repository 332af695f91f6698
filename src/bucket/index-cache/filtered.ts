/** An index cache for some kinds of items only: `enabled_items`. Behaviour: thanos pkg/store/cache/filter_cache.go. */
import type { FetchOptions } from '../../cache/cache.ts';
import type { Matcher } from '../../model/matcher.ts';
import type { PostingsLabel } from './cache-keys.ts';
import type { Found, IndexCache, IndexItem, IndexScope } from './index-cache.ts';

/** Passes on what is enabled; the rest is neither stored nor found, nor counted. */
export class FilteredIndexCache implements IndexCache {
  readonly #cache: IndexCache;
  readonly #enabled: ReadonlySet<IndexItem>;

  constructor(cache: IndexCache, enabled: readonly IndexItem[]) {
    this.#cache = cache;
    this.#enabled = new Set(enabled);
  }

  storePostings(scope: IndexScope, label: PostingsLabel, value: Uint8Array): void {
    if (this.#enabled.has('Postings')) this.#cache.storePostings(scope, label, value);
  }

  fetchPostings(
    scope: IndexScope,
    labels: readonly PostingsLabel[],
    options?: FetchOptions,
  ): Promise<Found> {
    if (this.#enabled.has('Postings')) return this.#cache.fetchPostings(scope, labels, options);
    return Promise.resolve(labels.map(() => undefined));
  }

  storeExpandedPostings(scope: IndexScope, matchers: readonly Matcher[], value: Uint8Array): void {
    if (!this.#enabled.has('ExpandedPostings')) return;
    this.#cache.storeExpandedPostings(scope, matchers, value);
  }

  fetchExpandedPostings(
    scope: IndexScope,
    matchers: readonly Matcher[],
    options?: FetchOptions,
  ): Promise<Uint8Array | undefined> {
    if (!this.#enabled.has('ExpandedPostings')) return Promise.resolve(undefined);
    return this.#cache.fetchExpandedPostings(scope, matchers, options);
  }

  storeSeries(scope: IndexScope, ref: number, value: Uint8Array): void {
    if (this.#enabled.has('Series')) this.#cache.storeSeries(scope, ref, value);
  }

  fetchSeries(scope: IndexScope, refs: ArrayLike<number>, options?: FetchOptions): Promise<Found> {
    if (this.#enabled.has('Series')) return this.#cache.fetchSeries(scope, refs, options);
    return Promise.resolve(Array.from(refs, () => undefined));
  }

  close(): Promise<void> {
    return this.#cache.close();
  }
}
