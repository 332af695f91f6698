/** The metrics of a shipper: names as thanos pkg/shipper/shipper.go has them. */
import type { Counter, Gauge, MetricsRegistry } from '../lib/metrics.ts';

/** What a shipper counts. */
export interface ShipperMetrics {
  readonly dirSyncs: Counter;
  readonly dirSyncFailures: Counter;
  readonly uploads: Counter;
  readonly uploadFailures: Counter;
  readonly corruptedBlocks: Counter;
  readonly uploadCompactedDone: Gauge;
}

/** Registers them; once a registry. */
export function registerShipperMetrics(registry: MetricsRegistry): ShipperMetrics {
  const counter = (name: string, help: string): Counter =>
    registry.counter(`thanos_shipper_${name}`, help);
  return {
    dirSyncs: counter('dir_syncs_total', 'Passes over the directory of blocks that went well.'),
    dirSyncFailures: counter('dir_sync_failures_total', 'Passes in which something failed.'),
    uploads: counter('uploads_total', 'Blocks that were uploaded.'),
    uploadFailures: counter('upload_failures_total', 'Uploads of blocks that failed.'),
    corruptedBlocks: counter(
      'corrupted_blocks_total',
      'Blocks that could not be uploaded because they are damaged, counted in each pass.',
    ),
    uploadCompactedDone: registry.gauge(
      'thanos_shipper_upload_compacted_done',
      '1 when the last pass uploaded all there was, compacted blocks included.',
    ),
  };
}
