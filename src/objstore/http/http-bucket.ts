/** A Bucket over the HTTP interface of a store. What is particular to a store is its {@link ObjectApi}. */
import type { Dispatcher } from 'undici';
import { throwIfAborted } from '../../lib/abort.ts';
import type { Clock } from '../../lib/clock.ts';
import { CodedError } from '../../lib/errors.ts';
import type { Logger } from '../../lib/log.ts';
import {
  type Bucket,
  type BucketEntry,
  type BucketProvider,
  type ByteRange,
  checkDeletedName,
  checkObjectName,
  checkRange,
  compareEntries,
  directoryPrefix,
  isNotFound,
  type IterOptions,
  type ObjectAttributes,
  type ObjectBody,
  type ObjectStream,
  type RangeOptions,
  type RequestOptions,
  type UploadOptions,
} from '../bucket.ts';
import { type Sleep, systemSleep } from './backoff.ts';
import { HttpStream } from './http-stream.ts';
import { uploadBody } from './http-upload.ts';
import type { ListPage, ObjectApi, Send, StoreHeaders } from './object-api.ts';
import { BrokenAnswer, headerText, ObjectClient, type OpenAnswer } from './object-client.ts';
import { StoreError } from './store-error.ts';

/** limit: what an upload that was given up may take to remove its parts. */
const CLEANUP_MS = 10_000;

/** What a bucket over HTTP works with. */
export interface HttpBucketOptions {
  /** Closed with the bucket. */
  readonly dispatcher: Dispatcher;
  readonly clock: Clock;
  readonly log: Logger;
  /** Where each request is logged, for debugging. */
  readonly trace?: Logger | undefined;
  /** For tests; a wait by the clock otherwise. */
  readonly sleep?: Sleep | undefined;
}

/** A bucket whose store speaks HTTP. */
export class HttpBucket implements Bucket {
  readonly provider: BucketProvider;
  readonly name: string;
  readonly #api: ObjectApi;
  readonly #client: ObjectClient;
  readonly #dispatcher: Dispatcher;
  readonly #log: Logger;
  readonly #background = new Set<Promise<void>>();

  constructor(api: ObjectApi, options: HttpBucketOptions) {
    const { dispatcher, clock, sleep = systemSleep, trace } = options;
    this.provider = api.provider;
    this.name = api.name;
    this.#api = api;
    this.#dispatcher = dispatcher;
    this.#log = options.log;
    this.#client = new ObjectClient(api, { dispatcher, clock, sleep, trace });
  }

  async *iter(directory: string, options: IterOptions = {}): AsyncGenerator<string> {
    for await (const { name } of this.iterEntries(directory, options)) yield name;
  }

  async *iterEntries(directory: string, options: IterOptions = {}): AsyncGenerator<BucketEntry> {
    const { signal, recursive = false } = options;
    const prefix = directoryPrefix(directory);
    throwIfAborted(signal);
    const send = this.#send(signal);
    let next: string | undefined;
    do {
      const page: ListPage = await this.#api.list({ prefix, recursive, next }, send);
      for (const entry of entriesOf(page, prefix, recursive)) {
        throwIfAborted(signal);
        yield entry;
      }
      next = page.next;
    } while (next !== undefined);
    throwIfAborted(signal);
  }

  async get(name: string, options: RequestOptions = {}): Promise<ObjectStream> {
    checkObjectName(name);
    const { signal } = options;
    const request = this.#api.get(name);
    const answer = await this.#open(request, signal);
    const size = contentLength(answer.headers);
    if (size === undefined) {
      answer.body.destroy();
      throw new CodedError('unavailable', `the store does not say how long ${quoted(name)} is`);
    }
    return new HttpStream(answer, size, {
      signal,
      context: { operation: 'get', object: name, bucket: this.name },
      resume: (offset, etag) => {
        const headers = { ...request.headers, range: `bytes=${offset}-`, 'if-match': etag };
        return this.#open({ ...request, headers }, signal, { offset, etag });
      },
    });
  }

  /** An answer with its body unread; `rest` is what it must be, as not every store heeds conditions. */
  #open(
    request: ReturnType<ObjectApi['get']>,
    signal: AbortSignal | undefined,
    rest?: { readonly offset: number; readonly etag: string },
  ): Promise<OpenAnswer> {
    return this.#client.run(request, 'get', signal, async (answer) => {
      const { headers } = answer;
      if (rest === undefined) return answer;
      if (rangeStart(headers) === rest.offset && headerText(headers, 'etag') === rest.etag) {
        return answer;
      }
      answer.body.destroy();
      const what = `object ${quoted(request.object ?? '')} has changed while it was read`;
      throw new CodedError('unavailable', what);
    });
  }

  async getRange(name: string, range: ByteRange, options: RangeOptions = {}): Promise<Uint8Array> {
    checkObjectName(name);
    checkRange(range);
    const { signal } = options;
    const { offset, length } = range;
    if (length === 0) {
      await this.attributes(name, options);
      return new Uint8Array();
    }
    const request = this.#api.get(name);
    const last = Math.min(offset + length - 1, Number.MAX_SAFE_INTEGER);
    const headers = { ...request.headers, range: `bytes=${offset}-${last}` };
    try {
      return await this.#client.run({ ...request, headers }, 'get range of', signal, (answer) =>
        readRange(answer, range, options.into),
      );
    } catch (thrown) {
      // The object is there, and ends before the range begins.
      if (thrown instanceof RangeBehindEnd || isUnsatisfiable(thrown)) return new Uint8Array();
      throw thrown;
    }
  }

  async exists(name: string, options: RequestOptions = {}): Promise<boolean> {
    checkObjectName(name);
    try {
      await this.#client.send(this.#api.head(name), 'look for', options.signal);
      return true;
    } catch (thrown) {
      if (isNotFound(thrown)) return false;
      throw thrown;
    }
  }

  async attributes(name: string, options: RequestOptions = {}): Promise<ObjectAttributes> {
    checkObjectName(name);
    const request = this.#api.head(name);
    const { headers } = await this.#client.send(request, 'get attributes of', options.signal);
    const size = contentLength(headers);
    const lastModified = Date.parse(headerText(headers, 'last-modified') ?? '');
    if (size === undefined || Number.isNaN(lastModified)) {
      const message = `the store does not say how long and how old ${quoted(name)} is`;
      throw new CodedError('unavailable', message);
    }
    return { size, lastModified };
  }

  async upload(name: string, body: ObjectBody, options: UploadOptions = {}): Promise<void> {
    checkObjectName(name);
    const context = {
      api: this.#api,
      send: this.#send(options.signal),
      background: (work: (send: Send) => Promise<void>): void => this.#cleanUp(name, work),
    };
    await uploadBody(context, name, body, options);
  }

  async delete(name: string, options: RequestOptions = {}): Promise<void> {
    checkDeletedName(name);
    throwIfAborted(options.signal);
    try {
      await this.#api.delete(name, this.#send(options.signal));
    } catch (thrown) {
      if (!isNotFound(thrown)) throw thrown;
    }
  }

  async close(): Promise<void> {
    await Promise.all(this.#background);
    await this.#dispatcher.destroy();
  }

  #send(signal: AbortSignal | undefined): Send {
    return (request, operation) => this.#client.send(request, operation, signal);
  }

  #cleanUp(name: string, work: (send: Send) => Promise<void>): void {
    const running = work(this.#send(AbortSignal.timeout(CLEANUP_MS))).catch((thrown: unknown) => {
      const error = thrown instanceof Error ? thrown : new Error(String(thrown));
      this.#log.warn('parts of an upload that failed are left in the bucket', { name, err: error });
    });
    this.#background.add(running);
    void running.finally(() => this.#background.delete(running));
  }
}

/** What is in a page, in order, without what stands for the directory itself and empty objects that mark others. */
function entriesOf(page: ListPage, prefix: string, recursive: boolean): BucketEntry[] {
  const entries: BucketEntry[] = [];
  for (const { name, size, lastModified } of page.objects) {
    if (name === '' || name === prefix || (recursive && name.endsWith('/'))) continue;
    entries.push({
      name,
      ...(size === undefined ? {} : { size }),
      ...(lastModified === undefined ? {} : { lastModified }),
    });
  }
  for (const name of page.directories) if (name !== prefix) entries.push({ name });
  return entries.toSorted(compareEntries);
}

/** Reads exactly what was asked for. @throws BrokenAnswer when it breaks off. */
async function readRange(
  answer: OpenAnswer,
  { offset, length }: ByteRange,
  into: Uint8Array | undefined,
): Promise<Uint8Array> {
  const { headers, status } = answer;
  // A store may answer the whole object: what lies before is dropped, what lies behind is not read.
  let skip = status === 206 ? 0 : offset;
  if (status === 206 && (rangeStart(headers) ?? offset) !== offset) {
    answer.body.destroy();
    throw new BrokenAnswer('the store sends another part than was asked for');
  }
  const announced = contentLength(headers);
  if (announced !== undefined && announced <= skip) {
    answer.body.destroy();
    throw new RangeBehindEnd();
  }
  const wanted = announced === undefined ? length : Math.min(length, announced - skip);
  const bytes = into?.subarray(0, wanted) ?? new Uint8Array(wanted);
  let done = 0;
  for await (const chunk of answer.body as AsyncIterable<Buffer>) {
    const skipped = Math.min(skip, chunk.length);
    skip -= skipped;
    const taken = chunk.subarray(skipped, skipped + wanted - done);
    bytes.set(taken, done);
    done += taken.length;
    // Leaving the loop ends the connection, so a part that was asked for is read to its end.
    if (done === wanted && status !== 206) break;
  }
  if (done < wanted && announced !== undefined) {
    throw new BrokenAnswer(`the store sent ${done} of ${wanted} bytes`);
  }
  return bytes.subarray(0, done);
}

/** Not a failure: there is nothing where the range begins. */
class RangeBehindEnd extends CodedError {
  constructor() {
    super('unavailable', 'the object ends before the range');
  }
}

function isUnsatisfiable(thrown: unknown): boolean {
  return thrown instanceof StoreError && thrown.failure.status === 416;
}

function contentLength(headers: StoreHeaders): number | undefined {
  const text = headerText(headers, 'content-length');
  return text !== undefined && /^\d+$/.test(text) ? Number(text) : undefined;
}

/** Of `bytes 5-9/10`. */
function rangeStart(headers: StoreHeaders): number | undefined {
  const match = /^bytes (\d+)-/.exec(headerText(headers, 'content-range') ?? '');
  return match === null ? undefined : Number(match[1]);
}

function quoted(name: string): string {
  return JSON.stringify(name);
}
