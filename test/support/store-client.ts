/** Calls of a StoreAPI for tests: requests in short, answers as series. */
import { fromBinary } from '@bufbuild/protobuf';
import { SeriesResponseSchema } from '../../src/gen/store_pb.ts';
import type { Series } from '../../src/gen/store-types_pb.ts';
import { Matcher } from '../../src/model/matcher.ts';
import { MAX_TIME, MIN_TIME } from '../../src/model/value.ts';
import { encodeSeriesRequest } from '../../src/rpc/store/series-request.ts';
import type { SeriesRequest } from '../../src/rpc/store/series-request.ts';

/** The path of Store.Series. */
export const SERIES_PATH = '/thanos.Store/Series';

/** A request for all raw samples of the series that satisfy matchers, but for what `more` says. */
export function seriesRequest(
  matchers: readonly Matcher[],
  more: Partial<SeriesRequest> = {},
): Buffer {
  const bytes = encodeSeriesRequest({
    mint: MIN_TIME,
    maxt: MAX_TIME,
    matchers,
    maxResolutionMs: 0,
    aggregates: ['raw'],
    partialResponse: 'abort',
    skipChunks: false,
    withoutReplicaLabels: [],
    limit: 0,
    responseBatchSize: 0,
    ...more,
  });
  return Buffer.from(bytes);
}

/** Everything that has a metric name. */
export const ANYTHING: readonly Matcher[] = [new Matcher('=~', '__name__', '.+')];

/** The series of an answer; hints and warnings are left out. */
export function seriesOf(messages: readonly Uint8Array[]): Series[] {
  return messages.flatMap((bytes) => {
    const { result } = fromBinary(SeriesResponseSchema, bytes);
    if (result.case === 'series') return [result.value];
    return result.case === 'batch' ? result.value.series : [];
  });
}
