/** The figures of a call as hintspb.QueryStats has them. */
import type { ReadCost } from '../../bucket/read/read-cost.ts';
import type { QueryStats } from '../../rpc/store/block-hints.ts';

/** The figures of a call. */
export function queryStats(cost: ReadCost): QueryStats {
  const { postings, series, chunks } = cost;
  return {
    blocksQueried: cost.blocksQueried,
    mergedSeriesCount: cost.mergedSeries,
    mergedChunksCount: cost.mergedChunks,
    postingsTouched: postings.touched,
    postingsTouchedSizeSum: postings.touchedBytes,
    postingsToFetch: cost.postingsToFetch,
    postingsFetched: postings.fetched,
    postingsFetchedSizeSum: postings.fetchedBytes,
    postingsFetchCount: postings.fetchCount,
    seriesTouched: series.touched,
    seriesTouchedSizeSum: series.touchedBytes,
    seriesFetched: series.fetched,
    seriesFetchedSizeSum: series.fetchedBytes,
    seriesFetchCount: series.fetchCount,
    chunksTouched: chunks.touched,
    chunksTouchedSizeSum: chunks.touchedBytes,
    chunksFetched: chunks.fetched,
    chunksFetchedSizeSum: chunks.fetchedBytes,
    chunksFetchCount: chunks.fetchCount,
    dataDownloadedSizeSum: cost.dataBytes,
    getAllDurationMs: cost.getAllMs,
    mergeDurationMs: cost.mergeMs,
  };
}
