/**
 * The metrics of redis clients: names as thanos pkg/cacheutil/redis_client.go has them. Operations that failed or were
 * left out are counted as for memcached; Go only logs them.
 */
import type { Counter, Histogram, MetricsRegistry } from '../../lib/metrics.ts';
import type { CacheFailure } from '../cache.ts';
import { type GateMetrics, registerGateMetrics } from '../metered-gate.ts';

/** Values of the label `operation`. */
export type RedisOperation = 'set' | 'setmulti' | 'getmulti';

const OPERATIONS: readonly RedisOperation[] = ['set', 'setmulti', 'getmulti'];
const FAILURES: readonly CacheFailure[] = ['timeout', 'server-error', 'network-error', 'other'];
const DURATION_BUCKETS = [0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.2, 0.5, 1, 3, 6, 10];

/** What one client counts. */
export interface RedisMetrics {
  /** Seconds. */
  duration(operation: RedisOperation): Histogram;
  failures(operation: RedisOperation, reason: CacheFailure): Counter;
  /** Because the queue was full. */
  skipped(operation: RedisOperation): Counter;
  readonly getGate: GateMetrics;
  readonly setGate: GateMetrics;
}

/** Registers the families and returns what makes the metrics of each client by its name. */
export function registerRedisMetrics(
  registry: MetricsRegistry,
): (clientName: string) => RedisMetrics {
  const duration = registry.histogramFamily(
    'thanos_redis_operation_duration_seconds',
    'How long operations on redis took that went well.',
    DURATION_BUCKETS,
    ['name', 'operation'],
  );
  const failures = registry.counterFamily(
    'thanos_redis_operation_failures_total',
    'Operations on redis that failed.',
    ['name', 'operation', 'reason'],
  );
  const skipped = registry.counterFamily(
    'thanos_redis_operation_skipped_total',
    'Operations that were not sent to redis.',
    ['name', 'operation', 'reason'],
  );
  const getGate = registerGateMetrics(registry, 'thanos_redis_getmulti_', 'gets');
  const setGate = registerGateMetrics(registry, 'thanos_redis_setmulti_', 'sets');
  return (client) => {
    for (const operation of OPERATIONS) {
      duration.with(client, operation);
      for (const reason of FAILURES) failures.with(client, operation, reason);
      if (operation !== 'getmulti') skipped.with(client, operation, 'async-buffer-full');
    }
    return {
      duration: (operation) => duration.with(client, operation),
      failures: (operation, reason) => failures.with(client, operation, reason),
      skipped: (operation) => skipped.with(client, operation, 'async-buffer-full'),
      getGate: getGate(client),
      setGate: setGate(client),
    };
  };
}
