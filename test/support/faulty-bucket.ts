/** A bucket that fails where a test wants it to, and remembers what was asked of it. */
import type {
  Bucket,
  BucketEntry,
  BucketProvider,
  ByteRange,
  IterOptions,
  ObjectAttributes,
  ObjectBody,
  ObjectStream,
  RequestOptions,
  UploadOptions,
} from '../../src/objstore/bucket.ts';
import { CodedError } from '../../src/lib/errors.ts';
import type { BucketOperation } from '../../src/objstore/bucket-metrics.ts';

/** One request. */
export interface RecordedCall {
  readonly operation: BucketOperation;
  /** Of the object or directory. */
  readonly name: string;
}

/** What becomes of a request. */
export type Fault =
  /** It fails before anything has happened. */
  | { readonly kind: 'fail'; readonly error?: Error }
  /** It succeeds, and the answer is lost. */
  | { readonly kind: 'lose answer'; readonly error?: Error }
  /** Content breaks off: of a read behind so many bytes, of an upload before it is stored. */
  | { readonly kind: 'cut'; readonly bytes: number }
  /** It begins when the promise resolves. */
  | { readonly kind: 'hold'; readonly until: Promise<unknown> };

/** Decides about a request, the n-th from 0 on; undefined lets it pass. */
export type FaultPlan = (call: RecordedCall, n: number) => Fault | undefined;

/** The error of faults that name none. */
export function injectedError(): CodedError {
  return new CodedError('unavailable', 'injected fault');
}

/** Wraps a bucket. Without a plan it only records. */
export class FaultyBucket implements Bucket {
  readonly provider: BucketProvider;
  readonly name: string;
  /** Every request so far, in the order in which they began. */
  readonly calls: RecordedCall[] = [];
  readonly #bucket: Bucket;
  /** May be exchanged at any time. */
  plan: FaultPlan | undefined;

  constructor(bucket: Bucket, plan?: FaultPlan) {
    this.provider = bucket.provider;
    this.name = bucket.name;
    this.#bucket = bucket;
    this.plan = plan;
  }

  /** The names that an operation was asked for, in order. */
  names(operation: BucketOperation): string[] {
    return this.calls.filter((call) => call.operation === operation).map(({ name }) => name);
  }

  iter(directory: string, options?: IterOptions): AsyncIterable<string> {
    return this.#list(directory, () => this.#bucket.iter(directory, options));
  }

  iterEntries(directory: string, options?: IterOptions): AsyncIterable<BucketEntry> {
    return this.#list(directory, () => this.#bucket.iterEntries(directory, options));
  }

  async *#list<T>(directory: string, work: () => AsyncIterable<T>): AsyncGenerator<T> {
    const fault = this.#decide('iter', directory);
    await begin(fault);
    yield* work();
    if (fault?.kind === 'lose answer') throw fault.error ?? injectedError();
  }

  async get(name: string, options?: RequestOptions): Promise<ObjectStream> {
    const fault = this.#decide('get', name);
    await begin(fault);
    const stream = await answer(fault, this.#bucket.get(name, options));
    return fault?.kind === 'cut' ? new CutStream(stream, fault.bytes) : stream;
  }

  async getRange(name: string, range: ByteRange, options?: RequestOptions): Promise<Uint8Array> {
    return this.#run('get_range', name, () => this.#bucket.getRange(name, range, options));
  }

  async exists(name: string, options?: RequestOptions): Promise<boolean> {
    return this.#run('exists', name, () => this.#bucket.exists(name, options));
  }

  async attributes(name: string, options?: RequestOptions): Promise<ObjectAttributes> {
    return this.#run('attributes', name, () => this.#bucket.attributes(name, options));
  }

  async upload(name: string, body: ObjectBody, options?: UploadOptions): Promise<void> {
    return this.#run('upload', name, () => this.#bucket.upload(name, body, options));
  }

  async delete(name: string, options?: RequestOptions): Promise<void> {
    return this.#run('delete', name, () => this.#bucket.delete(name, options));
  }

  close(): Promise<void> {
    return this.#bucket.close();
  }

  #decide(operation: BucketOperation, name: string): Fault | undefined {
    const call = { operation, name };
    const n = this.calls.push(call) - 1;
    return this.plan?.(call, n);
  }

  async #run<T>(operation: BucketOperation, name: string, work: () => Promise<T>): Promise<T> {
    const fault = this.#decide(operation, name);
    if (fault?.kind === 'cut') throw injectedError();
    await begin(fault);
    return answer(fault, work());
  }
}

/** What a fault says about the start of a request. */
async function begin(fault: Fault | undefined): Promise<void> {
  if (fault?.kind === 'fail') throw fault.error ?? injectedError();
  if (fault?.kind === 'hold') await fault.until;
}

/** What a fault says about its end: an answer that is lost may have been an error. */
async function answer<T>(fault: Fault | undefined, work: Promise<T>): Promise<T> {
  if (fault?.kind !== 'lose answer') return work;
  const result = await work.catch(() => undefined);
  if (result instanceof Object && Symbol.asyncDispose in result) {
    await (result as AsyncDisposable)[Symbol.asyncDispose]();
  }
  throw fault.error ?? injectedError();
}

class CutStream implements ObjectStream {
  readonly size: number;
  readonly #stream: ObjectStream;
  readonly #bytes: number;

  constructor(stream: ObjectStream, bytes: number) {
    this.size = stream.size;
    this.#stream = stream;
    this.#bytes = bytes;
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Uint8Array> {
    let left = this.#bytes;
    for await (const chunk of this.#stream) {
      if (chunk.length > left) {
        yield chunk.subarray(0, left);
        throw injectedError();
      }
      yield chunk;
      left -= chunk.length;
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#stream[Symbol.asyncDispose]();
  }
}
