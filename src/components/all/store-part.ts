/** The gRPC side of `thanos all`: its TSDBs and its bucket behind thanos.Store, and what it tells about itself. */
import type { Clock } from '../../lib/clock.ts';
import type { Logger } from '../../lib/log.ts';
import type { MetricsRegistry } from '../../lib/metrics.ts';
import type { Tracer } from '../../lib/tracing.ts';
import type { Labels } from '../../model/labels.ts';
import { MAX_TIME } from '../../model/value.ts';
import type { Bucket } from '../../objstore/bucket.ts';
import type { GrpcRequestLog } from '../../ops/grpc-request-log.ts';
import { addHealth } from '../../ops/grpc/health.ts';
import { GrpcServerMetrics } from '../../ops/grpc/metrics.ts';
import { addReflection } from '../../ops/grpc/reflection.ts';
import { GrpcServer } from '../../ops/grpc/server.ts';
import type { Probe } from '../../ops/probe.ts';
import type { Actor } from '../../ops/run-group.ts';
import type { ServerTls } from '../../ops/tls-files.ts';
import { fileDescriptors } from '../../rpc/descriptors.ts';
import type { ServerInfo, TsdbFacts } from '../../rpc/info/info-messages.ts';
import { INFO_SERVICE, addInfoService } from '../../rpc/info/info-service.ts';
import { STORE_SERVICE, addStoreService } from '../../rpc/store/store-service.ts';
import type { BlockMeta } from '../../tsdb/block/meta.ts';
import { H, HEADER } from '../../tsdb/head/arena-layout.ts';
import { ArenaView } from '../../tsdb/head/arena.ts';
import type { TsdbHandle } from '../../tsdb/tsdb-reader.ts';
import { StoreAnswers } from './store-answers.ts';
import type { AnsweringTsdb, StoreAnswersOptions } from './store-answers.ts';
import { BucketPart } from './store-bucket.ts';

/** compat: what has a TSDB that is written to, and ships its blocks, is a receiver to those who ask. */
const COMPONENT = 'receive';

/** How gRPC is served. */
export interface GrpcOptions {
  readonly address: string;
  readonly gracePeriodMs: number;
  readonly maxConnectionAgeMs: number;
  readonly tls: ServerTls | undefined;
  readonly tracer: Tracer;
  readonly requestLog: GrpcRequestLog | undefined;
}

/** A TSDB that is served: its {@link StoreTsdb.handle} tells where its head is. */
export interface StoreTsdb extends AnsweringTsdb {
  readonly handle: TsdbHandle;
}

/** What is served, and how. */
export interface StorePartOptions extends GrpcOptions {
  readonly tsdbs: readonly StoreTsdb[];
  readonly externalLabels: Labels;
  readonly client: StoreAnswersOptions['client'];
  /** Open until this has stopped. */
  readonly bucket: Bucket;
  /** Where the gateway part keeps its files. */
  readonly dataDir: string;
  readonly probe: Probe;
  readonly metrics: MetricsRegistry;
  readonly clock: Clock;
  readonly log: Logger;
}

/** A server, and the blocks of the bucket behind it. */
export class StorePart {
  readonly #options: StorePartOptions;
  readonly #bucket: BucketPart;
  readonly #heads: readonly (readonly ArenaView[])[];
  /** The address that the server got. */
  address = '';

  constructor(options: StorePartOptions) {
    this.#options = options;
    const { bucket, dataDir, metrics, clock, log, tsdbs } = options;
    this.#bucket = new BucketPart({ bucket, dataDir, metrics, clock, log });
    this.#heads = tsdbs.map(({ handle }) =>
      handle.head.memories.map((memory) => new ArenaView(memory)),
    );
  }

  /** Serves from its start on; the TSDBs are open by then. */
  actor(): Actor {
    const { log, probe, metrics, address, gracePeriodMs, maxConnectionAgeMs, tls } = this.#options;
    const { tsdbs, externalLabels, client, tracer, requestLog } = this.#options;
    const server = new GrpcServer({
      log: log.with({ service: 'gRPC/server', component: 'all' }),
      metrics: new GrpcServerMetrics(metrics),
      gracePeriodMs,
      maxConnectionAgeMs,
      tls,
      tracer,
      requestLog,
    });
    addStoreService(
      server,
      new StoreAnswers({ tsdbs, externalLabels, client, bucket: this.#bucket }),
    );
    addInfoService(server, () => (probe.isReady ? this.info() : undefined));
    addHealth(server, probe);
    addReflection(server, fileDescriptors([STORE_SERVICE, INFO_SERVICE]));
    return {
      name: 'grpc',
      start: async () => {
        this.address = await server.listen(address);
        this.#bucket.start();
      },
      stop: async () => {
        await server.close();
        await this.#bucket.stop();
      },
    };
  }

  /** Blocks have come to the bucket. */
  onUploaded(): void {
    this.#bucket.nudge();
  }

  /** Whether a local block can go: its samples are served from the bucket. Where not, the bucket is looked at again. */
  serves(meta: BlockMeta): boolean {
    const isServed = this.#bucket.serves(meta);
    if (!isServed) this.#bucket.nudge();
    return isServed;
  }

  /** What is told to those who ask. */
  info(): ServerInfo {
    const { externalLabels } = this.#options;
    const { labelSets, tsdbInfos, timeRange } = this.#bucket.store;
    const own = this.#facts();
    const sets = new Map(labelSets.map((labels) => [labels.key, labels]));
    // compat: a TSDB without external labels is not told of.
    if (externalLabels.size > 0) sets.set(externalLabels.key, externalLabels);
    const mints = [...own.map(({ mint }) => mint), timeRange?.mint ?? MAX_TIME];
    return {
      labelSets: [...sets.values()],
      component: COMPONENT,
      store: {
        mint: Math.min(...mints),
        maxt: MAX_TIME,
        supportsSharding: true,
        supportsWithoutReplicaLabels: true,
        supportsProjections: false,
        tsdbs: [...(externalLabels.size > 0 ? own : []), ...tsdbInfos],
      },
    };
  }

  /**
   * Behaviour: prometheus tsdb/db.go (StartTime), thanos pkg/store/tsdb.go (TimeRange): from the first block on, without one from the first
   * sample of the head on, of which an empty one says that it is later than everything; open-ended.
   */
  #facts(): TsdbFacts[] {
    const { tsdbs, externalLabels: labels } = this.#options;
    return tsdbs.map(({ catalog }, i) => {
      const heads = this.#heads[i] ?? [];
      const headMint = Math.min(...heads.map((view) => view.getI64(HEADER + H.mint)));
      const mint = catalog.blocks[0]?.meta.minTime ?? headMint;
      return { labels, mint: Math.min(mint, MAX_TIME), maxt: MAX_TIME };
    });
  }
}
