import { deepEqual, equal, rejects } from 'node:assert/strict';
import { test } from 'node:test';
import { runFragment } from '../../promql/exec/fragment.ts';
import type { Fragment } from '../../promql/exec/fragment.ts';
import type { FloatColumns, Queryable, SeriesSet } from '../../storage/storage.ts';
import { divideFragments, runSentFragment } from './divide-fragments.ts';
import type { SentFragment } from './divide-fragments.ts';

const NEVER = new AbortController().signal;

/** Reads nothing. */
function readFloats(_: number, into: FloatColumns): void {
  into.length = 0;
  into.mayHaveHistograms = false;
}

/** A storage without samples that notes whose series are opened. */
function storage() {
  const opened: number[] = [];
  const openShared = ({ count }: { count: number }): SeriesSet => {
    opened.push(count);
    const set = {
      count,
      load: () => undefined,
      close: () => undefined,
      readFloats,
    };
    return set as unknown as SeriesSet;
  };
  return { opened, queryable: { openShared } as unknown as Queryable };
}

/** Fragments of one series, two, and so on: results tell by their size whose they are. */
function makeFragments(count: number): Fragment[] {
  const spec = { func: 'value', params: [], steps: 1, refStartMs: 0, refStepMs: 0, startMs: 0 };
  const more = { stepMs: 0, rangeMs: 0, lookbackMs: 1, extension: 'none', useStarts: false };
  const rest = { correctsCounters: false, statsOnly: false };
  return Array.from({ length: count }, (_, i) => ({
    spec: { ...spec, ...more, ...rest } as Fragment['spec'],
    series: { count: i + 1, mint: 0, maxt: 0, payload: undefined },
    groups: undefined,
  }));
}

type Elsewhere = (sent: SentFragment) => Promise<unknown>;

async function divide(count: number, workers: number, elsewhere: Elsewhere) {
  const { opened, queryable } = storage();
  const made = makeFragments(count);
  const share = (number: number): Fragment => made[number] as Fragment;
  const fragments = {
    count,
    share,
    run: (number: number) => runFragment(share(number), queryable),
  };
  const runElsewhere = (_: string, sent: unknown) => elsewhere(sent as SentFragment);
  const results = await divideFragments(fragments, { runElsewhere }, workers);
  return { here: opened, sizes: results.map(({ counts }) => counts.length) };
}

const all = (count: number): number[] => Array.from({ length: count }, (_, i) => i + 1);

test('fragments: each worker has its share, and results are in order', async () => {
  const f = async (fragments: number, workers: number, here: number[]): Promise<void> => {
    const there = storage();
    const got = await divide(fragments, workers, (sent) =>
      runSentFragment(sent, there.queryable, NEVER),
    );
    deepEqual(got, { here, sizes: all(fragments) });
    deepEqual(there.opened, all(fragments - here.length));
  };
  await f(5, 1, [5, 4, 3, 2, 1]);
  await f(5, 2, [5, 4, 3]);
  await f(4, 2, [4, 3]);
  await f(2, 7, [2]);
  await f(1, 2, [1]);
  await f(0, 2, []);
});

test('fragments: what others have not begun is done here, from the end on, and by nobody else', async () => {
  const there = storage();
  const waiting: (() => void)[] = [];
  const got = await divide(6, 2, async (sent) => {
    if (sent.number > 0) {
      // Another worker that is busy until the driver waits for it.
      await new Promise<void>((resolve) => {
        waiting.push(resolve);
        if (waiting.length === 2) setTimeout(() => waiting.forEach((go) => go()), 20);
      });
    }
    return runSentFragment(sent, there.queryable, NEVER);
  });
  deepEqual(got, { here: [6, 5, 4, 3, 2], sizes: all(6) });
  deepEqual(there.opened, [1]);
});

test('fragments: one that is left by a worker that ended is done here', async () => {
  const got = await divide(4, 2, ({ claims }) => {
    new Int32Array(claims).fill(1);
    return Promise.resolve(undefined);
  });
  deepEqual(got, { here: [4, 3, 1, 2], sizes: all(4) });
});

test('fragments: what fails elsewhere fails the query', async () => {
  const failing = divide(4, 2, ({ claims, number }) => {
    Atomics.store(new Int32Array(claims), number, 1);
    return Promise.reject(new Error(`no ${number}`));
  });
  await rejects(failing, /no [01]/);
  equal((await divide(1, 2, () => Promise.reject(new Error('never asked')))).sizes.length, 1);
});
