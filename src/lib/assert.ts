/**
 * Assertions for programmer errors, and the error classes that every layer throws.
 *
 * An assertion that fails is a bug of ours: it must never depend on bytes, peers or users. Messages are
 * constants, because building a text in a hot loop costs three times the loop (docs/gotchas.md).
 */

/** Throws when a statement that only a bug of ours can falsify is false. */
export function assert(condition: unknown, message: string): asserts condition {
  if (!condition) throw new Error(`BUG: ${message}`);
}

/** Returns the value, or throws when it is absent: for lookups that only a bug of ours can make fail. */
export function must<T>(value: T | null | undefined, message: string): T {
  if (value === null || value === undefined) throw new Error(`BUG: ${message}`);
  return value;
}

/** Marks code that the types prove unreachable. */
export function unreachable(value: never): never {
  throw new Error(`BUG: unreachable value ${String(value)}`);
}
