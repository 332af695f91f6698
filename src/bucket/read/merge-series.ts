/**
 * Series of several blocks as one sequence in the order of their labels: runs are asked for as they are used up, and equal series
 * come together. Behaviour: thanos pkg/store/proxy_merge.go (NewProxyResponseLoserTree, responseDeduplicator).
 */
import { compareLabelBytes, equalLabelBytes } from './label-bytes.ts';
import type { SeriesRun } from './series-run.ts';

/** A series of a run. */
export interface SeriesSource {
  readonly run: SeriesRun;
  readonly at: number;
}

interface Head {
  run: SeriesRun;
  at: number;
  readonly rest: AsyncIterator<SeriesRun>;
  /** Which of the blocks it is: equal series come in the order of their blocks. */
  readonly block: number;
}

/**
 * Calls `emit` with each label set once, in order, and with all series that have it. What `emit` answers is waited for; false ends the
 * merge. Runs are given to `release` as they are used up, and all of them in the end, some more than once; sources are valid until then.
 */
export async function mergeSeries(
  blocks: readonly AsyncIterable<SeriesRun>[],
  emit: (sources: readonly SeriesSource[]) => boolean | Promise<boolean>,
  release: (run: SeriesRun) => void = (run) => run.release(),
): Promise<void> {
  const iterators = blocks.map((runs) => runs[Symbol.asyncIterator]());
  const all: Head[] = [];
  try {
    const first = await settleAll(iterators.map((rest) => rest.next()));
    for (const [block, { done, value }] of first.entries()) {
      const rest = iterators[block] as AsyncIterator<SeriesRun>;
      if (done !== true) all.push({ run: value, at: 0, rest, block });
    }
    await merge([...all], emit, release);
  } finally {
    for (const { run } of all) release(run);
    await Promise.all(iterators.map(async (rest) => void (await rest.return?.())));
  }
}

async function settleAll(
  work: readonly Promise<IteratorResult<SeriesRun>>[],
): Promise<IteratorResult<SeriesRun>[]> {
  const outcomes = await Promise.allSettled(work);
  const failed = outcomes.find((one) => one.status === 'rejected');
  if (failed === undefined) {
    return outcomes.map((one) => (one as PromiseFulfilledResult<IteratorResult<SeriesRun>>).value);
  }
  for (const one of outcomes) {
    if (one.status === 'fulfilled' && one.value.done !== true) one.value.value.release();
  }
  throw failed.reason;
}

async function merge(
  heads: Head[],
  emit: (sources: readonly SeriesSource[]) => boolean | Promise<boolean>,
  release: (run: SeriesRun) => void,
): Promise<void> {
  heads.sort(compareHeads);
  /** Runs whose last series are among the sources. */
  const usedUp: SeriesRun[] = [];
  try {
    while (heads.length > 0) {
      const group = takeEqual(heads);
      const sources: SeriesSource[] = [];
      const left: Head[] = [];
      for (const head of group) {
        const more = takeSources(head, sources, usedUp);
        // perf: a run has many series; only its end has to be waited for.
        if (more === true || (more !== false && (await more))) left.push(head);
      }
      const going = emit(sources);
      // perf: most answers need not be waited for.
      if (!(going === true || (going !== false && (await going)))) return;
      for (const run of usedUp.splice(0)) release(run);
      for (const head of left) insert(heads, head);
    }
  } finally {
    for (const run of usedUp) release(run);
  }
}

/** Takes the first head, and all others with the same labels, from the heads. */
function takeEqual(heads: Head[]): Head[] {
  const first = heads[0] as Head;
  let n = 1;
  for (; n < heads.length; n++) if (!hasSameLabels(first, heads[n] as Head)) break;
  return heads.splice(0, n);
}

/**
 * Puts the head's series with the labels of the sources behind these: one, or several where labels were left out. Answers whether the
 * head has more.
 */
function takeSources(
  head: Head,
  sources: SeriesSource[],
  usedUp: SeriesRun[],
): boolean | Promise<boolean> {
  do {
    sources.push({ run: head.run, at: head.at });
    if (++head.at === head.run.count) {
      usedUp.push(head.run);
      return takeFromNext(head, sources, usedUp);
    }
  } while (hasSameLabels(sources[0] as SeriesSource, head));
  return true;
}

/** The same from the next run of the head on. */
async function takeFromNext(
  head: Head,
  sources: SeriesSource[],
  usedUp: SeriesRun[],
): Promise<boolean> {
  if (!(await refill(head))) return false;
  return !hasSameLabels(sources[0] as SeriesSource, head) || takeSources(head, sources, usedUp);
}

/** Puts a head to its place. perf: heads that were equal often are again, and come in their order. */
function insert(heads: Head[], head: Head): void {
  let i = heads.length;
  while (i > 0 && compareHeads(heads[i - 1] as Head, head) > 0) i--;
  heads.splice(i, 0, head);
}

/** The next run of a head, whose last one is not released; false when there is none. */
async function refill(head: Head): Promise<boolean> {
  const { done, value } = await head.rest.next();
  if (done === true) return false;
  head.run = value;
  head.at = 0;
  return true;
}

/** By labels, and by block where those are equal. */
function compareHeads(a: Head, b: Head): number {
  return compareLabels(a, b) || a.block - b.block;
}

function hasSameLabels(a: SeriesSource, b: SeriesSource): boolean {
  return equalLabelBytes(
    a.run.labels,
    a.run.labelStarts[a.at] as number,
    a.run.labelStarts[a.at + 1] as number,
    b.run.labels,
    b.run.labelStarts[b.at] as number,
    b.run.labelStarts[b.at + 1] as number,
  );
}

function compareLabels(a: SeriesSource, b: SeriesSource): number {
  return compareLabelBytes(
    a.run.labels,
    a.run.labelStarts[a.at] as number,
    a.run.labelStarts[a.at + 1] as number,
    b.run.labels,
    b.run.labelStarts[b.at] as number,
    b.run.labelStarts[b.at + 1] as number,
  );
}
