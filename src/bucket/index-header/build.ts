/**
 * Makes an index-header by ranged reads of a block's index: two requests one after the other, of which the second round
 * runs side by side; one alone for a small index. Behaviour: thanos pkg/block/indexheader/binary_reader.go (WriteBinary),
 * whose bytes these are.
 */
import { open, mkdir, rename, rm } from 'node:fs/promises';
import path from 'node:path';
import { CodedError, CorruptionError, errorText } from '../../lib/errors.ts';
import type { Bucket } from '../../objstore/bucket.ts';
import { TOC_BYTES } from '../../tsdb/index/index-format.ts';
import type { Toc } from '../../tsdb/index/index-format.ts';
import { INDEX_FILE } from '../block-path.ts';
import {
  HEADER_BYTES,
  decodeIndexVersion,
  decodeToc,
  encodeHeaderStart,
  encodeHeaderToc,
} from './format.ts';

/** perf: an index of this size is read whole: one request takes longer than its bytes. */
const WHOLE_BYTES = 512 * 1024;
/** perf: the last bytes, which hold the table of contents, and of most indexes the postings table. */
const TAIL_BYTES = 64 * 1024;
/** limit: bytes in memory at a time. */
const PIECE_BYTES = 8 * 1024 * 1024;
/** The shortest index: magic, version and table of contents. */
const INDEX_BYTES_MIN = 5 + TOC_BYTES;

/** What to make a header of. */
export interface HeaderSource {
  readonly bucket: Bucket;
  readonly ulid: string;
  /** Bytes of the index, where a listing or the meta.json says so. */
  readonly indexBytes?: number | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** The pieces of an index-header, in order. @throws CodedError as {@link Bucket} does; CorruptionError. */
export async function* headerPieces(source: HeaderSource): AsyncGenerator<Uint8Array> {
  const index = new RemoteIndex(source);
  await index.open();
  const { toc, size } = index;
  const symbolBytes = toc.series - toc.symbols;
  yield encodeHeaderStart(index.version, toc.postingsTable);
  yield* index.range(toc.symbols, symbolBytes);
  yield* index.range(toc.postingsTable, size - toc.postingsTable);
  yield encodeHeaderToc(HEADER_BYTES, HEADER_BYTES + symbolBytes);
}

/** The header in memory. @throws as {@link headerPieces}. */
export async function buildHeader(source: HeaderSource): Promise<Buffer> {
  return Buffer.concat(await Array.fromAsync(headerPieces(source)));
}

/**
 * Writes the header to a file, which is there whole or not at all, durable.
 * @throws as {@link headerPieces}; CodedError unavailable when the disk fails.
 */
export async function writeHeader(source: HeaderSource, file: string): Promise<void> {
  const temporary = `${file}.tmp`;
  try {
    await onDisk(file, () => mkdir(path.dirname(file), { recursive: true }));
    const handle = await onDisk(file, () => open(temporary, 'w'));
    try {
      for await (const piece of headerPieces(source)) {
        await onDisk(file, () => handle.writeFile(piece));
      }
      await onDisk(file, () => handle.sync());
    } finally {
      await handle.close();
    }
    await onDisk(file, () => rename(temporary, file));
  } catch (thrown) {
    await rm(temporary, { force: true }).catch(() => undefined);
    throw thrown;
  }
}

async function onDisk<T>(file: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (thrown) {
    throw new CodedError('unavailable', `write ${file}: ${errorText(thrown)}`, { cause: thrown });
  }
}

/** A block's index in the bucket, with the bytes of both ends in memory. */
class RemoteIndex {
  readonly #source: HeaderSource;
  readonly #name: string;
  #start = new Uint8Array(0);
  #tail = new Uint8Array(0);
  size = 0;
  version = 0;
  #toc: Toc | undefined;

  constructor(source: HeaderSource) {
    this.#source = source;
    this.#name = `${source.ulid}/${INDEX_FILE}`;
  }

  get toc(): Toc {
    if (this.#toc === undefined) throw new Error('BUG: not open');
    return this.#toc;
  }

  /** Reads both ends. Where a size was given that does not fit, the object decides. */
  async open(): Promise<void> {
    const { bucket, signal, indexBytes } = this.#source;
    let failure: CorruptionError | undefined;
    if (indexBytes !== undefined) {
      try {
        await this.#openWith(indexBytes);
        return;
      } catch (thrown) {
        if (!(thrown instanceof CorruptionError)) throw thrown;
        failure = thrown;
      }
    }
    const { size } = await bucket.attributes(this.#name, { signal });
    if (failure !== undefined && size === indexBytes) throw failure;
    await this.#openWith(size);
  }

  async #openWith(size: number): Promise<void> {
    this.size = size;
    if (this.size < INDEX_BYTES_MIN) throw this.#corrupt('index is too short', 0);
    if (this.size <= WHOLE_BYTES) {
      this.#tail = await this.#get(0, this.size);
      this.#start = this.#tail;
    } else {
      const from = this.size - TAIL_BYTES;
      [this.#start, this.#tail] = await Promise.all([
        this.#get(0, TAIL_BYTES),
        this.#get(from, TAIL_BYTES),
      ]);
    }
    this.version = decodeIndexVersion(this.#start, this.#name);
    const at = this.size - TOC_BYTES;
    const tocBytes = this.#tail.subarray(this.#tail.length - TOC_BYTES);
    const toc = decodeToc(tocBytes, { path: this.#name, at });
    const ordered = toc.symbols >= 5 && toc.symbols <= toc.series && toc.series <= at;
    if (!ordered || toc.postingsTable < toc.series || toc.postingsTable > at) {
      throw this.#corrupt('sections lie outside the file', at);
    }
    this.#toc = toc;
  }

  /** The bytes of a range, piece by piece, the next one being fetched already. */
  async *range(offset: number, length: number): AsyncGenerator<Uint8Array> {
    const end = offset + length;
    const read = (at: number): Promise<Uint8Array> | undefined =>
      at < end ? this.#bytes(at, Math.min(PIECE_BYTES, end - at)) : undefined;
    let next = read(offset);
    for (let at = offset; next !== undefined; at += PIECE_BYTES) {
      const piece = await next;
      next = read(at + PIECE_BYTES);
      // Whoever stops early does not wait for it.
      next?.catch(() => undefined);
      yield piece;
    }
  }

  async #bytes(offset: number, length: number): Promise<Uint8Array> {
    const end = offset + length;
    if (end <= this.#start.length) return this.#start.subarray(offset, end);
    const tailAt = this.size - this.#tail.length;
    if (offset >= tailAt) return this.#tail.subarray(offset - tailAt, end - tailAt);
    return this.#get(offset, length);
  }

  async #get(offset: number, length: number): Promise<Uint8Array<ArrayBuffer>> {
    const { bucket, signal } = this.#source;
    const bytes = await bucket.getRange(this.#name, { offset, length }, { signal });
    if (bytes.length !== length) throw this.#corrupt('index ends early', offset + bytes.length);
    return bytes as Uint8Array<ArrayBuffer>;
  }

  #corrupt(message: string, offset: number): CorruptionError {
    return new CorruptionError(message, this.#name, offset);
  }
}
