/** The StoreAPI of `thanos all` in one thread: a TSDB with a head, blocks and late samples, a bucket beside it, and what was written. */
import { join } from 'node:path';
import { BucketPart } from '../../src/components/all/store-bucket.ts';
import { StoreAnswers } from '../../src/components/all/store-answers.ts';
import { storeTasks } from '../../src/components/all/store-tasks.ts';
import { Shipper } from '../../src/bucket/shipper.ts';
import { FakeClock } from '../../src/lib/clock.ts';
import { CodedError } from '../../src/lib/errors.ts';
import { nopLogger } from '../../src/lib/log.ts';
import { Labels } from '../../src/model/labels.ts';
import { Matcher } from '../../src/model/matcher.ts';
import { MemoryBucket } from '../../src/objstore/memory.ts';
import { ProcessMetrics } from '../../src/ops/metrics.ts';
import { Transfer } from '../../src/ops/worker-protocol.ts';
import type { Task } from '../../src/ops/worker-runtime.ts';
import type { SeriesRequest } from '../../src/rpc/store/series-request.ts';
import { FaultyBucket } from './faulty-bucket.ts';
import { lineOfTest } from './histogram-line.ts';
import { MaintainedTsdb } from './maintained-tsdb.ts';
import { readSeriesAnswer } from './store-answers.ts';
import type { SeriesAnswer } from './store-answers.ts';
import { temporaryDirectory } from './temporary-directory.ts';
import { encodeWriteRequest } from './write-request.ts';
import type { TestSeries } from './write-request.ts';

export const HOUR = 3_600_000;
/** A boundary of blocks. */
export const BASE = 1_699_999_200_000;

/** The labels that the TSDB is known by. */
export const EXTERNAL = Labels.fromObject({ cluster: 'c1', replica: '0' });

/** A request for everything; members that are given stand in place of its own. */
export function seriesRequest(change: Partial<SeriesRequest> = {}): SeriesRequest {
  return {
    mint: BASE - 100 * HOUR,
    maxt: BASE + 100 * HOUR,
    matchers: [new Matcher('=~', '__name__', '.+')],
    maxResolutionMs: 0,
    aggregates: [],
    partialResponse: 'abort',
    skipChunks: false,
    withoutReplicaLabels: [],
    limit: 0,
    responseBatchSize: 0,
    ...change,
  };
}

/** A series as it was written. */
export interface WrittenSeries {
  readonly labels: Labels;
  /** Value texts by time. */
  readonly samples: Map<number, string>;
}

/** What a test holds. */
export class StoreFixture implements AsyncDisposable {
  readonly #directory = temporaryDirectory();
  readonly clock = new FakeClock(BASE);
  readonly bucket = new FaultyBucket(new MemoryBucket(this.clock));
  readonly tsdb: MaintainedTsdb;
  readonly part: BucketPart;
  readonly answers: StoreAnswers;
  readonly shipper: Shipper;
  /** By their labels. */
  readonly written = new Map<string, WrittenSeries>();
  /** In place of what pages are to hold. */
  pageBytes: number | undefined;
  /** Called before each task, by its name. */
  onTask: (name: string) => void = () => undefined;
  readonly #tasks: Record<string, Task>;

  constructor(external = EXTERNAL) {
    const directory = join(this.#directory.path, 'tsdb');
    this.tsdb = new MaintainedTsdb({ directory, clock: this.clock, outOfOrderWindowMs: 2 * HOUR });
    const { reader, handle, cache, catalog } = this.tsdb;
    this.#tasks = storeTasks({
      readers: [reader],
      tsdbs: [handle],
      cache,
      externalLabels: external,
    });
    this.part = new BucketPart({
      bucket: this.bucket,
      dataDir: join(this.#directory.path, 'store'),
      metrics: new ProcessMetrics(),
      clock: this.clock,
      log: nopLogger,
    });
    this.answers = new StoreAnswers({
      tsdbs: [{ name: 'default-tenant', catalog }],
      externalLabels: external,
      bucket: this.part,
      client: {
        storeSelect: (params, signal) => this.#run('store.select', params, signal),
        storePage: ({ bytesMax, ...params }, signal) =>
          this.#run('store.page', { ...params, bytesMax: this.pageBytes ?? bytesMax }, signal),
        storeLabels: (params, signal) => this.#run('store.labels', params, signal),
        holding: (work) => work(),
      },
    });
    this.shipper = new Shipper({
      directory,
      bucket: this.bucket,
      labels: () => external,
      source: 'receive',
      clock: this.clock,
      log: nopLogger,
    });
  }

  /** Writes samples, all of which must be taken, and remembers them. */
  async write(series: readonly TestSeries[]): Promise<void> {
    await this.tsdb.db.writeDecoded(encodeWriteRequest(series));
    for (const { labels, samples, histograms = [] } of series) {
      const own = Labels.fromPairs(labels.map(([name, value]) => [name, String(value)]));
      const one = this.written.get(own.key) ?? { labels: own, samples: new Map() };
      this.written.set(own.key, one);
      for (const [t, v] of samples) one.samples.set(t, String(v));
      for (const histogram of histograms) one.samples.set(histogram.t, lineOfTest(histogram));
    }
  }

  /** Asks for series; messages are read when the call has ended. */
  async series(
    change: Partial<SeriesRequest> = {},
    signal = new AbortController().signal,
  ): Promise<SeriesAnswer> {
    const messages: Buffer[] = [];
    await this.answers.series(seriesRequest(change), {
      signal,
      tenant: 'default-tenant',
      write: async (parts) => void messages.push(Buffer.concat(parts)),
    });
    return readSeriesAnswer(messages);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.part.stop();
    this.tsdb.close();
    this.#directory[Symbol.dispose]();
  }

  /** As the pool does it: what goes in and out is copied, and errors keep code and text only. */
  async #run<T>(name: string, params: unknown, signal: AbortSignal): Promise<T> {
    this.onTask(name);
    const context = {
      get signal() {
        if (signal.aborted) throw new CodedError('canceled', 'context canceled');
        return signal;
      },
      run: () => Promise.reject(new Error('not here')),
      runElsewhere: () => Promise.reject(new Error('not here')),
    };
    const task = this.#tasks[name] as Task;
    const value = await task(structuredClone(params) as never, context);
    return structuredClone(value instanceof Transfer ? value.value : value) as T;
  }
}
