/**
 * Reads WAL segments record by record (docs/format/wal.md), one page in memory at a time.
 *
 * A torn end is normal after a crash; damage before it is not. The reader tells the two apart and, past damage, looks
 * for the next record: behind the damaged fragment if a sound one is there, else on a later page. What is sound is kept,
 * what was lost is reported.
 */
import { closeSync, openSync, readSync } from 'node:fs';
import { join } from 'node:path';
import { errorText } from '../../lib/errors.ts';
import {
  FRAGMENT,
  FRAGMENT_HEADER_BYTES,
  FRAGMENT_TYPE_MASK,
  PAGE_BYTES,
  fragmentCrc,
  segmentName,
} from './page-format.ts';
import { decompressRecord } from './record-compression.ts';

/** Where and why a segment could not be read on. */
export interface WalDamage {
  readonly file: string;
  /** Byte offset where the damage begins. */
  readonly offset: number;
  readonly reason: string;
  /** The end of the last whole record before it: where a repair cuts. */
  readonly soundEnd: number;
  /** Whether nothing readable follows in this segment: a torn end. */
  readonly atEnd: boolean;
}

/** Takes a record, decompressed, whose bytes are valid during the call only, and where it begins in its segment. */
export type OnRecord = (record: Uint8Array, offset: number) => void;

/**
 * Calls `onRecord` for each record of a segment, in order. Damage goes to `onDamage`; reading goes on behind it.
 */
export function readSegment(
  directory: string,
  index: number,
  onRecord: OnRecord,
  onDamage: (damage: WalDamage) => void,
): void {
  readSegmentFrom({ directory, index, offset: 0 }, onRecord, onDamage);
}

/** {@link readSegment} from an offset on at which a record begins, or the segment ends: what a snapshot does not hold. */
export function readSegmentFrom(
  from: { readonly directory: string; readonly index: number; readonly offset: number },
  onRecord: OnRecord,
  onDamage: (damage: WalDamage) => void,
): void {
  const file = join(from.directory, segmentName(from.index));
  const fd = openSync(file, 'r');
  try {
    new SegmentReader(file, fd, onRecord, onDamage).run(from.offset);
  } finally {
    closeSync(fd);
  }
}

class SegmentReader {
  readonly #file: string;
  readonly #fd: number;
  readonly #onRecord: OnRecord;
  readonly #onDamage: (damage: WalDamage) => void;
  readonly #page = new Uint8Array(PAGE_BYTES);
  #parts: Uint8Array[] = [];
  #soundEnd = 0;
  /** Where the record in {@link #parts} begins. */
  #recordStart = 0;
  /** Set while looking for the next record after damage. */
  #damage: { offset: number; reason: string; soundEnd: number } | undefined;

  constructor(file: string, fd: number, onRecord: OnRecord, onDamage: (damage: WalDamage) => void) {
    this.#file = file;
    this.#fd = fd;
    this.#onRecord = onRecord;
    this.#onDamage = onDamage;
  }

  run(offset: number): void {
    this.#soundEnd = offset;
    let base = offset - (offset % PAGE_BYTES);
    for (;;) {
      const size = readFully(this.#fd, this.#page, base);
      if (size === 0) break;
      this.#readPage(base, size, Math.max(0, offset - base));
      base += size;
      if (size < PAGE_BYTES) break;
    }
    if (this.#damage === undefined && this.#parts.length > 0) {
      this.#fail(base, 'the segment ends inside a record');
    }
    if (this.#damage !== undefined) this.#report(true);
  }

  #readPage(base: number, size: number, from: number): void {
    const page = this.#page;
    let at = from;
    while (at < size) {
      if (page[at] === 0) {
        if (page.subarray(at, size).some((byte) => byte !== 0)) {
          this.#fail(base + at, 'bytes after the end of a page');
        }
        return;
      }
      const type = (page[at] as number) & FRAGMENT_TYPE_MASK;
      const flags = (page[at] as number) & ~FRAGMENT_TYPE_MASK;
      const end = at + FRAGMENT_HEADER_BYTES;
      const length = ((page[at + 1] as number) << 8) | (page[at + 2] as number);
      const problem = this.#checkFragment(at, size, type, length);
      if (problem !== undefined) {
        this.#fail(base + at, problem);
        if (!this.#isSound(end + length, size)) return;
        at = end + length;
        continue;
      }
      const fragment = page.subarray(end, end + length);
      this.#take(type, flags, fragment, base + at, base + end + length);
      at = end + length;
    }
  }

  #checkFragment(at: number, size: number, type: number, length: number): string | undefined {
    const end = at + FRAGMENT_HEADER_BYTES;
    if (type > FRAGMENT.last) return `unknown fragment type ${type}`;
    if (end + length > size) return 'a fragment reaches over the end';
    const page = this.#page;
    const want =
      ((page[at + 3] as number) * 16777216 +
        ((page[at + 4] as number) << 16) +
        ((page[at + 5] as number) << 8) +
        (page[at + 6] as number)) >>>
      0;
    const got = fragmentCrc(page.subarray(end, end + length));
    return got === want ? undefined : 'checksum mismatch';
  }

  /** Whether a fragment with data begins at a place of the page, so that what is damaged ends there as it says. */
  #isSound(at: number, size: number): boolean {
    if (at + FRAGMENT_HEADER_BYTES >= size) return false;
    const page = this.#page;
    const type = (page[at] as number) & FRAGMENT_TYPE_MASK;
    const length = ((page[at + 1] as number) << 8) | (page[at + 2] as number);
    if (type === FRAGMENT.pageTerm || length === 0) return false;
    return this.#checkFragment(at, size, type, length) === undefined;
  }

  #take(type: number, flags: number, fragment: Uint8Array, start: number, end: number): void {
    const opens = type === FRAGMENT.full || type === FRAGMENT.first;
    if (this.#damage !== undefined) {
      if (!opens) return;
      this.#report(false);
    }
    if (opens !== (this.#parts.length === 0)) {
      this.#fail(start, 'a record begins inside another or continues none');
      if (!opens) return;
      this.#report(false);
    }
    if (opens) this.#recordStart = start;
    const whole = type === FRAGMENT.full || type === FRAGMENT.last;
    // Only records in several pieces are copied: the page buffer is read over.
    this.#parts.push(whole && this.#parts.length === 0 ? fragment : fragment.slice());
    if (!whole) return;
    const bytes = this.#parts.length === 1 ? fragment : Buffer.concat(this.#parts);
    this.#parts = [];
    // No writer logs an empty record, but a torn write can look like one: zeros have the checksum 0.
    if (bytes.length === 0) {
      this.#fail(start, 'an empty record');
      return;
    }
    let record: Uint8Array;
    try {
      record = decompressRecord(bytes, flags);
    } catch (thrown) {
      this.#fail(start, errorText(thrown));
      return;
    }
    this.#onRecord(record, this.#recordStart);
    this.#soundEnd = end;
  }

  #fail(offset: number, reason: string): void {
    this.#parts = [];
    this.#damage ??= { offset, reason, soundEnd: this.#soundEnd };
  }

  #report(atEnd: boolean): void {
    if (this.#damage !== undefined) {
      this.#onDamage({ file: this.#file, atEnd, ...this.#damage });
    }
    this.#damage = undefined;
  }
}

/** Reads up to a page at an offset; fewer bytes only at the end of the file. */
function readFully(fd: number, into: Uint8Array, offset: number): number {
  let size = 0;
  while (size < into.length) {
    const n = readSync(fd, into, size, into.length - size, offset + size);
    if (n === 0) break;
    size += n;
  }
  return size;
}
