/** Builds the bytes of WAL records: fragments with headers, none across a page (docs/format/wal.md). */
import {
  FRAGMENT,
  FRAGMENT_HEADER_BYTES,
  PAGE_BYTES,
  SNAPPY_FLAG,
  fragmentCrc,
} from './page-format.ts';

/** Puts compressed records into frames; its buffer grows and is used again. */
export class FrameBuilder {
  readonly #flag: number;
  #frame = new Uint8Array(2 * PAGE_BYTES);

  /** `flag` tells how records are compressed: 0, SNAPPY_FLAG or ZSTD_FLAG. */
  constructor(flag: number = SNAPPY_FLAG) {
    this.#flag = flag;
  }

  /** The bytes of records that begin at an offset of a segment. Valid until the next call. */
  build(bodies: readonly Uint8Array[], offset: number): Uint8Array {
    const worst = framedSize(bodies) + PAGE_BYTES;
    if (this.#frame.length < worst) this.#frame = new Uint8Array(worst * 2);
    let size = 0;
    for (const body of bodies) size = this.#add(body, offset, size);
    return this.#frame.subarray(0, size);
  }

  #add(body: Uint8Array, offset: number, start: number): number {
    let size = start;
    let from = 0;
    do {
      size = this.#padPage(offset, size, body.length > 0);
      const room = PAGE_BYTES - ((offset + size) % PAGE_BYTES);
      const n = Math.min(room - FRAGMENT_HEADER_BYTES, body.length - from);
      const type = fragmentType(from === 0, from + n === body.length);
      size = this.#fragment(type, body.subarray(from, from + n), size);
      from += n;
    } while (from < body.length);
    return size;
  }

  /** Ends the page with zeros when no fragment fits; one without data would read as empty. */
  #padPage(offset: number, size: number, withData: boolean): number {
    const room = PAGE_BYTES - ((offset + size) % PAGE_BYTES);
    if (room >= FRAGMENT_HEADER_BYTES + (withData ? 1 : 0)) return size;
    this.#frame.fill(0, size, size + room);
    return size + room;
  }

  #fragment(type: number, part: Uint8Array, at: number): number {
    const frame = this.#frame;
    const crc = fragmentCrc(part);
    frame[at] = type | this.#flag;
    frame[at + 1] = part.length >>> 8;
    frame[at + 2] = part.length & 0xff;
    frame[at + 3] = crc >>> 24;
    frame[at + 4] = (crc >>> 16) & 0xff;
    frame[at + 5] = (crc >>> 8) & 0xff;
    frame[at + 6] = crc & 0xff;
    frame.set(part, at + FRAGMENT_HEADER_BYTES);
    return at + FRAGMENT_HEADER_BYTES + part.length;
  }
}

/** An upper bound of the bytes that records take in a segment. */
export function framedSize(bodies: readonly Uint8Array[]): number {
  let size = PAGE_BYTES;
  for (const body of bodies) {
    const fragments = Math.ceil(body.length / (PAGE_BYTES - FRAGMENT_HEADER_BYTES)) + 2;
    size += body.length + fragments * FRAGMENT_HEADER_BYTES;
  }
  return size;
}

function fragmentType(first: boolean, last: boolean): number {
  if (first) return last ? FRAGMENT.full : FRAGMENT.first;
  return last ? FRAGMENT.last : FRAGMENT.middle;
}
