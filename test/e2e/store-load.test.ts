/**
 * What `thanos store` does under many calls and for clients that are slow, gone or ask for everything: calls that are cancelled leave
 * nothing behind, nobody makes the server hold an answer, and a million series pass through little memory.
 */
import { equal, match, ok } from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { GrpcChannel } from '../../src/ops/grpc/channel.ts';
import { GrpcError } from '../../src/ops/grpc/status.ts';
import { addThanosMetas, writeSmallBlocks, writeWideBlock } from '../support/bucket-blocks.ts';
import { RawGrpcClient } from '../support/raw-grpc-client.ts';
import { startStore } from '../support/server-process.ts';
import type { ThanosStore } from '../support/server-process.ts';
import { ANYTHING, SERIES_PATH, seriesOf, seriesRequest } from '../support/store-client.ts';
import { temporaryDirectory } from '../support/temporary-directory.ts';
import { memoryMib, forgetPeak } from '../support/process-memory.ts';

const LABELS = { cluster: 'eu1', replica: 'a' };
const MILLION = 1_000_000;
/** limit: what an answer of a million series may take in the server, MiB. */
const EXTRA_MIB_MAX = 100;

test('ten thousand cancelled calls leave a connection healthy', async () => {
  using directory = temporaryDirectory();
  const blocks = join(directory.path, 'bucket');
  writeSmallBlocks(blocks, 20);
  addThanosMetas(blocks, LABELS);
  await using store = await running(directory.path, blocks);
  const channel = new GrpcChannel(store.grpc);
  try {
    const request = seriesRequest(ANYTHING);
    const want = seriesOf(await everything(channel, request)).length;
    equal(want, 100);
    let cancelled = 0;
    for (let i = 0; i < 10_000; i++) {
      const controller = new AbortController();
      const call = channel.serverStream(SERIES_PATH, request, { signal: controller.signal });
      const answer = call.nextBatch().catch((thrown: unknown) => thrown);
      // Some at once, some after a turn, some after the first message.
      if (i % 3 === 1) await sleep(0);
      if (i % 3 === 2) await answer;
      controller.abort();
      const outcome = await answer;
      if (outcome instanceof GrpcError) {
        equal(outcome.grpcCode, 'Canceled');
        cancelled++;
      }
    }
    ok(cancelled > 3000, `${cancelled} calls were cancelled before their answer`);
    equal(seriesOf(await everything(channel, request)).length, want);
    await settled(store);
  } finally {
    channel.close();
  }
});

test('a client that does not read makes the server hold little', async () => {
  using directory = temporaryDirectory();
  const blocks = join(directory.path, 'bucket');
  writeWideBlock(blocks, { series: 200_000, labels: wideLabels });
  addThanosMetas(blocks, LABELS);
  await using store = await running(directory.path, blocks);
  const channel = new GrpcChannel(store.grpc);
  try {
    const request = seriesRequest(ANYTHING);
    await everything(channel, request);
    await sleep(300);
    const before = memoryMib(store.process.pid, 'VmRSS');
    const controllers = Array.from({ length: 10 }, () => new AbortController());
    const calls = controllers.map(({ signal }) => {
      const call = channel.serverStream(SERIES_PATH, request, { signal });
      return call.next();
    });
    for (const call of calls) ok((await call).done !== true);
    await sleep(2000);
    const extra = memoryMib(store.process.pid, 'VmRSS') - before;
    // The answers of ten calls are 700 MB.
    ok(extra < 150, `ten calls that are not read hold ${extra} MiB`);
    for (const controller of controllers) controller.abort();
    await settled(store);
    equal(seriesOf(await everything(channel, request)).length, 200_000);
  } finally {
    channel.close();
  }
});

test('a million series without chunks pass through little memory', async (t) => {
  using directory = temporaryDirectory();
  const blocks = join(directory.path, 'bucket');
  writeWideBlock(blocks, { series: MILLION, labels: wideLabels });
  addThanosMetas(blocks, LABELS);
  await using store = await running(directory.path, blocks);
  using client = new RawGrpcClient(store.grpc);
  const request = seriesRequest(ANYTHING, { skipChunks: true, responseBatchSize: 64 });
  const small = seriesRequest(ANYTHING, { skipChunks: true, limit: 1000 });

  await t.test('where order survives the external labels', async () => {
    // What the process takes when it has answered something.
    equal((await client.call(SERIES_PATH, small)).code, 0);
    await sleep(300);
    const before = memoryMib(store.process.pid, 'VmRSS');
    forgetPeak(store.process.pid);
    const { code, messages } = await client.call(SERIES_PATH, request);
    equal(code, 0);
    const extra = memoryMib(store.process.pid, 'VmHWM') - before;
    checkSorted(messages, MILLION);
    console.log(`a million series: ${Math.round(extra)} MiB extra`);
    ok(extra <= EXTRA_MIB_MAX, `${extra} MiB`);
  });

  await t.test('where series have to be sorted', async () => {
    const without = { skipChunks: true, withoutReplicaLabels: ['pod'], responseBatchSize: 64 };
    const { code, messages } = await client.call(SERIES_PATH, seriesRequest(ANYTHING, without));
    equal(code, 0);
    checkSorted(messages, 1000);
  });
});

test('sorting beyond the budget fails the call and says by how much', async () => {
  using directory = temporaryDirectory();
  const blocks = join(directory.path, 'bucket');
  writeWideBlock(blocks, { series: 100_000, labels: wideLabels });
  addThanosMetas(blocks, LABELS);
  await using store = await running(directory.path, blocks, ['--chunk-pool-size=8MB']);
  using client = new RawGrpcClient(store.grpc);
  const without = { skipChunks: true, withoutReplicaLabels: ['pod'] };
  const refused = await client.call(SERIES_PATH, seriesRequest(ANYTHING, without));
  equal(refused.code, 8);
  match(refused.details, /chunk pool exhausted: \d+ of 8388608 bytes would be in use/);
  const plain = await client.call(SERIES_PATH, seriesRequest(ANYTHING, { skipChunks: true }));
  equal(plain.code, 0);
  equal(plain.messages.length, 100_000);
});

/** A thousand pods of each of a thousand applications; removing the pod leaves duplicates. */
function wideLabels(i: number): Record<string, string> {
  const app = String(Math.floor(i / 1000)).padStart(4, '0');
  const pod = String(i % 1000).padStart(4, '0');
  return {
    __name__: 'container_memory_usage_bytes',
    app: `application-${app}`,
    namespace: 'production',
    pod: `application-${app}-${pod}`,
  };
}

/** The labels of the answer ascend, each set once. */
function checkSorted(messages: readonly Buffer[], count: number): void {
  let n = 0;
  let before = '';
  for (const message of messages) {
    for (const { labels } of seriesOf([message])) {
      const text = labels.map(({ name, value }) => `${name}\0${value}`).join('\0');
      if (n > 0) ok(text > before, `${text} comes behind ${before}`);
      before = text;
      n++;
    }
  }
  equal(n, count);
}

async function everything(channel: GrpcChannel, request: Uint8Array): Promise<Uint8Array[]> {
  const messages: Uint8Array[] = [];
  for await (const message of channel.serverStream(SERIES_PATH, request)) {
    messages.push(Uint8Array.from(message));
  }
  return messages;
}

/** Waits until no call is under way in the server. */
async function settled(store: ThanosStore): Promise<void> {
  const pending = /^thanos_store_server_pending_series_requests (\d+)$/m;
  for (let tries = 0; tries < 100; tries++) {
    const text = await (await fetch(`${store.http}/metrics`)).text();
    if (pending.exec(text)?.[1] === '0') return;
    await sleep(50);
  }
  throw new Error('calls that were cancelled are still under way');
}

async function running(
  directory: string,
  blocks: string,
  args: readonly string[] = [],
): Promise<ThanosStore & AsyncDisposable> {
  const store = await startStore({
    dataDir: join(directory, 'data'),
    bucket: `{type: FILESYSTEM, config: {directory: ${blocks}}}`,
    args,
  });
  return {
    ...store,
    [Symbol.asyncDispose]: async () => {
      equal(await store.process.stop(), 0);
    },
  };
}
