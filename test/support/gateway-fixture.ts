/** A store gateway's blocks and calls over a bucket that fails on demand, in this process, for tests. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { BufferPool } from '../../src/bucket/read/buffer-pool.ts';
import { ChunkFramer } from '../../src/bucket/read/frame-chunks.ts';
import { ByteBudget } from '../../src/bucket/read/limits.ts';
import type { ReadCache } from '../../src/bucket/read/stored-block.ts';
import { encodeAggrChunk } from '../../src/bucket/read/frame-chunks-twin.ts';
import { encodeLabels } from '../../src/bucket/read/label-bytes.ts';
import { FetchMetrics } from '../../src/bucket/fetch/fetch-metrics.ts';
import { storeFilters } from '../../src/bucket/fetch/filters.ts';
import { MetaFetcher } from '../../src/bucket/fetch/meta-fetcher.ts';
import { withThanos } from '../../src/bucket/meta.ts';
import { BucketStore } from '../../src/components/gateway/bucket-store.ts';
import type { BucketStoreOptions } from '../../src/components/gateway/bucket-store.ts';
import { StoreMetrics } from '../../src/components/gateway/store-metrics.ts';
import type { CallLimits, StoreCallOptions } from '../../src/components/gateway/store-options.ts';
import { StoreServer } from '../../src/components/gateway/store-server.ts';
import { Gate } from '../../src/lib/gate.ts';
import { Labels, compareLabels } from '../../src/model/labels.ts';
import { Matcher } from '../../src/model/matcher.ts';
import type { Bucket } from '../../src/objstore/bucket.ts';
import { ProcessMetrics } from '../../src/ops/metrics.ts';
import { encodeBlockMeta, parseBlockMeta } from '../../src/tsdb/block/meta.ts';
import type { SeriesRequest } from '../../src/rpc/store/series-request.ts';
import type { StoreSeriesCall } from '../../src/rpc/store/store-api.ts';
import { buildBlock } from './block-builder.ts';
import type { TestSeries } from './block-builder.ts';
import { readBlock } from './block-frames.ts';
import { FetchFixture } from './fetch-fixture.ts';
import { contentsOf, fieldsOf } from './protobuf.ts';
import { putBlock } from './stored-block.ts';
import { temporaryDirectory } from './temporary-directory.ts';

const COPIED_BYTES_MAX = 16 * 1024;

/** A series as it is sent, hex. */
export interface SentSeries {
  readonly labels: string;
  readonly chunks: string;
}

/** Settings of a gateway that tests change. */
export interface GatewaySettings {
  readonly bucket?: Bucket;
  readonly lazyHeaders?: boolean;
  readonly lazyDownload?: boolean;
  readonly inMemory?: boolean;
  readonly estimates?: BucketStoreOptions['estimates'];
  readonly limits?: CallLimits;
  readonly budgetBytes?: number;
  readonly batchSize?: number;
  readonly lazyPostings?: boolean;
  readonly cache?: ReadCache;
  readonly deletionDelayMs?: number;
}

/** Blocks in a bucket, with a clock, a log and metrics. */
export class GatewayFixture extends FetchFixture implements Disposable {
  readonly directory = temporaryDirectory();
  readonly dataDir = join(this.directory.path, 'data');

  /** Writes a block with external labels and uploads it; answers its ULID and directory. */
  async addBlock(
    series: readonly TestSeries[],
    labels: Readonly<Record<string, string>> = { cluster: 'eu' },
    resolution = 0,
  ): Promise<{ ulid: string; directory: string }> {
    const { ulid, directory } = buildBlock(this.directory.path, series, {
      segmentBytesMax: 50_000,
    });
    const file = join(directory, 'meta.json');
    const meta = parseBlockMeta(readFileSync(file, 'utf8'), file);
    const thanos = { labels, downsample: { resolution }, source: 'sidecar' as const };
    writeFileSync(file, encodeBlockMeta(withThanos(meta, thanos)));
    await putBlock(this.memory, directory, ulid);
    return { ulid, directory };
  }

  /** A gateway, as a fresh process would be; not synced. */
  gateway(settings: GatewaySettings = {}): TestGateway {
    return new TestGateway(this, settings);
  }

  [Symbol.dispose](): void {
    this.directory[Symbol.dispose]();
  }
}

/** The blocks and calls of a gateway. */
export class TestGateway {
  readonly store: BucketStore;
  readonly server: StoreServer;
  readonly budget: ByteBudget;
  readonly #fixture: GatewayFixture;

  constructor(fixture: GatewayFixture, settings: GatewaySettings) {
    this.#fixture = fixture;
    const { clock, log } = fixture;
    const registry = new ProcessMetrics(clock);
    const bucket = settings.bucket ?? fixture.bucket;
    const dataDir = settings.inMemory === true ? undefined : fixture.dataDir;
    const marks = { bucket, concurrency: 4 };
    const fetcher = new MetaFetcher({
      base: fixture.base(dataDir),
      filters: storeFilters({
        ...marks,
        minTime: { time: -1e15 },
        maxTime: { time: 1e15 },
        selectorRules: [],
        consistencyDelayMs: 0,
        ignoreDeletionMarksDelayMs: settings.deletionDelayMs ?? 0,
      }),
      metrics: new FetchMetrics(registry),
      clock,
      log,
    });
    const metrics = new StoreMetrics(registry, 20);
    this.store = new BucketStore({
      bucket,
      fetch: (signal) => fetcher.fetch(signal),
      dataDir,
      syncConcurrency: 4,
      headerSampling: 32,
      lazyHeaders: settings.lazyHeaders ?? false,
      lazyDownload: settings.lazyDownload ?? false,
      headerIdleMs: 60_000,
      estimates: settings.estimates ?? { seriesBytes: 64 * 1024, chunkBytes: 16_000 },
      metrics,
      clock,
      log,
    });
    this.budget = new ByteBudget('chunk pool exhausted', settings.budgetBytes ?? 0);
    const options: StoreCallOptions = {
      store: this.store,
      metrics,
      cache: settings.cache,
      framer: new ChunkFramer(),
      pool: new BufferPool(64 << 20),
      budget: this.budget,
      gate: new Gate(20),
      limits: settings.limits ?? { series: 0, chunks: 0, bytes: 0 },
      lazy: { enabled: settings.lazyPostings ?? false, maxKeySeriesRatio: 0 },
      batchSize: settings.batchSize ?? 10_000,
      timeRange: () => ({ mint: -1e15, maxt: 1e15 }),
      clock,
      log,
    };
    this.server = new StoreServer(options);
  }

  /** Ends it as the end of a process does. */
  close(): Promise<void> {
    return this.store.close();
  }

  /** The answer to a call for series, message by message. */
  async call(
    request: Partial<SeriesRequest> = {},
    call: Partial<StoreSeriesCall> = {},
  ): Promise<Buffer[]> {
    const messages: Buffer[] = [];
    // As src/ops/grpc/message-writer.ts: small parts are copied, large ones are read later, when they must not have changed.
    const parts: (readonly Uint8Array[])[] = [];
    await this.server.series(
      {
        mint: -1e15,
        maxt: 1e15,
        matchers: [new Matcher('=', '__name__', 'm')],
        maxResolutionMs: 0,
        aggregates: ['raw'],
        partialResponse: 'warn',
        skipChunks: false,
        withoutReplicaLabels: [],
        limit: 0,
        responseBatchSize: 0,
        ...request,
      },
      {
        signal: new AbortController().signal,
        tenant: 'default-tenant',
        write: (message) => {
          parts.push(
            message.map((part) => (part.length <= COPIED_BYTES_MAX ? Buffer.from(part) : part)),
          );
          return Promise.resolve();
        },
        ...call,
      },
    );
    for (const message of parts) messages.push(Buffer.concat(message));
    return messages;
  }

  /** The series of such an answer. */
  async series(
    request: Partial<SeriesRequest> = {},
    call: Partial<StoreSeriesCall> = {},
  ): Promise<SentSeries[]> {
    return seriesOf(await this.call(request, call));
  }

  get ulids(): string[] {
    return [...this.store.blocks].map(({ ulid }) => ulid).toSorted();
  }

  /** The warnings of the log since the last time, with the error of each. */
  warnings(): string[] {
    return this.#fixture.lines
      .splice(0)
      .flatMap(({ level, msg, fields }) =>
        level === 'warn' ? [`${msg}: ${String(fields['err'])}`] : [],
      );
  }
}

/** The series of messages of SeriesResponse, in batches or not. */
export function seriesOf(messages: readonly Uint8Array[]): SentSeries[] {
  return messages.flatMap((message) => {
    const fields = fieldsOf(message);
    const batches = contentsOf(fields, 4).flatMap((batch) => contentsOf(fieldsOf(batch), 1));
    return [...contentsOf(fields, 1), ...batches].map((series) => {
      const end = labelBytes(series);
      return { labels: series.toString('hex', 0, end), chunks: series.toString('hex', end) };
    });
  });
}

/** How many bytes the labels of a Series take, which come first. */
function labelBytes(series: Buffer): number {
  const labels = contentsOf(fieldsOf(series), 1);
  return labels.reduce(
    (sum, { length }) => sum + 1 + (length < 128 ? 1 : length < 16_384 ? 2 : 3) + length,
    0,
  );
}

/** What blocks of raw samples answer to `{__name__="m"}`: each label set once, its chunks by times. */
export function plainSeries(
  blocks: readonly {
    readonly directory: string;
    readonly labels: Readonly<Record<string, string>>;
  }[],
): SentSeries[] {
  const sets = new Map<string, { labels: Labels; chunks: { mint: number; bytes: Buffer }[] }>();
  for (const { directory, labels: external } of blocks) {
    for (const { labels: own, chunks } of readBlock(directory).series) {
      if (own.get('__name__') !== 'm') continue;
      const labels = Labels.fromPairs([...own, ...Object.entries(external)]);
      const one = sets.get(labels.key) ?? { labels, chunks: [] };
      sets.set(labels.key, one);
      for (const { mint, maxt, encoding, data } of chunks) {
        const bytes = Buffer.from(encodeAggrChunk(mint, maxt, [{ tag: 0x1a, encoding, data }]));
        if (!one.chunks.some((other) => other.bytes.equals(bytes)))
          one.chunks.push({ mint, bytes });
      }
    }
  }
  return [...sets.values()]
    .toSorted((a, b) => compareLabels(a.labels, b.labels))
    .map(({ labels, chunks }) => ({
      labels: encodeLabels(labels).toString('hex'),
      chunks: Buffer.concat(
        chunks.toSorted((a, b) => a.mint - b.mint).map(({ bytes }) => bytes),
      ).toString('hex'),
    }));
}
