/** Many requests, a few at a time. */
import pLimit from 'p-limit';

/**
 * The results of `work` for each item, in the order of items, with at most `concurrency` under way. After a failure
 * nothing more is begun; it is thrown when what was under way has ended, so that nothing goes on behind the caller's
 * back.
 */
export async function mapBounded<T, R>(
  items: readonly T[],
  concurrency: number,
  work: (item: T) => Promise<R>,
): Promise<R[]> {
  const limit = pLimit(concurrency);
  const results: R[] = [];
  const failures: unknown[] = [];
  const one = async (item: T, at: number): Promise<void> => {
    if (failures.length > 0) return;
    try {
      results[at] = await work(item);
    } catch (thrown) {
      failures.push(thrown);
    }
  };
  await Promise.all(items.map((item, at) => limit(one, item, at)));
  if (failures.length > 0) throw failures[0];
  return results;
}
