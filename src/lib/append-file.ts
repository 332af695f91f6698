/**
 * A file that is written once from its beginning to its end: puts numbers and bytes together in a buffer, writes when
 * it is full, and keeps a running CRC-32C. For chunk segments and indexes of blocks.
 */
import { crc32c } from './crc32c.ts';
import { CodedError, errorText } from './errors.ts';
import type { FileLayer } from './file-layer.ts';
import { writeUvarint } from './varint.ts';

/** limit: bytes that wait to be written: few system calls, and small beside a block. */
const BUFFER_BYTES = 1 << 20;
/** More than any number takes. */
const NUMBER_BYTES = 10;

/** A new file, open for appending. Every method may throw CodedError unavailable, after which only abandon() helps. */
export class AppendFile {
  readonly path: string;
  readonly #files: FileLayer;
  readonly #fd: number;
  readonly #buffer = new Uint8Array(BUFFER_BYTES);
  #size = 0;
  /** Bytes of the file before the buffer. */
  #written = 0;
  /** From here on the buffer's bytes are not in the checksum yet. */
  #summedTo = 0;
  #sum = 0;
  #open = true;

  /** Makes the file. @throws CodedError unavailable, also when it exists. */
  constructor(files: FileLayer, path: string) {
    this.#files = files;
    this.path = path;
    this.#fd = this.#try('create', () => files.open(path, true));
  }

  /** Where the next byte goes. */
  get position(): number {
    return this.#written + this.#size;
  }

  /** Appends bytes. */
  put(bytes: Uint8Array, from = 0, to = bytes.length): void {
    for (let at = from; at < to;) {
      if (this.#size === BUFFER_BYTES) this.#flush();
      const count = Math.min(to - at, BUFFER_BYTES - this.#size);
      this.#copy(bytes, at, count);
      at += count;
    }
  }

  /** Appends a byte. */
  byte(value: number): void {
    this.#reserve();
    this.#buffer[this.#size++] = value;
  }

  /** Appends a big-endian u32. */
  u32(value: number): void {
    this.#reserve();
    const buffer = this.#buffer;
    buffer[this.#size++] = value >>> 24;
    buffer[this.#size++] = value >>> 16;
    buffer[this.#size++] = value >>> 8;
    buffer[this.#size++] = value;
  }

  /** Appends a big-endian u64 of a number below 2^53. */
  u64(value: number): void {
    this.u32(Math.floor(value / 4294967296));
    this.u32(value >>> 0);
  }

  /** Appends an unsigned varint. */
  uvarint(value: number): void {
    this.#reserve();
    this.#size = writeUvarint(this.#buffer, this.#size, value);
  }

  /** Appends zeros until the position is a multiple of a power of two. */
  align(multiple: number): void {
    while ((this.position & (multiple - 1)) !== 0) this.byte(0);
  }

  /** Begins a checksum with the next byte. */
  beginChecksum(): void {
    this.#sum = 0;
    this.#summedTo = this.#size;
  }

  /** The checksum of all bytes since {@link beginChecksum}. */
  get checksum(): number {
    this.#sum = crc32c(this.#buffer, this.#summedTo, this.#size, this.#sum);
    this.#summedTo = this.#size;
    return this.#sum;
  }

  /** Writes what waits, makes the file durable and closes it. */
  finish(): void {
    this.#flush();
    this.#try('fsync', () => this.#files.fsync(this.#fd));
    this.#open = false;
    this.#try('close', () => this.#files.close(this.#fd));
  }

  /** Closes the file without more ado, unless it is closed; never throws. */
  abandon(): void {
    if (!this.#open) return;
    this.#open = false;
    try {
      this.#files.close(this.#fd);
    } catch {
      // Whoever abandons a file has a failure to report already.
    }
  }

  /** perf: a chunk or an entry is some hundred bytes; a loop is faster than a view and its `set` up to that. */
  #copy(bytes: Uint8Array, at: number, count: number): void {
    const buffer = this.#buffer;
    const size = this.#size;
    if (count > 64) buffer.set(bytes.subarray(at, at + count), size);
    else for (let i = 0; i < count; i++) buffer[size + i] = bytes[at + i] as number;
    this.#size = size + count;
  }

  #reserve(): void {
    if (this.#size + NUMBER_BYTES > BUFFER_BYTES) this.#flush();
  }

  #flush(): void {
    const size = this.#size;
    if (size === 0) return;
    this.#sum = crc32c(this.#buffer, this.#summedTo, size, this.#sum);
    this.#summedTo = 0;
    this.#size = 0;
    const bytes = this.#buffer.subarray(0, size);
    this.#try('write', () => this.#files.write(this.#fd, bytes, this.#written));
    this.#written += size;
  }

  #try<T>(verb: string, work: () => T): T {
    try {
      return work();
    } catch (thrown) {
      const message = `${verb} ${this.path}: ${errorText(thrown)}`;
      throw new CodedError('unavailable', message, { cause: thrown });
    }
  }
}
