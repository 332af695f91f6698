/**
 * What stands for the go_* families that dashboards and alerts of the Go programs ask for. All of it is about the main
 * thread and its heap; process_resident_memory_bytes is about everything. docs/compat.md has the table.
 */
import { PerformanceObserver } from 'node:perf_hooks';
import { getHeapStatistics } from 'node:v8';
import type { MetricsRegistry } from '../lib/metrics.ts';

/** Those of client_golang's Go collector. */
const GC_QUANTILES = [0, 0.25, 0.5, 0.75, 1];

/** Timers, sockets and requests that are under way: what stands for the number of goroutines. */
export function activeResources(): number {
  return process.getActiveResourcesInfo().length;
}

/** Registers the families. `version` is the runtime's, as thanos_build_info has it. */
export function registerGoMetrics(metrics: MetricsRegistry, version: string): void {
  metrics
    .gaugeFamily('go_info', 'Information about the runtime, which is Node.', ['version'])
    .with(version)
    .set(1);
  const resources = metrics.gauge(
    'go_goroutines',
    'Number of timers, sockets and requests under way; there are no goroutines.',
  );
  const memory = registerMemory(metrics);
  metrics.onCollect(() => {
    resources.set(activeResources());
    memory();
  });
  watchCollections(metrics);
}

function registerMemory(metrics: MetricsRegistry): () => void {
  const gauge = (name: string, help: string) => metrics.gauge(`go_memstats_${name}`, help);
  const alloc = gauge('alloc_bytes', 'Bytes of JavaScript objects and buffers in use.');
  const heapAlloc = gauge('heap_alloc_bytes', 'The same as go_memstats_alloc_bytes.');
  const inuse = gauge('heap_inuse_bytes', 'Bytes of the pages that the heap and buffers take.');
  const sys = gauge('sys_bytes', 'Bytes that the process has of the system; the resident ones.');
  const next = gauge('next_gc_bytes', 'The size that the heap may grow to.');
  const allocated = metrics.counter(
    'go_memstats_alloc_bytes_total',
    'Bytes of JavaScript objects that were ever allocated.',
  );
  let counted = 0;
  return () => {
    const { heapUsed, external, rss } = process.memoryUsage();
    const { heap_size_limit, total_physical_size, total_allocated_bytes } =
      getHeapStatistics() as ReturnType<typeof getHeapStatistics> & AllocatedBytes;
    alloc.set(heapUsed + external);
    heapAlloc.set(heapUsed + external);
    inuse.set(total_physical_size + external);
    sys.set(rss);
    next.set(heap_size_limit);
    const total = total_allocated_bytes ?? 0;
    if (total > counted) allocated.inc(total - counted);
    counted = Math.max(counted, total);
  };
}

/** Newer than Node 24. */
interface AllocatedBytes {
  readonly total_allocated_bytes?: number;
}

/** Pauses of the collector, by quantile over the last ten minutes. */
function watchCollections(metrics: MetricsRegistry): void {
  const pauses = metrics
    .summaryFamily(
      'go_gc_duration_seconds',
      "A summary of the pauses of V8's collector in the main thread.",
      GC_QUANTILES,
      [],
    )
    .with();
  const last = metrics.gauge(
    'go_memstats_last_gc_time_seconds',
    'Number of seconds since 1970 of the last garbage collection.',
  );
  new PerformanceObserver((list) => {
    for (const { duration, startTime } of list.getEntries()) {
      pauses.observe(duration / 1000);
      last.set((performance.timeOrigin + startTime + duration) / 1000);
    }
  }).observe({ entryTypes: ['gc'] });
}
