import assert from 'node:assert/strict';
import { test } from 'node:test';
import { MemoryStorage } from '../../test/support/memory-storage.ts';
import { FakeClock } from '../lib/clock.ts';
import { errorCode, errorText, type ErrorCode } from '../lib/errors.ts';
import { Labels } from '../model/labels.ts';
import type { Queryable } from '../storage/storage.ts';
import { Engine, type EngineOptions } from './engine.ts';
import { runFragment, type Fragment, type FragmentResult } from './exec/fragment.ts';
import type { QueryResult } from './result.ts';

/** Counters of `series` series in ten zones with one sample a second. */
function counters(series: number, samples: number): MemoryStorage {
  const storage = new MemoryStorage();
  for (let i = 0; i < series; i++) {
    const labels = Labels.fromObject({ __name__: 'x_total', zone: `z${i % 10}`, i: String(i) });
    const t = Float64Array.from({ length: samples }, (_, k) => k * 1000 + (i % 7));
    const v = Float64Array.from({ length: samples }, (_, k) => ((k * (i + 1)) % 977) + i / 3);
    storage.append(labels, t, v);
  }
  return storage;
}

function text(result: QueryResult): string {
  if (result.type !== 'matrix') return `${result.type} ${String(result.v)}`;
  const { labels, offsets, t, v } = result;
  return labels
    .map((label, i) => {
      const points = Array.from(t.subarray(offsets[i], offsets[i + 1]), (at, k) => {
        return `${v[(offsets[i] as number) + k]}@${at}`;
      });
      return `${label.toString()} ${points.join(' ')}`;
    })
    .join('\n');
}

/** Hands a result over as a worker does: the buffers are transferred, not copied. */
function travel(result: FragmentResult): FragmentResult {
  const { values, present, counts, states } = result;
  const arrays = [values, present, counts];
  const more = states === undefined ? [] : [states.a, states.b, states.n, states.incremental];
  const transfer = [...arrays, ...more].map(({ buffer }) => buffer as ArrayBuffer);
  return structuredClone(result, { transfer });
}

test('a range selector gives raw samples with their own times', async () => {
  const storage = new MemoryStorage();
  storage.append(
    Labels.fromObject({ __name__: 'x', a: '2' }),
    Float64Array.of(1, 7, 12),
    Float64Array.of(5, -0, 9),
  );
  storage.append(
    Labels.fromObject({ __name__: 'x', a: '1' }),
    Float64Array.of(3),
    Float64Array.of(4),
  );
  storage.append(
    Labels.fromObject({ __name__: 'x', a: '3' }),
    Float64Array.of(2),
    Float64Array.of(4),
  );
  const result = await new Engine().instant(storage, 'x[10ms]', 12);
  assert.equal(text(result), 'x{a="1"} 4@3\nx{a="2"} 0@7 9@12');
  assert.equal(result.type, 'matrix');
  assert.ok(Object.is(result.v[1], -0));
});

test('the shape of results', async () => {
  const storage = counters(2, 5);
  const engine = new Engine();
  const f = async (query: string, want: string) => {
    assert.equal(text(await engine.instant(storage, query, 4000)), want);
  };
  await f('1 + 1', 'scalar 2');
  await f('"a"', 'string a');
  await f('x_total{i="0"} offset 1s', 'vector 3');
  await f('nothing', 'vector ');
  const range = await engine.range(storage, 'x_total{i="0"} > 2', 2000, 4000, 1000);
  assert.equal(text(range), 'x_total{i="0", zone="z0"} 3@3000 4@4000');
  assert.equal(text(await engine.range(storage, '2', 0, 1000, 1000)), '{} 2@0 2@1000');
});

test('fragments that travel give the same as work done here', async () => {
  const storage = counters(30, 50_000);
  let fragments = 0;
  const elsewhere = new Engine({
    runFragments: (batch) => {
      fragments += batch.count;
      const runs = Array.from({ length: batch.count }, async (_, number) => {
        if (number % 3 === 0) return batch.run(number);
        // A structured clone on the way there and back is what crossing a thread does.
        const sent = structuredClone<Fragment>(batch.share(number));
        return travel(await runFragment(sent, storage));
      });
      return Promise.all(runs);
    },
  });
  const here = new Engine();
  for (const query of [
    'sum by (zone) (rate(x_total[5m]))',
    'avg(x_total)',
    'max without (i) (max_over_time(x_total[1m]))',
    'x_total{zone="z3"}',
    'quantile_over_time(0.9, x_total[1m])',
    'histogram_quantile(0.9, x_total)',
  ]) {
    const ask = (engine: Engine) => engine.range(storage, query, 300_000, 49_000_000, 500_000);
    const [a, b] = [await ask(here), await ask(elsewhere)];
    assert.equal(text(a), text(b), query);
    assert.deepEqual(a.infos, b.infos);
  }
  assert.ok(fragments > 10, `${fragments} fragments`);
});

test('groups of one shard, of several, and of both kinds beside each other', async () => {
  const storage = new MemoryStorage();
  const samples = 50_000;
  const t = Float64Array.from({ length: samples }, (_, k) => k * 1000);
  for (let i = 0; i < 40; i++) {
    // In label order runs of i with one first digit: shards of about ten series cut two of them.
    const labels = { __name__: 'x', i: String(i), run: String(i).charAt(0), zone: String(i % 4) };
    const v = Float64Array.from({ length: samples }, (_, k) => ((k * (i + 1)) % 977) - i);
    // Some series have no sample for a while, and one group has none at all then.
    const gap = i < 10 && i !== 1 ? 20_000 : 0;
    storage.append(Labels.fromObject(labels), t.subarray(gap), v.subarray(gap));
  }
  let shards = 0;
  const engine = new Engine({
    runFragments: async (batch) => {
      shards += batch.count;
      const results: FragmentResult[] = [];
      for (let number = 0; number < batch.count; number++) {
        const sent = structuredClone<Fragment>(batch.share(number));
        results.push(travel(await runFragment(sent, storage)));
      }
      return results;
    },
  });
  const ask = (query: string) => engine.range(storage, query, 300_000, 49_000_000, 500_000);
  for (const by of ['by (i)', 'by (run)', 'by (zone)', 'by (run, zone)', 'without (i)', '']) {
    for (const op of ['sum', 'avg', 'min', 'max', 'count', 'group']) {
      // Above an operator an aggregation is no part of the scan.
      const [scanned, plain] = [`${op} ${by} (x)`, `${op} ${by} (x + 0)`];
      assert.equal(text(await ask(scanned)), text(await ask(plain)), scanned);
    }
  }
  assert.ok(shards > 100, `${shards} shards`);
});

test('small work stays in this thread', async () => {
  const engine = new Engine({ runFragments: () => assert.fail('nothing is worth the way') });
  const result = await engine.instant(counters(3, 100), 'sum(x_total)', 50_000);
  assert.equal(result.type, 'vector');
});

test('limits and refusals', async () => {
  const storage = counters(20, 100);
  const f = async (query: string, options: EngineOptions, code: ErrorCode, want: RegExp) => {
    await assert.rejects(
      () => new Engine(options).range(storage, query, 0, 90_000, 1000),
      (thrown) => {
        assert.equal(errorCode(thrown), code);
        assert.match(errorText(thrown), want);
        return true;
      },
    );
  };
  const tooMany = /^query processing would load too many samples into memory in query execution$/;
  await f('x_total', { maxSamples: 1000 }, 'execution', tooMany);
  await f('sum(x_total)', { maxSamples: 1000 }, 'execution', tooMany);
  await f(
    'x_total[5m]',
    {},
    'bad_data',
    /^invalid expression type "range vector" for range query, must be Scalar or instant Vector$/,
  );
  await f(
    'rate({__name__=~"x.*"}[5m]) + on() x_total',
    {},
    'execution',
    /^found duplicate series for the match group {}/,
  );
  await f('x_total', { timeoutMs: 0 }, 'timeout', /^query timed out in expression evaluation$/);
});

test('names that go at once may collide, names that go at the end may not', async () => {
  const storage = new MemoryStorage();
  for (const name of ['a_total', 'b_total']) {
    storage.append(
      Labels.fromObject({ __name__: name }),
      Float64Array.of(0, 1000),
      Float64Array.of(1, 2),
    );
  }
  const query = 'sum by (__name__) (rate({__name__=~".*_total"}[5s]))';
  await assert.rejects(
    () => new Engine().instant(storage, query, 1000),
    /^CodedError: vector cannot contain metrics with the same labelset$/,
  );
  const delayed = new Engine({ delayedNameRemoval: true });
  const result = await delayed.instant(storage, 'sum(rate({__name__=~".*_total"}[5s]))', 1000);
  assert.equal(result.type, 'vector');
});

test('an abort ends a query', async () => {
  const controller = new AbortController();
  const storage = counters(10, 100);
  const slow: Queryable = {
    select: async (request) => {
      controller.abort();
      return storage.select(request);
    },
    openShared: (shared) => storage.openShared(shared),
    labelNames: (sets) => storage.labelNames(sets),
    labelValues: (name, sets) => storage.labelValues(name, sets),
  };
  const { signal } = controller;
  const ask = () =>
    new Engine({ clock: new FakeClock(0) }).instant(slow, 'x_total', 5000, { signal });
  await assert.rejects(ask, /query was canceled in expression evaluation/);
});
