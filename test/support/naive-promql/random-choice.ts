/** Choices by a generator of random numbers. */
import type { Random } from '../../../src/lib/prng.ts';

/** One of a list. */
export function pick<T>(random: Random, items: readonly T[]): T {
  return items[random.below(items.length)] as T;
}

/** Whether something of a probability happens. */
export function chance(random: Random, probability: number): boolean {
  return random.float() < probability;
}
