/**
 * Many values in few buffers, bounded by the memory that they take. A value in an array of its own costs some 600 bytes
 * besides its content and several microseconds of allocation and collection; here it costs 150 and one.
 *
 *   segment:  entry, entry, …, free
 *   entry:    tag f64 | length u32 | used u32 | content | up to 7 bytes to the next multiple of 8
 *
 * Values are put at the end of the newest segment. When there is no room, the oldest segment goes as a whole, and what
 * was used since it was put there moves to the newest one, up to half of a segment: nearly the order of use, without a
 * list of all entries. Buffers are never used again, so that whoever holds a value keeps it.
 */

/** limit: of a segment that is not made for one large value. */
const SEGMENT_BYTES = 1024 * 1024;
/** A cache has so many segments at least, so that little goes at once. */
const SEGMENTS_MIN = 8;
const HEADER_BYTES = 16;
/** Places in a segment, in units of 8 bytes: a location is segment * PLACES + place. */
const PLACES = SEGMENT_BYTES / 8;
/** Memory of an entry besides content, header and the characters of its key: measured with 1,500,000 entries. */
export const ENTRY_OVERHEAD_BYTES = 110;

/** Numbers cost less than texts, where a key can be one: no text is made, and none is hashed. */
export type PackedKey = string | number;

/** What a number takes in the table of keys. */
const NUMBER_BYTES = 16;

/** How a value leaves: another took its place, or it made room or was deleted. */
export type Removal = 'replaced' | 'gone';

/** What is told of a value that leaves. */
export interface RemovedValue {
  readonly tag: number;
  readonly valueBytes: number;
  readonly keyLength: number;
  readonly how: Removal;
}

/** A value and the number that came with it. */
export interface PackedValue {
  readonly tag: number;
  /** Shares memory with other values. */
  readonly bytes: Uint8Array;
}

class Segment {
  readonly bytes: Uint8Array;
  readonly doubles: Float64Array;
  readonly words: Uint32Array;
  /** Of the entries, in their order. */
  readonly keys: PackedKey[] = [];
  /** Where the next entry goes, in units of 8 bytes. */
  end = 0;

  constructor(size: number) {
    const buffer = new ArrayBuffer(size);
    this.bytes = new Uint8Array(buffer);
    this.doubles = new Float64Array(buffer);
    this.words = new Uint32Array(buffer);
  }

  hasRoom(size: number): boolean {
    return this.end * 8 + size <= this.bytes.length;
  }

  length(place: number): number {
    return this.words[place * 2 + 2] as number;
  }

  get size(): number {
    return this.bytes.length;
  }
}

/** Values by key. */
export class PackedValues {
  readonly #bytesMax: number;
  readonly #segmentBytes: number;
  readonly #onRemoved: (removed: RemovedValue) => void;
  readonly #locations = new Map<PackedKey, number>();
  /** By the first part of locations; places of segments that are gone are taken by new ones. */
  readonly #segments: (Segment | undefined)[] = [];
  /** Indices of segments, oldest first; the last one is written to. */
  readonly #order: number[] = [];
  /** Of all segments, keys and overheads. */
  #used = 0;

  constructor(bytesMax: number, onRemoved: (removed: RemovedValue) => void) {
    this.#bytesMax = bytesMax;
    const share = Math.floor(bytesMax / SEGMENTS_MIN / 8) * 8;
    this.#segmentBytes = Math.max(8, Math.min(SEGMENT_BYTES, share));
    this.#onRemoved = onRemoved;
  }

  /** How many there are. */
  get count(): number {
    return this.#locations.size;
  }

  /** Bytes of memory that are taken, as far as they can be known. */
  get usedBytes(): number {
    return this.#used;
  }

  /** Whether a value fits when all others leave. */
  fits(key: PackedKey, valueBytes: number): boolean {
    const segment = Math.max(this.#segmentBytes, entryBytes(valueBytes));
    return segment + keyBytes(keyLength(key)) <= this.#bytesMax;
  }

  /** Whether there is a value. It counts as used. */
  has(key: PackedKey): boolean {
    const location = this.#locations.get(key);
    if (location === undefined) return false;
    this.#use(location);
    return true;
  }

  /** The value, which counts as used. */
  get(key: PackedKey): PackedValue | undefined {
    const location = this.#locations.get(key);
    if (location === undefined) return undefined;
    const { segment, place } = this.#use(location);
    const at = place * 8 + HEADER_BYTES;
    const bytes = segment.bytes.subarray(at, at + segment.length(place));
    return { tag: segment.doubles[place] as number, bytes };
  }

  #use(location: number): { readonly segment: Segment; readonly place: number } {
    const segment = this.#segments[Math.floor(location / PLACES)] as Segment;
    const place = location % PLACES;
    segment.words[place * 2 + 3] = 1;
    return { segment, place };
  }

  /** Copies a value in, in place of one of that key. The caller knows that it {@link fits}. */
  set(key: PackedKey, bytes: Uint8Array, tag: number): void {
    this.#remove(key, 'replaced');
    this.#makeRoom(entryBytes(bytes.length), keyBytes(keyLength(key)));
    this.#append(key, bytes, tag);
  }

  /** Removes a value; none is no error. */
  delete(key: PackedKey): void {
    this.#remove(key, 'gone');
  }

  #remove(key: PackedKey, how: Removal): void {
    const location = this.#locations.get(key);
    if (location === undefined) return;
    this.#locations.delete(key);
    this.#used -= keyBytes(keyLength(key));
    const segment = this.#segments[Math.floor(location / PLACES)] as Segment;
    const place = location % PLACES;
    const tag = segment.doubles[place] as number;
    const valueBytes = segment.length(place);
    this.#onRemoved({ tag, valueBytes, keyLength: keyLength(key), how });
  }

  /** Drops the oldest segments until an entry fits, and opens a segment for it. */
  #makeRoom(entry: number, key: number): void {
    for (;;) {
      const newest = this.#segments[this.#order.at(-1) ?? -1];
      const hasRoom = newest?.hasRoom(entry) === true;
      const segment = hasRoom ? 0 : Math.max(this.#segmentBytes, entry);
      if (this.#used + segment + key <= this.#bytesMax || this.#order.length === 0) {
        if (!hasRoom) this.#open(segment);
        return;
      }
      this.#dropOldest();
    }
  }

  #open(size: number): void {
    const free = this.#segments.indexOf(undefined);
    const index = free < 0 ? this.#segments.length : free;
    this.#segments[index] = new Segment(size);
    this.#order.push(index);
    this.#used += size;
  }

  #append(key: PackedKey, bytes: Uint8Array, tag: number): void {
    const index = this.#order.at(-1) as number;
    const segment = this.#segments[index] as Segment;
    const place = segment.end;
    segment.doubles[place] = tag;
    segment.words[place * 2 + 2] = bytes.length;
    segment.bytes.set(bytes, place * 8 + HEADER_BYTES);
    segment.keys.push(key);
    segment.end += entryBytes(bytes.length) / 8;
    this.#locations.set(key, index * PLACES + place);
    this.#used += keyBytes(keyLength(key));
  }

  /** What was used since it was put there is put at the end once more. */
  #dropOldest(): void {
    const index = this.#order.shift() as number;
    const segment = this.#segments[index] as Segment;
    this.#used -= segment.size;
    let movable = segment.size / 2;
    let place = 0;
    const moved: { key: PackedKey; bytes: Uint8Array; tag: number }[] = [];
    for (const key of segment.keys) {
      const length = segment.length(place);
      if (this.#locations.get(key) === index * PLACES + place) {
        const wasUsed = segment.words[place * 2 + 3] === 1;
        if (wasUsed && entryBytes(length) <= movable) {
          movable -= entryBytes(length);
          const at = place * 8 + HEADER_BYTES;
          const bytes = segment.bytes.subarray(at, at + length);
          moved.push({ key, bytes, tag: segment.doubles[place] as number });
          this.#locations.delete(key);
          this.#used -= keyBytes(keyLength(key));
        } else this.#remove(key, 'gone');
      }
      place += entryBytes(length) / 8;
    }
    this.#segments[index] = undefined;
    for (const { key, bytes, tag } of moved) {
      const newest = this.#segments[this.#order.at(-1) ?? -1];
      if (newest?.hasRoom(entryBytes(bytes.length)) !== true) this.#open(this.#segmentBytes);
      this.#append(key, bytes, tag);
    }
  }
}

/** Characters of a key. */
function keyLength(key: PackedKey): number {
  return typeof key === 'number' ? NUMBER_BYTES : key.length;
}

function entryBytes(valueBytes: number): number {
  return HEADER_BYTES + Math.ceil(valueBytes / 8) * 8;
}

function keyBytes(characters: number): number {
  return characters + ENTRY_OVERHEAD_BYTES;
}
