import { deepEqual, equal, match, ok, rejects } from 'node:assert/strict';
import { test } from 'node:test';
import { testBucket } from '../../../test/support/bucket-acceptance.ts';
import { s3ConfigText } from '../../../test/support/latency-bucket.ts';
import { errorXml, type S3ServerOptions, startS3Server } from '../../../test/support/s3-server.ts';
import { checkV2, checkV4 } from '../../../test/support/s3-signatures.ts';
import { FakeClock, systemClock } from '../../lib/clock.ts';
import { nopLogger } from '../../lib/log.ts';
import { encodeUtf8 } from '../../lib/utf8.ts';
import { type Bucket, isAccessDenied, isNotFound } from '../bucket.ts';
import { parseBucketConfig } from '../config.ts';
import { readObject } from '../read-object.ts';
import type { OpenOptions } from '../http/open-options.ts';
import { openS3 } from './open-s3.ts';

const KEYS = { accessKey: 'minio', secretKey: 'melovethanos' };

/** A bucket whose waits between tries are recorded and take no time. */
async function openText(text: string, options: Partial<OpenOptions> = {}): Promise<Bucket> {
  const config = await parseBucketConfig({ text, name: 'test' });
  ok(config.type === 'S3');
  return openS3(config.config, {
    clock: systemClock,
    log: nopLogger,
    env: {},
    sleep: () => Promise.resolve(),
    ...options,
  });
}

/** A server and a bucket of it. */
async function start(
  server: S3ServerOptions = {},
  more: readonly string[] = [],
  options: Partial<OpenOptions> = {},
): Promise<Awaited<ReturnType<typeof startS3Server>> & { readonly bucket: Bucket }> {
  const started = await startS3Server(server);
  const bucket = await openText(s3ConfigText(started.host, more), options);
  return Object.assign(started, { bucket });
}

const V4 = { check: checkV4({ ...KEYS, region: 'us-east-1' }), pageMax: 3 };
const V2 = { check: checkV2(KEYS, { scheme: 'AWS', prefix: 'x-amz-' }), pageMax: 3 };
testBucket('s3, signature v4, pages of 3', () => start(V4));
testBucket('s3, list version 1, no multipart', () =>
  start(V4, ['list_objects_version: v1', 'disable_multipart: true', 'send_content_md5: false']),
);
testBucket('s3, signature v2', () => start(V2, ['signature_version2: true']));

test('s3: the configuration of a tutorial works as it stands', async () => {
  await using server = await startS3Server(V2);
  // "bucket_storage.yaml" of a tutorial, with the address of this server.
  const text = `
type: S3
config:
  bucket: "thanos"
  endpoint: "${server.host}"
  insecure: true
  signature_version2: true
  access_key: "minio"
  secret_key: "melovethanos"
`;
  const bucket = await openText(text);
  await bucket.upload('01ABC/meta.json', encodeUtf8('{}'));
  equal(Buffer.from(await readObject(bucket, '01ABC/meta.json')).toString(), '{}');
  deepEqual(await Array.fromAsync(bucket.iter('')), ['01ABC/']);
  deepEqual(server.refused, []);
  await bucket.close();
});

test('s3: wrong keys are refused once, and nothing is tried again', async () => {
  await using server = await start({
    check: checkV4({ ...KEYS, secretKey: 'another', region: 'us-east-1' }),
  });
  const { bucket } = server;
  await rejects(bucket.get('a'), (thrown) => {
    ok(isAccessDenied(thrown) && !isNotFound(thrown));
    const { message } = thrown as Error;
    match(
      message,
      /^get "a", bucket thanos: the store answers 403 SignatureDoesNotMatch: The signature/,
    );
    ok(!message.includes('melovethanos'));
    return true;
  });
  // The question for the region was refused as well.
  equal(server.seen.length, 2);
  await bucket.close();
});

test('s3: what uploads say about objects', async () => {
  await using server = await start({}, [
    'put_user_metadata: {owner: me, X-Amz-Storage-Class: STANDARD_IA, Cache-Control: no-cache}',
    'sse_config: {type: SSE-KMS, kms_key_id: key1, kms_encryption_context: {a: b}}',
    'session_token: token1',
    'part_size: 5242880',
  ]);
  const { bucket } = server;
  await bucket.upload('small', encodeUtf8('x'), { contentType: 'text/plain' });
  await bucket.upload('large', new Uint8Array(11_000_000));
  const expected = {
    'x-amz-meta-owner': 'me',
    'x-amz-storage-class': 'STANDARD_IA',
    'cache-control': 'no-cache',
    'x-amz-server-side-encryption': 'aws:kms',
    'x-amz-server-side-encryption-aws-kms-key-id': 'key1',
    'x-amz-server-side-encryption-context': Buffer.from('{"a":"b"}').toString('base64'),
    'x-amz-security-token': 'token1',
  };
  for (const name of ['small', 'large']) {
    const { headers = {} } = server.objects.get(name) ?? {};
    for (const [key, value] of Object.entries(expected)) equal(headers[key], value, key);
  }
  equal(server.objects.get('small')?.headers['content-type'], 'text/plain');
  equal(server.objects.get('large')?.headers['content-type'], 'application/octet-stream');
  // MD5 of each request with content, as minio-go sends it by default.
  equal(server.objects.get('small')?.headers['content-md5'], 'ndTkYSaMgDT1yFZOFVxnpg==');
  const parts = server.seen.filter(({ url }) => url.includes('partNumber'));
  deepEqual(
    new Set(parts.map(({ url }) => /partNumber=(\d+)/.exec(url)?.[1])),
    new Set(['1', '2', '3']),
  );
  ok(parts.every(({ headers }) => !('x-amz-server-side-encryption' in headers)));
  await bucket.close();
});

test('s3: the region is asked for once, and learned from refusals', async () => {
  const refuse = /AuthorizationHeaderMalformed/;
  await using server = await start({
    intercept: (request, answer) => {
      if (request.url?.includes('location') === true) {
        answer.writeHead(403);
        answer.end(errorXml('AccessDenied', 'No.'));
        return true;
      }
      if (request.headers.authorization?.includes('/eu-central-1/s3/') === true) return false;
      // An answer to HEAD has the header only.
      answer.writeHead(400, { 'x-amz-bucket-region': 'eu-central-1' });
      answer.end('<Error><Code>AuthorizationHeaderMalformed</Code><Message>m</Message></Error>');
      return true;
    },
  });
  const { bucket } = server;
  await Promise.all([bucket.upload('a', encodeUtf8('x')), bucket.exists('b')]);
  equal(await bucket.exists('a'), true);
  equal(server.seen.filter(({ url }) => url.includes('location')).length, 1);
  await bucket.close();
  await using fixed = await start(
    {
      intercept: (_, answer) => {
        answer.writeHead(400);
        answer.end('<Error><Code>AuthorizationHeaderMalformed</Code><Message>m</Message></Error>');
        return true;
      },
    },
    ['region: eu-north-1'],
  );
  await rejects(fixed.bucket.get('a'), refuse);
  equal(fixed.seen.length, 1);
  match(fixed.seen[0]?.headers.authorization ?? '', /\/eu-north-1\/s3\/aws4_request/);
  await fixed.bucket.close();
});

test('s3: large listings, names that XML cannot hold, and order over pages', async () => {
  await using server = await start({ pageMax: 1000 });
  const names = Array.from(
    { length: 2500 },
    (_, i) => `dir/${String(i).padStart(5, '0')} "&<\u0001>`,
  );
  for (const name of names) server.objects.put(name, Buffer.from('x'));
  deepEqual(await Array.fromAsync(server.bucket.iter('dir')), names);
  equal(server.seen.filter(({ url }) => url.includes('list-type=2')).length, 3);
  await server.bucket.close();
});

test('s3: the time of signatures is the clock’s', async () => {
  await using server = await start({}, [], { clock: new FakeClock(Date.UTC(2013, 4, 24)) });
  await server.bucket.exists('a');
  equal(server.seen.at(-1)?.headers['x-amz-date'], '20130524T000000Z');
  await server.bucket.close();
});
