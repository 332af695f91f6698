/**
 * Hints of stores with blocks (proto/hints.proto), which travel as Any: which blocks to ask, which were asked, and what that
 * cost. Behaviour: thanos pkg/store/hintspb, pkg/store/bucket.go.
 */
import { create } from '@bufbuild/protobuf';
import { type Duration, DurationSchema } from '@bufbuild/protobuf/wkt';
import {
  BlockSchema,
  LabelNamesRequestHintsSchema,
  LabelNamesResponseHintsSchema,
  LabelValuesRequestHintsSchema,
  LabelValuesResponseHintsSchema,
  type QueryStats as QueryStatsMessage,
  QueryStatsSchema,
  SeriesRequestHintsSchema,
  SeriesResponseHintsSchema,
} from '../../gen/hints_pb.ts';
import { CodedError, errorCode, errorText } from '../../lib/errors.ts';
import type { Matcher } from '../../model/matcher.ts';
import { int64Of, numberOf } from '../int64.ts';
import { type AnyMessage, packAny, unpackAny } from './any-message.ts';
import { type MakeMatcher, matcherMessages, matchersOf, newMatcher } from './matcher-messages.ts';

/** The calls that have hints. */
export type HintedCall = 'series' | 'label names' | 'label values';

const REQUESTS = {
  series: SeriesRequestHintsSchema,
  'label names': LabelNamesRequestHintsSchema,
  'label values': LabelValuesRequestHintsSchema,
} as const;

const RESPONSES = {
  series: SeriesResponseHintsSchema,
  'label names': LabelNamesResponseHintsSchema,
  'label values': LabelValuesResponseHintsSchema,
} as const;

const COUNTS = [
  'blocksQueried',
  'mergedSeriesCount',
  'mergedChunksCount',
  'postingsTouched',
  'postingsTouchedSizeSum',
  'postingsToFetch',
  'postingsFetched',
  'postingsFetchedSizeSum',
  'postingsFetchCount',
  'seriesTouched',
  'seriesTouchedSizeSum',
  'seriesFetched',
  'seriesFetchedSizeSum',
  'seriesFetchCount',
  'chunksTouched',
  'chunksTouchedSizeSum',
  'chunksFetched',
  'chunksFetchedSizeSum',
  'chunksFetchCount',
  'dataDownloadedSizeSum',
] as const;

/** The names of the figures, but for the durations. */
export type QueryStatsCount = (typeof COUNTS)[number];

/** What answering cost. Counts are of things, or bytes where the name says `SizeSum`. */
export type QueryStats = Readonly<Record<QueryStatsCount, number>> & {
  readonly getAllDurationMs: number;
  readonly mergeDurationMs: number;
};

/** What a request asks of a store with blocks. */
export interface BlockRequestHints {
  /** On the label `__block_id`; a block that satisfies all of them is asked. */
  readonly blockMatchers: readonly Matcher[];
  /** Of Series only. */
  readonly queryStats: boolean;
}

/** Reads the hints of a request. @throws CodedError bad_data with Go's texts. */
export function decodeRequestHints(
  call: HintedCall,
  any: AnyMessage,
  make: MakeMatcher = newMatcher,
): BlockRequestHints {
  const message = within(`unmarshal ${call} request hints`, () =>
    call === 'series'
      ? unpackAny(SeriesRequestHintsSchema, any)
      : call === 'label names'
        ? unpackAny(LabelNamesRequestHintsSchema, any)
        : unpackAny(LabelValuesRequestHintsSchema, any),
  );
  const blockMatchers = within('translate request hints labels matchers', () =>
    matchersOf(message.blockMatchers, make),
  );
  const queryStats = 'enableQueryStats' in message && message.enableQueryStats;
  return { blockMatchers, queryStats };
}

/** The hints of a request. */
export function encodeRequestHints(
  call: HintedCall,
  { blockMatchers, queryStats }: BlockRequestHints,
): AnyMessage {
  const matchers = matcherMessages(blockMatchers);
  if (call === 'series') {
    const fields = { blockMatchers: matchers, enableQueryStats: queryStats };
    return packAny(SeriesRequestHintsSchema, create(SeriesRequestHintsSchema, fields));
  }
  const schema = REQUESTS[call];
  return packAny(schema, create(schema, { blockMatchers: matchers }));
}

/** What an answer tells. */
export interface BlockResponseHints {
  /** ULIDs of the blocks that were asked, in any order. */
  readonly queriedBlocks: readonly string[];
  /** Of Series only, when asked for. */
  readonly queryStats?: QueryStats;
  /** Requests to the bucket by ULID, when asked for: fields of ours, which other programs pass over. */
  readonly blockRequests?: ReadonlyMap<string, { readonly gets: number; readonly bytes: number }>;
}

/** Reads the hints of an answer. @throws CodedError bad_data or corrupt when they are none. */
export function decodeResponseHints(call: HintedCall, any: AnyMessage): BlockResponseHints {
  const message =
    call === 'series'
      ? unpackAny(SeriesResponseHintsSchema, any)
      : call === 'label names'
        ? unpackAny(LabelNamesResponseHintsSchema, any)
        : unpackAny(LabelValuesResponseHintsSchema, any);
  const stats = 'queryStats' in message ? message.queryStats : undefined;
  return {
    queriedBlocks: message.queriedBlocks.map(({ id }) => id),
    ...(stats !== undefined && { queryStats: statsOf(stats) }),
  };
}

/** The hints of an answer. */
export function encodeResponseHints(
  call: HintedCall,
  { queriedBlocks, queryStats, blockRequests }: BlockResponseHints,
): AnyMessage {
  const blocks = queriedBlocks.map((id) => {
    const requests = blockRequests?.get(id);
    return create(BlockSchema, {
      id,
      ...(requests !== undefined && {
        bucketGets: int64Of(requests.gets),
        bucketBytes: int64Of(requests.bytes),
      }),
    });
  });
  if (call === 'series') {
    const message = create(SeriesResponseHintsSchema, {
      queriedBlocks: blocks,
      ...(queryStats !== undefined && { queryStats: statsMessage(queryStats) }),
    });
    return packAny(SeriesResponseHintsSchema, message);
  }
  const schema = RESPONSES[call];
  return packAny(schema, create(schema, { queriedBlocks: blocks }));
}

function statsOf(message: QueryStatsMessage): QueryStats {
  const counts = COUNTS.map((name) => [name, numberOf(message[name])]);
  const { getAllDuration, mergeDuration } = message;
  return {
    ...(Object.fromEntries(counts) as Record<QueryStatsCount, number>),
    getAllDurationMs: durationMs(getAllDuration),
    mergeDurationMs: durationMs(mergeDuration),
  };
}

function statsMessage(stats: QueryStats): QueryStatsMessage {
  return create(QueryStatsSchema, {
    ...Object.fromEntries(COUNTS.map((name) => [name, int64Of(stats[name])])),
    getAllDuration: durationOf(stats.getAllDurationMs),
    mergeDuration: durationOf(stats.mergeDurationMs),
  });
}

function durationMs(duration: Duration | undefined): number {
  return duration === undefined ? 0 : Number(duration.seconds) * 1000 + duration.nanos / 1e6;
}

function durationOf(ms: number): Duration {
  const seconds = Math.floor(ms / 1000);
  const nanos = Math.floor((ms - seconds * 1000) * 1e6);
  return create(DurationSchema, { seconds: BigInt(seconds), nanos });
}

/** Go's context of an error; all of them are the client's. */
function within<T>(what: string, work: () => T): T {
  try {
    return work();
  } catch (thrown) {
    const code = errorCode(thrown) === 'corrupt' ? 'bad_data' : errorCode(thrown);
    throw new CodedError(code, `${what}: ${errorText(thrown)}`, { cause: thrown });
  }
}
