/** The service over gRPC, asked by a client that is not ours. */
import { deepEqual, equal, ok } from 'node:assert/strict';
import { test } from 'node:test';
import * as grpc from '@grpc/grpc-js';
import { CodedError } from '../../lib/errors.ts';
import { GrpcError } from '../../ops/grpc/status.ts';
import { startGrpc } from '../../../test/support/grpc-peers.ts';
import { field } from '../../../test/support/protobuf.ts';
import { RawGrpcClient } from '../../../test/support/raw-grpc-client.ts';
import type { LabelsResponse } from './label-messages.ts';
import type { StoreApi, StoreCall } from './store-api.ts';
import { addStoreService } from './store-service.ts';

const SERIES = '/thanos.Store/Series';
const NAMES = '/thanos.Store/LabelNames';
const VALUES = '/thanos.Store/LabelValues';

/** A store with three messages, which notes who asks. */
class NotingStore implements StoreApi {
  readonly asked: string[] = [];
  failure: Error | undefined;

  async series(request: unknown, call: Parameters<StoreApi['series']>[1]): Promise<void> {
    this.#note('series', request, call);
    for (const text of ['one', 'two', 'three']) await call.write([Buffer.from(text)]);
    if (this.failure !== undefined) throw this.failure;
  }

  labelNames(request: unknown, call: StoreCall): Promise<LabelsResponse> {
    return this.#labels('names', request, call);
  }

  labelValues(request: unknown, call: StoreCall): Promise<LabelsResponse> {
    return this.#labels('values', request, call);
  }

  async #labels(what: string, request: unknown, call: StoreCall): Promise<LabelsResponse> {
    this.#note(what, request, call);
    await Promise.resolve();
    if (this.failure !== undefined) throw this.failure;
    return { texts: ['b', 'ü'], warnings: ['beware'] };
  }

  #note(what: string, request: unknown, { tenant, signal }: StoreCall): void {
    const { matchers } = request as { matchers: unknown[] };
    this.asked.push(`${what} ${tenant} ${matchers.join()} ${signal.aborted}`);
  }
}

/** LabelMatcher {1 type, 2 name, 3 value}. */
const matcher = (type: number, name: string, value: string): Buffer =>
  Buffer.concat([type === 0 ? Buffer.alloc(0) : field(1, type), field(2, name), field(3, value)]);

test('thanos.Store over gRPC', async (t) => {
  const store = new NotingStore();
  const { address } = await startGrpc(t, (server) => addStoreService(server, store));
  using client = new RawGrpcClient(address);

  await t.test('series, message by message', async () => {
    const outcome = await client.call(SERIES, field(3, matcher(2, 'a', 'b.*')));
    deepEqual(outcome.messages.map(String), ['one', 'two', 'three']);
    equal(outcome.code, 0);
    deepEqual(store.asked.splice(0), ['series default-tenant a=~"b.*" false']);
  });

  await t.test('names and values', async () => {
    const want = Buffer.concat([field(1, 'b'), field(1, 'ü'), field(2, 'beware')]).toString('hex');
    for (const [path, what, number] of [
      [NAMES, 'names', 6],
      [VALUES, 'values', 7],
    ] as const) {
      const { messages, code } = await client.call(path, field(number, matcher(0, 'x', 'y')));
      deepEqual([messages[0]?.toString('hex'), code], [want, 0]);
      deepEqual(store.asked.splice(0), [`${what} default-tenant x="y" false`]);
    }
  });

  await t.test('a tenant by its metadata', async () => {
    const raw = new grpc.Client(address, grpc.credentials.createInsecure());
    const metadata = new grpc.Metadata();
    metadata.set('thanos-tenant', 'team-a');
    const same = (bytes: Buffer): Buffer => bytes;
    await new Promise<void>((resolve, reject) => {
      raw.makeUnaryRequest(NAMES, same, same, Buffer.alloc(0), metadata, (error) =>
        error === null ? resolve() : reject(error),
      );
    });
    raw.close();
    deepEqual(store.asked.splice(0), ['names team-a  false']);
  });

  await t.test('requests that are none', async () => {
    const bad = await client.call(SERIES, field(3, matcher(2, 'a', '(')));
    equal(bad.code, grpc.status.INVALID_ARGUMENT);
    ok(bad.details.includes('error parsing regexp'), bad.details);
    const type = await client.call(NAMES, field(6, matcher(9, 'a', 'b')));
    equal(type.code, grpc.status.INVALID_ARGUMENT);
    ok(type.details.startsWith('translate request labels matchers: '), type.details);
    for (const path of [SERIES, NAMES, VALUES]) {
      const garbage = await client.call(path, Buffer.from('ffffff', 'hex'));
      equal(garbage.code, grpc.status.INTERNAL);
      ok(garbage.details.startsWith('grpc: error unmarshalling request: '), garbage.details);
    }
    deepEqual(store.asked, []);
  });

  await t.test('what a store throws is the status, behind what was sent', async () => {
    store.failure = new GrpcError(
      'ResourceExhausted',
      'exceeded series limit: limit 1 violated (got 2)',
    );
    const outcome = await client.call(SERIES, Buffer.alloc(0));
    equal(outcome.messages.length, 3);
    deepEqual(
      [outcome.code, outcome.details],
      [grpc.status.RESOURCE_EXHAUSTED, store.failure.message],
    );
    store.failure = new CodedError('unavailable', 'bucket is away');
    const names = await client.call(NAMES, Buffer.alloc(0));
    deepEqual([names.code, names.details], [grpc.status.UNAVAILABLE, 'bucket is away']);
  });
});
