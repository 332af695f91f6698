/**
 * Messages out of the bytes of a stream: a flag byte (1: compressed), a big-endian u32 length, the message. Texts:
 * grpc-go rpc_util.go.
 */
import { readU32 } from '../../lib/big-endian.ts';
import { type GrpcCompression, decompressMessage } from './compression.ts';
import { GrpcError } from './status.ts';

/** Flag and length. */
export const PREFIX_BYTES = 5;

/** What a parser needs to know of its stream. */
export interface ParserOptions {
  /** limit: bytes of a message, before and after decompression. */
  readonly messageBytesMax: number;
  /** The peer's `grpc-encoding`. */
  readonly compression: GrpcCompression;
}

/** Collects messages from chunks of any size. */
export class MessageParser {
  readonly #bytesMax: number;
  #compression: GrpcCompression;
  /** The beginning of a message whose rest has not come; views of the chunks. */
  #held: Uint8Array[] = [];
  #heldBytes = 0;
  /** How many bytes the message that has begun takes with its prefix; a prefix until that is known. */
  #needBytes = PREFIX_BYTES;

  constructor(options: ParserOptions) {
    this.#bytesMax = options.messageBytesMax;
    this.#compression = options.compression;
  }

  /** Sets what the headers say, before the first message. */
  set compression(compression: GrpcCompression) {
    this.#compression = compression;
  }

  /** Whether the bytes so far end inside a message. */
  get isInside(): boolean {
    return this.#heldBytes > 0;
  }

  /**
   * Adds the messages that a chunk completes to `out` and returns their bytes. Messages that lie in one chunk are views
   * of it; the others, and decompressed ones, have memory of their own.
   * @throws GrpcError for a message that is too large, or flagged as what the stream does not have.
   */
  push(chunk: Uint8Array, out: Uint8Array[]): number {
    let bytes = 0;
    let rest = chunk;
    while (this.#heldBytes > 0) {
      const missing = this.#needBytes - this.#heldBytes;
      if (rest.length < missing) {
        this.#hold(rest);
        return bytes;
      }
      this.#hold(rest.subarray(0, missing));
      rest = rest.subarray(missing);
      const message = this.#completeHeld();
      if (message === undefined) continue;
      bytes += message.length;
      out.push(message);
    }
    return bytes + this.#pushWhole(rest, out);
  }

  /** The messages of a chunk that begins with one. */
  #pushWhole(chunk: Uint8Array, out: Uint8Array[]): number {
    let bytes = 0;
    let pos = 0;
    while (pos + PREFIX_BYTES <= chunk.length) {
      const flag = chunk[pos] as number;
      const length = readU32(chunk, pos + 1);
      this.#check(flag, length);
      const end = pos + PREFIX_BYTES + length;
      if (end > chunk.length) {
        this.#needBytes = PREFIX_BYTES + length;
        break;
      }
      const message = this.#content(flag, chunk.subarray(pos + PREFIX_BYTES, end));
      bytes += message.length;
      out.push(message);
      pos = end;
    }
    if (pos < chunk.length) this.#hold(chunk.subarray(pos));
    return bytes;
  }

  #hold(chunk: Uint8Array): void {
    if (chunk.length === 0) return;
    this.#held.push(chunk);
    this.#heldBytes += chunk.length;
  }

  /** The message of the held bytes, or undefined when they are only its prefix and something is to follow. */
  #completeHeld(): Uint8Array | undefined {
    const held =
      this.#held.length === 1 ? (this.#held[0] as Uint8Array) : Buffer.concat(this.#held);
    const flag = held[0] as number;
    const length = readU32(held, 1);
    if (this.#needBytes === PREFIX_BYTES) {
      this.#check(flag, length);
      if (length > 0) {
        this.#needBytes = PREFIX_BYTES + length;
        this.#held = [held];
        return undefined;
      }
    }
    this.#held = [];
    this.#heldBytes = 0;
    this.#needBytes = PREFIX_BYTES;
    return this.#content(flag, held.subarray(PREFIX_BYTES));
  }

  #check(flag: number, length: number): void {
    const max = this.#bytesMax;
    if (length > max) {
      const message = `grpc: received message larger than max (${length} vs. ${max})`;
      throw new GrpcError('ResourceExhausted', message);
    }
    if (flag === 0) return;
    if (flag !== 1) {
      throw new GrpcError('Internal', `grpc: received unexpected payload format ${flag}`);
    }
    if (this.#compression === 'identity') {
      const message = 'grpc: compressed flag set with identity or empty encoding';
      throw new GrpcError('Internal', message);
    }
  }

  #content(flag: number, bytes: Uint8Array): Uint8Array {
    if (flag === 0 || this.#compression === 'identity') return bytes;
    return decompressMessage(this.#compression, bytes, this.#bytesMax);
  }
}
