/** Buckets of stores whose servers cannot run here, over a server that checks their signatures. */
import { deepEqual, ok } from 'node:assert/strict';
import { test } from 'node:test';
import { testBucket } from '../../test/support/bucket-acceptance.ts';
import { type S3ServerOptions, startS3Server } from '../../test/support/s3-server.ts';
import { checkBos, checkCos, checkV2 } from '../../test/support/s3-signatures.ts';
import { systemClock } from '../lib/clock.ts';
import { nopLogger } from '../lib/log.ts';
import { type Bucket, isAccessDenied } from './bucket.ts';
import { openBucket, parseBucketConfig } from './config.ts';

const KEYS = { accessKey: 'key', secretKey: 'secret' };

/** A server and a bucket of it. Every request must have been signed well at the end. */
async function start(
  options: S3ServerOptions,
  config: (host: string) => string,
): Promise<{ readonly bucket: Bucket } & AsyncDisposable> {
  const server = await startS3Server({ pageMax: 3, ...options });
  const parsed = await parseBucketConfig({ text: config(server.host), name: 'test' });
  const bucket = await openBucket(parsed, { clock: systemClock, log: nopLogger, env: {} });
  return {
    bucket,
    [Symbol.asyncDispose]: async () => {
      await server[Symbol.asyncDispose]();
      deepEqual(server.refused, []);
    },
  };
}

/** How each vendor's bucket is configured, and what its server checks. */
const VENDORS: Readonly<
  Record<string, { readonly server: S3ServerOptions; readonly config: (host: string) => string }>
> = {
  COS: {
    server: { check: checkCos(KEYS), pathStyle: false },
    config: (host) => `
type: COS
config: {bucket: thanos, endpoint: "http://${host}", secret_id: key, secret_key: secret}`,
  },
  ALIYUNOSS: {
    server: { check: checkV2(KEYS, { scheme: 'OSS', prefix: 'x-oss-', isDecoded: true }) },
    config: (host) => `
type: ALIYUNOSS
config: {bucket: thanos, endpoint: "${host}", access_key_id: key, access_key_secret: secret}`,
  },
  OBS: {
    server: { check: checkV2(KEYS, { scheme: 'OBS', prefix: 'x-obs-' }) },
    config: (host) => `
type: OBS
config: {bucket: thanos, endpoint: "http://${host}", access_key: key, secret_key: secret}`,
  },
  BOS: {
    server: { check: checkBos(KEYS), format: 'json' },
    config: (host) => `
type: BOS
config: {bucket: thanos, endpoint: "http://${host}", access_key: key, secret_key: secret}`,
  },
};

for (const [type, { server, config }] of Object.entries(VENDORS)) {
  testBucket(type.toLowerCase(), () => start(server, config));
  test(`${type.toLowerCase()}: another secret is refused`, async () => {
    await using store = await startS3Server(server);
    const text = config(store.host).replace('secret}', 'wrong}');
    const bucket = await openBucket(await parseBucketConfig({ text, name: 'test' }), { env: {} });
    const failure: unknown = await bucket.get('a').catch((thrown: unknown) => thrown);
    ok(isAccessDenied(failure));
    ok(store.refused.length === 1 && !String(failure).includes('wrong'));
    await bucket.close();
  });
}
