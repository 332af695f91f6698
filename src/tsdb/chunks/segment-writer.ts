/** Writes the chunk segments of a block (docs/format/block.md), one file at a time. */
import { join } from 'node:path';
import { AppendFile } from '../../lib/append-file.ts';
import type { FileLayer } from '../../lib/file-layer.ts';
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
} from './segment-format.ts';

/** What of a chunk goes to a segment. */
export interface SegmentChunk {
  readonly encoding: number;
  /** The chunk as chunkenc has it, its count in front. */
  readonly data: Uint8Array;
}

/** Appends chunks to the segments of a directory that has none yet. Methods throw CodedError unavailable. */
export class SegmentWriter {
  readonly #files: FileLayer;
  readonly #directory: string;
  readonly #bytesMax: number;
  #file: AppendFile | undefined;
  #segment = -1;

  constructor(files: FileLayer, directory: string, bytesMax = SEGMENT_BYTES_MAX) {
    this.#files = files;
    this.#directory = directory;
    this.#bytesMax = bytesMax;
  }

  /** Appends the chunks of one series and sets refs[0…] to where they are. */
  add(chunks: readonly SegmentChunk[], refs: Float64Array): void {
    // compat: chunks.Writer.WriteChunks reckons with the longest length field for what it is about to write.
    let end = this.#file === undefined ? 0 : this.#file.position;
    for (let i = 0; i < chunks.length; i++) {
      const chunk = chunks[i] as SegmentChunk;
      const most = LENGTH_BYTES_MAX + ENCODING_BYTES + chunk.data.length + CHUNK_CRC_BYTES;
      let file = this.#file;
      if (file === undefined || (end > SEGMENT_HEADER_BYTES && end + most > this.#bytesMax)) {
        file = this.#nextFile();
        end = SEGMENT_HEADER_BYTES;
      }
      end += most;
      refs[i] = this.#segment * SEGMENT_REFS + file.position;
      file.uvarint(chunk.data.length);
      file.beginChecksum();
      file.byte(chunk.encoding);
      file.put(chunk.data);
      file.u32(file.checksum);
    }
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

  #nextFile(): AppendFile {
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
