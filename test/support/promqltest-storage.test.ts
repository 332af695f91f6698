/** What load commands store: as a query of a real storage would read it. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isStaleRow } from '../../src/chunkenc/histogram-chunk-writer.ts';
import { HistogramColumns, RESET_HINT } from '../../src/model/histogram.ts';
import { compact, histogramAt } from '../../src/model/float-histogram/float-histogram.ts';
import { METRIC_NAME } from '../../src/model/labels.ts';
import { FloatColumns, type SeriesSet } from '../../src/storage/storage.ts';
import { HistogramChunks } from './histogram-chunks.ts';
import { parseScript } from './promqltest-script.ts';
import { parseSeries } from './promqltest-series.ts';
import { ScriptStorage } from './promqltest-storage.ts';

const { unknown, notReset, gauge } = RESET_HINT;

function loaded(...lines: string[]): ScriptStorage {
  const storage = new ScriptStorage();
  for (const command of parseScript(lines.join('\n'))) {
    assert.ok(command.kind === 'load');
    storage.load(command);
  }
  return storage;
}

async function open(storage: ScriptStorage, mint = 0, maxt = 1e9): Promise<SeriesSet> {
  return storage.select({ matchers: [], mint, maxt });
}

/** Time in minutes, count, and hint or "stale" of the histograms of the first series. */
function histogramsOf(set: SeriesSet, dropStale = false) {
  const columns = new HistogramColumns();
  set.readHistograms(0, columns, dropStale);
  return Array.from({ length: columns.length }, (_, i) => {
    const { t, count, hint } = columns;
    const last = isStaleRow(columns, i) ? 'stale' : hint[i];
    return [(t[i] as number) / 60_000, count[i], last];
  });
}

/** Times in minutes of the floats of the first series. */
function floatTimes(set: SeriesSet, dropStale = false): number[] {
  const columns = new FloatColumns();
  set.readFloats(0, columns, dropStale);
  return Array.from(columns.t.subarray(0, columns.length), (t) => t / 60_000);
}

async function hints(...lines: string[]) {
  return histogramsOf(await open(loaded(...lines))).map(([, , hint]) => hint);
}

test('hints are those of samples in chunks', async () => {
  const f = async (values: string, want: unknown[]) =>
    assert.deepEqual(await hints('load 1m', `m ${values}`), want);
  await f('{{count:1}}x3', [unknown, notReset, notReset, notReset]);
  await f('{{count:1 counter_reset_hint:gauge}}x1', [gauge, gauge]);
  // Less than before: another chunk, whose first sample does not tell.
  await f('{{count:2}}x1 {{count:1}}x1', [unknown, notReset, unknown, notReset]);
  await f('{{count:1}} {{count:2 counter_reset_hint:reset}}', [unknown, unknown]);
  await f('{{count:1}} 5 {{count:2}}', [unknown, unknown]);
  await f('{{count:1}} {{count:2 counter_reset_hint:gauge}}', [unknown, gauge]);
  // What the sender says of no reset is not stored.
  await f('{{count:1 counter_reset_hint:not_reset}}', [unknown]);
});

test('a chunk ends where its range of 24 hours ends', async () => {
  const want = [unknown, notReset, unknown, notReset];
  assert.deepEqual(await hints('load 12h', 'm {{count:1}}x3'), want);
});

test('a chunk ends when it is large', () => {
  const chunks = new HistogramChunks();
  const index = Int32Array.from({ length: 40 }, (_, k) => k);
  const [value] = parseSeries('m {{}}').values;
  assert.ok(value?.kind === 'histogram');
  for (let t = 1; t <= 40; t++) {
    // No two buckets grow alike, so that they take many bits.
    const count = Float64Array.from(index, (k) => t * Math.sqrt(k + 2));
    chunks.append(t, { ...value.histogram, count: t * 1000, positive: { index, count } });
  }
  const { columns } = chunks.decode();
  assert.equal(columns.length, 40);
  const begins = [...columns.hint.subarray(0, 40).entries()].filter(([, hint]) => hint === unknown);
  assert.equal(begins.length, chunks.count);
  // A chunk takes ten samples, however large they are; these are so large that none takes more.
  assert.deepEqual(
    begins.map(([i]) => i),
    [0, 10, 20, 30],
  );
});

test('the next load goes on with the chunk of the last', async () => {
  const lines = ['load 1m', 'm {{count:1}}', '', 'load 1m', 'm _ {{count:2}}'];
  assert.deepEqual(await hints(...lines), [unknown, notReset]);
  const set = await open(
    loaded('load 1m', 'm 1', '', 'load 1m', 'm _ 2', '', 'load 1m', 'm _ _ {{}}'),
  );
  assert.deepEqual(floatTimes(set), [0, 1]);
  assert.deepEqual(histogramsOf(set), [[2, 0, unknown]]);
});

test('a stale marker is of the kind of the sample before', async () => {
  const set = await open(loaded('load 1m', 'm {{count:3}} stale {{count:4}}x1 5 stale'));
  assert.deepEqual(histogramsOf(set), [
    [0, 3, unknown],
    [1, 0, 'stale'],
    [2, 4, unknown],
    [3, 4, notReset],
  ]);
  assert.deepEqual(
    histogramsOf(set, true).map(([t]) => t),
    [0, 2, 3],
  );
  assert.deepEqual(floatTimes(set), [4, 5]);
  assert.deepEqual(floatTimes(set, true), [4]);
});

test('the range of a select and the estimate count both kinds', async () => {
  const storage = loaded('load 1m', 'm 1 2 {{count:3}} {{count:4}} {{count:5}}');
  const set = await open(storage, 60_000, 180_000);
  assert.equal(set.sampleEstimate(0), 3);
  assert.deepEqual(floatTimes(set), [1]);
  assert.deepEqual(
    histogramsOf(set).map(([t]) => t),
    [2, 3],
  );
  assert.equal((await open(storage, 200_000, 300_000)).count, 1);
  assert.equal((await open(storage, 300_000, 400_000)).count, 0);
});

test('histograms come back with all their parts', async () => {
  const text =
    '{{schema:1 count:9 sum:4.5 z_bucket:2 z_bucket_w:0.5 buckets:[1 0 3] offset:-1 n_buckets:[3]}}';
  const columns = new HistogramColumns();
  (await open(loaded('load 1m', `m ${text}`))).readHistograms(0, columns, true);
  assert.deepEqual(histogramAt(columns, 0), {
    schema: 1,
    zeroThreshold: 0.5,
    zeroCount: 2,
    count: 9,
    sum: 4.5,
    hint: unknown,
    positive: { index: Int32Array.of(-1, 0, 1), count: Float64Array.of(1, 0, 3) },
    negative: { index: Int32Array.of(0), count: Float64Array.of(3) },
    customValues: new Float64Array(0),
  });
});

test('start timestamps stand beside the samples that are read', async () => {
  const set = await open(
    loaded(
      'load 1m',
      'm@st _ -30s -1m 0 -1s -2s -3s',
      'm 1 stale 2 {{count:1}} stale {{count:2}} 3',
    ),
  );
  floatTimes(set);
  assert.deepEqual([...(set.readStarts?.(0, 'floats') ?? [])], [0, 30_000, 60_000, 357_000]);
  floatTimes(set, true);
  assert.deepEqual([...(set.readStarts?.(0, 'floats') ?? [])], [0, 60_000, 357_000]);
  histogramsOf(set);
  assert.deepEqual([...(set.readStarts?.(0, 'histograms') ?? [])], [180_000, 239_000, 298_000]);
  histogramsOf(set, true);
  assert.deepEqual([...(set.readStarts?.(0, 'histograms') ?? [])], [180_000, 298_000]);
  const without = await open(loaded('load 1m', 'm 1 {{}}'));
  floatTimes(without);
  assert.equal(without.readStarts?.(0, 'floats'), undefined);
});

test('shared series are read as the original, in another thread too', async () => {
  const storage = loaded(
    'load 1m',
    'm@st _ -1s -1s',
    'm 1 {{count:7 sum:2 buckets:[7]}} {{count:8}}',
  );
  const set = await open(storage, 0, 60_000);
  for (const shared of [set.share(0, 1), set.sharePicked([0])]) {
    const other = storage.openShared(structuredClone(shared));
    assert.equal(other.sampleEstimate(0), 2);
    assert.deepEqual(floatTimes(other), [0]);
    assert.deepEqual(histogramsOf(other), [[1, 7, unknown]]);
    assert.deepEqual([...(other.readStarts?.(0, 'histograms') ?? [])], [59_000]);
  }
});

test('classic histograms become native ones beside themselves', async () => {
  const storage = loaded(
    'load_with_nhcb 1m',
    'm_bucket{le="2e-1", a="b"} 1 2',
    'm_bucket{le="0.2", a="b"} 1 2',
    'm_bucket{le="+Inf", a="b"} 4 8',
    'm_bucket{le="1", a="b"} 1 5',
    'm_bucket{le="none", a="b"} 9 9',
    'm_count{a="b"} 4 8',
    'm_sum{a="b"} 2.5 _',
  );
  const set = await open(storage);
  const names = Array.from({ length: set.count }, (_, i) => set.labels(i).get(METRIC_NAME));
  assert.deepEqual(new Set(names), new Set(['m', 'm_bucket', 'm_count', 'm_sum']));
  const at = names.indexOf('m');
  assert.equal(set.labels(at).toString(), 'm{a="b"}');
  const columns = new HistogramColumns();
  set.readHistograms(at, columns, true);
  assert.equal(columns.length, 2);
  // The second one has a bucket more, so that the chunk has it for the first one too.
  const first = compact(histogramAt(columns, 0));
  assert.deepEqual(first, {
    schema: -53,
    zeroThreshold: 0,
    zeroCount: 0,
    count: 4,
    sum: 2.5,
    hint: unknown,
    positive: { index: Int32Array.of(0, 2), count: Float64Array.of(1, 3) },
    negative: { index: new Int32Array(0), count: new Float64Array(0) },
    customValues: Float64Array.of(0.2, 1),
  });
  const second = histogramAt(columns, 1);
  assert.deepEqual([second.count, second.sum, second.hint], [8, 0, notReset]);
  assert.deepEqual(second.positive.count, Float64Array.of(2, 3, 3));
});

test('the +Inf bucket may be missing, but counts have to agree', async () => {
  const columns = new HistogramColumns();
  const set = await open(loaded('load_with_nhcb 1m', 'a_count 5'));
  set.readHistograms(0, columns, true);
  assert.deepEqual(histogramAt(columns, 0).positive.count, Float64Array.of(5));
  const f = (message: RegExp, ...lines: string[]) =>
    assert.throws(() => loaded('load_with_nhcb 1m', ...lines), message);
  f(/not that of the \+Inf/, 'a_count 5', 'a_bucket{le="+Inf"} 4');
  f(/not cumulative/, 'a_bucket{le="1"} 5', 'a_bucket{le="2"} 4');
  f(/no label le/, 'a_bucket 5');
});
