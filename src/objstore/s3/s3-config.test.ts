import { deepEqual, match, ok, rejects } from 'node:assert/strict';
import { test } from 'node:test';
import { parseBucketConfig } from '../config.ts';
import { DEFAULT_HTTP_CONFIG } from '../http/http-config.ts';
import type { S3Config } from './s3-config.ts';

async function read(fields: string): Promise<S3Config> {
  const text = `type: S3\nconfig:\n  bucket: b\n  endpoint: h:9000\n${fields}`;
  const { type, config } = await parseBucketConfig({ text, name: 'o' });
  ok(type === 'S3');
  return config;
}

/** Defaults: objstore s3.go and exthttp/transport.go. */
const DEFAULTS: S3Config = {
  bucket: 'b',
  endpoint: 'h:9000',
  region: '',
  dualstack: true,
  awsSdkAuth: false,
  accessKey: '',
  secretKey: '',
  sessionToken: '',
  insecure: false,
  signatureV2: false,
  userMetadata: {},
  http: {
    idleConnTimeoutMs: 90_000,
    responseHeaderTimeoutMs: 120_000,
    tlsHandshakeTimeoutMs: 10_000,
    maxConnsPerHost: 0,
    insecureSkipVerify: false,
    tls: { caFile: '', certFile: '', keyFile: '', serverName: '' },
  },
  trace: false,
  listVersion: 'v2',
  lookup: 'auto',
  sendContentMd5: true,
  multipart: true,
  partSize: 67_108_864,
  sse: undefined,
  stsEndpoint: '',
  maxRetries: 0,
};

test('s3 config: what is left out', async () => {
  deepEqual(await read(''), DEFAULTS);
  deepEqual(DEFAULT_HTTP_CONFIG, DEFAULTS.http);
  deepEqual(await read('  http_config: {}\n  trace:\n  sse_config: {type: ""}\n'), DEFAULTS);
});

test('s3 config: every field', async () => {
  const got = await read(`
  region: eu-west-1
  disable_dualstack: yes
  access_key: 0123
  secret_key: 1e5
  session_token: t
  insecure: on
  signature_version2: true
  put_user_metadata: {X-Amz-Acl: private, n: 1}
  http_config:
    idle_conn_timeout: 1m30s
    response_header_timeout: 5s
    insecure_skip_verify: false
    tls_handshake_timeout: 1s
    expect_continue_timeout: 1s
    max_idle_conns: 5
    max_idle_conns_per_host: 6
    max_conns_per_host: 7
    tls_config: {ca_file: ca, cert_file: c, key_file: k, server_name: n, insecure_skip_verify: true}
    disable_compression: true
  trace: {enable: true}
  list_objects_version: v1
  bucket_lookup_type: virtual-hosted
  send_content_md5: false
  disable_multipart: true
  part_size: 0x1000000
  sse_config:
    type: SSE-KMS
    kms_key_id: id
    kms_encryption_context: {a: b}
  sts_endpoint: https://sts.example.org
  max_retries: 3
`);
  deepEqual(got, {
    ...DEFAULTS,
    region: 'eu-west-1',
    dualstack: false,
    accessKey: '0123',
    secretKey: '1e5',
    sessionToken: 't',
    insecure: true,
    signatureV2: true,
    userMetadata: { 'X-Amz-Acl': 'private', n: '1' },
    http: {
      idleConnTimeoutMs: 90_000,
      responseHeaderTimeoutMs: 5000,
      tlsHandshakeTimeoutMs: 1000,
      maxConnsPerHost: 7,
      insecureSkipVerify: true,
      tls: { caFile: 'ca', certFile: 'c', keyFile: 'k', serverName: 'n' },
    },
    trace: true,
    listVersion: 'v1',
    lookup: 'virtual-hosted',
    sendContentMd5: false,
    multipart: false,
    partSize: 16_777_216,
    sse: { type: 'SSE-KMS', keyId: 'id', context: { a: 'b' } },
    stsEndpoint: 'https://sts.example.org',
    maxRetries: 3,
  });
});

test('s3 config: what is refused', async () => {
  const f = async (fields: string, message: string | RegExp): Promise<void> => {
    await rejects(read(fields), (thrown) => {
      const error = thrown as Error;
      if (typeof message === 'string') deepEqual(error.message, message);
      else match(error.message, message);
      ok(!error.message.includes('hidden'));
      return true;
    });
  };
  await f('  acess_key: hidden', 'o:5: config.acess_key: unknown field, expected access_key');
  await f('  secret_key: [hidden]', 'o:5: config.secret_key: expected a text, is a list');
  await f(
    '  secret_key: hidden',
    /^o:5: config\.secret_key: no s3 access_key specified while secret_key is present in config/,
  );
  await f('  access_key: hidden', /^o:5: config\.access_key: no s3 secret_key specified while/);
  await f(
    '  aws_sdk_auth: true\n  access_key: hidden\n  secret_key: hidden',
    /aws_sdk_auth and access_key are mutually exclusive configurations$/,
  );
  await f('  insecure: maybe', 'o:5: config.insecure: expected true or false, is "maybe"');
  await f(
    '  max_retries: -1',
    'o:5: config.max_retries: expected a whole number from 0 on, is "-1"',
  );
  await f(
    '  part_size: 5MiB',
    'o:5: config.part_size: expected a whole number from 0 on, is "5MiB"',
  );
  await f(
    '  part_size: 1000',
    'o:5: config.part_size: expected 5242880 to 5368709120 bytes, is 1000',
  );
  await f(
    '  bucket_lookup_type: dns',
    'o:5: config.bucket_lookup_type: expected auto, virtual-hosted or path, is "dns"',
  );
  await f(
    '  list_objects_version: v3',
    'o:5: config.list_objects_version: expected v1 or v2, is "v3"',
  );
  await f(
    '  http_config:\n    idle_conn_timeout: 90',
    /^o:6: config\.http_config\.idle_conn_timeout: .*"90"/,
  );
  await f(
    '  http_config:\n    tls_config:\n      cert_file: a',
    'o:6: config.http_config.tls_config: has one of cert_file and key_file, expected both or none',
  );
  await f(
    '  sse_config: {type: SSE-KMS}',
    "o:5: config.sse_config: kms_key_id must be set if sse_config.type is set to 'SSE-KMS'",
  );
  await f(
    '  sse_config: {type: SSE-C}',
    "o:5: config.sse_config: encryption_key must be set if sse_config.type is set to 'SSE-C'",
  );
  await f('  sse_config: {type: AES}', /expected ,? ?SSE-S3, SSE-KMS or SSE-C, is "AES"/);
  await rejects(parseBucketConfig({ text: 'type: S3\nconfig: {bucket: b}', name: 'o' }), {
    message: 'o:2: config.endpoint: no s3 endpoint in config file',
  });
  await rejects(
    parseBucketConfig({ text: 'type: S3\nconfig: {bucket: b, endpoint: "https://h"}', name: 'o' }),
    { message: /config\.endpoint: expected a host without a scheme and path/ },
  );
});
