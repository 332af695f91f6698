/**
 * The metrics of buckets: names, labels and buckets as objstore objstore.go (BucketMetrics) has them, with Thanos'
 * prefix. Made once a process; the label `bucket` is the bucket's name.
 */
import type { Counter, Gauge, Histogram, MetricsRegistry } from '../lib/metrics.ts';

/** Values of the label `operation`. */
export type BucketOperation =
  | 'iter'
  | 'get'
  | 'get_range'
  | 'exists'
  | 'upload'
  | 'delete'
  | 'attributes';

const OPERATIONS: readonly BucketOperation[] = [
  'iter',
  'get',
  'get_range',
  'exists',
  'upload',
  'delete',
  'attributes',
];

/** Operations that move content. */
const TRANSFERS: readonly BucketOperation[] = ['get', 'get_range', 'upload'];

const DURATION_BUCKETS = [0.001, 0.01, 0.1, 0.3, 0.6, 1, 3, 6, 9, 20, 30, 60, 90, 120];
/** 32 KiB to 1 GiB. */
const SIZE_BUCKETS = Array.from({ length: 16 }, (_, i) => 32768 * 2 ** i);

/** The metrics of one bucket. */
export interface BucketMetrics {
  operations(operation: BucketOperation): Counter;
  failures(operation: BucketOperation): Counter;
  /** Seconds. */
  duration(operation: BucketOperation): Histogram;
  fetchedBytes(operation: BucketOperation): Counter;
  transferredBytes(operation: BucketOperation): Histogram;
  /** Seconds since the epoch. */
  readonly lastSuccessfulUpload: Gauge;
}

/** Registers the families and returns what makes the metrics of each bucket, all of them present from the start. */
export function registerBucketMetrics(
  registry: MetricsRegistry,
): (bucketName: string) => BucketMetrics {
  const name = (suffix: string): string => `thanos_objstore_bucket_${suffix}`;
  const labels = ['bucket', 'operation'];
  const operations = registry.counterFamily(
    name('operations_total'),
    'Operations that were started on a bucket.',
    labels,
  );
  const failures = registry.counterFamily(
    name('operation_failures_total'),
    'Operations on a bucket that failed in a way that their caller did not expect.',
    labels,
  );
  const duration = registry.histogramFamily(
    name('operation_duration_seconds'),
    'How long operations on a bucket took; reading and listing include the time of whoever consumes.',
    DURATION_BUCKETS,
    labels,
  );
  const fetched = registry.counterFamily(
    name('operation_fetched_bytes_total'),
    'Bytes that were read from a bucket.',
    labels,
  );
  const transferred = registry.histogramFamily(
    name('operation_transferred_bytes'),
    'Bytes that an operation read from a bucket or wrote to it.',
    SIZE_BUCKETS,
    labels,
  );
  const lastUpload = registry.gaugeFamily(
    name('last_successful_upload_time'),
    'When the last upload to a bucket succeeded, in seconds since the epoch.',
    ['bucket'],
  );
  return (bucket) => {
    for (const operation of OPERATIONS) {
      for (const family of [operations, failures, duration]) family.with(bucket, operation);
    }
    for (const operation of TRANSFERS) {
      for (const family of [fetched, transferred]) family.with(bucket, operation);
    }
    return {
      operations: (operation) => operations.with(bucket, operation),
      failures: (operation) => failures.with(bucket, operation),
      duration: (operation) => duration.with(bucket, operation),
      fetchedBytes: (operation) => fetched.with(bucket, operation),
      transferredBytes: (operation) => transferred.with(bucket, operation),
      lastSuccessfulUpload: lastUpload.with(bucket),
    };
  };
}
