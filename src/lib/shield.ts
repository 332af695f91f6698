/**
 * Stretches of work in the middle of which a thread must not be ended from outside, because other threads would wait
 * for what it can no longer do: give back a lock, count a counter down. Whoever ends threads asks {@link condemn}
 * first; a thread that nobody ends has no shield and pays nothing.
 *
 *   the word of a thread   0: may be ended   1: inside such a stretch   -1: is about to be ended, and begins none
 */
import { assert } from './assert.ts';

/** The word of this thread, in memory that it shares with whoever may end it. */
let word: Int32Array | undefined;
let depth = 0;

/** Gives this thread its word, once. */
export function installShield(shared: Int32Array): void {
  word = shared;
}

/** Begins a stretch; they may lie inside each other. A thread that is about to be ended does not return from here. */
export function enterShield(): void {
  if (depth++ > 0 || word === undefined) return;
  // Whoever condemned the thread ends it in this wait.
  while (Atomics.compareExchange(word, 0, 0, 1) !== 0) Atomics.wait(word, 0, -1);
}

/** Ends the stretch that was begun last. */
export function leaveShield(): void {
  assert(depth > 0, 'a stretch was begun');
  if (--depth === 0 && word !== undefined) Atomics.store(word, 0, 0);
}

/** Runs work as such a stretch. */
export function shielded<T>(work: () => T): T {
  enterShield();
  try {
    return work();
  } finally {
    leaveShield();
  }
}

/** Whether the thread of that word may be ended now. If so it begins no stretch any more: it has to be ended. */
export function condemn(shared: Int32Array): boolean {
  return Atomics.compareExchange(shared, 0, 0, -1) === 0;
}
