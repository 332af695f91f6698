/**
 * Cuts what a memcached server sends into lines and data blocks (text protocol, protocol.txt of memcached):
 *
 *   line:   text \r\n
 *   block:  bytes, as many as the line before says, then \r\n
 */
import { RemoteCacheError } from '../remote-error.ts';

/** limit: of a line; the longest sound one has a key of 250 bytes and four numbers. */
const LINE_BYTES_MAX = 2048;
/** limit: of a block; memcached's own largest item (-I) is 1 GiB, no cache of ours holds such. */
const BLOCK_BYTES_MAX = 256 * 1024 * 1024;

const CR = 0x0d;
const LF = 0x0a;

/** Takes lines and blocks. What it throws means that the server does not speak the protocol. */
export interface AnswerHandler {
  /** A line without its end, a character a byte. Answers the bytes of the block that follows, -1 for none. */
  onLine(line: string): number;
  /** The block; it may share memory with others. */
  onBlock(block: Uint8Array): void;
}

/** Keeps what is incomplete between chunks. */
export class AnswerParser {
  readonly #handler: AnswerHandler;
  /** The beginning of a line or block. */
  #parts: Buffer[] = [];
  #partBytes = 0;
  /** Bytes of the block and its line end; -1 in a line. */
  #wanted = -1;

  constructor(handler: AnswerHandler) {
    this.#handler = handler;
  }

  /** Takes a chunk, whose memory must not be used again. @throws RemoteCacheError when it is not the protocol. */
  push(chunk: Buffer): void {
    let at = 0;
    while (at < chunk.length) {
      at = this.#wanted < 0 ? this.#line(chunk, at) : this.#block(chunk, at);
    }
  }

  #line(chunk: Buffer, at: number): number {
    const end = chunk.indexOf(LF, at);
    const to = end < 0 ? chunk.length : end + 1;
    if (this.#partBytes + to - at > LINE_BYTES_MAX) {
      throw garbage(`a line has more than ${LINE_BYTES_MAX} bytes`);
    }
    const bytes = this.#take(chunk.subarray(at, to));
    if (end < 0) {
      this.#keep(bytes);
      return to;
    }
    if (bytes[bytes.length - 2] !== CR) throw garbage('a line ends without \\r\\n');
    const size = this.#handler.onLine(bytes.toString('latin1', 0, bytes.length - 2));
    if (size > BLOCK_BYTES_MAX) throw garbage(`a value of ${size} bytes`);
    this.#wanted = size < 0 ? -1 : size + 2;
    return to;
  }

  #block(chunk: Buffer, at: number): number {
    const to = Math.min(chunk.length, at + this.#wanted - this.#partBytes);
    const part = chunk.subarray(at, to);
    if (this.#partBytes + part.length < this.#wanted) {
      this.#keep(part);
      return to;
    }
    const bytes = this.#take(part);
    if (bytes[bytes.length - 2] !== CR || bytes[bytes.length - 1] !== LF) {
      throw garbage('a value does not end where its size says');
    }
    this.#wanted = -1;
    this.#handler.onBlock(bytes.subarray(0, -2));
    return to;
  }

  #keep(part: Buffer): void {
    this.#parts.push(part);
    this.#partBytes += part.length;
  }

  /** What was kept and the part behind it. */
  #take(part: Buffer): Buffer {
    if (this.#parts.length === 0) return part;
    const all = Buffer.concat([...this.#parts, part]);
    this.#parts = [];
    this.#partBytes = 0;
    return all;
  }
}

/** The error for what is not the protocol. */
export function garbage(what: string): RemoteCacheError {
  return new RemoteCacheError('other', `the server does not speak memcached's protocol: ${what}`);
}
