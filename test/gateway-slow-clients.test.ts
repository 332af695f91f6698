/** Calls for series over gRPC whose clients are slow, or leave: the gateway holds little, and nothing in the end. */
import { deepEqual, equal, ok } from 'node:assert/strict';
import { test } from 'node:test';
import * as grpc from '@grpc/grpc-js';
import { Random } from '../src/lib/prng.ts';
import { Matcher } from '../src/model/matcher.ts';
import { encodeSeriesRequest } from '../src/rpc/store/series-request.ts';
import { addStoreService } from '../src/rpc/store/store-service.ts';
import { GatewayFixture, plainSeries, seriesOf } from './support/gateway-fixture.ts';
import { startGrpc, until } from './support/grpc-peers.ts';
import { RawGrpcClient } from './support/raw-grpc-client.ts';

const PATH = '/thanos.Store/Series';
const same = (bytes: Buffer): Buffer => bytes;

function request(responseBatchSize = 0): Buffer {
  return Buffer.from(
    encodeSeriesRequest({
      mint: 0,
      maxt: 1e12,
      matchers: [new Matcher('=', '__name__', 'm')],
      maxResolutionMs: 0,
      aggregates: ['raw'],
      partialResponse: 'warn',
      skipChunks: false,
      withoutReplicaLabels: [],
      limit: 0,
      responseBatchSize,
    }),
  );
}

test('slow clients, and clients that leave', async (t) => {
  using fixture = new GatewayFixture();
  const random = new Random(1);
  // 20 MB in all, some chunks larger than what gRPC copies.
  const block = await fixture.addBlock(
    Array.from({ length: 200 }, (_, i) => ({
      labels: { __name__: 'm', i: String(i).padStart(4, '0') },
      chunks: Array.from({ length: 5 }, (_c, c) => ({
        mint: c,
        maxt: c,
        encoding: 1,
        count: 1,
        data: Buffer.alloc(5000 + random.below(30_000), i * 5 + c),
      })),
    })),
  );
  const want = plainSeries([{ ...block, labels: { cluster: 'eu' } }]);
  const gateway = fixture.gateway();
  await gateway.store.initialSync();
  t.after(() => gateway.close());
  const { address } = await startGrpc(t, (server) => addStoreService(server, gateway.server));
  const idle = (): Promise<void> => until(() => gateway.budget.used === 0);

  await t.test('several at once, one by one and in batches', async () => {
    using client = new RawGrpcClient(address);
    const answers = await Promise.all(
      [0, 7, 100, 1].map((size) => client.call(PATH, request(size))),
    );
    for (const { messages, code } of answers) {
      equal(code, 0);
      deepEqual(seriesOf(messages), want);
    }
    await idle();
  });

  await t.test('one that reads a message now and then', async () => {
    const client = new grpc.Client(address, grpc.credentials.createInsecure(), {
      'grpc.max_receive_message_length': -1,
    });
    const stream = client.makeServerStreamRequest(PATH, same, same, request());
    const messages: Buffer[] = [];
    let most = 0;
    for await (const message of stream) {
      messages.push(message as Buffer);
      most = Math.max(most, gateway.budget.used);
      await new Promise((resolve) => setImmediate(resolve));
    }
    deepEqual(seriesOf(messages), want);
    // The run that is sent, and two behind it, of 4 MiB each.
    ok(most < 16 << 20, `${most} bytes held`);
    await idle();
    client.close();
  });

  await t.test('clients that leave', async () => {
    const client = new grpc.Client(address, grpc.credentials.createInsecure(), {
      'grpc.max_receive_message_length': -1,
    });
    for (const after of [0, 1, 50]) {
      const stream = client.makeServerStreamRequest(PATH, same, same, request());
      stream.on('error', () => undefined);
      const ended = new Promise<number>((resolve) =>
        stream.on('status', ({ code }) => resolve(code)),
      );
      let n = 0;
      if (after === 0) stream.cancel();
      stream.on('data', () => {
        if (++n === after) stream.cancel();
      });
      equal(await ended, grpc.status.CANCELLED);
      await idle();
    }
    client.close();
    using other = new RawGrpcClient(address);
    deepEqual(seriesOf((await other.call(PATH, request())).messages), want);
    await idle();
  });
});
