import { deepEqual, equal } from 'node:assert/strict';
import { test } from 'node:test';
import { MemoryStorage } from '../../test/support/memory-storage.ts';
import { FakeClock } from '../lib/clock.ts';
import { Labels } from '../model/labels.ts';
import type { Queryable } from '../storage/storage.ts';
import { Engine } from './engine.ts';
import type { ProfiledNode } from './exec/profile.ts';

/** Three series of x with a sample a second, for ten seconds. */
function storage(): MemoryStorage {
  const memory = new MemoryStorage();
  for (const a of ['1', '2', '3']) {
    const t = Float64Array.from({ length: 10 }, (_, k) => k * 1000);
    memory.append(Labels.fromObject({ __name__: 'x', a, b: a === '3' ? 'n' : 'm' }), t, t);
  }
  return memory;
}

/** A storage that needs 5 ms to load series. */
function slow(clock: FakeClock): Queryable {
  const memory = storage();
  return {
    select: async (request) => {
      const set = await memory.select(request);
      set.load = () => {
        clock.advance(5);
        return undefined;
      };
      return set;
    },
    openShared: (shared) => memory.openShared(shared),
    labelNames: (sets) => memory.labelNames(sets),
    labelValues: (name, sets) => memory.labelValues(name, sets),
  };
}

/** A line a node: kind, time, series, samples looked at, samples held. */
function lines({ name, children, ...cost }: ProfiledNode, indent = ''): string[] {
  const kind = name.split(' ', 1)[0] ?? '';
  const { timeMs, series, samplesTotal, samplesPeak } = cost;
  const own = `${indent}${kind} ${timeMs} ms, ${series}, ${samplesTotal}, ${samplesPeak}`;
  return [own, ...children.flatMap((child) => lines(child, `${indent}  `))];
}

test('what each node of a range query took', async () => {
  const f = async (query: string, want: string) => {
    const clock = new FakeClock(0);
    const options = { analyze: true };
    const result = await new Engine({ clock }).range(slow(clock), query, 5000, 8000, 1000, options);
    const { analysis, stats } = result;
    equal(analysis === undefined ? '' : lines(analysis).join('\n'), want);
    equal(analysis?.samplesTotal, stats.samplesTotal);
    equal(analysis?.samplesPeak, stats.samplesPeak);
  };
  // Four steps of three series. An operation's result takes the place of its operands.
  await f('x', '[scan] 5 ms, 3, 12, 12');
  await f('-x', '[negate] 5 ms, 3, 12, 12\n  [scan] 5 ms, 3, 12, 12');
  // The right side is computed while the left one is held.
  await f('x + x', '[binary] 10 ms, 3, 24, 24\n  [scan] 5 ms, 3, 12, 12\n  [scan] 5 ms, 3, 12, 12');
  // Windows of two samples; of each group a value is left.
  await f('sum by (b) (rate(x[2s]))', '[scan] 5 ms, 2, 24, 12');
  // The subquery has values at 2, 4, 6 and 8 s, two in each window; a constant is a value a step.
  await f(
    'max_over_time(x[4s:2s]) * (1 + 1)',
    `[binary] 5 ms, 3, 36, 16
  [window] 5 ms, 3, 36, 12
    [scan] 5 ms, 3, 12, 12
  [number] 0 ms, 1, 0, 4`,
  );
});

test('who does not ask gets no analysis', async () => {
  const result = await new Engine().instant(storage(), 'x', 5000);
  equal('analysis' in result, false);
});

test('the names are those of the explained plan', async () => {
  const engine = new Engine();
  const query = 'sum(x) / scalar(rate(x[5s])) + 2';
  interface Tree {
    readonly name: string;
    readonly children: readonly Tree[];
  }
  const names = ({ name, children }: Tree): unknown => [name, children.map(names)];
  const { analysis } = await engine.instant(storage(), query, 5000, { analyze: true });
  const times = { startMs: 5000, endMs: 5000, stepMs: 0 };
  deepEqual(analysis && names(analysis), names(engine.explain(query, times)));
});
