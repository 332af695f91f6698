/** Buckets of type S3 on s3proxy, a server that checks signatures of both versions and was not written with us in mind. */
import { equal, ok, rejects } from 'node:assert/strict';
import { after, test } from 'node:test';
import { systemClock } from '../../src/lib/clock.ts';
import { type Bucket, isAccessDenied } from '../../src/objstore/bucket.ts';
import { openBucket, parseBucketConfig } from '../../src/objstore/config.ts';
import { systemSleep } from '../../src/objstore/http/backoff.ts';
import { openAgent } from '../../src/objstore/http/http-agent.ts';
import { ObjectClient } from '../../src/objstore/http/object-client.ts';
import { staticCredentials } from '../../src/objstore/s3/credentials.ts';
import { S3Api } from '../../src/objstore/s3/s3-api.ts';
import { S3Signer } from '../../src/objstore/s3/s3-signer.ts';
import { type BucketUnderTest, testBucket } from '../support/bucket-acceptance.ts';
import { S3PROXY_KEYS, startS3proxy } from '../support/s3proxy.ts';

const starting = startS3proxy();
after(async () => (await starting)[Symbol.asyncDispose]());

let buckets = 0;

async function make(more: readonly string[] = [], secret?: string): Promise<BucketUnderTest> {
  const { host } = await starting;
  const name = `bucket${++buckets}`;
  const text = [
    'type: S3',
    'config:',
    `  bucket: ${name}`,
    `  endpoint: ${host}`,
    '  insecure: true',
    `  access_key: ${S3PROXY_KEYS.accessKey}`,
    `  secret_key: ${secret ?? S3PROXY_KEYS.secretKey}`,
    ...more.map((line) => `  ${line}`),
  ].join('\n');
  const config = await parseBucketConfig({ text, name: 'test' });
  ok(config.type === 'S3');
  if (secret === undefined) await makeBucket(config.config);
  const bucket: Bucket = await openBucket(config, { env: {} });
  return { bucket, [Symbol.asyncDispose]: () => Promise.resolve() };
}

/** Stores make buckets by a request that only tests send. */
async function makeBucket(config: ConstructorParameters<typeof S3Signer>[0]): Promise<void> {
  const signer = new S3Signer(config, staticCredentials({ ...S3PROXY_KEYS, sessionToken: '' }));
  const api = new S3Api({
    provider: 'S3',
    bucket: config.bucket,
    listVersion: 'v2',
    limits: { partBytes: Infinity, partsMax: 1, partsAtOnce: 1 },
    retries: { triesMax: 1, firstMs: 1, mostMs: 1 },
    sign: (request, now, signal) => signer.sign(request, now, signal),
  });
  const dispatcher = await openAgent(config.http, {});
  const client = new ObjectClient(api, { dispatcher, clock: systemClock, sleep: systemSleep });
  const { status } = await client.send({ method: 'PUT' }, 'make the bucket', undefined);
  equal(status, 200);
  await dispatcher.destroy();
}

testBucket('s3proxy, signature v4', () => make());
testBucket('s3proxy, signature v2', () => make(['signature_version2: true']));
testBucket('s3proxy, list version 1, small parts', () =>
  make(['list_objects_version: v1', 'part_size: 5242880']),
);

test('s3proxy: another secret is refused', async () => {
  for (const more of [[], ['signature_version2: true']]) {
    await using made = await make(more, 'wrong');
    await rejects(made.bucket.exists('a'), isAccessDenied);
    await made.bucket.close();
  }
});
