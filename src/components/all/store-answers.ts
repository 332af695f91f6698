/**
 * The StoreAPI of `thanos all`: the series of its TSDBs and of the bucket in one answer. Behaviour, texts and codes of the TSDB's part:
 * thanos pkg/store/tsdb.go; of what becomes of failures: pkg/store/proxy.go, where each of the two would be a store.
 */
import type { SeriesRun } from '../../bucket/read/series-run.ts';
import { orAbort } from '../../lib/abort.ts';
import { errorText } from '../../lib/errors.ts';
import { compareUtf8 } from '../../lib/utf8.ts';
import type { Labels } from '../../model/labels.ts';
import type { Matcher } from '../../model/matcher.ts';
import { GrpcError, grpcErrorOf } from '../../ops/grpc/status.ts';
import type {
  LabelNamesRequest,
  LabelValuesRequest,
  LabelsResponse,
} from '../../rpc/store/label-messages.ts';
import type { SeriesRequest } from '../../rpc/store/series-request.ts';
import type { StoreApi, StoreCall, StoreSeriesCall } from '../../rpc/store/store-api.ts';
import { matchersFor } from '../../storage/merged.ts';
import { toSpecs } from '../../http/matcher-specs.ts';
import type { ListedBlock } from '../../tsdb/block/list-blocks.ts';
import type { BlockMeta } from '../../tsdb/block/meta.ts';
import { answerLabelNames, answerLabelValues } from '../gateway/label-calls.ts';
import type { LabelsCompany } from '../gateway/label-calls.ts';
import { answerSeries } from '../gateway/series-call.ts';
import type { CallCompany } from '../gateway/store-options.ts';
import type { QueryClient } from './query-client.ts';
import { HeldBlocks } from './store-bucket.ts';
import type { BucketPart } from './store-bucket.ts';
import { selectSeries, tsdbRuns } from './store-stream.ts';
import type { StoreTaskClient } from './store-stream.ts';
import type { OfBlocks } from './store-tasks.ts';

/** A TSDB that answers, in the order of the workers' numbers. */
export interface AnsweringTsdb {
  readonly name: string;
  /** Its blocks at this moment. */
  readonly catalog: { readonly blocks: readonly ListedBlock[] };
}

/** What answers are made from. */
export interface StoreAnswersOptions {
  readonly tsdbs: readonly AnsweringTsdb[];
  readonly externalLabels: Labels;
  readonly client: StoreTaskClient & Pick<QueryClient, 'storeLabels' | 'holding'>;
  readonly bucket: BucketPart;
}

/** What TSDBs said, and which blocks of the bucket they stand for. */
interface Told<T> {
  readonly answers: readonly T[];
  readonly isHeld: CallCompany['isHeld'];
}

/** Answers calls: first the TSDBs are asked, then those blocks of the bucket that they did not have when they answered. */
export class StoreAnswers implements StoreApi {
  readonly #options: StoreAnswersOptions;

  constructor(options: StoreAnswersOptions) {
    this.#options = options;
  }

  async series(request: SeriesRequest, call: StoreSeriesCall): Promise<void> {
    if (request.matchers.length === 0) {
      throw new GrpcError('InvalidArgument', 'no matchers specified (excluding selector labels)');
    }
    const { client, bucket } = this.#options;
    const ending = new AbortController();
    const signal = AbortSignal.any([call.signal, ending.signal]);
    try {
      await client.holding(() =>
        answerSeries(request, call, bucket.call, () => this.#seriesCompany(request, signal)),
      );
    } finally {
      ending.abort();
    }
  }

  labelNames(request: LabelNamesRequest, call: StoreCall): Promise<LabelsResponse> {
    const all = { ...request, limit: 0 };
    return this.#labels(request, undefined, call, (company) =>
      answerLabelNames(all, call, this.#options.bucket.call, company),
    );
  }

  async labelValues(request: LabelValuesRequest, call: StoreCall): Promise<LabelsResponse> {
    const { label } = request;
    if (label === '') {
      throw new GrpcError('InvalidArgument', 'label name parameter cannot be empty');
    }
    if (request.withoutReplicaLabels.includes(label)) return { texts: [], warnings: [] };
    const all = { ...request, limit: 0 };
    return this.#labels(request, label, call, (company) =>
      answerLabelValues(all, call, this.#options.bucket.call, company),
    );
  }

  /** The series of the TSDBs, and what else there is to be known of a call. */
  async #seriesCompany(request: SeriesRequest, signal: AbortSignal): Promise<CallCompany> {
    const { client, externalLabels, bucket } = this.#options;
    const trouble = await this.#begin(request, signal);
    const { isTolerant, warnings } = trouble;
    let matchers = matchersFor(externalLabels, request.matchers);
    if (matchers?.length === 0) {
      const text = 'no matchers specified (excluding external labels)';
      trouble.take(new GrpcError('InvalidArgument', text));
      matchers = undefined;
    }
    const { answers, isHeld } = await this.#ask(matchers, trouble, async (tsdb, ofSeries) => {
      const onWarning = (text: string): void => this.#warn(text, trouble);
      const { budget } = bucket.call;
      const options = { client, tsdb, request, budget, signal, onWarning };
      const selection = await selectSeries(options, ofSeries);
      const runs = tsdbRuns(options, selection);
      return { blocks: selection.blocks, runs: this.#told(tsdb, runs, trouble) };
    });
    return { streams: answers.map(({ runs }) => runs), isHeld, isTolerant, warnings };
  }

  /** Label names, or the values of one label, of TSDBs and bucket: sorted, each once. */
  async #labels(
    request: LabelNamesRequest,
    name: string | undefined,
    { signal }: StoreCall,
    askBucket: (company: LabelsCompany) => Promise<LabelsResponse>,
  ): Promise<LabelsResponse> {
    const { client, externalLabels } = this.#options;
    const { mint, maxt, limit, withoutReplicaLabels: without } = request;
    const trouble = await this.#begin(request, signal);
    const { isTolerant, warnings } = trouble;
    const matchers = matchersFor(externalLabels, request.matchers);
    const { answers, isHeld } = await this.#ask(matchers, trouble, (tsdb, ofSeries) =>
      client.storeLabels({ tsdb, matchers: toSpecs(ofSeries), mint, maxt, name, without }, signal),
    );
    for (const answer of answers) for (const text of answer.warnings) this.#warn(text, trouble);
    const { texts: ofBucket, hints } = await askBucket({ isHeld, isTolerant, warnings });
    const all = new Set([...answers.flatMap(({ texts }) => texts), ...ofBucket]);
    const texts = [...all].sort(compareUtf8);
    return {
      texts: limit > 0 ? texts.slice(0, limit) : texts,
      warnings,
      ...(hints !== undefined && { hints }),
    };
  }

  /** Waits for the first look at the bucket. @throws GrpcError when it failed and nothing may be missing. */
  async #begin(
    { partialResponse }: Pick<SeriesRequest, 'partialResponse'>,
    signal: AbortSignal,
  ): Promise<Trouble> {
    const { bucket } = this.#options;
    await orAbort(bucket.looked, signal);
    const trouble = new Trouble(partialResponse === 'warn', signal);
    const { missing } = bucket;
    if (missing !== '') trouble.take(new GrpcError('Unavailable', missing));
    return trouble;
  }

  /** Asks all TSDBs side by side; none when matchers say that they have nothing. */
  async #ask<T extends OfBlocks>(
    matchers: readonly Matcher[] | undefined,
    trouble: Trouble,
    ask: (tsdb: number, matchers: readonly Matcher[]) => Promise<T>,
  ): Promise<Told<T>> {
    if (matchers === undefined) return { answers: [], isHeld: () => false };
    const { tsdbs } = this.#options;
    const metas = this.#metas();
    const outcomes = await Promise.allSettled(tsdbs.map((_, tsdb) => ask(tsdb, matchers)));
    const answers: T[] = [];
    for (const [tsdb, outcome] of outcomes.entries()) {
      if (outcome.status === 'fulfilled') answers.push(outcome.value);
      else trouble.take(tsdbError(tsdbs[tsdb], outcome.reason));
    }
    // A block that has left since is read all the same: whoever removes it waits for this call (QueryClient.drain).
    for (const [ulid, meta] of this.#metas()) metas.set(ulid, meta);
    const ulids = answers.flatMap(({ blocks }) => blocks);
    const held = new HeldBlocks(ulids.flatMap((ulid) => metas.get(ulid) ?? []));
    return { answers, isHeld: (block) => held.has(block) };
  }

  /** compat: as behind Go's proxy, warnings end calls whose answers may not be partial. */
  #warn(text: string, trouble: Trouble): void {
    if (!this.#options.bucket.fills(text)) trouble.take(new GrpcError('Aborted', text));
  }

  #metas(): Map<string, BlockMeta> {
    const blocks = this.#options.tsdbs.flatMap(({ catalog }) => catalog.blocks);
    return new Map(blocks.map(({ meta }) => [meta.ulid, meta]));
  }

  /** Runs whose failures say where they come from. */
  async *#told(
    tsdb: number,
    runs: AsyncGenerator<SeriesRun>,
    trouble: Trouble,
  ): AsyncGenerator<SeriesRun> {
    try {
      yield* runs;
    } catch (thrown) {
      trouble.take(tsdbError(this.#options.tsdbs[tsdb], thrown));
    }
  }
}

/** What becomes of failures: warnings, or the end of the call. */
class Trouble {
  readonly isTolerant: boolean;
  readonly warnings: string[] = [];
  readonly #signal: AbortSignal;

  constructor(isTolerant: boolean, signal: AbortSignal) {
    this.isTolerant = isTolerant;
    this.#signal = signal;
  }

  /** @throws the error, unless answers may be partial. */
  take(error: GrpcError): void {
    if (!this.isTolerant || this.#signal.aborted) throw error;
    this.warnings.push(error.message);
  }
}

/** A failure of a TSDB. Its code stays what it is. */
function tsdbError(tsdb: AnsweringTsdb | undefined, thrown: unknown): GrpcError {
  const code = grpcErrorOf(thrown)?.grpcCode ?? 'Internal';
  const text = `receive series from TSDB ${tsdb?.name ?? ''}: ${errorText(thrown)}`;
  return new GrpcError(code, text, { cause: thrown });
}
