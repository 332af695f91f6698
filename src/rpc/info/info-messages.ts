/**
 * What servers tell about themselves: thanos.info.InfoResponse (proto/info.proto) as plain data. The request has no fields.
 * Behaviour: thanos pkg/info.
 */
import { create, toBinary } from '@bufbuild/protobuf';
import {
  ExemplarsInfoSchema,
  type InfoResponse,
  InfoRequestSchema,
  InfoResponseSchema,
  MetricMetadataInfoSchema,
  QueryAPIInfoSchema,
  RulesInfoSchema,
  StatusInfoSchema,
  type StoreInfo,
  StoreInfoSchema,
  TargetsInfoSchema,
  TSDBInfoSchema,
} from '../../gen/info_pb.ts';
import type { Labels } from '../../model/labels.ts';
import { decodeMessage } from '../decode-message.ts';
import { int64Time, timeOf } from '../int64.ts';
import { labelSetMessage, labelsOf } from '../label-sets.ts';

/** Times in ms, both inclusive. */
export interface InfoRange {
  readonly mint: number;
  readonly maxt: number;
}

/** A TSDB behind a store, and its external labels. */
export interface TsdbFacts extends InfoRange {
  readonly labels: Labels;
}

/** What a StoreAPI offers. */
export interface StoreFacts extends InfoRange {
  readonly supportsSharding: boolean;
  readonly supportsWithoutReplicaLabels: boolean;
  readonly supportsProjections: boolean;
  readonly tsdbs: readonly TsdbFacts[];
}

/** A server: an API is there when its member is there, or true. */
export interface ServerInfo {
  readonly labelSets: readonly Labels[];
  /** `sidecar`, `query`, `rule`, `receive`, `store`, or what a later version has. */
  readonly component: string;
  readonly store?: StoreFacts;
  readonly exemplars?: InfoRange;
  readonly rules?: boolean;
  readonly metricMetadata?: boolean;
  readonly targets?: boolean;
  readonly query?: boolean;
  readonly status?: boolean;
}

/** The bytes of a request. */
export function encodeInfoRequest(): Uint8Array {
  return toBinary(InfoRequestSchema, create(InfoRequestSchema));
}

/** Makes sure that bytes are a request. @throws CodedError corrupt. */
export function checkInfoRequest(bytes: Uint8Array): void {
  decodeMessage(InfoRequestSchema, bytes);
}

/** Reads an answer. @throws CodedError corrupt. */
export function decodeInfoResponse(bytes: Uint8Array): ServerInfo {
  const message: InfoResponse = decodeMessage(InfoResponseSchema, bytes);
  const { store, exemplars } = message;
  return {
    labelSets: message.labelSets.map(labelsOf),
    component: message.ComponentType,
    ...(store !== undefined && { store: storeFacts(store) }),
    ...(exemplars !== undefined && { exemplars: rangeOf(exemplars) }),
    rules: message.rules !== undefined,
    metricMetadata: message.metricMetadata !== undefined,
    targets: message.targets !== undefined,
    query: message.query !== undefined,
    status: message.status !== undefined,
  };
}

function storeFacts(store: StoreInfo): StoreFacts {
  return {
    ...rangeOf(store),
    supportsSharding: store.supportsSharding,
    supportsWithoutReplicaLabels: store.supportsWithoutReplicaLabels,
    supportsProjections: store.supportsProjections,
    tsdbs: store.tsdbInfos.map((tsdb) => ({ labels: labelsOf(tsdb.labels), ...rangeOf(tsdb) })),
  };
}

function rangeOf({ minTime, maxTime }: { minTime: bigint; maxTime: bigint }): InfoRange {
  return { mint: timeOf(minTime), maxt: timeOf(maxTime) };
}

/** The bytes of an answer, as Go writes them. */
export function encodeInfoResponse(info: ServerInfo): Uint8Array {
  const { store, exemplars } = info;
  const message = create(InfoResponseSchema, {
    labelSets: info.labelSets.map(labelSetMessage),
    ComponentType: info.component,
    ...(store !== undefined && { store: storeMessage(store) }),
    ...(info.rules === true && { rules: create(RulesInfoSchema) }),
    ...(info.metricMetadata === true && { metricMetadata: create(MetricMetadataInfoSchema) }),
    ...(info.targets === true && { targets: create(TargetsInfoSchema) }),
    ...(exemplars !== undefined && {
      exemplars: create(ExemplarsInfoSchema, rangeFields(exemplars)),
    }),
    ...(info.query === true && { query: create(QueryAPIInfoSchema) }),
    ...(info.status === true && { status: create(StatusInfoSchema) }),
  });
  return toBinary(InfoResponseSchema, message);
}

function storeMessage(store: StoreFacts): StoreInfo {
  const { supportsSharding, supportsWithoutReplicaLabels, supportsProjections } = store;
  return create(StoreInfoSchema, {
    ...rangeFields(store),
    supportsSharding,
    supportsWithoutReplicaLabels,
    supportsProjections,
    tsdbInfos: store.tsdbs.map((tsdb) =>
      create(TSDBInfoSchema, { labels: labelSetMessage(tsdb.labels), ...rangeFields(tsdb) }),
    ),
  });
}

function rangeFields({ mint, maxt }: InfoRange): { minTime: bigint; maxTime: bigint } {
  return { minTime: int64Time(mint), maxTime: int64Time(maxt) };
}
