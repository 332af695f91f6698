/**
 * Fragments of a query divided between who drives it and the other workers. Each gets as many; whoever drives the query also does
 * what the others have not begun when its own are done: they start later, and share their cores with the main thread.
 */
import { yieldToEventLoop } from '../../lib/yield.ts';
import type { TaskContext } from '../../ops/worker-runtime.ts';
import { runFragment } from '../../promql/exec/fragment.ts';
import type { Fragment, FragmentResult } from '../../promql/exec/fragment.ts';
import type { Queryable } from '../../storage/storage.ts';

/** What fragments are divided by, and where those that stay run. */
export interface Divided {
  readonly workers: number;
  readonly queryable: Queryable;
}

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
  fragments: readonly Fragment[],
  { runElsewhere, signal }: Pick<TaskContext, 'runElsewhere' | 'signal'>,
  { workers, queryable }: Divided,
): Promise<FragmentResult[]> {
  const away = fragments.length - Math.ceil(fragments.length / workers);
  const claims = new Int32Array(new SharedArrayBuffer(away * 4));
  const others = fragments.slice(0, away).map((fragment, number) => {
    const sent: SentFragment = { fragment, claims: claims.buffer, number };
    return runElsewhere('query.fragment', sent) as Promise<FragmentResult | undefined>;
  });
  // Heard below; when a fragment of ours fails first, nobody waits for the others.
  for (const other of others) other.catch(() => undefined);
  const own: FragmentResult[] = [];
  // From the end on: others begin with the first one.
  for (let number = fragments.length - 1; number >= 0; number--) {
    if (number < away && !claim(claims, number)) continue;
    own[number] = await runFragment(fragments[number] as Fragment, queryable, signal);
    // What others ask of this worker has its turn.
    await yieldToEventLoop();
  }
  const theirs = await Promise.all(others);
  const results: FragmentResult[] = [];
  for (const [number, fragment] of fragments.entries()) {
    // A worker that ended with a fragment of its leaves it claimed, and done by nobody.
    const result = own[number] ?? theirs[number] ?? runFragment(fragment, queryable, signal);
    results.push(await result);
  }
  return results;
}
