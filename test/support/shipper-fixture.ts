/** A TSDB's directory, a bucket and a shipper between them. */
import { join } from 'node:path';
import { Shipper } from '../../src/bucket/shipper.ts';
import type { ShipperOptions } from '../../src/bucket/shipper.ts';
import { registerShipperMetrics } from '../../src/bucket/shipper-metrics.ts';
import { FakeClock } from '../../src/lib/clock.ts';
import type { Logger, LogLevel, LogValue } from '../../src/lib/log.ts';
import { Labels } from '../../src/model/labels.ts';
import { readObject } from '../../src/objstore/read-object.ts';
import { MemoryBucket } from '../../src/objstore/memory.ts';
import { ProcessMetrics } from '../../src/ops/metrics.ts';
import { FaultyBucket } from './faulty-bucket.ts';
import { temporaryDirectory } from './temporary-directory.ts';

/** What a test holds. */
export interface ShipperFixture extends Disposable {
  readonly tsdb: string;
  readonly clock: FakeClock;
  readonly bucket: FaultyBucket;
  readonly log: RecordingLog;
  /** A shipper for the directory and the bucket; external label `replica="a"` unless said otherwise. */
  shipper(options?: Partial<ShipperOptions>): Shipper;
  /** Names of all objects, in order. */
  objects(): Promise<string[]>;
  text(name: string): Promise<string>;
  /** A metric of the shippers made so far, `uploads_total` and the like. */
  metric(name: string): Promise<number>;
  readonly file: string;
}

/** 2026-11-21T07:00:00Z. */
export const FIXTURE_TIME = Date.UTC(2026, 10, 21, 7);

/** Makes one, with an empty directory and an empty bucket. */
export function shipperFixture(): ShipperFixture {
  const directory = temporaryDirectory();
  const clock = new FakeClock(FIXTURE_TIME);
  const bucket = new FaultyBucket(new MemoryBucket(clock));
  const log = new RecordingLog();
  const registry = new ProcessMetrics();
  const metrics = registerShipperMetrics(registry);
  return {
    tsdb: directory.path,
    clock,
    bucket,
    log,
    shipper: (options = {}) =>
      new Shipper({
        directory: directory.path,
        bucket,
        labels: () => Labels.fromObject({ replica: 'a' }),
        source: 'receive',
        clock,
        log,
        metrics,
        ...options,
      }),
    objects: () => Array.fromAsync(bucket.iter('', { recursive: true })),
    text: async (name) => Buffer.from(await readObject(bucket, name)).toString(),
    metric: async (name) => {
      const samples = await registry.snapshot();
      return samples.find((sample) => sample.name === `thanos_shipper_${name}`)?.value ?? NaN;
    },
    file: join(directory.path, 'thanos.shipper.json'),
    [Symbol.dispose]: () => directory[Symbol.dispose](),
  };
}

/** A logger that keeps what it is told. */
export class RecordingLog implements Logger {
  readonly lines: string[] = [];

  debug(msg: string, fields?: Record<string, LogValue>): void {
    this.#add('debug', msg, fields);
  }

  info(msg: string, fields?: Record<string, LogValue>): void {
    this.#add('info', msg, fields);
  }

  warn(msg: string, fields?: Record<string, LogValue>): void {
    this.#add('warn', msg, fields);
  }

  error(msg: string, fields?: Record<string, LogValue>): void {
    this.#add('error', msg, fields);
  }

  with(): Logger {
    return this;
  }

  /** Lines of a level. */
  of(level: LogLevel): string[] {
    return this.lines.filter((line) => line.startsWith(`${level} `));
  }

  #add(level: LogLevel, msg: string, fields: Record<string, LogValue> = {}): void {
    const rest = Object.entries(fields).map(([key, value]) => ` ${key}=${String(value)}`);
    this.lines.push(`${level} ${msg}${rest.join('')}`);
  }
}
