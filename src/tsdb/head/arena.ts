/**
 * A head arena: one shared memory that holds series, open chunks, chunk metas and the postings of a part of the head
 * (docs/format/head-arena.md). One thread writes it ({@link ArenaWriter} and what builds on it), any thread reads.
 *
 * The memory is made at full size; the operating system gives it pages as they are touched. Addresses are bytes,
 * 0 means none. Nothing is ever moved, so an address that a reader found stays readable.
 */
import { CodedError, errorText } from '../../lib/errors.ts';
import { H, HEADER, SLAB, SMALL_MAX } from './arena-layout.ts';

const WASM_PAGE = 65536;
/** Sizes tried from the top: systems that limit address space refuse the larger ones. */
const SIZES = [4096, 2048, 1024, 512, 256].map((mib) => mib * 1024 * 1024);

/** A memory of a head arena, as it is handed to other threads. */
export type ArenaMemory = WebAssembly.Memory;

/**
 * Makes the memory of an arena: the largest of 4 GiB to 256 MiB, at most `bytesMax`, that the system grants.
 * @throws CodedError unavailable when it grants none.
 */
export function createArenaMemory(bytesMax: number): ArenaMemory {
  let reason = '';
  const sizes = SIZES.filter((size) => size <= bytesMax);
  for (const size of sizes.length === 0 ? [bytesMax] : sizes) {
    const pages = Math.ceil(size / WASM_PAGE);
    try {
      return new WebAssembly.Memory({ initial: pages, maximum: pages, shared: true });
    } catch (thrown) {
      reason = errorText(thrown);
    }
  }
  throw new CodedError('unavailable', `the system grants no memory for the head: ${reason}`);
}

/** Typed views over an arena; every thread has its own. */
export class ArenaView {
  readonly memory: ArenaMemory;
  readonly u8: Uint8Array;
  readonly u32: Uint32Array;
  readonly i32: Int32Array;
  readonly view: DataView;

  constructor(memory: ArenaMemory) {
    this.memory = memory;
    this.u8 = new Uint8Array(memory.buffer);
    this.u32 = new Uint32Array(memory.buffer);
    this.i32 = new Int32Array(memory.buffer);
    this.view = new DataView(memory.buffer);
  }

  /** The u32 at a 4-byte aligned address. */
  get(address: number): number {
    return this.u32[address >>> 2] as number;
  }

  set(address: number, value: number): void {
    this.u32[address >>> 2] = value;
  }

  /** A header field. */
  header(field: number): number {
    return this.u32[(HEADER + field) >>> 2] as number;
  }

  setHeader(field: number, value: number): void {
    this.u32[(HEADER + field) >>> 2] = value;
  }

  /** A header field that another thread publishes. */
  published(field: number): number {
    return Atomics.load(this.i32, (HEADER + field) >>> 2) >>> 0;
  }

  publish(field: number, value: number): void {
    Atomics.store(this.i32, (HEADER + field) >>> 2, value | 0);
  }

  /** The i64 at an 8-byte aligned address, in a double: exact to 2^53, beyond that the nearest. */
  getI64(address: number): number {
    return (this.i32[(address >>> 2) + 1] as number) * 4294967296 + this.get(address);
  }

  /** Stores an integer within ±2^53 as an i64. */
  setI64(address: number, value: number): void {
    this.i32[(address >>> 2) + 1] = Math.floor(value / 4294967296);
    this.u32[address >>> 2] = value >>> 0;
  }

  /** The address of the n-th record of a slab table. */
  record(slabs: number, recordBytes: number, n: number): number {
    const slab = this.u32[(slabs >>> 2) + (n >>> SLAB.shift)] as number;
    return slab + (n & SLAB.mask) * recordBytes;
  }
}

/** The allocator of an arena, and its initialisation. Only the writing thread has one. */
export class ArenaWriter extends ArenaView {
  /** Regions given back by growing tables, by size: they serve later tables. */
  readonly #regions = new Map<number, number[]>();

  /** Initialises a fresh memory. */
  constructor(memory: ArenaMemory) {
    super(memory);
    // The last page stays unused: kernels may read a few bytes past what they look at.
    const end = Math.min(memory.buffer.byteLength, 65536 * WASM_PAGE) - WASM_PAGE;
    this.setHeader(H.bump, HEADER + 1024);
    this.setHeader(H.end, end);
    const lists = SMALL_MAX / 2 + 4;
    this.setHeader(H.bump, HEADER + 1024 + Math.ceil(lists / 8) * 8);
    this.setHeader(H.freeSmall, HEADER + 1024);
  }

  /** Bytes that are still free at the top. */
  get freeBytes(): number {
    return this.header(H.end) - this.header(H.bump);
  }

  /** Bytes in use. */
  get usedBytes(): number {
    return this.header(H.bump);
  }

  /**
   * Takes zeroed bytes, 8-byte aligned.
   * @throws CodedError unavailable, with "X of Y", when the arena is full.
   */
  alloc(bytes: number): number {
    const size = Math.ceil(bytes / 8) * 8;
    if (size <= SMALL_MAX) {
      const list = this.header(H.freeSmall) + size / 2;
      const free = this.get(list);
      if (free !== 0) {
        this.set(list, this.get(free));
        this.u8.fill(0, free, free + size);
        return free;
      }
    }
    this.requireFree(size);
    const at = this.header(H.bump);
    this.setHeader(H.bump, at + size);
    return at;
  }

  /** Gives back what {@link alloc} or the kernel took. No reader may be in it. */
  free(at: number, bytes: number): void {
    const size = Math.ceil(bytes / 8) * 8;
    if (size === 0) return;
    if (size > SMALL_MAX) {
      this.freeRegion(at, size);
      return;
    }
    const list = this.header(H.freeSmall) + size / 2;
    this.set(at, this.get(list));
    this.set(list, at);
  }

  /** @throws CodedError unavailable, with "X of Y", unless so many bytes are free. */
  requireFree(bytes: number): void {
    if (this.freeBytes < bytes) throw this.fullError(bytes);
  }

  /** The error when so many bytes more do not fit: "X of Y". */
  fullError(bytes: number): CodedError {
    const wanted = this.usedBytes + bytes;
    return new CodedError(
      'unavailable',
      `head memory is full: ${wanted} of ${this.header(H.end)} bytes`,
    );
  }

  /** Takes a region for a table: one given back of that size, zeroed, or a fresh one. */
  allocRegion(bytes: number): number {
    const at = this.#regions.get(bytes)?.pop();
    if (at === undefined) return this.alloc(bytes);
    this.u8.fill(0, at, at + bytes);
    return at;
  }

  /** Gives a region back. No reader may be in it: only the writer's own tables are given back. */
  freeRegion(at: number, bytes: number): void {
    const list = this.#regions.get(bytes);
    if (list === undefined) this.#regions.set(bytes, [at]);
    else list.push(at);
  }

  /** The address of record n of a slab table, whose slab is made at need. */
  recordForWrite(slabs: number, recordBytes: number, n: number): number {
    const entry = (slabs >>> 2) + (n >>> SLAB.shift);
    if ((this.u32[entry] as number) === 0) {
      if (n >>> SLAB.shift >= SLAB.count) {
        throw new CodedError('unavailable', `the head holds no more than ${n} records of a kind`);
      }
      this.u32[entry] = this.alloc(recordBytes << SLAB.shift);
    }
    return this.record(slabs, recordBytes, n);
  }
}
