import { deepEqual, equal, ok, rejects } from 'node:assert/strict';
import { test } from 'node:test';
import { testBucket } from '../../test/support/bucket-acceptance.ts';
import type { BucketUnderTest } from '../../test/support/bucket-acceptance.ts';
import { FaultyBucket, injectedError } from '../../test/support/faulty-bucket.ts';
import { latencyBucket } from '../../test/support/latency-bucket.ts';
import { FakeClock, systemClock } from '../lib/clock.ts';
import { CodedError } from '../lib/errors.ts';
import type { SpanAttributes, Tracer } from '../lib/tracing.ts';
import { nopTracer } from '../lib/tracing.ts';
import { encodeUtf8 } from '../lib/utf8.ts';
import type { Bucket, ObjectStream, RequestOptions } from './bucket.ts';
import { isNotFound } from './bucket.ts';
import { BucketWrapper } from './bucket-wrapper.ts';
import { countedBucket } from './counted.ts';
import { hedgedBucket } from './hedged.ts';
import { MemoryBucket } from './memory.ts';
import { readObject } from './read-object.ts';
import { retryingBucket } from './retrying.ts';
import { tracedBucket } from './traced.ts';

const instant = { sleep: () => Promise.resolve(), clock: systemClock };

function over(wrap: (bucket: Bucket) => Bucket): () => Promise<BucketUnderTest> {
  return async () => ({
    bucket: wrap(new MemoryBucket()),
    [Symbol.asyncDispose]: () => Promise.resolve(),
  });
}

testBucket(
  'counted',
  over((bucket) => countedBucket(bucket, () => undefined)),
);
testBucket(
  'traced',
  over((bucket) => tracedBucket(bucket, nopTracer)),
);
testBucket(
  'retrying',
  over((bucket) => retryingBucket(bucket, { ...instant, triesMax: 3 })),
);
testBucket('hedged', async () => {
  // A clock that stands still: every read so far took no time, so from here on each is asked for three times.
  const bucket = hedgedBucket(new MemoryBucket(), { upTo: 3, quantile: 0.9 }, new FakeClock(0));
  await bucket.upload('warm', encodeUtf8('x'));
  for (let i = 0; i < 20; i++) await bucket.getRange('warm', { offset: 0, length: 1 });
  await bucket.delete('warm');
  return { bucket, [Symbol.asyncDispose]: () => Promise.resolve() };
});
testBucket(
  'latency',
  over((bucket) => latencyBucket(bucket, { firstByteMs: 0 })),
);

test('counted: requests and bytes of each object', async () => {
  const reads: string[] = [];
  const bucket = countedBucket(new MemoryBucket(), ({ name, bytes }) => {
    reads.push(`${name} ${bytes}`);
  });
  await bucket.upload('a', new Uint8Array(200_000));
  await bucket.getRange('a', { offset: 5, length: 10 });
  await readObject(bucket, 'a');
  await using begun = await bucket.get('a');
  for await (const chunk of begun) {
    ok(chunk.length === 65536);
    break;
  }
  await rejects(bucket.get('b'), isNotFound);
  await rejects(bucket.getRange('b', { offset: 0, length: 1 }), isNotFound);
  const unread = await bucket.get('a');
  await unread[Symbol.asyncDispose]();
  await unread[Symbol.asyncDispose]();
  deepEqual(reads, ['a 10', 'a 200000', 'a 65536', 'b 0', 'b 0', 'a 0']);
});

test('traced: spans, their attributes and errors', async () => {
  const spans: unknown[] = [];
  const tracer: Tracer = {
    ...nopTracer,
    startSpan: (name, attributes) => {
      let known: SpanAttributes = { ...attributes };
      return {
        set: (more) => {
          known = { ...known, ...more };
        },
        end: (error) => spans.push([name, known, (error as Error | undefined)?.message]),
      };
    },
  };
  const faulty = new FaultyBucket(new MemoryBucket());
  const bucket = tracedBucket(faulty, tracer);
  await bucket.upload('d/a', encodeUtf8('abc'));
  await bucket.getRange('d/a', { offset: 1, length: 1 });
  await readObject(bucket, 'd/a');
  await bucket.exists('d/a');
  await bucket.attributes('d/a');
  await Array.fromAsync(bucket.iter('d'));
  await Array.fromAsync(bucket.iterEntries(''));
  await bucket.delete('d/a');
  await rejects(bucket.get('x'), isNotFound);
  await rejects(bucket.attributes('x', { isExpected: isNotFound }), isNotFound);
  faulty.plan = () => ({ kind: 'fail' });
  await rejects(Array.fromAsync(bucket.iter('d')));
  const missing = 'object "x" does not exist';
  // Names: objstore tracing/opentelemetry/opentelemetry.go.
  deepEqual(spans, [
    ['bucket_upload', { name: 'd/a' }, undefined],
    ['bucket_getrange', { name: 'd/a', offset: 1, length: 1 }, undefined],
    ['bucket_get', { name: 'd/a', read: 3 }, undefined],
    ['bucket_exists', { name: 'd/a' }, undefined],
    ['bucket_attributes', { name: 'd/a' }, undefined],
    ['bucket_iter', { dir: 'd' }, undefined],
    ['bucket_iter_with_attrs', { dir: '' }, undefined],
    ['bucket_delete', { name: 'd/a' }, undefined],
    ['bucket_get', { name: 'x' }, missing],
    ['bucket_attributes', { name: 'x' }, undefined],
    ['bucket_iter', { dir: 'd' }, 'injected fault'],
  ]);
});

test('retrying: only what may get better', async () => {
  const faulty = new FaultyBucket(new MemoryBucket());
  const bucket = retryingBucket(faulty, { ...instant, triesMax: 3 });
  const f = async (
    work: () => Promise<unknown>,
    failures: number,
    error?: Error,
  ): Promise<number> => {
    const before = faulty.calls.length;
    faulty.plan = (_, n) =>
      n - before < failures
        ? { kind: 'fail', ...(error === undefined ? {} : { error }) }
        : undefined;
    await work().catch(() => undefined);
    return faulty.calls.length - before;
  };
  equal(await f(() => bucket.upload('a', encodeUtf8('x')), 2), 3);
  equal(await f(() => bucket.exists('a'), 2), 3);
  equal(await f(() => bucket.getRange('a', { offset: 0, length: 1 }), 9), 3);
  equal(await f(() => bucket.get('b'), 0), 1);
  equal(await f(() => bucket.delete('a'), 1, new CodedError('internal', 'no')), 1);
  async function* stream(): AsyncGenerator<Uint8Array> {
    yield encodeUtf8('x');
  }
  equal(await f(() => bucket.upload('a', { stream: stream() }), 1), 1);
});

/** Reads that wait for the test, in order. */
class HeldBucket extends BucketWrapper {
  readonly reads: {
    readonly signal: AbortSignal | undefined;
    readonly end: (error?: Error) => void;
  }[] = [];
  disposed = 0;
  /** Whether reads are held. */
  isHolding = false;

  override async getRange(
    name: string,
    range: { offset: number; length: number },
    options?: RequestOptions,
  ): Promise<Uint8Array> {
    await this.#hold(options);
    return this.inner.getRange(name, range);
  }

  override async get(name: string, options?: RequestOptions): Promise<ObjectStream> {
    await this.#hold(options);
    const stream = await this.inner.get(name);
    return {
      size: stream.size,
      [Symbol.asyncIterator]: () => stream[Symbol.asyncIterator](),
      [Symbol.asyncDispose]: async () => {
        this.disposed++;
        await stream[Symbol.asyncDispose]();
      },
    };
  }

  /** A hostile store: it goes on although it is told to stop. */
  async #hold(options: RequestOptions | undefined): Promise<void> {
    if (!this.isHolding) return;
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    this.reads.push({
      signal: options?.signal,
      end: (error) => (error === undefined ? resolve() : reject(error)),
    });
    await promise;
  }

  /** Until so many reads have begun. */
  async begun(count: number): Promise<void> {
    while (this.reads.length < count) await new Promise((resolve) => setImmediate(resolve));
  }
}

async function held(
  upTo: number,
): Promise<{ readonly store: HeldBucket; readonly bucket: Bucket }> {
  const store = new HeldBucket(new MemoryBucket());
  await store.upload('a', encodeUtf8('abc'));
  // The clock stands still, so every read so far took no time and the next one is slow at once.
  const bucket = hedgedBucket(store, { upTo, quantile: 0.9 }, new FakeClock(0));
  for (let i = 0; i < 20; i++) await bucket.getRange('a', { offset: 0, length: 1 });
  store.isHolding = true;
  return { store, bucket };
}

test('hedged: the first answer counts, the others are cut off', async () => {
  const { store, bucket } = await held(3);
  const reading = bucket.getRange('a', { offset: 0, length: 3 });
  await store.begun(3);
  store.reads[1]?.end();
  equal(Buffer.from(await reading).toString(), 'abc');
  deepEqual(
    store.reads.map(({ signal }) => signal?.aborted),
    [true, false, true],
  );
  store.reads[0]?.end();
  store.reads[2]?.end(injectedError());
  const opening = bucket.get('a');
  await store.begun(6);
  store.reads[4]?.end();
  store.reads[5]?.end();
  await using stream = await opening;
  equal(stream.size, 3);
  store.reads[3]?.end();
  while (store.disposed < 2) await new Promise((resolve) => setImmediate(resolve));
  equal(store.disposed, 2);
});

test('hedged: an error counts when nobody brings an answer', async () => {
  const { store, bucket } = await held(2);
  const range = { offset: 0, length: 3 };
  const saved = bucket.getRange('a', range);
  await store.begun(2);
  store.reads[0]?.end(injectedError());
  store.reads[1]?.end();
  equal((await saved).length, 3);
  const lost = bucket.getRange('a', range);
  await store.begun(4);
  store.reads[2]?.end(injectedError());
  store.reads[3]?.end(new CodedError('unavailable', 'the last'));
  await rejects(lost, { message: 'the last' });
  const controller = new AbortController();
  const given = bucket.getRange('a', range, { signal: controller.signal });
  await store.begun(6);
  controller.abort();
  await rejects(given, { code: 'canceled' });
  ok(store.reads.slice(4).every(({ signal }) => signal?.aborted === true));
  for (const { end } of store.reads.slice(4)) end(injectedError());
});

test('hedged: a fast error does not wait for other requests', async () => {
  const { store, bucket } = await held(3);
  store.isHolding = false;
  await rejects(bucket.get('none'), isNotFound);
  equal(hedgedBucket(store, { upTo: 1, quantile: 0.9 }, systemClock), store);
});
