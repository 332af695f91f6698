/** Buckets with blocks, and what fetches their metas, for tests. */
import type { BaseFetcherMetrics } from '../../src/bucket/fetch/base-fetcher.ts';
import { BaseFetcher } from '../../src/bucket/fetch/base-fetcher.ts';
import type { BlockLister } from '../../src/bucket/fetch/block-lister.ts';
import { ConcurrentLister } from '../../src/bucket/fetch/concurrent-lister.ts';
import { registerBaseFetcherMetrics } from '../../src/bucket/fetch/fetch-metrics.ts';
import type { ThanosMeta } from '../../src/bucket/meta.ts';
import { withThanos } from '../../src/bucket/meta.ts';
import { FakeClock } from '../../src/lib/clock.ts';
import type { Logger } from '../../src/lib/log.ts';
import { nopLogger } from '../../src/lib/log.ts';
import { encodeUtf8 } from '../../src/lib/utf8.ts';
import type { Bucket } from '../../src/objstore/bucket.ts';
import { MemoryBucket } from '../../src/objstore/memory.ts';
import { ProcessMetrics } from '../../src/ops/metrics.ts';
import type { BlockMeta } from '../../src/tsdb/block/meta.ts';
import { encodeBlockMeta } from '../../src/tsdb/block/meta.ts';
import { FaultyBucket } from './faulty-bucket.ts';
import type { TinyBlock } from './tiny-block.ts';
import { tinyMeta } from './tiny-block.ts';

/** The meta of a block with a Thanos part. */
export function thanosMeta(block: TinyBlock, thanos: Partial<ThanosMeta> = {}): BlockMeta {
  return withThanos(tinyMeta(block), {
    labels: { cluster: 'eu' },
    downsample: { resolution: 0 },
    source: 'receive',
    ...thanos,
  });
}

/** Uploads the meta.json of a block. */
export async function putMeta(bucket: Bucket, meta: BlockMeta): Promise<void> {
  await bucket.upload(`${meta.ulid}/meta.json`, encodeUtf8(encodeBlockMeta(meta)));
}

/** A line of the log. */
export interface LogLine {
  readonly level: string;
  readonly msg: string;
  readonly fields: Readonly<Record<string, unknown>>;
}

/** A logger that keeps its lines. */
export function keepingLogger(lines: LogLine[]): Logger {
  const at =
    (level: string): Logger['warn'] =>
    (msg, fields = {}) =>
      void lines.push({ level, msg, fields });
  return {
    ...nopLogger,
    debug: at('debug'),
    info: at('info'),
    warn: at('warn'),
    error: at('error'),
  };
}

/** A bucket in memory that records requests, with a clock, metrics and a log. */
export class FetchFixture {
  readonly clock = new FakeClock(1_000_000_000);
  readonly memory = new MemoryBucket(this.clock);
  readonly bucket = new FaultyBucket(this.memory);
  readonly registry = new ProcessMetrics(this.clock);
  readonly metrics: BaseFetcherMetrics = registerBaseFetcherMetrics(this.registry);
  readonly lines: LogLine[] = [];
  readonly log = keepingLogger(this.lines);

  /** A fetcher of this bucket; several may be made one after the other, as by restarts. */
  base(
    dataDirectory?: string,
    lister: BlockLister = new ConcurrentLister(this.bucket),
  ): BaseFetcher {
    const { bucket, metrics, log } = this;
    return new BaseFetcher({ bucket, lister, concurrency: 32, dataDirectory, metrics, log });
  }

  /** The value of a metric by its name and label values. */
  async value(name: string, ...labels: string[]): Promise<number | undefined> {
    const samples = await this.registry.snapshot();
    return samples.find(
      (sample) =>
        sample.name === name && sample.labels.map(([, value]) => value).join() === labels.join(),
    )?.value;
  }

  /** How many requests of each kind there were since the last time. */
  requests(): Record<string, number> {
    const calls = this.bucket.calls.splice(0);
    const groups = Map.groupBy(calls, ({ operation }) => operation);
    return Object.fromEntries([...groups].map(([operation, all]) => [operation, all.length]));
  }

  /** The warnings so far, as message and error. */
  warnings(): string[] {
    return this.lines.splice(0).flatMap(({ level, msg }) => (level === 'warn' ? [msg] : []));
  }
}
