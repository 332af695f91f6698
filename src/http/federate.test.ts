import assert from 'node:assert/strict';
import test, { type TestContext } from 'node:test';
import { FakeClock } from '../lib/clock.ts';
import { CodedError } from '../lib/errors.ts';
import { nopLogger } from '../lib/log.ts';
import { HistogramColumns, RESET_HINT } from '../model/histogram.ts';
import type { HistogramLayout } from '../model/histogram.ts';
import { EMPTY_LABELS, Labels } from '../model/labels.ts';
import { HttpMetrics } from '../ops/http-metrics.ts';
import { HttpServer } from '../ops/http-server.ts';
import { ProcessMetrics } from '../ops/metrics.ts';
import { parseMetricSelector } from '../promql/parse/parse.ts';
import type { Queryable, SelectRequest, SeriesSet } from '../storage/storage.ts';
import { MemoryStorage } from '../../test/support/memory-storage.ts';
import {
  contentsOf as all,
  fieldsOf as fields,
  intOf,
  lastOf,
} from '../../test/support/protobuf.ts';
import { escapeName } from './escape-name.ts';
import type { EscapingScheme } from './escape-name.ts';
import { federate } from './federate.ts';
import { negotiateFederate } from './federate-format.ts';
import { registerFederate } from './federate-handler.ts';
import type { FederateRequest, FederateService } from './federate-handler.ts';
import { fromSpecs } from './matcher-specs.ts';

const NOW = 1_000_000;

/** A storage with floats, and histograms by the key of the labels. */
class Storage implements Queryable {
  readonly #inner = new MemoryStorage();
  readonly histograms = new Map<string, HistogramColumns>();
  open = 0;

  add(labels: Record<string, string>, ...samples: [t: number, v: number][]): Labels {
    const made = Labels.fromObject(labels);
    const t = Float64Array.from(samples, ([time]) => time);
    this.#inner.append(
      made,
      t,
      Float64Array.from(samples, ([, value]) => value),
    );
    return made;
  }
  addStale(labels: Record<string, string>, t: number): void {
    const v = new Float64Array(1);
    new Uint32Array(v.buffer).set([2, 0x7ff00000]);
    this.#inner.append(Labels.fromObject(labels), Float64Array.of(t), v);
  }
  async select(request: SelectRequest): Promise<SeriesSet> {
    const set = await this.#inner.select(request);
    this.open++;
    const { mint, maxt } = request;
    return {
      count: set.count,
      warnings: this.histograms.size > 9 ? ['a store is gone'] : [],
      labels: (i) => set.labels(i),
      sampleEstimate: (i) => set.sampleEstimate(i),
      load: () => undefined,
      readFloats: (i, into, dropStale) => set.readFloats(i, into, dropStale),
      readHistograms: (i, into) => {
        into.clear();
        const from = this.histograms.get(set.labels(i).key) ?? new HistogramColumns();
        for (let k = 0; k < from.length; k++) {
          const t = from.t[k] as number;
          if (t >= mint && t <= maxt) into.addFrom(from, k);
        }
      },
      share: (from, to) => set.share(from, to),
      sharePicked: (indexes) => set.sharePicked(indexes),
      close: () => void this.open--,
    };
  }
  openShared = () => assert.fail('not shared');
  labelNames = () => this.#inner.labelNames([]);
  labelValues = (name: string) => this.#inner.labelValues(name, []);
}

async function ask(
  storage: Queryable,
  selectors: readonly string[],
  accept = '',
  externalLabels = EMPTY_LABELS,
) {
  const answer = await federate(storage, {
    matcherSets: selectors.map(parseMetricSelector),
    mint: NOW - 300_000,
    maxt: NOW,
    signal: new AbortController().signal,
    externalLabels,
    format: negotiateFederate(accept),
  });
  return Buffer.concat(answer.pieces);
}

const text = async (...args: Parameters<typeof ask>) => String(await ask(...args));

test('the newest sample of each series, families by name', async () => {
  const storage = new Storage();
  storage.add({ __name__: 'b', job: 'y', instance: 'i' }, [900_000, 1], [NOW, 2.5], [NOW + 1, 9]);
  storage.add({ __name__: 'b', job: 'x', A: '1', instance: 'i' }, [700_000, -0]);
  storage.add({ __name__: 'a', instance: 'i' }, [999_999, 1e6]);
  storage.add({ __name__: 'old', instance: 'i' }, [699_999, 1]);
  storage.add({ __name__: 'gone', instance: 'i' }, [900_000, 1]);
  storage.addStale({ __name__: 'gone', instance: 'i' }, 950_000);
  storage.add({ job: 'nameless', instance: 'i' }, [900_000, 1]);
  storage.add({ __name__: 'nan', instance: 'i' }, [900_000, NaN]);
  storage.add({ __name__: 'inf', instance: 'i' }, [900_000, -Infinity]);
  const a = '# TYPE a untyped\na{instance="i"} 1e+06 999999\n';
  const b =
    '# TYPE b untyped\nb{A="1",instance="i",job="x"} 0 700000\nb{instance="i",job="y"} 2.5 1000000\n';
  assert.equal(await text(storage, ['b', 'a']), a + b);
  // Twice found is once shown.
  assert.equal(
    await text(storage, ['{instance="i"}', 'b', '{__name__=~".+"}']),
    [
      a + b,
      '# TYPE inf untyped\ninf{instance="i"} -Inf 900000\n',
      '# TYPE nan untyped\nnan{instance="i"} NaN 900000\n',
    ].join(''),
  );
  assert.equal(await text(storage, ['{job="nameless"}', 'gone', 'old']), '');
  assert.equal(await text(storage, []), '');
  assert.equal(storage.open, 0);
});

test('external labels, and an instance for those that have none', async () => {
  const storage = new Storage();
  storage.add({ __name__: 'a' }, [900_000, 1]);
  storage.add({ __name__: 'a', zone: 'own', instance: 'i' }, [900_000, 2]);
  assert.equal(
    await text(storage, ['a']),
    '# TYPE a untyped\na{instance=""} 1 900000\na{instance="i",zone="own"} 2 900000\n',
  );
  const external = Labels.fromObject({ zone: 'ie', region: 'eu' });
  assert.equal(
    await text(storage, ['a'], '', external),
    '# TYPE a untyped\na{instance="",region="eu",zone="ie"} 1 900000\na{instance="i",zone="own",region="eu"} 2 900000\n',
  );
  const instance = Labels.fromObject({ instance: 'me' });
  assert.equal(
    await text(storage, ['a'], '', instance),
    '# TYPE a untyped\na{instance="me"} 1 900000\na{instance="i",zone="own"} 2 900000\n',
  );
});

test('names and values beyond the old alphabet', async () => {
  const storage = new Storage();
  storage.add(
    { __name__: 'http.requests_total', 'ünï code': 'a"b\\c\nd', instance: 'i', ok: 'ü' },
    [900_000, 1],
  );
  const f = async (accept: string, name: string, rest: string) => {
    const quoted = name.startsWith('"');
    const line = quoted ? `{${name},${rest}}` : `${name}{${rest}}`;
    const got = await text(storage, ['{"http.requests_total"}'], accept);
    assert.equal(got, `# TYPE ${name} untyped\n${line} 1 900000\n`, accept);
  };
  const value = 'a\\"b\\\\c\\nd';
  const own = 'instance="i",ok="ü"';
  await f('', 'http_requests_total', `${own},_n__code="${value}"`);
  await f('text/plain;escaping=dots', 'http_dot_requests__total', `${own},__n____code="${value}"`);
  await f(
    'text/plain; escaping=values',
    'U__http_2e_requests__total',
    `${own},U___fc_n_ef__20_code="${value}"`,
  );
  await f(
    'text/plain; version=0.0.4; escaping=allow-utf-8',
    '"http.requests_total"',
    `${own},"ünï code"="${value}"`,
  );
});

test('escaping of names', () => {
  const f = (name: string, scheme: EscapingScheme, want: string) =>
    assert.equal(escapeName(name, scheme), want);
  f('a_b:c', 'dots', 'a_b:c');
  f('a_b:c', 'values', 'a_b:c');
  f('1a', 'underscores', '_a');
  f('1a', 'values', 'U___31_a');
  f('a.b_c', 'dots', 'a_dot_b__c');
  f('a-b1', 'dots', 'a__b1');
  f('😀', 'values', 'U___1f600_');
  f('😀', 'underscores', '_');
  f('a b', 'allow-utf-8', 'a b');
  f('', 'values', '');
});

test('negotiation', () => {
  const f = (accept: string | undefined, kind: string, escaping: string, type: string) => {
    const got = negotiateFederate(accept);
    assert.deepEqual(got, { kind, escaping, contentType: `${type}; escaping=${escaping}` });
  };
  const plain = 'text/plain; version=0.0.4; charset=utf-8';
  const proto =
    'application/vnd.google.protobuf; proto=io.prometheus.client.MetricFamily; encoding=delimited';
  const asked =
    'application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited';
  f(undefined, 'text', 'underscores', plain);
  f('*/*', 'text', 'underscores', plain);
  f('text/html', 'text', 'underscores', plain);
  f('text/plain;version=1.0.0', 'text', 'underscores', plain);
  f('application/openmetrics-text;version=1.0.0', 'text', 'underscores', plain);
  f(asked, 'protobuf', 'underscores', proto);
  f(`${asked};escaping=allow-utf-8;q=0.5,text/plain;q=0.6`, 'text', 'underscores', plain);
  f(`${asked};escaping=allow-utf-8;q=0.6,text/plain;q=0.5`, 'protobuf', 'allow-utf-8', proto);
  f('application/openmetrics-text;escaping=dots,text/plain;q=0.5', 'text', 'dots', plain);
  f('text/plain;escaping=odd', 'text', 'underscores', plain);
  f(asked.replace('delimited', 'text'), 'text', 'underscores', plain);
});

function layout(schema: number, positive: number[], negative: number[], bounds: number[] = []) {
  const count = (list: number[]) => list.reduce((n, x, i) => (i % 2 === 1 ? n + x : n), 0);
  const made: HistogramLayout = {
    schema,
    zeroThreshold: 0.001,
    positiveSpans: Int32Array.from(positive),
    negativeSpans: Int32Array.from(negative),
    customValues: Float64Array.from(bounds),
    positiveCount: count(positive),
    negativeCount: count(negative),
  };
  return made;
}

interface TestHistogram {
  readonly t: number;
  readonly layout: HistogramLayout;
  readonly buckets: readonly number[];
  readonly isFloat?: boolean;
  readonly hint?: number;
  readonly sum?: number;
}

function addHistograms(
  storage: Storage,
  labels: Record<string, string>,
  list: TestHistogram[],
): void {
  // The series must exist for the floats' storage: far enough back to be seen by none.
  const key = storage.add(labels, [NOW - 300_000, 1]).key;
  const columns = new HistogramColumns();
  for (const { t, buckets, isFloat = false, hint = 0, sum = 7.5, ...rest } of list) {
    const i = columns.add(rest.layout);
    columns.t[i] = t;
    columns.sum[i] = sum;
    const zero = rest.layout.schema === -53 ? 0 : 2;
    columns.zeroCount[i] = zero;
    columns.count[i] = buckets.reduce((a, b) => a + b, zero);
    columns.hint[i] = hint;
    columns.isFloat[i] = isFloat ? 1 : 0;
    columns.buckets.set(buckets, columns.start[i]);
  }
  storage.histograms.set(key, columns);
}

const custom = layout(-53, [0, 1, 1, 2], [], [0.1, 0.5, 1]);
const native = layout(2, [-3, 2, 4, 1], [0, 1]);

test('histograms as text: those with custom buckets only', async () => {
  const storage = new Storage();
  addHistograms(storage, { __name__: 'native', instance: 'i' }, [
    { t: 900_000, layout: native, buckets: [1, 2, 3, 4] },
  ]);
  addHistograms(storage, { __name__: 'custom', instance: 'i', job: 'a' }, [
    { t: 900_000, layout: native, buckets: [1, 2, 3, 4] },
    // Buckets up to 0.1, up to 1, and beyond; none between 0.1 and 0.5.
    { t: 910_000, layout: custom, buckets: [1, 3, 5] },
  ]);
  assert.equal(
    await text(storage, ['{instance="i"}']),
    [
      '# TYPE custom histogram',
      'custom_bucket{instance="i",job="a",le="0.1"} 1 910000',
      'custom_bucket{instance="i",job="a",le="0.5"} 1 910000',
      'custom_bucket{instance="i",job="a",le="1"} 4 910000',
      'custom_bucket{instance="i",job="a",le="+Inf"} 9 910000',
      'custom_sum{instance="i",job="a"} 7.5 910000',
      'custom_count{instance="i",job="a"} 9 910000',
      '',
    ].join('\n'),
  );
});

/** A delimited stream of families, taken apart. */
function familiesOf(stream: Buffer) {
  const families: Record<string, unknown>[] = [];
  const double = (bytes: bigint | Buffer | undefined) =>
    (bytes as Buffer | undefined)?.readDoubleLE();
  const doubles = (list: Buffer[]) => list.map((bytes) => bytes.readDoubleLE());
  const zigzag = (value: number) => (value % 2 === 0 ? value / 2 : -(value + 1) / 2);
  const spans = (list: Buffer[]) =>
    list.map(fields).map((span) => [zigzag(intOf(span, 1)), intOf(span, 2)]);
  for (let at = 0; at < stream.length;) {
    let size = 0;
    for (let scale = 1; ; scale *= 128) {
      const byte = stream.readUInt8(at++);
      size += (byte & 127) * scale;
      if (byte < 128) break;
    }
    const family = fields(stream.subarray(at, at + size));
    at += size;
    const metrics = all(family, 4)
      .map(fields)
      .map((metric) => {
        const labels = all(metric, 1).map((label) => {
          const [name, value] = [1, 2].map((n) => all(fields(label), n).join(''));
          return `${name}=${value}`;
        });
        const untyped = all(metric, 5).map((bytes) => double(lastOf(fields(bytes), 1)));
        const histograms = all(metric, 7)
          .map(fields)
          .map((h) => ({
            sum: double(lastOf(h, 2)),
            count: double(lastOf(h, 4)),
            ...(lastOf(h, 5) !== undefined && {
              schema: zigzag(intOf(h, 5)),
              threshold: double(lastOf(h, 6)),
              zero: double(lastOf(h, 8)),
              negative: [spans(all(h, 9)), doubles(all(h, 11))],
              positive: [spans(all(h, 12)), doubles(all(h, 14))],
            }),
            ...(all(h, 3).length > 0 && {
              buckets: all(h, 3)
                .map(fields)
                .map((b) => [double(lastOf(b, 2)), double(lastOf(b, 4))]),
            }),
          }));
        return [labels, intOf(metric, 6), ...untyped, ...histograms];
      });
    families.push({ name: all(family, 1).join(''), type: intOf(family, 3), metrics });
  }
  return families;
}

test('protobuf: floats and histograms of all kinds', async () => {
  const storage = new Storage();
  storage.add({ __name__: 'a.b', instance: 'i', job: 'x' }, [900_000, 1.5]);
  storage.add({ __name__: 'a.b', instance: 'i', job: 'y' }, [900_001, 2]);
  addHistograms(storage, { __name__: 'h', instance: 'i', job: 'counter' }, [
    { t: 900_000, layout: native, buckets: [1, 2, 3, 4] },
  ]);
  addHistograms(storage, { __name__: 'h', instance: 'i', job: 'custom' }, [
    { t: 900_000, layout: custom, buckets: [1, 3, 5] },
  ]);
  addHistograms(storage, { __name__: 'h', instance: 'i', job: 'gauge' }, [
    { t: 900_000, layout: native, buckets: [1.5, 2, 3, 4], isFloat: true, hint: RESET_HINT.gauge },
  ]);
  addHistograms(storage, { __name__: 'h', instance: 'i', job: 'later float' }, [
    { t: NOW - 300_001, layout: native, buckets: [1, 2, 3, 4] },
  ]);
  const accept =
    'application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited;escaping=values';
  const got = familiesOf(await ask(storage, ['{instance="i"}'], accept));
  const shape = {
    sum: 7.5,
    count: 12,
    schema: 2,
    threshold: 0.001,
    zero: 2,
    negative: [[[0, 1]], [4]],
    positive: [
      [
        [-3, 2],
        [4, 1],
      ],
      [1, 2, 3],
    ],
  };
  const floatShape = { ...shape, count: 12.5, positive: [shape.positive[0], [1.5, 2, 3]] };
  assert.deepEqual(got, [
    {
      name: 'U__a_2e_b',
      type: 3,
      metrics: [
        [['instance=i', 'job=x'], 900_000, 1.5],
        [['instance=i', 'job=y'], 900_001, 2],
      ],
    },
    {
      name: 'h',
      type: 4,
      metrics: [
        [['instance=i', 'job=counter'], 900_000, shape],
        [
          ['instance=i', 'job=custom'],
          900_000,
          {
            sum: 7.5,
            count: 9,
            buckets: [
              [0.1, 1],
              [0.5, 1],
              [1, 4],
            ],
          },
        ],
      ],
    },
    { name: 'h', type: 5, metrics: [[['instance=i', 'job=gauge'], 900_000, floatShape]] },
    // compat: a name comes again when its samples are of another type.
    { name: 'h', type: 3, metrics: [[['instance=i', 'job=later float'], 700_000, 1]] },
  ]);
});

test('a stale histogram is left out', async () => {
  const storage = new Storage();
  addHistograms(storage, { __name__: 'h', instance: 'i' }, [
    { t: 900_000, layout: custom, buckets: [1, 3, 5] },
    { t: 910_000, layout: custom, buckets: [0, 0, 0] },
  ]);
  const [columns] = storage.histograms.values();
  if (columns !== undefined) new Uint32Array(columns.sum.buffer, 8, 2).set([2, 0x7ff00000]);
  assert.equal(await text(storage, ['h']), '');
});

async function start(t: TestContext, service: FederateService) {
  const metrics = new ProcessMetrics();
  const httpMetrics = new HttpMetrics(metrics, 'default-tenant');
  const server = new HttpServer({ log: nopLogger, httpMetrics, gracePeriodMs: 30_000 });
  registerFederate(server.app, {
    service,
    clock: new FakeClock(NOW),
    log: nopLogger,
    metrics,
    lookbackDeltaMs: 300_000,
  });
  const base = `http://${await server.listen('127.0.0.1:0')}`;
  t.after(() => server.close());
  const get = async (query: string, accept = '*/*') => {
    const got = await fetch(`${base}/federate?${query}`, { headers: { accept } });
    return [got.status, got.headers.get('content-type'), await got.text()];
  };
  return { get, metrics };
}

test('the endpoint', async (t) => {
  const storage = new Storage();
  storage.add({ __name__: 'up', job: 'a' }, [NOW, 1]);
  const asked: FederateRequest[] = [];
  let error: Error | undefined;
  const { get, metrics } = await start(t, {
    federate: (request, signal) => {
      // Plain data: another thread could have it.
      const sent = structuredClone(request);
      asked.push(sent);
      if (error !== undefined) return Promise.reject(error);
      const matcherSets = sent.matcherSets.map(fromSpecs);
      return federate(storage, { ...sent, matcherSets, signal, externalLabels: EMPTY_LABELS });
    },
  });
  const plain = 'text/plain; version=0.0.4; charset=utf-8; escaping=underscores';
  const line = '# TYPE up untyped\nup{job="a",instance=""} 1 1000000\n';
  assert.deepEqual(await get('match[]=up&match[]={job=~"b|c"}'), [200, plain, line]);
  assert.deepEqual(asked[0]?.matcherSets, [
    [{ type: '=', name: '__name__', value: 'up' }],
    [{ type: '=~', name: 'job', value: 'b|c' }],
  ]);
  assert.deepEqual([asked[0]?.mint, asked[0]?.maxt], [700_000, NOW]);
  assert.deepEqual(await get(''), [200, plain, '']);
  const protobuf =
    'application/vnd.google.protobuf; proto=io.prometheus.client.MetricFamily; encoding=delimited; escaping=underscores';
  const [status, type] = await get('match[]=up', protobuf);
  assert.deepEqual([status, type], [200, protobuf]);
  const textError = 'text/plain; charset=utf-8';
  const bad = await get('match[]=up&match[]=}');
  assert.deepEqual(bad.slice(0, 2), [400, textError]);
  assert.match(String(bad[2]), /^1:1: parse error: .*\n$/);
  error = new CodedError('unavailable', 'not ready yet');
  assert.deepEqual(await get('match[]=up'), [503, textError, 'not ready yet\n']);
  error = new Error('detail');
  assert.deepEqual(await get('match[]=up'), [500, textError, 'detail\n']);
  const counted = (await metrics.snapshot()).find(
    ({ name }) => name === 'prometheus_web_federation_errors_total',
  );
  assert.equal(counted?.value, 2);
});
