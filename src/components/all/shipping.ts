/** Ships the blocks of a TSDB to the bucket, and knows which of them are safe there. */
import { registerShipperMetrics } from '../../bucket/shipper-metrics.ts';
import { Shipper } from '../../bucket/shipper.ts';
import type { HashFunction } from '../../bucket/block-files.ts';
import type { Clock } from '../../lib/clock.ts';
import { errorText } from '../../lib/errors.ts';
import type { Logger } from '../../lib/log.ts';
import type { MetricsRegistry } from '../../lib/metrics.ts';
import type { Labels } from '../../model/labels.ts';
import { registerBucketMetrics } from '../../objstore/bucket-metrics.ts';
import type { Bucket } from '../../objstore/bucket.ts';
import { MeteredBucket } from '../../objstore/metered.ts';
import type { Actor } from '../../ops/run-group.ts';
import type { BlockClient } from './maintenance.ts';
import { Repetition } from '../../ops/repeat.ts';

/** compat: as often as Thanos ships (cmd/thanos/receive.go, sidecar.go). */
const INTERVAL_MS = 30_000;

/** What shipping needs. */
export interface ShippingOptions {
  /** The data directory whose blocks go out. */
  readonly directory: string;
  /** Closed by {@link Shipping.bucketActor}. */
  readonly bucket: Bucket;
  readonly externalLabels: Labels;
  readonly uploadCompacted: boolean;
  readonly hash: HashFunction;
  readonly blocks: BlockClient;
  /** Blocks have come to the bucket. */
  readonly onUploaded: () => void;
  readonly metrics: MetricsRegistry;
  readonly clock: Clock;
  readonly log: Logger;
}

/** The shipping of one TSDB. */
export class Shipping {
  /** The bucket, which counts what is asked of it. */
  readonly bucket: Bucket;
  readonly #onUploaded: () => void;
  readonly #shipper: Shipper;
  readonly #log: Logger;
  readonly #ending = new AbortController();
  readonly #rounds = new Repetition(INTERVAL_MS, () => this.#round(this.#ending.signal));

  constructor(options: ShippingOptions) {
    const { directory, externalLabels, blocks, metrics, clock, log } = options;
    this.#log = log.with({ component: 'shipper' });
    this.#onUploaded = options.onUploaded;
    const { bucket } = options;
    const metered = registerBucketMetrics(metrics)(bucket.name);
    this.bucket = new MeteredBucket(bucket, metered, clock);
    this.#shipper = new Shipper({
      directory,
      bucket: this.bucket,
      labels: () => externalLabels,
      source: 'receive',
      clock,
      log: this.#log,
      metrics: registerShipperMetrics(metrics),
      uploadCompacted: options.uploadCompacted,
      hash: options.hash,
      indexStats: (block) => blocks.run('blocks.indexStats', block),
    });
  }

  /**
   * Ships until it is stopped; what is under way then is given up, and taken up by the next start. Nothing is shipped
   * from a directory in which nothing may be written.
   */
  actor(isReadOnly: () => boolean): Actor {
    return {
      name: 'shipper',
      start: () => {
        if (isReadOnly())
          this.#log.warn('no block is shipped, because it takes writing in the data directory');
        else this.#rounds.start();
      },
      stop: async () => {
        this.#ending.abort();
        await this.#rounds.stop();
      },
    };
  }

  /** Closes the bucket in the end: it starts before whoever uses it. */
  bucketActor(): Actor {
    return { name: 'bucket', start: () => undefined, stop: () => this.bucket.close() };
  }

  /** There may be a new block. */
  nudge(): void {
    this.#rounds.nudge();
  }

  /** Whether a block can be deleted here without losing samples. @throws CodedError when the bucket fails. */
  isSafe(ulid: string): Promise<boolean> {
    return this.#shipper.isSafeInBucket(ulid);
  }

  async #round(signal: AbortSignal): Promise<void> {
    try {
      const { uploaded } = await this.#shipper.sync({ signal });
      if (uploaded.length > 0) this.#onUploaded();
    } catch (thrown) {
      if (!signal.aborted) this.#log.error('shipping failed', { err: errorText(thrown) });
    }
  }
}
