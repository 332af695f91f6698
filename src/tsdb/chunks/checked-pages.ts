/**
 * Which chunks of cached pages have been found sound: a chunk's checksum is computed by each thread once for as long as
 * its page stays in the cache, and again when the page has been read from its file anew.
 *
 * perf: a checksum of a chunk of 200 bytes takes some 200 ns, decoding it a microsecond.
 */
import { PAGE_BYTES } from './page-cache.ts';
import type { PageCache } from './page-cache.ts';

/** limit: what is marked begins on its own multiple of this: a chunk in its frame takes eight bytes or more. */
const GRAIN = 8;
const WORDS = PAGE_BYTES / GRAIN / 32;

/** The marks of one page: good until another page is marked in its place. */
export type PageMarks = Uint32Array;

/** The marks of one thread for the pages of a cache: 1/64 of the bytes that it reads of them. */
export class CheckedPages {
  readonly #cache: PageCache;
  /** By slot: the generation that the marks are of, and the marks. */
  readonly #generations: number[] = [];
  readonly #marks: (Uint32Array | undefined)[] = [];

  constructor(cache: PageCache) {
    this.#cache = cache;
  }

  /** The marks of the page whose bytes the cache's last read answered; undefined when there are none. */
  current(): PageMarks | undefined {
    const slot = this.#cache.lastSlot;
    if (slot < 0 || this.#generations[slot] !== this.#cache.lastGeneration) return undefined;
    return this.#marks[slot];
  }

  /** Marks what begins at an offset of the file, whose bytes the cache's last read answered; answers the marks. */
  add(offset: number): PageMarks | undefined {
    const slot = this.#cache.lastSlot;
    if (slot < 0) return undefined;
    const marks = this.#marks[slot] ?? new Uint32Array(WORDS);
    if (this.#generations[slot] !== this.#cache.lastGeneration) {
      marks.fill(0);
      this.#marks[slot] = marks;
      this.#generations[slot] = this.#cache.lastGeneration;
    }
    const mark = (offset % PAGE_BYTES) >>> 3;
    marks[mark >>> 5] = (marks[mark >>> 5] as number) | (1 << (mark & 31));
    return marks;
  }
}

/** Whether what begins at an offset of the file is marked, by the marks of its page. */
export function isMarked(marks: PageMarks | undefined, offset: number): boolean {
  const mark = (offset % PAGE_BYTES) >>> 3;
  return marks !== undefined && ((marks[mark >>> 5] as number) & (1 << (mark & 31))) !== 0;
}

const byCache = new WeakMap<PageCache, CheckedPages>();

/** The thread's marks for a cache. */
export function checkedPages(cache: PageCache): CheckedPages {
  let pages = byCache.get(cache);
  if (pages === undefined) {
    pages = new CheckedPages(cache);
    byCache.set(cache, pages);
  }
  return pages;
}
