/** The main thread's end of queries: a gate, a timeout, and a compute worker for each. */
import type {
  InstantParams,
  MetadataParams,
  QueryAnswer,
  QueryService,
  RangeParams,
} from '../../http/query-service.ts';
import type { FederateAnswer } from '../../http/federate.ts';
import type { FederateRequest } from '../../http/federate-handler.ts';
import type { ReadPage } from '../../http/remote-read.ts';
import type { ReadCursor } from '../../http/remote-read-select.ts';
import type { HeadCardinality } from '../../http/tsdb-service.ts';
import { orAbort } from '../../lib/abort.ts';
import { CodedError, errorText } from '../../lib/errors.ts';
import { Gate } from '../../lib/gate.ts';
import type { MetricsRegistry } from '../../lib/metrics.ts';
import type { ComputePool } from '../../ops/compute-pool.ts';
import { Deadline } from '../../ops/deadline.ts';
import { WorkerMemoryError } from '../../ops/pool-worker.ts';
import { sleep } from '../../ops/sleep.ts';
import type { Texts } from '../../storage/storage.ts';
import { failedStatistics, tooManySamples } from './query-figures.ts';
import { EngineMetrics, registerGate } from './query-metrics.ts';
import type { GateMetrics } from './query-metrics.ts';
import type { QueryRecords } from './query-records.ts';
import type {
  CardinalityParams,
  EvaluatedQuery,
  QueuedQuery,
  ReadPageParams,
} from './query-tasks.ts';
import type { StoreTaskClient } from './store-stream.ts';
import type {
  OfBlocks,
  StoreLabelsParams,
  StorePage,
  StorePageParams,
  StoreSelection,
  StoreSelectParams,
} from './store-tasks.ts';

/** What queries need. */
export interface QueryClientOptions {
  readonly pool: Pick<ComputePool, 'run'>;
  readonly metrics: MetricsRegistry;
  /** limit: queries evaluated at once; further ones wait. */
  readonly maxConcurrent: number;
  readonly metadataTimeoutMs: number;
}

/** limit: how long what is to be taken away waits for calls of many tasks, whose clients may be slow, ms. */
const CALL_GRACE_MS = 15_000;

/** Runs queries on the compute pool. */
export class QueryClient implements QueryService, StoreTaskClient {
  readonly #options: QueryClientOptions;
  readonly #gate: Gate;
  readonly #gateMetrics: GateMetrics;
  readonly #running = new Set<Promise<unknown>>();
  readonly #calls = new Set<Promise<unknown>>();
  #records: QueryRecords | undefined;
  #ready = false;
  /** What the engine counts. */
  readonly engineMetrics: EngineMetrics;

  constructor(options: QueryClientOptions) {
    this.#options = options;
    const { metrics, maxConcurrent } = options;
    this.#gate = new Gate(maxConcurrent);
    this.#gateMetrics = registerGate(metrics, maxConcurrent);
    this.engineMetrics = new EngineMetrics(metrics, maxConcurrent);
    metrics.onCollect(() => this.#gateMetrics.inFlight.set(this.#gate.held));
  }

  /** Queries are answered from now on, and written down where that is asked for. */
  open(records?: QueryRecords): void {
    this.#records = records;
    this.#ready = true;
  }

  instant(params: InstantParams, signal: AbortSignal): Promise<QueryAnswer> {
    return this.#evaluate('query.instant', params, signal);
  }

  range(params: RangeParams, signal: AbortSignal): Promise<QueryAnswer> {
    return this.#evaluate('query.range', params, signal);
  }

  explain(params: InstantParams | RangeParams, signal: AbortSignal): Promise<QueryAnswer> {
    return this.#plain('query.explain', params, signal);
  }

  series(params: MetadataParams, signal: AbortSignal): Promise<QueryAnswer> {
    return this.#metadata('query.series', params, signal);
  }

  labelNames(params: MetadataParams, signal: AbortSignal): Promise<QueryAnswer> {
    return this.#metadata('query.labelNames', params, signal);
  }

  labelValues(
    params: MetadataParams & { name: string },
    signal: AbortSignal,
  ): Promise<QueryAnswer> {
    return this.#metadata('query.labelValues', params, signal);
  }

  /** Answers a page of a remote read; the endpoint has a gate of its own. */
  read(body: Uint8Array, cursor: ReadCursor, signal: AbortSignal): Promise<ReadPage> {
    return this.#plain('query.readPage', { body, cursor } satisfies ReadPageParams, signal);
  }

  federate(request: FederateRequest, signal: AbortSignal): Promise<FederateAnswer> {
    return this.#plain('query.federate', request, signal);
  }

  /** Cardinality of the head of a TSDB, by its place in {@link QueryWorkerData}. */
  cardinality(params: CardinalityParams): Promise<HeadCardinality> {
    return this.#plain('query.cardinality', params, new AbortController().signal);
  }

  /** Finds the series of a TSDB for the StoreAPI. */
  storeSelect(params: StoreSelectParams, signal: AbortSignal): Promise<StoreSelection> {
    return this.#plain('store.select', params, signal);
  }

  /** Reads chunks of series that were found. */
  storePage(params: StorePageParams, signal: AbortSignal): Promise<StorePage> {
    return this.#plain('store.page', params, signal);
  }

  /** The label names of a TSDB, or the values of a label. */
  storeLabels(params: StoreLabelsParams, signal: AbortSignal): Promise<Texts & OfBlocks> {
    return this.#plain('store.labels', params, signal);
  }

  /** Lets {@link drain} wait for work of several tasks, for a while: what they found would be gone otherwise. */
  async holding<T>(work: () => Promise<T>): Promise<T> {
    const call = work();
    this.#calls.add(call);
    try {
      return await call;
    } finally {
      this.#calls.delete(call);
    }
  }

  /**
   * Resolves when every query that runs now has ended: what only they may read can be taken away then. A call that goes on for longer
   * finds out itself.
   */
  async drain(): Promise<void> {
    if (this.#calls.size > 0) {
      const waiting = new AbortController();
      const calls = Promise.allSettled(this.#calls);
      await Promise.race([calls, sleep(CALL_GRACE_MS, waiting.signal).catch(() => undefined)]);
      waiting.abort();
    }
    await Promise.allSettled(this.#running);
  }

  async #metadata(task: string, params: unknown, signal: AbortSignal): Promise<QueryAnswer> {
    this.#requireReady();
    using wait = new Wait(signal, this.#options.metadataTimeoutMs);
    try {
      return await this.#gated(
        wait,
        async () => (await this.#run(task, params, wait.signal)) as QueryAnswer,
      );
    } catch (thrown) {
      throw wait.ending(thrown);
    }
  }

  async #evaluate(
    task: string,
    params: InstantParams | RangeParams,
    signal: AbortSignal,
  ): Promise<QueryAnswer> {
    this.#requireReady();
    const { engineMetrics } = this;
    using wait = new Wait(signal, params.timeoutMs);
    engineMetrics.queries.inc();
    try {
      const { answer, stats } = await this.#gated(wait, () => this.#runTracked(task, params, wait));
      engineMetrics.ran(stats);
      this.#records?.ended({ params, stats });
      return answer;
    } catch (thrown) {
      const error = wait.ending(thrown);
      this.#recordFailure(params, wait, error);
      throw error;
    } finally {
      engineMetrics.queries.dec();
      engineMetrics.queued(wait.queueMs / 1000);
    }
  }

  async #runTracked(
    task: string,
    params: InstantParams | RangeParams,
    wait: Wait,
  ): Promise<EvaluatedQuery> {
    const ended = this.#records?.began(params.query);
    try {
      const { queueMs } = wait;
      const timeoutMs = Math.max(1, params.timeoutMs - queueMs);
      const queued: QueuedQuery<typeof params> = { ...params, timeoutMs, queueMs };
      return (await this.#run(task, queued, wait.signal)) as EvaluatedQuery;
    } finally {
      ended?.();
    }
  }

  /** As in Prometheus, what does not parse is no query yet, and not logged. */
  #recordFailure(params: InstantParams | RangeParams, wait: Wait, error: unknown): void {
    if (error instanceof CodedError && error.code === 'bad_data') return;
    const stats = failedStatistics(wait.queueMs, wait.totalMs);
    this.#records?.ended({ params, stats, error: errorText(error) });
  }

  #gated<T>(wait: Wait, work: () => Promise<T>): Promise<T> {
    return this.#gate.run(wait.signal, () => {
      wait.enter();
      this.#gateMetrics.entered.inc();
      this.#gateMetrics.waited.observe(wait.queueMs / 1000);
      return work();
    });
  }

  async #plain<T>(task: string, params: unknown, signal: AbortSignal): Promise<T> {
    this.#requireReady();
    return (await this.#run(task, params, signal)) as T;
  }

  #requireReady(): void {
    if (!this.#ready)
      throw new CodedError('unavailable', 'the TSDB is being replayed, not ready yet');
  }

  /** Ends when the signal fires, also where the worker takes longer to notice; only {@link drain} waits for that. */
  async #run(task: string, params: unknown, signal: AbortSignal): Promise<unknown> {
    const running = this.#options.pool.run(task, params, { signal });
    this.#running.add(running);
    const forget = (): void => void this.#running.delete(running);
    running.then(forget, forget);
    return orAbort(running, signal);
  }
}

/** A query's time: how long it waited for its turn, how long it may take, and why it ended early. */
class Wait implements Disposable {
  readonly #deadline: Deadline;
  readonly #client: AbortSignal;
  readonly #begun = performance.now();
  #entered: number | undefined;

  constructor(client: AbortSignal, timeoutMs: number) {
    this.#client = client;
    this.#deadline = new Deadline(client, timeoutMs);
  }

  get signal(): AbortSignal {
    return this.#deadline.signal;
  }

  /** How long it has waited, or did before it entered. */
  get queueMs(): number {
    return (this.#entered ?? performance.now()) - this.#begun;
  }

  get totalMs(): number {
    return performance.now() - this.#begun;
  }

  /** Its turn has come. */
  enter(): void {
    this.#entered = performance.now();
  }

  /** The error that it ended with: the worker and the gate see one signal for both reasons to stop. */
  ending(thrown: unknown): unknown {
    if (!this.signal.aborted) {
      return thrown instanceof WorkerMemoryError ? tooManySamples(thrown) : thrown;
    }
    const where = this.#entered === undefined ? 'query queue' : 'expression evaluation';
    // Whoever went away first is the reason.
    if (this.#client.aborted) {
      return new CodedError('canceled', `query was canceled in ${where}`, { cause: thrown });
    }
    return new CodedError('timeout', `query timed out in ${where}`, { cause: thrown });
  }

  [Symbol.dispose](): void {
    this.#deadline[Symbol.dispose]();
  }
}
