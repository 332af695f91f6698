/**
 * Fragments of a query divided between who drives it and the other workers. Each gets as many; whoever drives the query also does
 * what the others have not begun when its own are done: they start later, and share their cores with the main thread.
 */
import { yieldToEventLoop } from '../../lib/yield.ts';
import type { TaskContext } from '../../ops/worker-runtime.ts';
import { runFragment } from '../../promql/exec/fragment.ts';
import type { Fragment, FragmentResult, FragmentSource } from '../../promql/exec/fragment.ts';
import type { Queryable } from '../../storage/storage.ts';

/** A fragment for another worker. */
export interface SentFragment {
  readonly fragment: Fragment;
  /** One word for each fragment that was sent: 1 when somebody does it. */
  readonly claims: SharedArrayBuffer;
  /** Which of the words is this one's. */
  readonly number: number;
}

/** Runs a fragment that was sent; undefined when it is done elsewhere. */
export async function runSentFragment(
  { fragment, claims, number }: SentFragment,
  queryable: Queryable,
  signal: AbortSignal,
): Promise<FragmentResult | undefined> {
  if (!claim(new Int32Array(claims), number)) return undefined;
  return runFragment(fragment, queryable, signal);
}

function claim(claims: Int32Array, number: number): boolean {
  return Atomics.exchange(claims, number, 1) === 0;
}

/** Runs fragments here and elsewhere; results are in their order. */
export async function divideFragments(
  fragments: FragmentSource,
  { runElsewhere }: Pick<TaskContext, 'runElsewhere'>,
  workers: number,
): Promise<FragmentResult[]> {
  const { count } = fragments;
  const away = count - Math.ceil(count / workers);
  const claims = new Int32Array(new SharedArrayBuffer(away * 4));
  const others: Promise<FragmentResult | undefined>[] = [];
  for (let number = 0; number < away; number++) {
    const sent: SentFragment = { fragment: fragments.share(number), claims: claims.buffer, number };
    const other = runElsewhere('query.fragment', sent) as Promise<FragmentResult | undefined>;
    // Heard below; when a fragment of ours fails first, nobody waits for the others.
    other.catch(() => undefined);
    others.push(other);
  }
  const own: FragmentResult[] = [];
  // From the end on: others begin with the first one.
  for (let number = count - 1; number >= 0; number--) {
    if (number < away && !claim(claims, number)) continue;
    own[number] = await fragments.run(number);
    // What others ask of this worker has its turn.
    await yieldToEventLoop();
  }
  const theirs = await Promise.all(others);
  const results: FragmentResult[] = [];
  for (let number = 0; number < count; number++) {
    // A worker that ended with a fragment of its leaves it claimed, and done by nobody.
    results.push(own[number] ?? theirs[number] ?? (await fragments.run(number)));
  }
  return results;
}
