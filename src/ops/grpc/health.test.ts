/** Health and reflection, asked by grpc-js' client. */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import test, { type TestContext } from 'node:test';
import {
  Client,
  ChannelCredentials,
  Metadata,
  type ServiceError,
  type StatusObject,
  status as Status,
} from '@grpc/grpc-js';
import { collect } from '../../../test/support/grpc-oracle.ts';
import { startGrpc, until } from '../../../test/support/grpc-peers.ts';
import { field, intOf, lastOf, fieldsOf } from '../../../test/support/protobuf.ts';
import { nopLogger } from '../../lib/log.ts';
import { ProcessMetrics } from '../metrics.ts';
import { Probe } from '../probe.ts';
import { addHealth } from './health.ts';
import { addReflection } from './reflection.ts';
import { HEALTH_DESCRIPTOR, REFLECTION_DESCRIPTORS } from './service-descriptors.ts';

const HEALTH = '/grpc.health.v1.Health';
const [SERVING, NOT_SERVING, SERVICE_UNKNOWN] = [1, 2, 3];
const pass = (bytes: Buffer): Buffer => bytes;

/** A file that imports another: package test, message Test.Inner with an enum, an extension, and a service. */
const IMPORTED = Buffer.concat([
  field(1, 'imported.proto'),
  field(2, 'test'),
  field(4, field(1, 'Base'), field(5, field(1, 100), field(2, 200))),
]);
const MAIN = Buffer.concat([
  field(1, 'main.proto'),
  field(2, 'test'),
  field(3, 'imported.proto'),
  field(
    4,
    field(1, 'Outer'),
    field(2, field(1, 'some_field'), field(3, 1)),
    field(3, field(1, 'Inner')),
    field(4, field(1, 'Kind'), field(2, field(1, 'KIND_ONE'))),
  ),
  field(6, field(1, 'Test'), field(2, field(1, 'Echo'))),
  field(7, field(1, 'extra'), field(2, '.test.Base'), field(3, 123)),
]);

async function start(t: TestContext) {
  const probe = new Probe('test', nopLogger, new ProcessMetrics());
  const { address, server } = await startGrpc(
    t,
    (added) => {
      added.add('/test.Test/Echo', 'unary', async (_call, request) => request);
      addHealth(added, probe);
      addReflection(added, [MAIN, IMPORTED]);
    },
    { gracePeriodMs: 60_000 },
  );
  const client = new Client(address, ChannelCredentials.createInsecure());
  t.after(() => client.close());
  const unary = (path: string, request: Buffer) =>
    new Promise<Buffer>((resolve, reject) => {
      client.makeUnaryRequest(path, pass, pass, request, (error, answer) =>
        error === null ? resolve(answer as Buffer) : reject(error),
      );
    });
  return { probe, server, client, unary };
}

test('health follows the probe', async (t) => {
  const { probe, unary } = await start(t);
  const check = async (service = '') =>
    intOf(fieldsOf(await unary(`${HEALTH}/Check`, field(1, service))), 1);
  assert.equal(await check(), NOT_SERVING);
  probe.healthy();
  assert.equal(await check(), NOT_SERVING);
  probe.ready();
  assert.equal(await check(), SERVING);
  assert.equal(intOf(fieldsOf(await unary(`${HEALTH}/Check`, Buffer.of())), 1), SERVING);
  const list = fieldsOf(await unary(`${HEALTH}/List`, Buffer.of()));
  const entry = fieldsOf(lastOf(list, 1) as Buffer);
  assert.equal(String(lastOf(entry, 1)), '');
  assert.equal(intOf(fieldsOf(lastOf(entry, 2) as Buffer), 1), SERVING);
  probe.notHealthy('broken');
  assert.equal(await check(), NOT_SERVING);
  await assert.rejects(check('other'), (thrown: ServiceError) => {
    assert.deepEqual([thrown.code, thrown.details], [Status.NOT_FOUND, 'unknown service']);
    return true;
  });
  await assert.rejects(unary(`${HEALTH}/Check`, Buffer.of(0x0a, 9)), { code: Status.INTERNAL });
});

test('watchers see changes, and the end of the server', async (t) => {
  const { probe, client, server } = await start(t);
  const watch = (service: string) =>
    client.makeServerStreamRequest(`${HEALTH}/Watch`, pass, pass, field(1, service));
  const [known, unknown] = [watch(''), watch('other')];
  const seen: number[] = [];
  const others: number[] = [];
  known.on('data', (message: Buffer) => seen.push(intOf(fieldsOf(message), 1)));
  unknown.on('data', (message: Buffer) => others.push(intOf(fieldsOf(message), 1)));
  const ends = [known, unknown].map((call) => {
    call.on('error', () => undefined);
    return new Promise<StatusObject>((resolve) => call.on('status', resolve));
  });
  await until(() => seen.length === 1 && others.length === 1);
  probe.healthy();
  probe.ready();
  await until(() => seen.length === 2);
  probe.ready(); // nothing new
  probe.notReady('busy');
  await until(() => seen.length === 3);
  assert.deepEqual(seen, [NOT_SERVING, SERVING, NOT_SERVING]);
  assert.deepEqual(others, [SERVICE_UNKNOWN]);
  await server.close();
  for (const status of await Promise.all(ends)) assert.equal(status.code, Status.UNAVAILABLE);
});

test('health and reflection describe themselves as Go does', () => {
  // sha256 of the descriptors of google.golang.org/grpc v1.85.0, without options and JSON names.
  const sha256 = (bytes: Uint8Array = new Uint8Array(0)) =>
    createHash('sha256').update(bytes).digest('hex');
  assert.equal(
    sha256(HEALTH_DESCRIPTOR),
    '0347c1dd44815e1bd108a45b0f7bdc8919317b60f3122392ec467258367115dc',
  );
  assert.equal(
    sha256(REFLECTION_DESCRIPTORS[0]),
    'ed9f61651998ec139ead3fd70e2ebf75d6c1353965df781fd27908b5a8e7ebc3',
  );
});

test('reflection, in both versions', async (t) => {
  const { client } = await start(t);
  for (const version of ['v1', 'v1alpha']) {
    const path = `/grpc.reflection.${version}.ServerReflection/ServerReflectionInfo`;
    const call = client.makeBidiStreamRequest(path, pass, pass, new Metadata());
    const ask = async (request: Buffer) => {
      call.write(request);
      const [message] = (await once(call, 'data')) as [Buffer];
      const answer = fieldsOf(message);
      assert.deepEqual(lastOf(answer, 2), request);
      return answer;
    };
    const files = async (request: Buffer) => {
      const list = fieldsOf(lastOf(await ask(request), 4) as Buffer);
      return list.map(([, bytes]) => String(lastOf(fieldsOf(bytes as Buffer), 1)));
    };
    const services = await ask(Buffer.concat([field(1, 'host'), field(7, '')]));
    assert.equal(String(lastOf(services, 1)), 'host');
    assert.deepEqual(
      fieldsOf(lastOf(services, 6) as Buffer).map(([, s]) =>
        String(lastOf(fieldsOf(s as Buffer), 1)),
      ),
      [
        'grpc.health.v1.Health',
        'grpc.reflection.v1.ServerReflection',
        'grpc.reflection.v1alpha.ServerReflection',
        'test.Test',
      ],
    );
    assert.deepEqual(await files(field(4, 'test.Test')), ['main.proto', 'imported.proto']);
    // What this client has is not sent again.
    for (const symbol of [
      'test.Test.Echo',
      'test.Outer',
      'test.Outer.Inner',
      'test.Outer.some_field',
      'test.Outer.Kind',
      'test.Outer.KIND_ONE',
      'test.extra',
    ]) {
      assert.deepEqual(await files(field(4, symbol)), ['main.proto'], symbol);
    }
    assert.deepEqual(await files(field(3, 'imported.proto')), ['imported.proto']);
    assert.deepEqual(await files(field(5, field(1, 'test.Base'), field(2, 123))), ['main.proto']);
    const numbers = fieldsOf(lastOf(await ask(field(6, 'test.Base')), 5) as Buffer);
    assert.deepEqual([String(lastOf(numbers, 1)), intOf(numbers, 2)], ['test.Base', 123]);
    for (const nothing of [
      field(3, 'no.proto'),
      field(4, 'no.Such'),
      field(5, field(1, 'test.Base'), field(2, 124)),
      field(6, 'no.Such'),
    ]) {
      const error = fieldsOf(lastOf(await ask(nothing), 7) as Buffer);
      assert.equal(intOf(error, 1), Status.NOT_FOUND);
    }
    call.end();
    assert.equal((await collect(call)).status.code, Status.OK);
  }
});
