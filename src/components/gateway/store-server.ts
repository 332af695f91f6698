/** A store gateway's StoreAPI. */
import type { StoreApi, StoreCall, StoreSeriesCall } from '../../rpc/store/store-api.ts';
import type {
  LabelNamesRequest,
  LabelValuesRequest,
  LabelsResponse,
} from '../../rpc/store/label-messages.ts';
import type { SeriesRequest } from '../../rpc/store/series-request.ts';
import { answerLabelNames, answerLabelValues } from './label-calls.ts';
import { answerSeries } from './series-call.ts';
import type { StoreCallOptions } from './store-options.ts';

/** Answers calls over the blocks of a bucket. */
export class StoreServer implements StoreApi {
  readonly #options: StoreCallOptions;

  constructor(options: StoreCallOptions) {
    this.#options = options;
  }

  series(request: SeriesRequest, call: StoreSeriesCall): Promise<void> {
    return answerSeries(request, call, this.#options);
  }

  labelNames(request: LabelNamesRequest, call: StoreCall): Promise<LabelsResponse> {
    return answerLabelNames(request, call, this.#options);
  }

  labelValues(request: LabelValuesRequest, call: StoreCall): Promise<LabelsResponse> {
    return answerLabelValues(request, call, this.#options);
  }
}
