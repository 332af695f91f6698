/**
 * Messages onto a stream. Small ones of a turn of the event loop leave together: a write of HTTP/2 costs some µs
 * whatever its size. Parts of large ones are handed on as they are.
 *
 *   write -> block of 64 KiB (prefixes and small parts) + large parts -> one writev a batch -> socket
 *
 * A write resolves at once while little is on its way, so that a handler that has much to say goes on until the peer's
 * window, or the socket, holds it up.
 */
import type { Http2Stream } from 'node:http2';
import { type GrpcCompression, compressMessage } from './compression.ts';
import { PREFIX_BYTES } from './message-parser.ts';
import { GrpcError } from './status.ts';

/** A message, in one part or in several that are sent one after the other. */
export type GrpcMessage = Uint8Array | readonly Uint8Array[];

const BLOCK_BYTES = 64 * 1024;

/** perf: parts of up to so many bytes are copied at once: cheaper than another entry of a writev. Their memory may then be used again. */
export const COPIED_PART_BYTES = 16 * 1024;

/** What is smaller leaves in memory of its own size. */
const SMALL_BATCH_BYTES = 4096;

/** Bytes after which a batch leaves without waiting for the end of the turn. */
const BATCH_BYTES = 64 * 1024;

/** limit: bytes of a stream on their way to the peer; writers wait above the first and go on below the second. */
const PENDING_BYTES_MAX = 256 * 1024;
const PENDING_BYTES_LOW = 128 * 1024;

/** limit: of the length in a message's prefix as Go and Node can receive it. */
const MESSAGE_BYTES_MAX = 2 ** 31 - 1;

const READY = Promise.resolve();

/** limit: blocks that are kept for the next batches, of all streams. */
const SPARE_BLOCKS_MAX = 128;
const spareBlocks: Buffer[] = [];

/** One direction of one stream. */
export class MessageWriter {
  readonly #stream: Http2Stream;
  readonly #compression: GrpcCompression;
  readonly #notify: (() => void) | undefined;
  /** The batch that is being made: whole chunks, and the block whose bytes from `#blockFrom` to `#blockAt` follow them. */
  #chunks: Uint8Array[] = [];
  /** Blocks that the batch has filled. */
  #blocks: Buffer[] = [];
  #block: Buffer | undefined;
  #blockFrom = 0;
  #blockAt = 0;
  #batchBytes = 0;
  #scheduled = false;
  /** Bytes written here that the socket does not have yet. */
  #pendingBytes = 0;
  #room: PromiseWithResolvers<void> | undefined;
  #ended = false;
  #closedBy: GrpcError | undefined;

  /** `onSent` is called after each batch that has left. */
  constructor(stream: Http2Stream, compression: GrpcCompression = 'identity', onSent?: () => void) {
    this.#stream = stream;
    this.#compression = compression;
    this.#notify = onSent;
  }

  /** Bytes that were written and have not left. */
  get pendingBytes(): number {
    return this.#pendingBytes;
  }

  /**
   * Writes a message; its parts are not changed afterwards. Resolves when there is room for more; rejects with the error
   * of {@link close} when the stream closes first, or has closed.
   * @throws GrpcError ResourceExhausted when the message is larger than gRPC allows.
   */
  write(message: GrpcMessage): Promise<void> {
    // A stream that is being destroyed closes in a later turn. Resolving at once would keep that turn from coming for
    // as long as somebody writes in a loop.
    if (this.#ended || this.#stream.destroyed) return this.#whenRoom();
    if (this.#compression !== 'identity') this.#addCompressed(this.#compression, message);
    else if (message instanceof Uint8Array) {
      this.#addPrefix(0, message.length);
      this.#addPart(message);
    } else {
      this.#addPrefix(0, sizeOf(message));
      for (const part of message) this.#addPart(part);
    }
    if (this.#batchBytes >= BATCH_BYTES) this.flush();
    else this.#schedule();
    if (this.#pendingBytes <= PENDING_BYTES_MAX) return READY;
    return this.#whenRoom();
  }

  #whenRoom(): Promise<void> {
    if (this.#room === undefined) {
      this.#room = Promise.withResolvers<void>();
      // A writer that does not wait is told by the next write.
      this.#room.promise.catch(() => undefined);
      if (this.#closedBy !== undefined) this.#room.reject(this.#closedBy);
    }
    return this.#room.promise;
  }

  /** Sends what is there, then the end of this direction. */
  end(): void {
    if (this.#ended) return;
    this.#ended = true;
    if (this.#stream.destroyed) return;
    this.flush(true);
  }

  /** The stream has closed: who waits for room, and who writes from now on, gets the error. The first call counts. */
  close(error: GrpcError): void {
    if (this.#closedBy !== undefined) return;
    this.#closedBy = error;
    this.#ended = true;
    this.#chunks = [];
    this.#blocks = [];
    this.#block = undefined;
    this.#batchBytes = 0;
    this.#room?.reject(error);
  }

  /** Hands the batch to the stream. */
  flush(end = false): void {
    this.#sealBlock();
    const chunks = this.#chunks;
    const stream = this.#stream;
    if (chunks.length === 0) {
      if (end) stream.end();
      return;
    }
    const done = this.#onSent(this.#batchBytes, this.#blocks);
    this.#chunks = [];
    this.#blocks = [];
    this.#batchBytes = 0;
    const last = chunks.pop() as Uint8Array;
    const corked = chunks.length > 0 || end;
    if (corked) stream.cork();
    for (const chunk of chunks) stream.write(chunk);
    stream.write(last, done);
    if (end) stream.end();
    if (corked) stream.uncork();
  }

  #onSent(bytes: number, blocks: Buffer[]): (error?: Error | null) => void {
    return (error) => {
      this.#pendingBytes -= bytes;
      this.#notify?.();
      // After an error the socket may still be reading them.
      if (error === undefined || error === null) {
        for (const block of blocks) spare(block);
      }
      if (this.#pendingBytes <= PENDING_BYTES_LOW) this.#release();
    };
  }

  #release(): void {
    if (this.#closedBy !== undefined) return;
    this.#room?.resolve();
    this.#room = undefined;
  }

  #schedule(): void {
    if (this.#scheduled) return;
    this.#scheduled = true;
    // After the microtasks of this turn: a handler that writes in a loop gets to fill the batch.
    process.nextTick(() => {
      this.#scheduled = false;
      if (this.#batchBytes > 0 && !this.#stream.destroyed) this.flush(false);
    });
  }

  #addCompressed(how: 'gzip' | 'snappy', message: GrpcMessage): void {
    const parts = message instanceof Uint8Array ? [message] : message;
    const [first] = parts;
    // Copied when shared, because the native functions refuse shared memory.
    const one = parts.length === 1 && first !== undefined && !isShared(first);
    const bytes = compressMessage(how, one ? first : Buffer.concat(parts));
    this.#addPrefix(1, bytes.length);
    this.#addPart(bytes);
  }

  #addPrefix(flag: number, length: number): void {
    if (length > MESSAGE_BYTES_MAX) {
      const message = `trying to send message larger than max (${length} vs. ${MESSAGE_BYTES_MAX})`;
      throw new GrpcError('ResourceExhausted', message);
    }
    const block = this.#blockWith(PREFIX_BYTES);
    const at = this.#blockAt;
    block[at] = flag;
    block[at + 1] = length >>> 24;
    block[at + 2] = length >>> 16;
    block[at + 3] = length >>> 8;
    block[at + 4] = length;
    this.#blockAt = at + PREFIX_BYTES;
    this.#count(PREFIX_BYTES);
  }

  #addPart(part: Uint8Array): void {
    const { length } = part;
    if (length <= COPIED_PART_BYTES) {
      const block = this.#blockWith(length);
      block.set(part, this.#blockAt);
      this.#blockAt += length;
    } else {
      this.#cut();
      this.#chunks.push(isShared(part) ? Buffer.from(part) : part);
    }
    this.#count(length);
  }

  #count(bytes: number): void {
    this.#batchBytes += bytes;
    this.#pendingBytes += bytes;
  }

  /** The block, with room for so many bytes. */
  #blockWith(bytes: number): Buffer {
    if (this.#block !== undefined && this.#blockAt + bytes <= BLOCK_BYTES) return this.#block;
    this.#sealBlock();
    const block = spareBlocks.pop() ?? Buffer.allocUnsafeSlow(BLOCK_BYTES);
    this.#block = block;
    this.#blockFrom = 0;
    this.#blockAt = 0;
    return block;
  }

  /** What the block has so far becomes a chunk; the rest of the block stays in use. */
  #cut(): void {
    if (this.#block === undefined || this.#blockAt === this.#blockFrom) return;
    this.#chunks.push(this.#block.subarray(this.#blockFrom, this.#blockAt));
    this.#blockFrom = this.#blockAt;
  }

  /** The batch is done with the block. */
  #sealBlock(): void {
    const block = this.#block;
    if (block === undefined) return;
    this.#block = undefined;
    if (this.#blockFrom === 0 && this.#blockAt <= SMALL_BATCH_BYTES) {
      // Many streams with a little to send each must not hold a block each for as long as their peers are slow.
      if (this.#blockAt > 0) this.#chunks.push(Buffer.from(block.subarray(0, this.#blockAt)));
      spare(block);
      return;
    }
    if (this.#blockAt > this.#blockFrom) {
      this.#chunks.push(block.subarray(this.#blockFrom, this.#blockAt));
    }
    this.#blocks.push(block);
  }
}

function spare(block: Buffer): void {
  if (spareBlocks.length < SPARE_BLOCKS_MAX) spareBlocks.push(block);
}

function sizeOf(parts: readonly Uint8Array[]): number {
  let bytes = 0;
  for (const part of parts) bytes += part.length;
  return bytes;
}

function isShared(bytes: Uint8Array): boolean {
  return !(bytes.buffer instanceof ArrayBuffer);
}
