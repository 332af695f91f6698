/** How large vectors may become. */
import { CodedError } from '../../lib/errors.ts';

/**
 * limit: cells of one vector, a value of eight bytes and a flag each: 600 MB. Prometheus counts samples, 50 million by default, and
 * not the steps at which series have none; here those take room, too.
 */
const CELLS_MAX = 2 ** 26;

/** What is said when a query would hold too much. */
export const TOO_MANY_SAMPLES =
  'query processing would load too many samples into memory in query execution';

/** The number of cells of so many rows of so many steps. @throws CodedError execution when there would be too many. */
export function cellsOf(rows: number, steps: number): number {
  const cells = rows * steps;
  if (cells > CELLS_MAX) throw new CodedError('execution', TOO_MANY_SAMPLES);
  return cells;
}
