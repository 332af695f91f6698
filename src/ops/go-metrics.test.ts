import assert from 'node:assert/strict';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import test from 'node:test';
import { registerGoMetrics } from './go-metrics.ts';
import { ProcessMetrics } from './metrics.ts';

test('what dashboards ask for is there, and moves', async () => {
  const metrics = new ProcessMetrics();
  registerGoMetrics(metrics, 'node1');
  const values = async () => {
    const samples = await metrics.snapshot();
    return (name: string) => samples.find((sample) => sample.name === name)?.value ?? NaN;
  };
  const before = await values();
  assert.equal(before('go_info'), 1);
  assert.ok(before('go_memstats_alloc_bytes') > 1e6);
  assert.equal(before('go_memstats_heap_alloc_bytes'), before('go_memstats_alloc_bytes'));
  assert.ok(before('go_memstats_sys_bytes') > before('go_memstats_heap_inuse_bytes') / 10);
  const timers = Array.from({ length: 100 }, () => setTimeout(() => undefined, 1e6));
  const kept = Array.from({ length: 100_000 }, (_, i) => ({ i }));
  const buffer = Buffer.alloc(50 * 1024 * 1024, 1);
  const after = await values();
  for (const timer of timers) clearTimeout(timer);
  assert.ok(after('go_goroutines') >= before('go_goroutines') + 100);
  const grown = (name: string) => after(name) - before(name);
  assert.ok(grown('go_memstats_alloc_bytes') > 40 * 1024 * 1024, 'with buffers');
  assert.ok(grown('go_memstats_alloc_bytes_total') > 1e6);
  assert.ok(kept.length + buffer.length > 0);
  const collect = garbageCollector();
  const seen = after('go_gc_duration_seconds_count');
  for (let now = seen; !(now > seen);) {
    collect();
    await new Promise(setImmediate);
    now = (await values())('go_gc_duration_seconds_count');
  }
  const end = await values();
  assert.ok(end('go_gc_duration_seconds_sum') > 0);
  assert.ok(end('go_memstats_last_gc_time_seconds') > 1.7e9);
  const quantiles = (await metrics.snapshot())
    .filter(({ name }) => name === 'go_gc_duration_seconds')
    .map(({ labels, value }) => [labels[0]?.join('='), value > 0]);
  assert.deepEqual(
    quantiles,
    ['0', '0.25', '0.5', '0.75', '1'].map((q) => [`quantile=${q}`, true]),
  );
});

function garbageCollector(): () => void {
  setFlagsFromString('--expose-gc');
  return runInNewContext('gc') as () => void;
}
