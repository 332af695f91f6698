import { deepEqual, equal, match, ok, rejects } from 'node:assert/strict';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { testBucket } from '../../../test/support/bucket-acceptance.ts';
import { type GoogleServer, startGoogleServer } from '../../../test/support/s3-google.ts';
import { temporaryDirectory } from '../../../test/support/temporary-directory.ts';
import { FakeClock, systemClock } from '../../lib/clock.ts';
import { nopLogger } from '../../lib/log.ts';
import { encodeUtf8 } from '../../lib/utf8.ts';
import { type Bucket, isAccessDenied } from '../bucket.ts';
import { parseBucketConfig } from '../config.ts';
import type { OpenOptions } from '../http/open-options.ts';
import { readObject } from '../read-object.ts';
import type { GcsConfig } from './gcs-config.ts';
import { openGcs } from './open-gcs.ts';

async function configOf(fields: object): Promise<GcsConfig> {
  const text = JSON.stringify({ type: 'gcs', config: { bucket: 'thanos', ...fields } });
  const { type, config } = await parseBucketConfig({ text, name: 'test' });
  ok(type === 'GCS');
  return config;
}

async function open(
  server: GoogleServer,
  fields: object = {},
  options: Partial<OpenOptions> = {},
): Promise<Bucket> {
  const { host } = server.server;
  const config = await configOf({ service_account: server.serviceAccount, ...fields });
  return openGcs(config, {
    clock: systemClock,
    log: nopLogger,
    env: {},
    origin: `http://${host}`,
    sleep: () => Promise.resolve(),
    ...options,
  });
}

testBucket('gcs', async () => {
  const server = await startGoogleServer();
  return {
    bucket: await open(server, { chunk_size_bytes: 300_000 }),
    [Symbol.asyncDispose]: () => server[Symbol.asyncDispose](),
  };
});

test('gcs: one token for many requests, another when it is refused', async () => {
  await using server = await startGoogleServer();
  const bucket = await open(server);
  await Promise.all(Array.from({ length: 10 }, (_, i) => bucket.upload(`a${i}`, encodeUtf8('x'))));
  equal(server.tokensGiven(), 1);
  server.revokeTokens();
  equal(await bucket.exists('a1'), true);
  equal(server.tokensGiven(), 2);
  await bucket.close();
  // Renewed before it ends, although the store would still take it.
  const clock = new FakeClock(systemClock.now() - 55 * 60_000);
  const late = await open(server, {}, { clock });
  await late.exists('a1');
  clock.advance(54 * 60_000);
  await late.exists('a1');
  equal(server.tokensGiven(), 3);
  clock.advance(60_000);
  await late.exists('a1');
  equal(server.tokensGiven(), 4);
  await late.close();
});

test('gcs: sessions end whole or not at all', async () => {
  await using server = await startGoogleServer();
  const bucket = await open(server, { chunk_size_bytes: 262_144 });
  // Parts that end exactly, with one more byte, and with one less.
  for (const size of [524_288, 524_289, 524_287, 262_144, 262_145]) {
    const body = Uint8Array.from({ length: size }, (_, i) => i * 31);
    async function* stream(): AsyncGenerator<Uint8Array> {
      for (let at = 0; at < size; at += 100_000) yield body.subarray(at, at + 100_000);
    }
    for (const content of [body, { stream: stream() }]) {
      await bucket.upload('a', content);
      ok(Buffer.from(await readObject(bucket, 'a')).equals(body), String(size));
    }
  }
  const own = new Error('own');
  async function* failing(): AsyncGenerator<Uint8Array> {
    yield new Uint8Array(600_000);
    throw own;
  }
  await rejects(bucket.upload('b', { stream: failing() }), (thrown) => thrown === own);
  await bucket.close();
  equal(server.sessions.size, 0);
  equal(server.server.objects.get('b'), undefined);
});

test('gcs: keys that are refused, and keys that are none', async () => {
  await using server = await startGoogleServer();
  await using other = await startGoogleServer();
  const key = JSON.parse(other.serviceAccount) as object;
  const stolen = JSON.stringify({ ...key, token_uri: `http://${server.server.host}/token` });
  const bucket = await open(server, { service_account: stolen });
  await rejects(bucket.get('a'), (thrown) => {
    ok(isAccessDenied(thrown));
    match((thrown as Error).message, /^ask for a token: .* answers 400: .*invalid_grant/);
    return true;
  });
  await bucket.close();
  const f = async (json: string, message: RegExp): Promise<void> => {
    await rejects(open(server, { service_account: json }), (thrown) => {
      match((thrown as Error).message, message);
      ok(!(thrown as Error).message.includes('hidden'));
      return true;
    });
  };
  await f('hidden', /^the credentials in service_account are no JSON object$/);
  await f('{"type":"service_account","private_key":"hidden"}', /lack client_email or private_key/);
  await f(
    '{"type":"service_account","client_email":"a","private_key":"hidden"}',
    /^the private_key in service_account cannot be read/,
  );
});

test('gcs: credentials of the environment', async () => {
  await using server = await startGoogleServer();
  using directory = temporaryDirectory();
  const file = join(directory.path, 'key.json');
  writeFileSync(file, server.serviceAccount);
  const fields = { service_account: '' };
  const env = { GOOGLE_APPLICATION_CREDENTIALS: file };
  const bucket = await open(server, fields, { env });
  equal(await bucket.exists('a'), false);
  equal(server.tokensGiven(), 1);
  await bucket.close();
  const none = { GOOGLE_APPLICATION_CREDENTIALS: join(directory.path, 'none') };
  await rejects(open(server, fields, { env: none }), { code: 'bad_data', message: /none: ENOENT/ });
  // The machine's metadata server.
  const asked: string[] = [];
  const metadata = createServer((request, answer) => {
    asked.push(`${request.url} ${String(request.headers['metadata-flavor'])}`);
    answer.end('{"access_token":"machine","expires_in":100}');
  });
  await new Promise<void>((resolve) => {
    metadata.listen(0, '127.0.0.1', resolve);
  });
  const { port } = metadata.address() as AddressInfo;
  const machine = await open(server, fields, {
    env: { GCE_METADATA_HOST: `127.0.0.1:${port}`, CLOUDSDK_CONFIG: directory.path },
  });
  await rejects(machine.exists('a'), isAccessDenied);
  // Once more after the store has refused the token.
  const path = '/computeMetadata/v1/instance/service-accounts/default/token Google';
  deepEqual(asked, [path, path]);
  ok(server.server.seen.some(({ headers }) => headers.authorization === 'Bearer machine'));
  await machine.close();
  metadata.closeAllConnections();
  await new Promise((resolve) => metadata.close(resolve));
  // An emulator asks for none.
  const emulator = await open(server, fields, {
    env: { STORAGE_EMULATOR_HOST: server.server.host },
  });
  await rejects(emulator.exists('a'), isAccessDenied);
  equal(server.server.seen.at(-1)?.headers.authorization, undefined);
  await emulator.close();
});

test('gcs: what configurations say', async () => {
  deepEqual((await configOf({ max_retries: '3', use_grpc: 'true' })).maxRetries, 3);
  await rejects(parseBucketConfig({ text: 'type: GCS\nconfig: {bucket: ""}', name: 'o' }), {
    message: 'o:2: config: missing Google Cloud Storage bucket name for stored blocks',
  });
  await rejects(parseBucketConfig({ text: 'type: GCS\nconfig: {bukket: x}', name: 'o' }), {
    message: 'o:2: config.bukket: unknown field, expected bucket',
  });
});
