/**
 * The series of an arena, the writing half: creates them, finds them by label bytes, keeps aliases.
 *
 * Label bytes are the repeated field 1 of a remote-write TimeSeries. In canonical form the labels are sorted by name,
 * unique and not empty; bytes in another form become an alias of the canonical series once they have been seen.
 */
import type { IngestKernel } from '../../kernels/load.ts';
import { CodedError } from '../../lib/errors.ts';
import { sizeUvarint, writeUvarint } from '../../lib/varint.ts';
import type { ArenaWriter } from './arena.ts';
import { ALIAS_BYTES, H, HEADER, NAME, PAIR, S, SLAB } from './arena-layout.ts';
import { PostingsWriter } from './postings-writer.ts';

/** limit: other spellings kept for one series; senders have one, relays with shuffled labels a few. */
const ALIASES_MAX = 4;
/** What new slabs for one series take at the most: one of series, one of pairs, one of names. */
const SLABS_ROOM = (S.bytes + PAIR.bytes + NAME.bytes) << SLAB.shift;
/** What one label can take beside its text: a pair in tables that double, a largest block of postings. */
const LABEL_ROOM = 20 << 10;
/** limit: series, pairs and names of an arena, each. */
const RECORDS_MAX = SLAB.count << SLAB.shift;
/** No time yet: i64's smallest. As two halves, because a double cannot tell it from its neighbours. */
const NO_TIME_HIGH = -0x80000000;

/** Creates and finds the series of one arena. */
export class SeriesWriter {
  readonly #arena: ArenaWriter;
  readonly #kernel: IngestKernel;
  readonly #postings: PostingsWriter;
  /** Key bytes of a canonical form are put together here. */
  #scratch: number;
  #scratchBytes = 65536;

  /** The hash key is in the header already. */
  constructor(arena: ArenaWriter, kernel: IngestKernel) {
    this.#arena = arena;
    this.#kernel = kernel;
    arena.setHeader(H.seriesSlabs, arena.alloc(SLAB.count * 4));
    arena.setHeader(H.table, arena.allocRegion(1024 * 8));
    arena.setHeader(H.tableMask, 1023);
    this.#postings = new PostingsWriter(arena);
    this.#scratch = arena.alloc(this.#scratchBytes);
  }

  /** How many slots for series there are; some may be free. */
  get count(): number {
    return this.#arena.header(H.seriesCount);
  }

  /** Address of the series of labels in canonical order (name, value, …), or 0. */
  find(labels: readonly Uint8Array[]): number {
    const length = this.#canonicalKey(labels);
    // A kernel answers i32: addresses beyond 2 GiB come out negative.
    return this.#kernel.lookup(HEADER, this.#scratch, length) >>> 0;
  }

  /** Which of `count` arenas the series of labels in canonical order lives in. */
  arenaOf(labels: readonly Uint8Array[], count: number): number {
    if (count === 1) return 0;
    const length = this.#canonicalKey(labels);
    this.#kernel.hash(HEADER, this.#scratch, length);
    return (this.#arena.header(H.hashHigh) >>> 8) & (count - 1);
  }

  /**
   * Half a series must not be published, so everything that one of these labels may allocate is known to fit before it
   * is begun.
   * @throws CodedError unavailable unless it does.
   */
  requireRoom(labels: readonly Uint8Array[]): void {
    const arena = this.#arena;
    const count = labels.length / 2;
    let text = 0;
    for (const part of labels) text += part.length + 16;
    const tables = (arena.header(H.tableMask) + 1 + arena.header(H.pairCount)) * 16;
    // The text goes to the key, to new pairs and, twice as long, to the scratch.
    arena.requireFree(SLABS_ROOM + tables + count * LABEL_ROOM + text * 5);
    const records = Math.max(this.count + 1, arena.header(H.pairCount) + count);
    if (records > RECORDS_MAX) {
      throw new CodedError(
        'unavailable',
        `a part of the head holds no more than ${RECORDS_MAX} series or label pairs`,
      );
    }
  }

  /**
   * Creates the series of labels in canonical order; the caller has made sure there is none. Answers its address.
   * @throws CodedError unavailable when the arena is full; then no reader sees anything of it.
   */
  create(ref: number, labels: readonly Uint8Array[]): number {
    const arena = this.#arena;
    const free = arena.header(H.freeSlots);
    const index = free === 0 ? this.count : free - 1;
    this.requireRoom(labels);
    const length = this.#canonicalKey(labels);
    this.#growTable();
    const at = arena.recordForWrite(arena.header(H.seriesSlabs), S.bytes, index);
    if (free !== 0) {
      arena.setHeader(H.freeSlots, arena.get(at));
      arena.setHeader(H.dead, arena.header(H.dead) - 1);
    }
    const key = arena.alloc(length);
    arena.u8.copyWithin(key, this.#scratch, this.#scratch + length);
    const pairs = arena.alloc(labels.length * 2);
    this.#kernel.hash(HEADER, key, length);
    arena.set(at + S.hash, arena.header(H.hashLow));
    arena.set(at + S.hash + 4, arena.header(H.hashHigh));
    arena.set(at + S.key, key);
    arena.set(at + S.keyLength, length);
    arena.setI64(at + S.ref, ref);
    arena.i32[(at + S.lastT + 4) >>> 2] = NO_TIME_HIGH;
    arena.set(at + S.index, index);
    arena.set(at + S.pairs, pairs);
    arena.set(at + S.pairCount, labels.length / 2);
    for (let i = 0; i < labels.length; i += 2) {
      const number = this.#postings.pair(labels[i] as Uint8Array, labels[i + 1] as Uint8Array);
      arena.set(pairs + i * 2, number);
    }
    // Whoever finds the series by one of its pairs must find all of them.
    for (let i = 0; i < labels.length; i += 2) this.#postings.add(arena.get(pairs + i * 2), index);
    if (free === 0) arena.publish(H.seriesCount, index + 1);
    this.#kernel.insert(HEADER, at);
    return at;
  }

  /** Makes label bytes at an address of the arena another name of a series, unless it has enough of them already. */
  alias(series: number, key: number, length: number): boolean {
    const arena = this.#arena;
    const aliases = arena.get(series + S.aliases);
    if (aliases >= ALIASES_MAX) return false;
    this.#growTable();
    const node = arena.alloc(ALIAS_BYTES + length);
    arena.u8.copyWithin(node + ALIAS_BYTES, key, key + length);
    this.#kernel.hash(HEADER, key, length);
    arena.set(node, arena.header(H.hashLow));
    arena.set(node + 4, arena.header(H.hashHigh));
    arena.set(node + S.key, node + ALIAS_BYTES);
    arena.set(node + S.keyLength, length);
    arena.set(node + 16, series);
    arena.set(series + S.aliases, aliases + 1);
    this.#kernel.insert(HEADER, node | 1);
    return true;
  }

  /** Writes labels as field-1 messages to the scratch; answers their length. */
  #canonicalKey(labels: readonly Uint8Array[]): number {
    let size = 0;
    for (const part of labels) size += part.length + 16;
    if (size > this.#scratchBytes) {
      this.#scratch = this.#arena.alloc(size * 2);
      this.#scratchBytes = size * 2;
    }
    const { u8 } = this.#arena;
    let at = this.#scratch;
    for (let i = 0; i < labels.length; i += 2) {
      const name = labels[i] as Uint8Array;
      const value = labels[i + 1] as Uint8Array;
      u8[at++] = 0x0a;
      const body =
        2 + sizeUvarint(name.length) + name.length + sizeUvarint(value.length) + value.length;
      at = writeUvarint(u8, at, body);
      u8[at++] = 0x0a;
      at = writeUvarint(u8, at, name.length);
      u8.set(name, at);
      at += name.length;
      u8[at++] = 0x12;
      at = writeUvarint(u8, at, value.length);
      u8.set(value, at);
      at += value.length;
    }
    return at - this.#scratch;
  }

  /** Doubles the table of series at half: probes stay short, and an entry is 8 bytes. */
  #growTable(): void {
    const arena = this.#arena;
    const capacity = arena.header(H.tableMask) + 1;
    if (arena.header(H.tableUsed) + 1 <= capacity / 2) return;
    const old = arena.header(H.table);
    this.#kernel.rehash(HEADER, arena.allocRegion(capacity * 16), capacity * 2);
    arena.freeRegion(old, capacity * 8);
  }
}
