/**
 * A byte-budgeted cache of file pages in shared memory: Node has no mmap, and a pread for every chunk costs more
 * than decoding it.
 *
 * Reads take no lock. A slot has a generation that is odd while its page is being replaced: a reader copies the bytes
 * out and looks whether key and generation are still what they were. Filling a slot takes the lock; victims are
 * chosen by the clock algorithm over a few neighbours of the key's home slot.
 *
 * Only immutable bytes may be read through it: chunks that were written before anybody was told their place. The
 * last page of a growing file is therefore cached with the length it had, and read again when more is asked for.
 */
import { readSync } from 'node:fs';
import { readFence } from '../../lib/fence.ts';
import { shielded } from '../../lib/shield.ts';

/** limit: pages of 64 KiB: 200 chunks of cut order lie in one, and one read of it costs ~20 µs. */
export const PAGE_BYTES = 65536;
/** How many neighbouring slots a page may live in. */
const WAYS = 8;
/** Words of a slot: generation, key high (file), key low (page), bytes held, referenced. */
const SLOT_WORDS = 5;
const LOCK = 0;
/** limit: 50 ms of waiting for the lock; a page is read in microseconds, or from a slow disk in some ten ms. */
const LOCK_TRIES = 5;
const LOCK_WAIT_MS = 10;
const HITS = 1;
const MISSES = 2;
const HEADER_WORDS = 4;
/** Hits are published by so many at a time. */
const HITS_BATCH = 1024;

/** Opens files for the cache: a thread's own descriptors by the cache's file numbers. */
export interface PagedFiles {
  /** The descriptor of a file, opened at need. */
  descriptor(file: number): number;
}

/** A file that does not change. */
export interface PagedFile {
  /** The cache's number for it. */
  readonly number: number;
  readonly path: string;
  /** In bytes. */
  readonly size: number;
}

/** The cache over one shared buffer; every thread makes its own instance over the same memory. */
export class PageCache {
  readonly memory: SharedArrayBuffer;
  readonly #words: Int32Array;
  readonly #bytes: Buffer;
  readonly #slots: number;
  readonly #pagesAt: number;
  /** perf: hits are counted here and published now and then: a shared counter would travel between the cores. */
  #hits = 0;
  /**
   * The slot that the last read took its bytes from, -1 when it was several or none, and the slot's generation: while
   * both are the same, so are the page and its bytes. For what is known of a page until it is replaced.
   */
  lastSlot = -1;
  lastGeneration = 0;

  /** The memory for a budget in bytes, at least eight pages. */
  static allocate(budgetBytes: number): SharedArrayBuffer {
    const slots = Math.max(WAYS, Math.floor(budgetBytes / (PAGE_BYTES + SLOT_WORDS * 4)));
    return new SharedArrayBuffer(headerBytes(slots) + slots * PAGE_BYTES);
  }

  constructor(memory: SharedArrayBuffer) {
    this.memory = memory;
    this.#slots = slotCount(memory.byteLength);
    this.#pagesAt = headerBytes(this.#slots);
    this.#words = new Int32Array(memory, 0, memory.byteLength >>> 2);
    this.#bytes = Buffer.from(memory);
  }

  /** Lookups answered from memory, except the latest few hundred of other threads, and those that read a file. */
  get counts(): { hits: number; misses: number } {
    return {
      hits: (Atomics.load(this.#words, HITS) >>> 0) + (this.#hits % HITS_BATCH),
      misses: Atomics.load(this.#words, MISSES) >>> 0,
    };
  }

  /**
   * Copies `length` bytes of a file from `offset` on to the start of `into`. `file` is the cache's number for it, below 2^31 and
   * unique among all files that share the memory.
   * @returns false when the file ends early.
   */
  read(files: PagedFiles, file: number, offset: number, length: number, into: Uint8Array): boolean {
    const end = offset + length;
    this.lastSlot = -1;
    let at = 0;
    for (let position = offset; position < end;) {
      const page = Math.floor(position / PAGE_BYTES);
      const start = position - page * PAGE_BYTES;
      const stop = Math.min(end - page * PAGE_BYTES, PAGE_BYTES);
      if (!this.#copyOut(file, page, start, stop, into, at)) {
        const fill = () => this.#fillAndCopy(files, file, page, start, stop, into, at);
        // A thread that is ended with the lock would leave the cache without one.
        if (!shielded(fill)) return false;
      }
      at += stop - start;
      position = page * PAGE_BYTES + stop;
      if (stop - start < length) this.lastSlot = -1;
    }
    return true;
  }

  /** Copies start..stop of a cached page; false when it is not there or was replaced meanwhile. */
  #copyOut(
    file: number,
    page: number,
    start: number,
    stop: number,
    into: Uint8Array,
    at: number,
  ): boolean {
    const words = this.#words;
    const home = this.#home(file, page);
    for (let k = 0; k < WAYS; k++) {
      const slot = (home + k) % this.#slots;
      const w = HEADER_WORDS + slot * SLOT_WORDS;
      if (words[w + 1] !== file || words[w + 2] !== page) continue;
      const generation = Atomics.load(words, w);
      if ((generation & 1) === 1 || words[w + 1] !== file || words[w + 2] !== page) return false;
      if ((words[w + 3] as number) < stop) return false;
      // perf: takes a third of the time of a typed array's set(), which moves words of shared memory one by one.
      const base = this.#pageAt(slot);
      this.#bytes.copy(into, at, base + start, base + stop);
      if (words[w + 4] === 0) words[w + 4] = 1;
      readFence();
      if (Atomics.load(words, w) !== generation) return false;
      this.lastSlot = slot;
      this.lastGeneration = generation;
      if (++this.#hits % HITS_BATCH === 0) Atomics.add(words, HITS, HITS_BATCH);
      return true;
    }
    return false;
  }

  #fillAndCopy(
    files: PagedFiles,
    file: number,
    page: number,
    start: number,
    stop: number,
    into: Uint8Array,
    at: number,
  ): boolean {
    const fd = files.descriptor(file);
    if (!this.#lock()) return readPast(fd, page * PAGE_BYTES, start, stop, into, at);
    try {
      // Another thread may have filled it while this one waited.
      if (this.#copyOut(file, page, start, stop, into, at)) return true;
      const words = this.#words;
      const slot = this.#victim(file, page);
      const w = HEADER_WORDS + slot * SLOT_WORDS;
      Atomics.add(words, w, 1);
      words[w + 1] = file;
      words[w + 2] = page;
      const base = this.#pageAt(slot);
      let held = 0;
      try {
        held = readPage(fd, this.#bytes, base, page * PAGE_BYTES);
      } finally {
        words[w + 3] = held;
        words[w + 4] = 1;
        Atomics.add(words, w, 1);
      }
      words[MISSES] = (words[MISSES] as number) + 1;
      if (held < stop) return false;
      this.#bytes.copy(into, at, base + start, base + stop);
      this.lastSlot = slot;
      this.lastGeneration = words[w] as number;
      return true;
    } finally {
      this.#unlock();
    }
  }

  #pageAt(slot: number): number {
    return this.#pagesAt + slot * PAGE_BYTES;
  }

  /** The slot to fill: the page's own, a free one, or the first neighbour not used since the last look. */
  #victim(file: number, page: number): number {
    const words = this.#words;
    const home = this.#home(file, page);
    let free = -1;
    for (let k = 0; k < WAYS; k++) {
      const slot = (home + k) % this.#slots;
      const w = HEADER_WORDS + slot * SLOT_WORDS;
      if (words[w + 1] === file && words[w + 2] === page && words[w + 3] !== 0) return slot;
      if (free < 0 && words[w + 3] === 0) free = slot;
    }
    if (free >= 0) return free;
    for (let k = 0; k < WAYS * 2; k++) {
      const slot = (home + (k % WAYS)) % this.#slots;
      const w = HEADER_WORDS + slot * SLOT_WORDS;
      if (words[w + 4] === 0) return slot;
      words[w + 4] = 0;
    }
    return home;
  }

  #home(file: number, page: number): number {
    const h = Math.imul(Math.imul(file, 0x85ebca6b) ^ page, 0x9e3779b1) >>> 0;
    return h % this.#slots;
  }

  /**
   * Takes the lock; false when it is not to be had for a while. Its holder then waits for a slow disk or is a worker
   * that died with it: pages that are cached stay readable, and others are read past the cache.
   */
  #lock(): boolean {
    const words = this.#words;
    for (let tries = 0; tries < LOCK_TRIES; tries++) {
      if (Atomics.compareExchange(words, LOCK, 0, 1) === 0) return true;
      Atomics.wait(words, LOCK, 1, LOCK_WAIT_MS);
    }
    return false;
  }

  #unlock(): void {
    Atomics.store(this.#words, LOCK, 0);
    Atomics.notify(this.#words, LOCK, 1);
  }
}

function headerBytes(slots: number): number {
  return Math.ceil((HEADER_WORDS + slots * SLOT_WORDS) / 16) * 64;
}

function slotCount(bytes: number): number {
  let slots = Math.floor(bytes / PAGE_BYTES);
  while (headerBytes(slots) + slots * PAGE_BYTES > bytes) slots--;
  return slots;
}

/** Reads start..stop of a page that begins at a position of a file; false when the file ends early. */
function readPast(
  fd: number,
  position: number,
  start: number,
  stop: number,
  into: Uint8Array,
  at: number,
): boolean {
  let to = at;
  for (let done = start; done < stop;) {
    const size = readSync(fd, into, to, stop - done, position + done);
    if (size === 0) return false;
    done += size;
    to += size;
  }
  return true;
}

/** Reads up to a page; fewer bytes only at the end of the file. */
function readPage(fd: number, into: Uint8Array, at: number, position: number): number {
  let size = 0;
  while (size < PAGE_BYTES) {
    const n = readSync(fd, into, at + size, PAGE_BYTES - size, position + size);
    if (n === 0) break;
    size += n;
  }
  return size;
}
