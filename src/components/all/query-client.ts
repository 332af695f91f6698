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
import { CodedError } from '../../lib/errors.ts';
import { Gate } from '../../lib/gate.ts';
import type { Histogram, MetricsRegistry } from '../../lib/metrics.ts';
import type { ComputePool } from '../../ops/compute-pool.ts';
import type { CardinalityParams, ReadPageParams } from './query-tasks.ts';

/** Seconds; Thanos' buckets of the gate's histogram. */
const WAIT_BUCKETS = [0.01, 0.1, 0.3, 0.6, 1, 3, 6, 9, 20, 30, 60, 90, 120];

/** What queries need. */
export interface QueryClientOptions {
  readonly pool: ComputePool;
  readonly metrics: MetricsRegistry;
  /** limit: queries evaluated at once; further ones wait. */
  readonly maxConcurrent: number;
  readonly metadataTimeoutMs: number;
}

/** Runs queries on the compute pool. */
export class QueryClient implements QueryService {
  readonly #options: QueryClientOptions;
  readonly #gate: Gate;
  readonly #waited: Histogram;
  readonly #running = new Set<Promise<unknown>>();
  #ready = false;

  constructor(options: QueryClientOptions) {
    this.#options = options;
    this.#gate = new Gate(options.maxConcurrent);
    const { metrics } = options;
    const name = 'thanos_query_concurrent_gate_queries';
    const inFlight = metrics.gauge(
      `${name}_in_flight`,
      'Number of queries that are currently in flight.',
    );
    metrics
      .gauge(`${name}_max`, 'Number of maximum concurrent queries.')
      .set(options.maxConcurrent);
    this.#waited = metrics.histogram(
      `${name}_duration_seconds`,
      'How many seconds it took for queries to wait at the gate.',
      WAIT_BUCKETS,
    );
    metrics.onCollect(() => inFlight.set(this.#gate.held));
  }

  /** Queries are answered from now on. */
  open(): void {
    this.#ready = true;
  }

  instant(params: InstantParams, signal: AbortSignal): Promise<QueryAnswer> {
    return this.#query('query.instant', params, params.timeoutMs, signal);
  }

  range(params: RangeParams, signal: AbortSignal): Promise<QueryAnswer> {
    return this.#query('query.range', params, params.timeoutMs, signal);
  }

  series(params: MetadataParams, signal: AbortSignal): Promise<QueryAnswer> {
    return this.#query('query.series', params, this.#options.metadataTimeoutMs, signal);
  }

  labelNames(params: MetadataParams, signal: AbortSignal): Promise<QueryAnswer> {
    return this.#query('query.labelNames', params, this.#options.metadataTimeoutMs, signal);
  }

  labelValues(
    params: MetadataParams & { name: string },
    signal: AbortSignal,
  ): Promise<QueryAnswer> {
    return this.#query('query.labelValues', params, this.#options.metadataTimeoutMs, signal);
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

  /** Resolves when every query that runs now has ended: what only they may read can be taken away then. */
  async drain(): Promise<void> {
    await Promise.allSettled(this.#running);
  }

  async #query(
    task: string,
    params: unknown,
    timeoutMs: number,
    signal: AbortSignal,
  ): Promise<QueryAnswer> {
    this.#requireReady();
    const timeout = AbortSignal.timeout(Math.min(timeoutMs, 2 ** 31 - 1));
    const either = AbortSignal.any([signal, timeout]);
    const begun = performance.now();
    try {
      return await this.#gate.run(either, async () => {
        this.#waited.observe((performance.now() - begun) / 1000);
        return (await this.#run(task, params, either)) as QueryAnswer;
      });
    } catch (thrown) {
      // The worker sees one flag for both reasons to stop.
      if (timeout.aborted && !signal.aborted) {
        throw new CodedError('timeout', 'query timed out in expression evaluation', {
          cause: thrown,
        });
      }
      throw thrown;
    }
  }

  async #plain<T>(task: string, params: unknown, signal: AbortSignal): Promise<T> {
    this.#requireReady();
    return (await this.#run(task, params, signal)) as T;
  }

  #requireReady(): void {
    if (!this.#ready)
      throw new CodedError('unavailable', 'the TSDB is being replayed, not ready yet');
  }

  async #run(task: string, params: unknown, signal: AbortSignal): Promise<unknown> {
    const running = this.#options.pool.run(task, params, { signal });
    this.#running.add(running);
    try {
      return await running;
    } finally {
      this.#running.delete(running);
    }
  }
}
