/**
 * One block in a call: postings, and the stream of its series. What calls for series and for labels have in common.
 */
import { blockSeries } from '../../bucket/read/block-series.ts';
import type { BlockSeriesRequest } from '../../bucket/read/block-series.ts';
import { expandPostings, sortMatchers } from '../../bucket/read/expand-postings.ts';
import type { ExpandedPostings, LazyExpansion } from '../../bucket/read/expand-postings.ts';
import { Limiter } from '../../bucket/read/limits.ts';
import { ReadCost } from '../../bucket/read/read-cost.ts';
import type { SeriesRun } from '../../bucket/read/series-run.ts';
import type { ReadCall } from '../../bucket/read/stored-block.ts';
import type { Matcher } from '../../model/matcher.ts';
import type { LoadedBlock } from './loaded-block.ts';
import { SERIES_MATCH_RATIO } from './store-options.ts';
import type { StoreCallOptions } from './store-options.ts';

/** What a call carries along. */
export function newReadCall(
  { metrics, limits, cache }: StoreCallOptions,
  { signal, tenant }: { readonly signal: AbortSignal; readonly tenant: string },
): ReadCall {
  const limiter = (limit: number, reason: string): Limiter => {
    // There from the first call on, so that its rate is known when it first fails.
    const dropped = metrics.queriesDropped.with(reason, tenant);
    return new Limiter(limit, () => dropped.inc());
  };
  return {
    signal,
    tenant,
    cost: new ReadCost(),
    bytesLimit: limiter(limits.bytes, 'bytes'),
    seriesLimit: limiter(limits.series, 'series'),
    chunksLimit: limiter(limits.chunks, 'chunks'),
    cache,
  };
}

/** The postings of a block that satisfy matchers, which are on labels of its series. */
export async function blockPostings(
  block: LoadedBlock,
  matchers: readonly Matcher[],
  call: ReadCall,
  options: StoreCallOptions,
  without: ReadonlySet<string>,
): Promise<ExpandedPostings> {
  const { metrics, clock } = options;
  const sorted = sortMatchers(matchers);
  const begin = clock.monotonic();
  const expanded = await block.withHeader((header) =>
    expandPostings(block, header, sorted, call, lazyExpansion(options, sorted, without)),
  );
  metrics.postingsFetchDuration.with(call.tenant).observe((clock.monotonic() - begin) / 1000);
  if (expanded.postings.length === 0) metrics.emptyPostings.with(call.tenant).inc();
  if (expanded.lazyMatchers.length > 0) metrics.lazyExpanded.inc();
  else call.seriesLimit.reserve(expanded.postings.length, 'exceeded series limit');
  return expanded;
}

function lazyExpansion(
  { lazy, metrics }: StoreCallOptions,
  matchers: readonly Matcher[],
  without: ReadonlySet<string>,
): LazyExpansion | undefined {
  // Matchers on labels that are left out can only be applied by postings.
  if (!lazy.enabled || matchers.some(({ name }) => without.has(name))) return undefined;
  return {
    matchRatio: SERIES_MATCH_RATIO,
    maxKeySeriesRatio: lazy.maxKeySeriesRatio,
    onLazy: (reason, bytes) => {
      metrics.lazyGroups.with(reason).inc();
      metrics.lazyBytes.inc(bytes);
    },
  };
}

/** The series of a block, run by run; the index-header stays open until the end of the iteration. */
export async function* blockRuns(
  block: LoadedBlock,
  expanded: ExpandedPostings,
  request: BlockSeriesRequest,
  call: ReadCall,
  options: StoreCallOptions,
): AsyncGenerator<SeriesRun> {
  if (expanded.postings.length === 0) return;
  const { metrics, clock, framer, pool, budget } = options;
  const { tenant } = call;
  let seriesMs = 0;
  let chunksMs = 0;
  const shared = {
    framer,
    pool,
    budget,
    now: () => clock.monotonic(),
    onSeriesRefetch: () => metrics.seriesRefetches.with(tenant).inc(),
    onChunkRefetch: () => metrics.chunkRefetches.with(tenant).inc(),
    onOverfetch: (bytes: number) => metrics.lazyOverfetched.inc(bytes),
    onSeriesRead: (ms: number) => {
      metrics.seriesFetchDuration.with(tenant).observe(ms / 1000);
      seriesMs += ms;
    },
    onChunksRead: (ms: number) => {
      chunksMs += ms;
    },
  };
  const header = await block.header.acquire();
  try {
    yield* blockSeries(block, header, expanded, request, call, shared);
  } finally {
    block.header.release();
    metrics.seriesFetchDurationSum.with(tenant).observe(seriesMs / 1000);
    if (!request.skipChunks) {
      metrics.chunksFetchDuration.with(tenant).observe(chunksMs / 1000);
      metrics.chunksFetchDurationSum.with(tenant).observe(chunksMs / 1000);
    }
  }
}
