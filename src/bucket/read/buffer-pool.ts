/**
 * Buffers that are used again. perf: an allocation of a megabyte is cheap, but the memory behind it counts for the garbage collector,
 * which then marks the whole heap every few dozen of them: half of the time that an answer takes.
 */

/** The smallest and the largest buffers that are kept, as powers of two. */
const LOG_MIN = 16;
const LOG_MAX = 24;

/** Keeps buffers by size: powers of two from 64 KiB to 16 MiB. For one thread. */
export class BufferPool {
  readonly #free: Buffer[][] = Array.from({ length: LOG_MAX - LOG_MIN + 1 }, () => []);
  readonly #keptMax: number;
  #kept = 0;

  /** limit: bytes that are kept for later. */
  constructor(keptMax: number) {
    this.#keptMax = keptMax;
  }

  /** A buffer of at least so many bytes, with anything in it. */
  take(size: number): Buffer {
    const log = logOf(size);
    if (log > LOG_MAX) return Buffer.allocUnsafeSlow(size);
    const kept = this.#free[log - LOG_MIN]?.pop();
    if (kept === undefined) return Buffer.allocUnsafeSlow(2 ** log);
    this.#kept -= kept.length;
    return kept;
  }

  /** Takes a buffer of {@link take} back; nobody may use it any more. */
  give(buffer: Buffer): void {
    const log = logOf(buffer.length);
    if (log > LOG_MAX || this.#kept + buffer.length > this.#keptMax) return;
    this.#kept += buffer.length;
    this.#free[log - LOG_MIN]?.push(buffer);
  }
}

/** The smallest power of two that has room for a size. */
function logOf(size: number): number {
  return Math.max(LOG_MIN, 32 - Math.clz32(Math.max(1, size - 1)));
}
