/** The StoreAPI as its servers implement it: plain requests, parts of messages as answers. Meaning: thanos pkg/store/storepb/rpc.proto. */
import type { LabelNamesRequest, LabelValuesRequest, LabelsResponse } from './label-messages.ts';
import type { SeriesRequest } from './series-request.ts';

/** What a server knows of a call. */
export interface StoreCall {
  /** Fires when nobody waits for the answer any more. */
  readonly signal: AbortSignal;
  readonly tenant: string;
}

/** A call that is answered with any number of messages. */
export interface StoreSeriesCall extends StoreCall {
  /** Sends a message, given in parts that are not changed afterwards; resolves when there is room for more. */
  write(parts: readonly Uint8Array[]): Promise<void>;
}

/** A server of the StoreAPI. Methods throw GrpcError or CodedError. */
export interface StoreApi {
  /** Answers with messages of SeriesResponse: {@link SeriesWriter}. */
  series(request: SeriesRequest, call: StoreSeriesCall): Promise<void>;
  labelNames(request: LabelNamesRequest, call: StoreCall): Promise<LabelsResponse>;
  labelValues(request: LabelValuesRequest, call: StoreCall): Promise<LabelsResponse>;
}
