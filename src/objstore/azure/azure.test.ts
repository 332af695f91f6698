import { deepEqual, equal, match, ok, rejects } from 'node:assert/strict';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { after, test } from 'node:test';
import { AZURITE_ACCOUNT, startAzurite } from '../../../test/support/azurite.ts';
import { testBucket } from '../../../test/support/bucket-acceptance.ts';
import { FakeClock } from '../../lib/clock.ts';
import { nopLogger } from '../../lib/log.ts';
import type { Bucket } from '../bucket.ts';
import { isAccessDenied } from '../bucket.ts';
import { openBucket, parseBucketConfig } from '../config.ts';
import { openAzure } from './open-azure.ts';

const starting = startAzurite();
after(async () => (await starting)[Symbol.asyncDispose]());

let containers = 0;

function configText(url: string, container: string, key = AZURITE_ACCOUNT.key): string {
  const connection =
    `DefaultEndpointsProtocol=http;AccountName=${AZURITE_ACCOUNT.name};` +
    `AccountKey=${key};BlobEndpoint=${url};`;
  return `
type: AZURE
config:
  storage_account: ${AZURITE_ACCOUNT.name}
  storage_connection_string: "${connection}"
  container: ${container}
`;
}

async function make(): Promise<{ readonly bucket: Bucket } & AsyncDisposable> {
  const { url } = await starting;
  const text = configText(url, `container${++containers}`);
  return {
    bucket: await openBucket(await parseBucketConfig({ text, name: 'test' }), { env: {} }),
    [Symbol.asyncDispose]: () => Promise.resolve(),
  };
}

testBucket('azurite', make);

test('azurite: another key is refused, and a container that is not there is no missing object', async () => {
  const { url } = await starting;
  const wrong = configText(url, 'container1', Buffer.from('another').toString('base64'));
  await rejects(
    openBucket(await parseBucketConfig({ text: wrong, name: 'test' }), { env: {} }),
    (thrown) => {
      ok(isAccessDenied(thrown));
      match(
        (thrown as Error).message,
        /^look for the container, bucket container1: the store answers 403/,
      );
      return true;
    },
  );
  const text = `${configText(url, 'nowhere')}  storage_create_container: false\n  max_retries: 1\n`;
  const bucket = await openBucket(await parseBucketConfig({ text, name: 'test' }), { env: {} });
  await rejects(bucket.get('a'), { code: 'unavailable', message: /404 ContainerNotFound/ });
  await rejects(bucket.exists('a'), { code: 'unavailable' });
  await bucket.close();
});

/** A container of a server of the test's. */
async function fake(
  handle: (request: IncomingMessage, answer: ServerResponse) => void,
): Promise<{ readonly bucket: Bucket } & AsyncDisposable> {
  const server = createServer(handle);
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve);
  });
  const { port } = server.address() as AddressInfo;
  const text = `
type: AZURE
config:
  storage_account: acc
  container: c
  user_assigned_id: id1
  storage_create_container: false
  msi_resource: old
`;
  const { type, config } = await parseBucketConfig({ text, name: 'test' });
  ok(type === 'AZURE');
  deepEqual(config.auth, { kind: 'managed identity', clientId: 'id1' });
  deepEqual(config.deprecated, ['msi_resource']);
  equal(config.url, 'https://acc.blob.core.windows.net');
  const bucket = await openAzure(
    { ...config, url: `http://127.0.0.1:${port}` },
    {
      clock: new FakeClock(0),
      log: nopLogger,
      env: {},
      tokens: { getToken: (scope) => Promise.resolve({ token: `for ${scope}` }) },
    },
  );
  return {
    bucket,
    [Symbol.asyncDispose]: async () => {
      await bucket.close();
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

test('azure: tokens are sent', async () => {
  const seen: string[] = [];
  await using made = await fake(({ method, url, headers }, answer) => {
    seen.push(`${method} ${url} ${headers.authorization}`);
    answer.writeHead(200, { 'content-length': '3', 'last-modified': new Date(0).toUTCString() });
    answer.end();
  });
  equal((await made.bucket.attributes('a b')).size, 3);
  deepEqual(seen, ['HEAD /c/a%20b Bearer for https://storage.azure.com/.default']);
});

test('azure: pages of listings, an empty one among them', async () => {
  const pages = [
    '<Blob><Name>d/a &amp; b</Name></Blob><BlobPrefix><Name>d/c/</Name></BlobPrefix>|one',
    '|two',
    '<Blob><Name>d/e</Name><Properties><Content-Length>7</Content-Length></Properties></Blob>|',
  ];
  const markers: (string | null)[] = [];
  await using made = await fake((request, answer) => {
    const { searchParams } = new URL(`http://host${request.url}`);
    markers.push(searchParams.get('marker'));
    const [blobs, next] = pages[markers.length - 1]?.split('|') ?? [];
    answer.end(
      `\uFEFF<?xml version="1.0" encoding="utf-8"?><EnumerationResults><Blobs>${blobs}</Blobs>` +
        `<NextMarker>${next}</NextMarker></EnumerationResults>`,
    );
  });
  deepEqual(await Array.fromAsync(made.bucket.iterEntries('d')), [
    { name: 'd/a & b' },
    { name: 'd/c/' },
    { name: 'd/e', size: 7 },
  ]);
  deepEqual(markers, [null, 'one', 'two']);
});

test('azure: what configurations say', async () => {
  const f = async (
    fields: string,
    check: string | RegExp | ((config: object) => void),
  ): Promise<void> => {
    const text = `type: AZURE\nconfig: {storage_account: acc, container: c, ${fields}}`;
    const parsed = parseBucketConfig({ text, name: 'o' });
    if (typeof check !== 'function') await rejects(parsed, { message: check });
    else check((await parsed).config);
  };
  await f('az_tenant_id: t, client_id: i, client_secret: s', (config) => {
    const auth = { kind: 'client secret', tenantId: 't', clientId: 'i', clientSecret: 's' };
    deepEqual((config as { auth: object }).auth, auth);
  });
  await f('storage_account_key: a2V5, endpoint: blob.core.chinacloudapi.cn', (config) => {
    const { auth, url } = config as { auth: object; url: string };
    deepEqual(auth, { kind: 'key', account: 'acc', key: 'a2V5' });
    equal(url, 'https://acc.blob.core.chinacloudapi.cn');
  });
  await f(
    'storage_connection_string: "BlobEndpoint=https://h/;SharedAccessSignature=?sv=1&sig=x%3D"',
    (config) => {
      const { auth, url } = config as { auth: object; url: string };
      deepEqual([auth, url], [{ kind: 'sas', query: 'sv=1&sig=x%3D' }, 'https://h']);
    },
  );
  await f(
    'max_retries: 5, pipeline_config: {max_tries: 2, try_timeout: 5s, retry_delay: 1s, max_retry_delay: 2s}',
    (config) => {
      const retries = { triesMax: 3, firstMs: 1000, mostMs: 2000, tryMs: 5000 };
      deepEqual((config as { retries: object }).retries, retries);
    },
  );
  await f('max_retries: 5', (config) => {
    const retries = { triesMax: 6, firstMs: 800, mostMs: 60_000, tryMs: undefined };
    deepEqual((config as { retries: object }).retries, retries);
  });
  await f(
    'client_id: x, user_assigned_id: y',
    'o:2: config: user_assigned_id cannot be set when using client_id authentication, az_tenant_id, client_id, and client_secret must be set together',
  );
  await f(
    'storage_account_key: a, storage_connection_string: b',
    /storage_account_key and storage_connection_string cannot both be set$/,
  );
  await f('storage_connection_string: "AccountName=a;AccountKey=hidden', /^(?!.*hidden)/);
  await f(
    'storage_connection_string: "AccountKey=hidden"',
    /^(?!.*hidden).*expected AccountName or/,
  );
});
