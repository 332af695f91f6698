/**
 * Compiled matchers that requests share. Only regular expressions are kept: the others cost nothing to make. Behaviour:
 * thanos pkg/store/cache/matchers_cache.go.
 */
import { LRUCache } from 'lru-cache';
import type { Counter, Gauge, MetricsRegistry } from '../lib/metrics.ts';
import { Matcher, type MatchType } from '../model/matcher.ts';

/** What the cache counts. */
export interface MatcherCacheMetrics {
  readonly requests: Counter;
  readonly hits: Counter;
  readonly evicted: Counter;
  readonly items: Gauge;
  readonly maxItems: Gauge;
}

/** Registers them; once a process. */
export function registerMatcherCacheMetrics(registry: MetricsRegistry): MatcherCacheMetrics {
  const name = (suffix: string): string => `thanos_matchers_cache_${suffix}`;
  return {
    requests: registry.counter(
      name('requests_total'),
      'Matchers that the cache of matchers was asked for.',
    ),
    hits: registry.counter(name('hits_total'), 'Matchers that were there.'),
    evicted: registry.counter(name('evicted_total'), 'Matchers that left the cache of matchers.'),
    items: registry.gauge(name('items'), 'Matchers in the cache of matchers.'),
    maxItems: registry.gauge(name('max_items'), 'Matchers that the cache of matchers may hold.'),
  };
}

/** The least recently used matchers leave first. */
export class MatcherCache {
  readonly #matchers: LRUCache<string, Matcher>;
  readonly #metrics: MatcherCacheMetrics;

  /** `size` is the number of matchers, 1 or more: without a cache, matchers are simply made. */
  constructor(size: number, metrics: MatcherCacheMetrics) {
    this.#metrics = metrics;
    metrics.maxItems.set(size);
    this.#matchers = new LRUCache({ max: size, dispose: () => metrics.evicted.inc() });
  }

  /** A matcher, which may be shared. @throws CodedError bad_data when a regular expression does not parse. */
  get(type: MatchType, name: string, value: string): Matcher {
    if (type === '=' || type === '!=') return new Matcher(type, name, value);
    this.#metrics.requests.inc();
    // The length of the name keeps a, =~b apart from what else has this text.
    const key = `${name.length}${type}${name}${value}`;
    const known = this.#matchers.get(key);
    if (known !== undefined) {
      this.#metrics.hits.inc();
      return known;
    }
    const made = new Matcher(type, name, value);
    this.#matchers.set(key, made);
    this.#metrics.items.set(this.#matchers.size);
    return made;
  }
}
