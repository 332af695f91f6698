/** The figures of a call as metrics. Behaviour: thanos pkg/store/bucket.go (Series). */
import type { ReadCost } from '../../bucket/read/read-cost.ts';
import type { StoreCallOptions } from './store-options.ts';

/** Observes what a call for series cost; one that failed, too. */
export function observeCall(
  { metrics, log }: Pick<StoreCallOptions, 'metrics' | 'log'>,
  tenant: string,
  cost: ReadCost,
): void {
  for (const kind of ['postings', 'series', 'chunks'] as const) {
    const { touched, touchedBytes, fetched, fetchedBytes } = cost[kind];
    metrics.dataTouched.with(kind, tenant).observe(touched);
    metrics.dataFetched.with(kind, tenant).observe(fetched);
    metrics.sizeTouched.with(kind, tenant).observe(touchedBytes);
    metrics.sizeFetched.with(kind, tenant).observe(fetchedBytes);
  }
  metrics.resultSeries.with(tenant).observe(cost.mergedSeries);
  const { fetchedBytes, touchedBytes } = cost.postings;
  metrics.postingsSize.with(tenant).observe(fetchedBytes + touchedBytes);
  metrics.blocksQueried.with(tenant).observe(cost.blocksQueried);
  metrics.getAllDuration.with(tenant).observe(cost.getAllMs / 1000);
  metrics.mergeDuration.with(tenant).observe(cost.mergeMs / 1000);
  log.debug('stats query processed', {
    tenant,
    blocks: cost.blocksQueried,
    series: cost.mergedSeries,
    chunks: cost.mergedChunks,
    gets: [...cost.blocks.values()].reduce((sum, { gets }) => sum + gets, 0),
    bytes: [...cost.blocks.values()].reduce((sum, { bytes }) => sum + bytes, 0),
  });
}
