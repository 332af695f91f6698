/** thanos.SeriesRequest (proto/store.proto) as plain data. */
import { create, toBinary } from '@bufbuild/protobuf';
import {
  Aggr,
  FuncSchema,
  GroupingSchema,
  type QueryHints as QueryHintsMessage,
  QueryHintsSchema,
  RangeSchema,
  SeriesRequestSchema,
  type ShardInfo as ShardInfoMessage,
  ShardInfoSchema,
} from '../../gen/store_pb.ts';
import type { Matcher } from '../../model/matcher.ts';
import { decodeMessage } from '../decode-message.ts';
import { int64Of, int64Time, numberOf, timeOf } from '../int64.ts';
import { type AnyMessage, anyField, anyOf } from './any-message.ts';
import { type MakeMatcher, matcherMessages, matchersOf, newMatcher } from './matcher-messages.ts';
import { type PartialResponse, partialResponseOf, strategyField } from './partial-response.ts';

/** Which data of a chunk is wanted: raw samples, or aggregates of downsampled ones. */
export type WantedAggregate = 'raw' | 'count' | 'sum' | 'min' | 'max' | 'counter';

const AGGREGATES = new Map<number, WantedAggregate>([
  [Aggr.RAW, 'raw'],
  [Aggr.COUNT, 'count'],
  [Aggr.SUM, 'sum'],
  [Aggr.MIN, 'min'],
  [Aggr.MAX, 'max'],
  [Aggr.COUNTER, 'counter'],
]);

const NUMBERS = new Map([...AGGREGATES].map(([number, name]) => [name, number]));

/** One of so many parts of the series, by a hash of some labels. */
export interface ShardInfo {
  readonly index: number;
  readonly total: number;
  /** Whether the hash is of the labels that are named, or of all others. */
  readonly by: boolean;
  readonly labels: readonly string[];
}

/** What the query will do with the series. Members that are absent were not told. */
export interface QueryHints {
  readonly stepMs: number;
  readonly func?: string;
  readonly grouping?: { readonly by: boolean; readonly labels: readonly string[] };
  readonly rangeMs?: number;
  readonly projectionLabels: readonly string[];
  readonly projectionInclude: boolean;
  readonly seriesHashLabelName: string;
}

/** A request for series. Times are ms, both inclusive. */
export interface SeriesRequest {
  readonly mint: number;
  readonly maxt: number;
  readonly matchers: readonly Matcher[];
  /** The coarsest resolution that will do, in ms. */
  readonly maxResolutionMs: number;
  /** In the order of the request; aggregates of later versions are left out. */
  readonly aggregates: readonly WantedAggregate[];
  readonly partialResponse: PartialResponse;
  readonly skipChunks: boolean;
  /** For stores with blocks: `decodeRequestHints` reads them. */
  readonly hints?: AnyMessage;
  readonly queryHints?: QueryHints;
  readonly shard?: ShardInfo;
  readonly withoutReplicaLabels: readonly string[];
  /** How many series at most; 0 for all. */
  readonly limit: number;
  /** How many series may share a response; 0 and 1 for one each. */
  readonly responseBatchSize: number;
}

/** Reads a request. @throws CodedError corrupt; bad_data with Go's text for a matcher that is none. */
export function decodeSeriesRequest(
  bytes: Uint8Array,
  make: MakeMatcher = newMatcher,
): SeriesRequest {
  const message = decodeMessage(SeriesRequestSchema, bytes);
  const { queryHints, shardInfo } = message;
  return {
    mint: timeOf(message.minTime),
    maxt: timeOf(message.maxTime),
    matchers: matchersOf(message.matchers, make),
    maxResolutionMs: numberOf(message.maxResolutionWindow),
    aggregates: message.aggregates.flatMap((number) => AGGREGATES.get(number) ?? []),
    partialResponse: partialResponseOf(message),
    skipChunks: message.skipChunks,
    ...anyOf(message.hints),
    ...(queryHints !== undefined && { queryHints: queryHintsOf(queryHints) }),
    ...(shardInfo !== undefined && { shard: shardOf(shardInfo) }),
    withoutReplicaLabels: message.withoutReplicaLabels,
    limit: numberOf(message.limit),
    responseBatchSize: numberOf(message.responseBatchSize),
  };
}

/** The bytes of a request. */
export function encodeSeriesRequest(request: SeriesRequest): Uint8Array {
  const { queryHints, shard } = request;
  const message = create(SeriesRequestSchema, {
    minTime: int64Time(request.mint),
    maxTime: int64Time(request.maxt),
    matchers: matcherMessages(request.matchers),
    maxResolutionWindow: int64Of(request.maxResolutionMs),
    aggregates: request.aggregates.map((name) => NUMBERS.get(name) ?? Aggr.RAW) as Aggr[],
    ...strategyField(request.partialResponse),
    skipChunks: request.skipChunks,
    ...anyField(request.hints),
    ...(queryHints !== undefined && { queryHints: queryHintsMessage(queryHints) }),
    ...(shard !== undefined && { shardInfo: shardMessage(shard) }),
    withoutReplicaLabels: [...request.withoutReplicaLabels],
    limit: int64Of(request.limit),
    responseBatchSize: int64Of(request.responseBatchSize),
  });
  return toBinary(SeriesRequestSchema, message);
}

function queryHintsOf(message: QueryHintsMessage): QueryHints {
  const { func, grouping, range } = message;
  return {
    stepMs: numberOf(message.stepMillis),
    ...(func !== undefined && { func: func.name }),
    ...(grouping !== undefined && { grouping: { by: grouping.by, labels: grouping.labels } }),
    ...(range !== undefined && { rangeMs: numberOf(range.millis) }),
    projectionLabels: message.projectionLabels,
    projectionInclude: message.projectionInclude,
    seriesHashLabelName: message.seriesHashLabelName,
  };
}

function queryHintsMessage(hints: QueryHints): QueryHintsMessage {
  const { stepMs, func, grouping, rangeMs, projectionInclude, seriesHashLabelName } = hints;
  return create(QueryHintsSchema, {
    stepMillis: int64Of(stepMs),
    ...(func !== undefined && { func: create(FuncSchema, { name: func }) }),
    ...(grouping !== undefined && {
      grouping: create(GroupingSchema, { by: grouping.by, labels: [...grouping.labels] }),
    }),
    ...(rangeMs !== undefined && { range: create(RangeSchema, { millis: int64Of(rangeMs) }) }),
    projectionLabels: [...hints.projectionLabels],
    projectionInclude,
    seriesHashLabelName,
  });
}

function shardOf({ shardIndex, totalShards, by, labels }: ShardInfoMessage): ShardInfo {
  return { index: numberOf(shardIndex), total: numberOf(totalShards), by, labels };
}

function shardMessage({ index, total, by, labels }: ShardInfo): ShardInfoMessage {
  return create(ShardInfoSchema, {
    shardIndex: int64Of(index),
    totalShards: int64Of(total),
    by,
    labels: [...labels],
  });
}
