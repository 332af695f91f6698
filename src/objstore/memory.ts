/** A bucket in this process' memory, for tests. */
import { throwIfAborted } from '../lib/abort.ts';
import type { Clock } from '../lib/clock.ts';
import { systemClock } from '../lib/clock.ts';
import { bodyChunks } from './body.ts';
import {
  type Bucket,
  type BucketEntry,
  type ByteRange,
  checkDeletedName,
  checkObjectName,
  checkRange,
  compareEntries,
  directoryPrefix,
  type IterOptions,
  type ObjectAttributes,
  type ObjectBody,
  objectNotFound,
  type ObjectStream,
  type RequestOptions,
  type UploadOptions,
} from './bucket.ts';

interface StoredObject {
  readonly bytes: Uint8Array;
  readonly lastModified: number;
}

/** Objects in a map. Nothing is shared with callers: bytes are copied in and out. */
export class MemoryBucket implements Bucket {
  readonly provider = 'MEMORY';
  readonly name = 'inmem';
  readonly #objects = new Map<string, StoredObject>();
  readonly #clock: Clock;

  /** The clock gives objects their time of modification. */
  constructor(clock: Clock = systemClock) {
    this.#clock = clock;
  }

  async *iter(directory: string, options: IterOptions = {}): AsyncGenerator<string> {
    for await (const { name } of this.iterEntries(directory, options)) yield name;
  }

  async *iterEntries(directory: string, options: IterOptions = {}): AsyncGenerator<BucketEntry> {
    const prefix = directoryPrefix(directory);
    throwIfAborted(options.signal);
    for (const entry of this.#list(prefix, options.recursive === true)) {
      throwIfAborted(options.signal);
      yield entry;
    }
  }

  #list(prefix: string, recursive: boolean): BucketEntry[] {
    const entries = new Map<string, BucketEntry>();
    for (const [name, { bytes, lastModified }] of this.#objects) {
      if (!name.startsWith(prefix)) continue;
      const slash = recursive ? -1 : name.indexOf('/', prefix.length);
      const directory = name.slice(0, slash + 1);
      if (slash >= 0) entries.set(directory, { name: directory });
      else entries.set(name, { name, size: bytes.length, lastModified });
    }
    return [...entries.values()].toSorted(compareEntries);
  }

  async get(name: string, options: RequestOptions = {}): Promise<ObjectStream> {
    const { bytes } = this.#find(name, options);
    return new MemoryStream(bytes, options.signal);
  }

  async getRange(
    name: string,
    range: ByteRange,
    options: RequestOptions = {},
  ): Promise<Uint8Array> {
    checkRange(range);
    const { bytes } = this.#find(name, options);
    return bytes.slice(range.offset, range.offset + range.length);
  }

  async exists(name: string, options: RequestOptions = {}): Promise<boolean> {
    checkObjectName(name);
    throwIfAborted(options.signal);
    return this.#objects.has(name);
  }

  async attributes(name: string, options: RequestOptions = {}): Promise<ObjectAttributes> {
    const { bytes, lastModified } = this.#find(name, options);
    return { size: bytes.length, lastModified };
  }

  async upload(name: string, body: ObjectBody, options: UploadOptions = {}): Promise<void> {
    checkObjectName(name);
    const chunks: Uint8Array[] = [];
    for await (const chunk of bodyChunks(body, options.signal)) chunks.push(Buffer.from(chunk));
    throwIfAborted(options.signal);
    const bytes = Uint8Array.from(Buffer.concat(chunks));
    this.#objects.set(name, { bytes, lastModified: this.#clock.now() });
  }

  async delete(name: string, options: RequestOptions = {}): Promise<void> {
    checkDeletedName(name);
    throwIfAborted(options.signal);
    this.#objects.delete(name);
  }

  close(): Promise<void> {
    return Promise.resolve();
  }

  #find(name: string, options: RequestOptions): StoredObject {
    checkObjectName(name);
    throwIfAborted(options.signal);
    const object = this.#objects.get(name);
    if (object === undefined) throw objectNotFound(name);
    return object;
  }
}

/** limit: chunks are small enough that tests see several. */
const CHUNK_BYTES = 64 * 1024;

class MemoryStream implements ObjectStream {
  readonly size: number;
  readonly #chunks: AsyncGenerator<Uint8Array, void, undefined>;

  constructor(bytes: Uint8Array, signal: AbortSignal | undefined) {
    this.size = bytes.length;
    this.#chunks = memoryChunks(bytes, signal);
  }

  [Symbol.asyncIterator](): AsyncIterator<Uint8Array> {
    return this.#chunks;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#chunks.return();
  }
}

async function* memoryChunks(
  bytes: Uint8Array,
  signal: AbortSignal | undefined,
): AsyncGenerator<Uint8Array, void, undefined> {
  for (let at = 0; at < bytes.length; at += CHUNK_BYTES) {
    throwIfAborted(signal);
    yield bytes.slice(at, at + CHUNK_BYTES);
  }
  throwIfAborted(signal);
}
