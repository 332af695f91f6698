import assert from 'node:assert/strict';
import { test } from 'node:test';
import { XorScratch } from '../../chunkenc/xor-scratch.ts';
import { XorAppender } from '../../chunkenc/xor-twin.ts';
import { Random } from '../../lib/prng.ts';
import { FloatColumns } from '../../storage/storage.ts';
import { addRow, finishStates, newStates, statesOf } from './group-states.ts';
import { KernelWindows, type KernelSpec } from './kernel-windows.ts';
import { lastSamples } from './last-samples.ts';
import { boundWindows, Scratch, type SeriesWindows } from './series-windows.ts';
import { WINDOW_FUNCTIONS } from './window-functions.ts';

/** Puts samples where a storage would: into a memory of kernels. */
function read(scratch: XorScratch, t: readonly number[], v: readonly number[]): FloatColumns {
  const halves = new Uint32Array(2);
  const value = new Float64Array(halves.buffer);
  scratch.clear();
  for (let from = 0; from < t.length; from += 120) {
    const appender = new XorAppender();
    for (let i = from; i < Math.min(t.length, from + 120); i++) {
      value[0] = v[i] as number;
      appender.append(t[i] as number, halves[1] as number, halves[0] as number);
    }
    const bytes = appender.bytes();
    assert.ok(scratch.append(bytes, 0, bytes.length, appender.count, true));
  }
  const columns = new FloatColumns(0);
  columns.t = scratch.t;
  columns.v = scratch.v;
  columns.length = scratch.length;
  columns.memory = scratch;
  return columns;
}

function twin({ t, v, length }: FloatColumns, spec: KernelSpec) {
  const { func, steps, refStartMs: refStart, refStepMs: refStep, rangeMs } = spec;
  const bounds = { lo: new Int32Array(steps), hi: new Int32Array(steps) };
  const grid = { refStart, refStep, start: refStart, step: refStep, rangeMs, steps };
  const w: SeriesWindows = { t, v, length, ...grid, ...bounds, params: [], scratch: new Scratch() };
  const values = new Float64Array(steps);
  const present = new Uint8Array(steps);
  const samples = boundWindows(w, rangeMs, 0);
  if (samples > 0) WINDOW_FUNCTIONS.get(func)?.(w, values, present);
  return { values, present, samples };
}

function bitsOf(values: Float64Array, present: Uint8Array): string[] {
  // All NaNs are one: which bits arithmetic gives them is not defined.
  return Array.from(values, (x, i) =>
    present[i] !== 1 ? '-' : Object.is(x, -0) ? '-0' : String(x),
  );
}

function markStale({ v }: FloatColumns, i: number): void {
  const bits = new BigUint64Array(v.buffer, v.byteOffset, v.length);
  bits[i] = 0x7ff0_0000_0000_0002n;
}

interface Shape {
  readonly random: Random;
  readonly samples: number;
  readonly resetShare: number;
}

/** A counter or gauge with gaps, jitter, and now and then a value that is no number. */
function samplesOf({ random, samples, resetShare }: Shape): { t: number[]; v: number[] } {
  const t: number[] = [];
  const v: number[] = [];
  let now = 1_700_000_000_000;
  let value = random.below(3) === 0 ? -50 : 0;
  for (let i = 0; i < samples; i++) {
    now += random.below(20) === 0 ? 70_000 : 14_995 + random.below(11);
    const leap = random.float();
    if (leap < resetShare) value = random.below(10);
    else value += random.below(5) * (random.below(2) === 0 ? 1 : 0.37);
    t.push(now);
    const odd = [NaN, Infinity, -Infinity, -0, 1e308][random.below(400)];
    v.push(odd ?? value);
  }
  return { t, v };
}

test('rate, increase and delta by kernel are the bits of the twin', () => {
  const random = new Random(7);
  for (let round = 0; round < 300; round++) {
    const samples = random.below(4) === 0 ? random.below(6) : random.below(900);
    const { t, v } = samplesOf({
      random,
      samples,
      resetShare: [0, 0.01, 0.3][round % 3] as number,
    });
    const spec: KernelSpec = {
      func: ['rate', 'increase', 'delta'][random.below(3)] as string,
      steps: 1 + random.below(80),
      refStartMs: 1_700_000_000_000 + random.below(600_000) - 100_000,
      refStepMs: [0, 1, 15_000, 60_000, 61_234][random.below(5)] as number,
      rangeMs: [1, 14_000, 60_000, 300_000, 1_000_000][random.below(5)] as number,
      lookbackMs: 0,
    };
    const scratch = new XorScratch({ capacity: 16 });
    const run = KernelWindows.over(read(scratch, t, v), spec, 0);
    assert.ok(run !== undefined);
    const columns = read(scratch, t, v);
    assert.ok(run.takes(columns));
    const want = twin(columns, spec);
    const found = run.run(columns);
    const values = new Float64Array(spec.steps);
    const present = new Uint8Array(spec.steps);
    run.copyRow(values, present);
    const where = `round ${round} ${JSON.stringify(spec)}`;
    assert.equal(run.samples, want.samples, where);
    assert.deepEqual(present, want.present, where);
    assert.equal(
      found,
      present.reduce((a, b) => a + b, 0),
      where,
    );
    assert.deepEqual(bitsOf(values, present), bitsOf(want.values, want.present), where);
  }
});

test('newest samples by kernel are the bits of the twin', () => {
  const random = new Random(9);
  for (let round = 0; round < 300; round++) {
    const samples = random.below(4) === 0 ? random.below(6) : random.below(900);
    const { t, v } = samplesOf({ random, samples, resetShare: 0 });
    const spec: KernelSpec = {
      func: 'value',
      steps: 1 + random.below(80),
      refStartMs: 1_700_000_000_000 + random.below(600_000) - 100_000,
      refStepMs: [0, 1, 15_000, 60_000, 61_234][random.below(5)] as number,
      rangeMs: 0,
      lookbackMs: [1, 14_000, 60_000, 300_000][random.below(4)] as number,
    };
    const scratch = new XorScratch({ capacity: 16 });
    const run = KernelWindows.over(read(scratch, t, v), spec, 0);
    const columns = read(scratch, t, v);
    for (let i = 0; i < samples; i++) if (random.below(8) === 0) markStale(columns, i);
    // A sample may also be exactly at a step, and exactly as old as the lookback.
    for (let i = 0; i < samples; i++) {
      const step = Math.round(((t[i] as number) - spec.refStartMs) / (spec.refStepMs || 1));
      const at = spec.refStartMs + step * spec.refStepMs - random.below(2) * spec.lookbackMs;
      const before = columns.t[i - 1] ?? -Infinity;
      if (at > before && at < (columns.t[i + 1] ?? Infinity) && i < samples - 1) columns.t[i] = at;
    }
    const values = new Float64Array(spec.steps);
    const present = new Uint8Array(spec.steps);
    const want = { values: new Float64Array(spec.steps), present: new Uint8Array(spec.steps) };
    const found = lastSamples(columns, spec, { ...want, times: undefined });
    const where = `round ${round} ${JSON.stringify(spec)}`;
    assert.equal(run?.run(columns), found, where);
    assert.equal(run.samples, found, where);
    run.copyRow(values, present);
    assert.deepEqual(present, want.present, where);
    assert.deepEqual(bitsOf(values, present), bitsOf(want.values, want.present), where);
  }
});

test('sums by kernel are the bits of the twin, and survive columns that grow', () => {
  const random = new Random(8);
  for (let round = 0; round < 40; round++) {
    const spec: KernelSpec = {
      func: 'delta',
      steps: 1 + random.below(50),
      refStartMs: 1_700_000_300_000,
      refStepMs: 60_000,
      rangeMs: 200_000,
      lookbackMs: 0,
    };
    const scratch = new XorScratch({ capacity: 16 });
    const groups = 1 + random.below(4);
    const states = newStates('sum', groups, spec.steps);
    let run: KernelWindows | undefined;
    for (let series = 0; series < 20; series++) {
      const samples = random.below(series * 40 + 1);
      const { t, v } = samplesOf({ random, samples, resetShare: 0.05 });
      run ??= KernelWindows.over(read(scratch, t, v), spec, groups);
      assert.ok(run !== undefined);
      const columns = read(scratch, t, v);
      const group = random.below(groups);
      const { values, present } = twin(columns, spec);
      addRow(states, group, values, present);
      if (random.below(5) === 0) run.addOther(group, values, present);
      else {
        assert.ok(run.run(columns) >= 0);
        run.addRow(group);
      }
    }
    const first = random.below(groups + 1);
    const got = run?.states(first);
    const want = statesOf(states, first, groups);
    assert.deepEqual(got?.n, want.n);
    assert.deepEqual(Array.from(got?.a ?? []), Array.from(want.a));
    assert.deepEqual(Array.from(got?.b ?? []), Array.from(want.b));
    assert.deepEqual(run?.finish(first), finishStates(statesOf(states, 0, first)));
  }
});

test('the kernel leaves to the twin what it has no room for', () => {
  const scratch = new XorScratch();
  const spec = {
    func: 'rate',
    steps: 3,
    refStartMs: 500_000,
    refStepMs: 60_000,
    rangeMs: 60_000,
    lookbackMs: 0,
  };
  const t = Array.from({ length: 10_000 }, (_, i) => i * 1000);
  const v = t.map((_, i) => i % 2);
  const run = KernelWindows.over(read(scratch, t, v), spec, 0);
  assert.equal(run?.run(read(scratch, t, v)), -1);
  assert.equal(KernelWindows.over(read(scratch, t, v), { ...spec, steps: 11_000 }, 100), undefined);
  assert.equal(KernelWindows.over(read(scratch, t, v), { ...spec, func: 'irate' }, 0), undefined);
  // Columns of another memory, or of none.
  assert.equal(KernelWindows.over(new FloatColumns(), spec, 0), undefined);
  assert.equal(run?.takes(read(new XorScratch(), t, v)), false);
  const moved = read(scratch, t, v);
  moved.reserve(moved.t.length + 1);
  assert.equal(run?.takes(moved), false);
});
