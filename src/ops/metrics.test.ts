import assert from 'node:assert/strict';
import test from 'node:test';
import { FakeClock } from '../lib/clock.ts';
import { expose, negotiateExposition } from './exposition.ts';
import { formatGoFloat } from './go-float.ts';
import { ProcessMetrics } from './metrics.ts';
import { registerProcessMetrics } from './process-metrics.ts';

test('Go floats', () => {
  const f = (value: number, want: string) => assert.equal(formatGoFloat(value), want);
  f(0, '0');
  f(-0, '-0');
  f(1, '1');
  f(0.005, '0.005');
  f(0.0001, '0.0001');
  f(0.00001, '1e-05');
  f(999999, '999999');
  f(1e6, '1e+06');
  f(123456789, '1.23456789e+08');
  f(-1.5e300, '-1.5e+300');
  f(5e-324, '5e-324');
  f(NaN, 'NaN');
  f(Infinity, '+Inf');
  f(-Infinity, '-Inf');
});

/** A registry with one of each, in an order that is not the sorted one. */
function sample(): ProcessMetrics {
  const metrics = new ProcessMetrics();
  const requests = metrics.counterFamily('b_requests_total', 'Requests.', ['method', 'code']);
  requests.with('post', '200').inc();
  requests.with('get', '200').inc(41);
  requests.with('get', '200').inc();
  metrics.gauge('c_temp', 'Back\\slash\nand line, "quoted".').set(-1.5);
  const h = metrics.histogram('a_seconds', 'Seconds.', [1, 0.5, 1e6]);
  for (const v of [0.5, 0.6, 2, NaN, 1e7]) h.observe(v);
  metrics.counterFamily('d_never_total', 'Without children.', ['x']);
  return metrics;
}

test('a summary in the text formats', async () => {
  const metrics = new ProcessMetrics(new FakeClock(0));
  const family = metrics.summaryFamily('s_seconds', 'Timings', [0.5, 0.99], ['slice', 'a']);
  family.with('x', 'y');
  family.with('z', 'y').observe(0);
  const text = `# HELP s_seconds Timings
# TYPE s_seconds summary
s_seconds{a="y",slice="x",quantile="0.5"} NaN
s_seconds{a="y",slice="x",quantile="0.99"} NaN
s_seconds_sum{a="y",slice="x"} 0
s_seconds_count{a="y",slice="x"} 0
s_seconds{a="y",slice="z",quantile="0.5"} 0
s_seconds{a="y",slice="z",quantile="0.99"} 0
s_seconds_sum{a="y",slice="z"} 0
s_seconds_count{a="y",slice="z"} 1
`;
  assert.equal(expose(await metrics.collect(), 'text'), text);
});

test('text format', async () => {
  assert.equal(
    expose(await sample().collect(), 'text'),
    `# HELP a_seconds Seconds.
# TYPE a_seconds histogram
a_seconds_bucket{le="0.5"} 1
a_seconds_bucket{le="1"} 2
a_seconds_bucket{le="1e+06"} 3
a_seconds_bucket{le="+Inf"} 5
a_seconds_sum NaN
a_seconds_count 5
# HELP b_requests_total Requests.
# TYPE b_requests_total counter
b_requests_total{code="200",method="get"} 42
b_requests_total{code="200",method="post"} 1
# HELP c_temp Back\\\\slash\\nand line, "quoted".
# TYPE c_temp gauge
c_temp -1.5
`,
  );
});

test('OpenMetrics', async () => {
  const metrics = new ProcessMetrics();
  metrics.counter('x_total', 'X.').inc(3);
  metrics.counter('bare', 'Odd name.').inc();
  metrics.histogram('h', 'H "q".', [1]).observe(0.25);
  assert.equal(
    expose(await metrics.collect(), 'openmetrics'),
    `# HELP bare Odd name.
# TYPE bare unknown
bare 1.0
# HELP h H \\"q\\".
# TYPE h histogram
h_bucket{le="1.0"} 1.0
h_bucket{le="+Inf"} 1.0
h_sum 0.25
h_count 1.0
# HELP x X.
# TYPE x counter
x_total 3.0
# EOF
`,
  );
});

test('negotiation', () => {
  const f = (accept: string | undefined, want: string) =>
    assert.equal(negotiateExposition(accept), want);
  f(undefined, 'text');
  f('*/*', 'text');
  f('text/html', 'text');
  f('application/openmetrics-text', 'openmetrics');
  f(
    'application/openmetrics-text;version=1.0.0;q=0.5,text/plain;version=0.0.4;q=0.2',
    'openmetrics',
  );
  f('application/openmetrics-text;version=1.0.0;q=0.1,text/plain;version=0.0.4;q=0.9', 'text');
  f('application/openmetrics-text;version=9.9', 'text');
});

test('snapshot, collectors and bound children', async () => {
  const metrics = sample();
  const live = metrics.gauge('e_live', 'Read at scrape.');
  metrics.onCollect(async () => {
    await Promise.resolve();
    live.set(7);
  });
  const samples = await metrics.snapshot();
  const get = (name: string) => samples.filter((s) => s.name === name).map((s) => s.value);
  assert.deepEqual(get('e_live'), [7]);
  assert.deepEqual(get('a_seconds_bucket'), [1, 2, 3, 5]);
  assert.deepEqual(get('a_seconds_count'), [5]);
  assert.deepEqual(get('b_requests_total'), [42, 1]);
  const family = metrics.counterFamily('f_total', 'F.', ['a']);
  assert.equal(family.with('1'), family.with('1'));
  assert.throws(() => metrics.counter('f_total', 'again'), /f_total/);
  assert.throws(() => family.with(), /BUG/);
});

test('a process reports itself under the names that Go programs use', async () => {
  const metrics = new ProcessMetrics();
  const build = { version: '1', revision: 'r', branch: 'b', buildUser: '', buildDate: '' };
  registerProcessMetrics(metrics, build);
  const samples = await metrics.snapshot();
  const names = new Set(samples.map((s) => s.name));
  for (const name of [
    'process_cpu_seconds_total',
    'process_resident_memory_bytes',
    'process_start_time_seconds',
    'process_open_fds',
    'process_max_fds',
    'nodejs_heap_size_used_bytes',
  ]) {
    assert.ok(names.has(name), name);
  }
  const info = samples.find((s) => s.name === 'thanos_build_info');
  // Label names as in the golden families.
  assert.deepEqual(
    info?.labels.map(([name]) => name),
    ['branch', 'goarch', 'goos', 'goversion', 'revision', 'tags', 'version'],
  );
});
