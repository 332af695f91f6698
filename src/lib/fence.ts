/** Memory order for readers of shared memory that a writer changes under a generation count. */

/** A word that no other thread touches, so that the fence costs no traffic between cores. */
const own = new Int32Array(new SharedArrayBuffer(4));

/**
 * Completes every read before it ahead of every read behind it: copy, fence, then look at the generation again. A
 * plain Atomics.load does not hold back the reads before it on weakly ordered machines; a read-modify-write does.
 */
export function readFence(): void {
  Atomics.or(own, 0, 0);
}
