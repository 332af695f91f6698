import { deepEqual, ok } from 'node:assert/strict';
import { after, test } from 'node:test';
import { testBucket } from '../../../test/support/bucket-acceptance.ts';
import { S3RVER_KEYS, startS3rver } from '../../../test/support/s3rver.ts';
import { checkV4 } from '../../../test/support/s3-signatures.ts';
import { startSignatureProxy } from '../../../test/support/signature-proxy.ts';
import { systemClock } from '../../lib/clock.ts';
import { nopLogger } from '../../lib/log.ts';
import type { Bucket } from '../bucket.ts';
import { parseBucketConfig } from '../config.ts';
import { openS3 } from './open-s3.ts';

/** Every test of the suite has a bucket of its own. */
const BUCKETS = Array.from({ length: 80 }, (_, i) => `bucket${i}`);
let used = 0;

const starting = startS3rver(BUCKETS);
const proxying = starting.then(({ port }) =>
  startSignatureProxy(port, checkV4({ ...S3RVER_KEYS, region: 'us-east-1' })),
);
after(async () => {
  await (await proxying)[Symbol.asyncDispose]();
  await (await starting)[Symbol.asyncDispose]();
});

async function open(endpoint: string, bucket: string, more = ''): Promise<Bucket> {
  const text = `
type: S3
config:
  bucket: ${bucket}
  endpoint: ${endpoint}
  insecure: true
  access_key: ${S3RVER_KEYS.accessKey}
  secret_key: ${S3RVER_KEYS.secretKey}
  # s3rver falls silent when an object is replaced while it is read.
  http_config: {response_header_timeout: 3s}
${more}`;
  const config = await parseBucketConfig({ text, name: 'test' });
  ok(config.type === 'S3');
  return openS3(config.config, { clock: systemClock, log: nopLogger, env: {} });
}

async function make(endpoint: string, more: string): Promise<{ bucket: Bucket } & AsyncDisposable> {
  return {
    bucket: await open(endpoint, BUCKETS[used++] ?? '', more),
    [Symbol.asyncDispose]: () => Promise.resolve(),
  };
}

/** What s3rver does not survive, or does wrong. The same checks run over test/support/s3-server.ts. */
const FAULTS = {
  'uploads of one name at once': 'writes all of them into one file',
  'uploads and deletes of neighbours at once':
    'ends the server: an error event that nobody handles',
};

testBucket('s3rver, signature v4', async () => make((await proxying).host, ''), FAULTS);
testBucket(
  's3rver, signature v2',
  async () => make((await starting).host, '  signature_version2: true'),
  FAULTS,
);
testBucket(
  's3rver, list version 1, no multipart',
  async () => make((await proxying).host, '  list_objects_version: v1\n  disable_multipart: true'),
  FAULTS,
);

test('s3rver: every request of signature v4 was signed as AWS signs', async () => {
  const { refused, passed } = await proxying;
  deepEqual(refused, []);
  ok(passed() > 100);
});
