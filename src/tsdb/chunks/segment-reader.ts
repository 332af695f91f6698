/**
 * Reads chunks of segment files (docs/format/block.md) through the page cache, right into the memory they are decoded
 * from. No chunk is handed out whose checksum is not right.
 */
import { SOURCE_BYTES_MAX } from '../../chunkenc/xor-scratch.ts';
import type { SourceFrames, XorScratch } from '../../chunkenc/xor-scratch.ts';
import { readU32 } from '../../lib/big-endian.ts';
import { crc32c } from '../../lib/crc32c.ts';
import { CorruptionError } from '../../lib/errors.ts';
import { diskError } from '../../lib/on-disk.ts';
import { checkedPages, isMarked } from './checked-pages.ts';
import type { CheckedPages, PageMarks } from './checked-pages.ts';
import { PAGE_BYTES } from './page-cache.ts';
import type { PageCache, PagedFile, PagedFiles } from './page-cache.ts';
import {
  CHUNK_CRC_BYTES,
  ENCODING_BYTES,
  LENGTH_BYTES_MAX,
  SEGMENT_HEADER_BYTES,
  SEGMENT_REFS,
} from './segment-format.ts';

/** The segments of one block. */
export interface SegmentFiles extends PagedFiles {
  /** A segment, counted from 0 as refs do. @throws CorruptionError when there is none of that number. */
  segment(number: number): PagedFile;
}

/** The count of samples at the beginning of a chunk's data. */
const COUNT_BYTES = 2;
/** Length and encoding. */
const PREFIX_BYTES = LENGTH_BYTES_MAX + ENCODING_BYTES;

/**
 * Reads the chunks of one block, for one thread.
 *
 * perf: chunks of a series lie one behind the other, so a window of the file is read for all of them. It ends with its
 * page, because what is known to be sound is known by page.
 */
export class SegmentReader {
  readonly #files: SegmentFiles;
  readonly #cache: PageCache;
  readonly #checked: CheckedPages;
  /** The scratch's source that the window is in, from its beginning on. */
  #bytes = new Uint8Array(0);
  /** The window: segment, and offsets in it. */
  #segment = -1;
  #start = 0;
  #end = 0;
  /** Which chunks of the window's page are known to be sound. */
  #marks: PageMarks | undefined;
  /** Of the chunk loaded last: encoding byte, and how many samples it says it has. */
  encoding = 0;
  count = 0;
  /** Of the chunk loaded last: where its data begin in the scratch's source, and their length. */
  from = 0;
  length = 0;

  constructor(files: SegmentFiles, cache: PageCache) {
    this.#files = files;
    this.#cache = cache;
    this.#checked = checkedPages(cache);
  }

  /** Forgets the window: the scratch's source may have been used by others since. */
  forget(): void {
    this.#segment = -1;
  }

  /**
   * Makes sure that the scratch's source holds the chunk at a ref, and sets the fields. The caller will go on to chunks
   * up to about `runEnd`, which is like a ref.
   * @throws CorruptionError when there is no chunk with a right checksum, CodedError unavailable when it cannot be read.
   */
  load(scratch: XorScratch, ref: number, runEnd: number): void {
    const segment = Math.floor(ref / SEGMENT_REFS);
    const offset = ref - segment * SEGMENT_REFS;
    const file = this.#files.segment(segment);
    if (!this.#windowBegins(segment, offset) || scratch.source !== this.#bytes) {
      const pageEnd = offset - (offset % PAGE_BYTES) + PAGE_BYTES;
      const wanted = Math.min(offset + runEnd - ref, pageEnd);
      const length = Math.max(PREFIX_BYTES, wanted - offset);
      this.#fill(scratch, file, segment, offset, Math.min(length, file.size - offset));
    }
    this.#parse(file, offset);
    const frame = this.#frameBytes(offset);
    if (offset + frame > this.#end) {
      if (frame > SOURCE_BYTES_MAX) {
        throw corrupt(`a chunk of ${frame} bytes exceeds ${SOURCE_BYTES_MAX}`, file, offset);
      }
      this.#fill(scratch, file, segment, offset, frame);
      this.#parse(file, offset);
    }
    if (isMarked(this.#marks, offset)) return;
    const end = this.from + this.length;
    if (crc32c(this.#bytes, this.from - ENCODING_BYTES, end) !== readU32(this.#bytes, end)) {
      throw corrupt('chunk: checksum mismatch', file, offset);
    }
    this.#marks = this.#checked.add(offset);
  }

  /**
   * Where the chunks refs[k..end), of which the first was loaded last, are in the scratch's source: as many of them as the window
   * has the beginnings of and are known to be sound. Whether they lie one behind the other is for who decodes them to see.
   */
  soundFrames(refs: Float64Array, k: number, end: number): SourceFrames {
    const base = this.#segment * SEGMENT_REFS;
    let next = k + 1;
    for (; next < end; next++) {
      const offset = (refs[next] as number) - base;
      if (!this.#windowBegins(this.#segment, offset) || !isMarked(this.#marks, offset)) break;
    }
    return {
      from: this.#placeOf((refs[k] as number) - base),
      end: this.#placeOf(this.#end),
      count: next - k,
      lastFrom: this.#placeOf((refs[next - 1] as number) - base),
    };
  }

  /** The error for what is wrong with the chunk at a ref. */
  corrupt(ref: number, message: string): CorruptionError {
    const segment = Math.floor(ref / SEGMENT_REFS);
    return corrupt(message, this.#files.segment(segment), ref - segment * SEGMENT_REFS);
  }

  #fill(
    scratch: XorScratch,
    file: PagedFile,
    segment: number,
    offset: number,
    length: number,
  ): void {
    this.#bytes = scratch.source;
    // When this throws there is no window.
    this.#segment = -1;
    this.#read(file, offset, Math.min(length, SOURCE_BYTES_MAX), this.#bytes);
    this.#marks = this.#checked.current();
    this.#segment = segment;
    this.#start = offset;
    this.#end = offset + Math.min(length, SOURCE_BYTES_MAX);
  }

  #read(file: PagedFile, offset: number, length: number, into: Uint8Array): void {
    const { number, size } = file;
    const inside = offset >= SEGMENT_HEADER_BYTES && length > 0 && offset + length <= size;
    let isThere = false;
    try {
      isThere = inside && this.#cache.read(this.#files, number, offset, length, into);
    } catch (thrown) {
      throw diskError(`read ${file.path}`, thrown);
    }
    if (!isThere) throw corrupt('chunk lies outside its file', file, offset);
  }

  /** Whether the window has the length and encoding of the chunk at an offset. */
  #windowBegins(segment: number, offset: number): boolean {
    const isBehind = segment === this.#segment && offset >= this.#start;
    return isBehind && offset + PREFIX_BYTES <= this.#end;
  }

  /** Where an offset of the file is in the scratch's source. */
  #placeOf(offset: number): number {
    return offset - this.#start;
  }

  /** How long the frame is that begins at an offset and was parsed last. */
  #frameBytes(offset: number): number {
    return this.from + this.length + CHUNK_CRC_BYTES - this.#placeOf(offset);
  }

  /** Sets the fields from the frame at an offset of the file, which the window has the beginning of. */
  #parse(file: PagedFile, offset: number): void {
    const bytes = this.#bytes;
    let at = this.#placeOf(offset);
    let length = 0;
    let more = true;
    for (let shift = 0; more; shift += 7) {
      if (shift === 7 * LENGTH_BYTES_MAX) throw corrupt('chunk: no length', file, offset);
      const byte = bytes[at++] as number;
      length |= (byte & 0x7f) << shift;
      more = byte >= 0x80;
    }
    if (length < 0) throw corrupt('chunk lies outside its file', file, offset);
    this.encoding = bytes[at] as number;
    this.from = at + ENCODING_BYTES;
    this.length = length;
    this.count =
      length < COUNT_BYTES
        ? 0
        : ((bytes[this.from] as number) << 8) | (bytes[this.from + 1] as number);
  }
}

function corrupt(message: string, file: PagedFile, offset: number): CorruptionError {
  return new CorruptionError(message, file.path, offset);
}
