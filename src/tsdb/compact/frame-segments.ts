/**
 * Writes the chunk segments of a block that is made of others (docs/format/block.md): chunks that stay as they are go over
 * in their frames, length, checksum and all, and neighbours of one file at once.
 *
 * perf: checksum and copy of each chunk would be a quarter of a compaction's time.
 */
import { join } from 'node:path';
import { AppendFile } from '../../lib/append-file.ts';
import type { FileLayer } from '../../lib/file-layer.ts';
import type { BlockChunk, BlockSegments } from '../block/block-writer.ts';
import {
  CHUNK_CRC_BYTES,
  ENCODING_BYTES,
  LENGTH_BYTES_MAX,
  SEGMENT_BYTES_MAX,
  SEGMENT_HEADER_BYTES,
  SEGMENT_MAGIC,
  SEGMENT_REFS,
  SEGMENT_VERSION,
  chunkSegmentName,
} from '../chunks/segment-format.ts';
import { MergedChunk } from './merged-chunk.ts';

/** Appends chunks to the segments of a directory that has none yet. Methods throw CodedError unavailable. */
export class FrameSegments implements BlockSegments {
  readonly #files: FileLayer;
  readonly #directory: string;
  readonly #bytesMax: number;
  #file: AppendFile | undefined;
  #segment = -1;
  /** Frames that wait to be copied: one range of bytes. */
  #bytes: Uint8Array = new Uint8Array(0);
  #from = 0;
  #to = 0;

  constructor(files: FileLayer, directory: string, bytesMax = SEGMENT_BYTES_MAX) {
    this.#files = files;
    this.#directory = directory;
    this.#bytesMax = bytesMax;
  }

  /** Appends the chunks of one series and sets refs[0…] to where they are. */
  add(chunks: readonly BlockChunk[], refs: Float64Array): void {
    // compat: chunks.Writer.WriteChunks reckons with the longest length field for what it is about to write.
    let end = this.#file === undefined ? 0 : this.#file.position;
    for (let i = 0; i < chunks.length; i++) {
      const chunk = chunks[i];
      if (!(chunk instanceof MergedChunk)) throw new TypeError('BUG: a chunk of no frame');
      const most = LENGTH_BYTES_MAX + ENCODING_BYTES + (chunk.to - chunk.from) + CHUNK_CRC_BYTES;
      let file = this.#file;
      if (file === undefined || (end > SEGMENT_HEADER_BYTES && end + most > this.#bytesMax)) {
        file = this.#nextFile();
        end = SEGMENT_HEADER_BYTES;
      }
      end += most;
      if (chunk.frameFrom < 0) {
        this.#copy(file);
        refs[i] = this.#segment * SEGMENT_REFS + file.position;
        putChunk(file, chunk);
        continue;
      }
      if (chunk.bytes !== this.#bytes || chunk.frameFrom !== this.#to) {
        this.#copy(file);
        this.#bytes = chunk.bytes;
        this.#from = chunk.frameFrom;
      }
      refs[i] = this.#segment * SEGMENT_REFS + file.position + chunk.frameFrom - this.#from;
      this.#to = chunk.to + CHUNK_CRC_BYTES;
    }
    // The bytes are the reader's again after this.
    if (this.#file !== undefined) this.#copy(this.#file);
  }

  /** Makes everything durable but the directory, and closes. */
  finish(): void {
    this.#file?.finish();
    this.#file = undefined;
  }

  /** Closes, whatever happened; never throws. */
  abandon(): void {
    this.#file?.abandon();
    this.#file = undefined;
  }

  /** Copies the frames that wait. */
  #copy(file: AppendFile): void {
    if (this.#to === this.#from) return;
    // Of frames no sum is made.
    file.beginChecksum();
    file.put(this.#bytes, this.#from, this.#to);
    this.#from = this.#to = 0;
  }

  #nextFile(): AppendFile {
    if (this.#file !== undefined) this.#copy(this.#file);
    this.#file?.finish();
    const path = join(this.#directory, chunkSegmentName(this.#segment + 1));
    const file = new AppendFile(this.#files, path);
    this.#file = file;
    this.#segment++;
    file.u32(SEGMENT_MAGIC);
    file.byte(SEGMENT_VERSION);
    file.align(SEGMENT_HEADER_BYTES);
    return file;
  }
}

function putChunk(file: AppendFile, { bytes, from, to, encoding }: MergedChunk): void {
  file.uvarint(to - from);
  file.beginChecksum();
  file.byte(encoding);
  file.put(bytes, from, to);
  file.u32(file.checksum);
}
