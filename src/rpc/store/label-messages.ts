/** thanos.LabelNames… and LabelValues… (proto/store.proto), requests and answers, as plain data. */
import { create, toBinary } from '@bufbuild/protobuf';
import {
  LabelNamesRequestSchema,
  LabelNamesResponseSchema,
  LabelValuesRequestSchema,
  LabelValuesResponseSchema,
} from '../../gen/store_pb.ts';
import type {
  LabelNamesRequest as LabelNamesMessage,
  LabelValuesRequest as LabelValuesMessage,
} from '../../gen/store_pb.ts';
import type { Matcher } from '../../model/matcher.ts';
import { decodeMessage } from '../decode-message.ts';
import { int64Of, int64Time, numberOf, timeOf } from '../int64.ts';
import { type AnyMessage, anyField, anyOf } from './any-message.ts';
import { type MakeMatcher, matcherMessages, matchersOf, newMatcher } from './matcher-messages.ts';
import { type PartialResponse, partialResponseOf, strategyField } from './partial-response.ts';

/** A request for label names. Times are ms, both inclusive. */
export interface LabelNamesRequest {
  readonly mint: number;
  readonly maxt: number;
  readonly matchers: readonly Matcher[];
  readonly partialResponse: PartialResponse;
  /** For stores with blocks: `decodeRequestHints` reads them. */
  readonly hints?: AnyMessage;
  readonly withoutReplicaLabels: readonly string[];
  /** How many names or values at most; 0 for all. */
  readonly limit: number;
}

/** A request for the values of a label. */
export interface LabelValuesRequest extends LabelNamesRequest {
  readonly label: string;
}

/** An answer to either: names, or values, in UTF-8 order. */
export interface LabelsResponse {
  readonly texts: readonly string[];
  readonly warnings: readonly string[];
  /** From stores with blocks: `decodeResponseHints` reads them. */
  readonly hints?: AnyMessage;
}

/** Reads a request. @throws CodedError corrupt; bad_data with Go's text for a matcher that is none. */
export function decodeLabelNamesRequest(
  bytes: Uint8Array,
  make: MakeMatcher = newMatcher,
): LabelNamesRequest {
  return requestOf(decodeMessage(LabelNamesRequestSchema, bytes), make);
}

/** The bytes of a request. */
export function encodeLabelNamesRequest(request: LabelNamesRequest): Uint8Array {
  return toBinary(LabelNamesRequestSchema, create(LabelNamesRequestSchema, fieldsOf(request)));
}

/** Reads a request. @throws CodedError corrupt; bad_data with Go's text for a matcher that is none. */
export function decodeLabelValuesRequest(
  bytes: Uint8Array,
  make: MakeMatcher = newMatcher,
): LabelValuesRequest {
  const message = decodeMessage(LabelValuesRequestSchema, bytes);
  return { label: message.label, ...requestOf(message, make) };
}

/** The bytes of a request. */
export function encodeLabelValuesRequest(request: LabelValuesRequest): Uint8Array {
  const { label } = request;
  const message = create(LabelValuesRequestSchema, { label, ...fieldsOf(request) });
  return toBinary(LabelValuesRequestSchema, message);
}

/** Reads an answer. @throws CodedError corrupt. */
export function decodeLabelNamesResponse(bytes: Uint8Array): LabelsResponse {
  const { names, warnings, hints } = decodeMessage(LabelNamesResponseSchema, bytes);
  return { texts: names, warnings, ...anyOf(hints) };
}

/** The bytes of an answer. */
export function encodeLabelNamesResponse(response: LabelsResponse): Uint8Array {
  const { texts, warnings, hints } = response;
  const fields = { names: [...texts], warnings: [...warnings], ...anyField(hints) };
  return toBinary(LabelNamesResponseSchema, create(LabelNamesResponseSchema, fields));
}

/** Reads an answer. @throws CodedError corrupt. */
export function decodeLabelValuesResponse(bytes: Uint8Array): LabelsResponse {
  const { values, warnings, hints } = decodeMessage(LabelValuesResponseSchema, bytes);
  return { texts: values, warnings, ...anyOf(hints) };
}

/** The bytes of an answer. */
export function encodeLabelValuesResponse(response: LabelsResponse): Uint8Array {
  const { texts, warnings, hints } = response;
  const fields = { values: [...texts], warnings: [...warnings], ...anyField(hints) };
  return toBinary(LabelValuesResponseSchema, create(LabelValuesResponseSchema, fields));
}

function requestOf(
  message: LabelNamesMessage | LabelValuesMessage,
  make: MakeMatcher,
): LabelNamesRequest {
  return {
    mint: timeOf(message.start),
    maxt: timeOf(message.end),
    matchers: matchersOf(message.matchers, make),
    partialResponse: partialResponseOf(message),
    ...anyOf(message.hints),
    withoutReplicaLabels: message.withoutReplicaLabels,
    limit: numberOf(message.limit),
  };
}

function fieldsOf(request: LabelNamesRequest) {
  return {
    ...strategyField(request.partialResponse),
    start: int64Time(request.mint),
    end: int64Time(request.maxt),
    ...anyField(request.hints),
    matchers: matcherMessages(request.matchers),
    withoutReplicaLabels: [...request.withoutReplicaLabels],
    limit: int64Of(request.limit),
  };
}
