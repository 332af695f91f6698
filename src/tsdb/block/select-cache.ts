/**
 * What selects on blocks have found, for one thread: dashboards ask the same selectors again and again, each time for a range
 * that has moved on a little, and a block never changes. What is deleted is looked at afterwards.
 */
import type { Matcher } from '../../model/matcher.ts';
import type { AllChunks } from './found-chunks.ts';

/** limit: bytes kept over all blocks of a TSDB. */
const BYTES_MAX = 16 << 20;
/** limit: series of one select that is kept: a selector of more is rarely asked again as it was. */
export const KEPT_SERIES_MAX = 20_000;
/** Bytes of an entry beside its arrays. */
const ENTRY_BYTES = 1000;

interface Kept {
  readonly all: AllChunks;
  readonly bytes: number;
}

/** The results of selects by block and matchers; those asked for longest ago go first. */
export class SelectCache {
  readonly #bytesMax: number;
  readonly #kept = new Map<string, Kept>();
  #bytes = 0;

  constructor(bytesMax = BYTES_MAX) {
    this.#bytesMax = bytesMax;
  }

  /** What a select was told to find, as a key. */
  static key(block: string, matchers: readonly Matcher[]): string {
    return JSON.stringify([
      block,
      ...matchers.flatMap(({ name, type, value }) => [name, type, value]),
    ]);
  }

  /** What a select has found before. */
  get(key: string): AllChunks | undefined {
    const kept = this.#kept.get(key);
    if (kept === undefined) return undefined;
    this.#kept.delete(key);
    this.#kept.set(key, kept);
    return kept.all;
  }

  /** Keeps what a select has found. */
  set(key: string, all: AllChunks): void {
    const { series, starts, refs, mint, maxt } = all;
    let bytes = ENTRY_BYTES + key.length * 2;
    // Views keep all of their buffers.
    for (const { buffer } of [series, starts, refs, mint, maxt]) bytes += buffer.byteLength;
    this.#remove(key);
    if (bytes > this.#bytesMax) return;
    this.#kept.set(key, { all, bytes });
    this.#bytes += bytes;
    for (const oldest of this.#kept.keys()) {
      if (this.#bytes <= this.#bytesMax) break;
      this.#remove(oldest);
    }
  }

  /** Forgets what was found in a block. */
  forget(block: string): void {
    const start = `[${JSON.stringify(block)}`;
    for (const key of this.#kept.keys()) if (key.startsWith(start)) this.#remove(key);
  }

  #remove(key: string): void {
    this.#bytes -= this.#kept.get(key)?.bytes ?? 0;
    this.#kept.delete(key);
  }
}
