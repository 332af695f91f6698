import { deepEqual, equal, match, ok, rejects } from 'node:assert/strict';
import { createHash, createPublicKey, createVerify, generateKeyPairSync } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { test } from 'node:test';
import { testBucket } from '../../../test/support/bucket-acceptance.ts';
import { StoredObjects } from '../../../test/support/stored-objects.ts';
import { temporaryDirectory } from '../../../test/support/temporary-directory.ts';
import { systemClock } from '../../lib/clock.ts';
import { nopLogger } from '../../lib/log.ts';
import { encodeUtf8 } from '../../lib/utf8.ts';
import { type Bucket, isAccessDenied } from '../bucket.ts';
import { parseBucketConfig } from '../config.ts';
import { openOci } from './open-oci.ts';

const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
const PEM = privateKey.export({ type: 'pkcs8', format: 'pem' });

/** Oracle's store over memory, by its documentation. It checks every signature. */
class OracleServer implements AsyncDisposable {
  readonly refused: string[] = [];
  readonly seen: string[] = [];
  readonly uploads = new Map<
    string,
    { readonly name: string; readonly parts: Map<number, Buffer> }
  >();
  readonly #objects = new StoredObjects();
  readonly #server = createServer((request, answer) => {
    this.#handle(request, answer).catch(() => answer.destroy());
  });

  async listen(): Promise<string> {
    await new Promise<void>((resolve) => {
      this.#server.listen(0, '127.0.0.1', resolve);
    });
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  async #handle(request: IncomingMessage, answer: ServerResponse): Promise<void> {
    const chunks: Buffer[] = [];
    for await (const chunk of request as AsyncIterable<Buffer>) chunks.push(chunk);
    const body = Buffer.concat(chunks);
    const { method = '', url = '' } = request;
    this.seen.push(`${method} ${url}`);
    const problem = signatureProblem(request, body);
    if (problem !== undefined) {
      this.refused.push(`${method} ${url}: ${problem}`);
      send(answer, 401, { code: 'NotAuthenticated', message: 'The signature is another one.' });
      return;
    }
    if (url === '/n/') {
      answer.end('"space1"');
      return;
    }
    const { pathname, searchParams } = new URL(`http://host${url}`);
    const found = /^\/n\/space1\/b\/thanos\/([ou])(?:\/(.*))?$/.exec(pathname);
    const name = decodeURIComponent(found?.[2] ?? '');
    if (found === null) send(answer, 404, { code: 'BucketNotFound', message: 'No bucket.' });
    else if (found[1] === 'u') this.#upload({ method, name, query: searchParams, body }, answer);
    else if (name === '') this.#list(searchParams, answer);
    else if (method === 'PUT') {
      this.#objects.put(name, body);
      answer.end();
    } else if (method === 'DELETE') {
      const was = this.#objects.delete(name);
      if (was) send(answer, 204, undefined);
      else send(answer, 404, { code: 'ObjectNotFound', message: 'No object.' });
    } else this.#read(request, name, answer);
  }

  #list(query: URLSearchParams, answer: ServerResponse): void {
    const start = query.get('start') ?? '';
    const all = this.#objects.list({
      prefix: query.get('prefix') ?? '',
      delimiter: query.get('delimiter') ?? '',
      after: '',
      max: Infinity,
    });
    const from = all.entries.findIndex(([name]) => name === start);
    const entries = all.entries.slice(Math.max(0, from));
    const page = entries.slice(0, 3);
    send(answer, 200, {
      objects: page.flatMap(([name, object]) =>
        object === undefined
          ? []
          : [
              {
                name,
                size: object.bytes.length,
                timeModified: new Date(object.lastModified).toISOString(),
              },
            ],
      ),
      prefixes: page.flatMap(([name, object]) => (object === undefined ? [name] : [])),
      nextStartWith: entries[3]?.[0],
    });
  }

  #upload(
    given: {
      readonly method: string;
      readonly name: string;
      readonly query: URLSearchParams;
      readonly body: Buffer;
    },
    answer: ServerResponse,
  ): void {
    const { method, name, query, body } = given;
    const id = query.get('uploadId') ?? '';
    const upload = this.uploads.get(id);
    if (method === 'POST' && name === '') {
      const { object } = JSON.parse(body.toString()) as { object: string };
      const uploadId = `id${this.uploads.size}`;
      this.uploads.set(uploadId, { name: object, parts: new Map() });
      send(answer, 200, { uploadId });
    } else if (upload === undefined || upload.name !== name) {
      send(answer, 404, { code: 'NoSuchUpload', message: 'No upload.' });
    } else if (method === 'PUT') {
      const number = Number(query.get('uploadPartNum'));
      upload.parts.set(number, body);
      answer.writeHead(200, { etag: `etag${number}` });
      answer.end();
    } else {
      this.uploads.delete(id);
      if (method === 'POST') {
        const { partsToCommit } = JSON.parse(body.toString()) as {
          partsToCommit: readonly { partNum: number; etag: string }[];
        };
        ok(partsToCommit.every(({ partNum, etag }) => etag === `etag${partNum}`));
        const parts = partsToCommit.map(
          ({ partNum }) => upload.parts.get(partNum) ?? Buffer.alloc(0),
        );
        this.#objects.put(name, Buffer.concat(parts));
      }
      answer.end();
    }
  }

  #read(request: IncomingMessage, name: string, answer: ServerResponse): void {
    const object = this.#objects.get(name);
    if (object === undefined) {
      const error = { code: 'ObjectNotFound', message: 'No object.' };
      send(answer, 404, request.method === 'HEAD' ? undefined : error);
      return;
    }
    const range = /^bytes=(\d+)-(\d*)$/.exec(request.headers.range ?? '');
    const from = Number(range?.[1] ?? 0);
    if (range !== null && from >= object.bytes.length) {
      send(answer, 416, { code: 'InvalidRange', message: 'No range.' });
      return;
    }
    const to = range === null || range[2] === '' ? object.bytes.length : Number(range[2]) + 1;
    const part = object.bytes.subarray(from, to);
    answer.writeHead(range === null ? 200 : 206, {
      'content-length': part.length,
      'last-modified': new Date(object.lastModified).toUTCString(),
      etag: object.etag,
      ...(range === null
        ? {}
        : { 'content-range': `bytes ${from}-${from + part.length - 1}/${object.bytes.length}` }),
    });
    answer.end(request.method === 'HEAD' ? undefined : part);
  }
}

function send(answer: ServerResponse, status: number, body: object | undefined): void {
  answer.writeHead(status, { 'content-type': 'application/json', 'opc-request-id': 'REQUEST' });
  answer.end(body === undefined ? undefined : JSON.stringify(body));
}

/** "Request Signatures": which headers must be signed, and how. */
function signatureProblem(request: IncomingMessage, body: Buffer): string | undefined {
  const { method = '', url = '', headers } = request;
  const fields = new Map(
    [...(headers.authorization ?? '').matchAll(/(\w+)="([^"]*)"/g)].map((m) => [m[1], m[2]]),
  );
  const names = fields.get('headers')?.split(' ') ?? [];
  const wanted = ['date', '(request-target)', 'host'];
  if (method === 'POST') wanted.push('content-length', 'content-type', 'x-content-sha256');
  for (const name of wanted) if (!names.includes(name)) return `${name} is not signed`;
  const lines = names.map((name) =>
    name === '(request-target)'
      ? `(request-target): ${method.toLowerCase()} ${url}`
      : `${name}: ${String(headers[name])}`,
  );
  if (Math.abs(Date.parse(headers.date ?? '') - systemClock.now()) > 300_000) return 'out of time';
  if (fields.get('keyId') !== 'tenancy1/user1/aa:bb' || fields.get('version') !== '1') return 'key';
  const isSigned = createVerify('RSA-SHA256')
    .update(lines.join('\n'))
    .verify(createPublicKey(privateKey), fields.get('signature') ?? '', 'base64');
  if (!isSigned) return 'signature';
  if (method !== 'POST') return undefined;
  const hash = createHash('sha256').update(body).digest('base64');
  return headers['x-content-sha256'] === hash ? undefined : 'content';
}

async function open(origin: string, fields: object = {}, env = {}): Promise<Bucket> {
  const config = {
    provider: 'raw',
    bucket: 'thanos',
    tenancy_ocid: 'tenancy1',
    user_ocid: 'user1',
    region: 'eu-frankfurt-1',
    fingerprint: 'aa:bb',
    privatekey: PEM,
    ...fields,
  };
  const parsed = await parseBucketConfig({
    text: JSON.stringify({ type: 'OCI', config }),
    name: 'test',
  });
  ok(parsed.type === 'OCI');
  return openOci(parsed.config, { clock: systemClock, log: nopLogger, env, origin });
}

testBucket('oci', async () => {
  const server = new OracleServer();
  const origin = await server.listen();
  return {
    bucket: await open(origin, { part_size: '5000000' }),
    [Symbol.asyncDispose]: async () => {
      await server[Symbol.asyncDispose]();
      deepEqual(server.refused, []);
      equal(server.uploads.size, 0);
    },
  };
});

test('oci: another key is refused when the bucket is opened', async () => {
  await using server = new OracleServer();
  const origin = await server.listen();
  const other = generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey;
  const pem = other.export({ type: 'pkcs8', format: 'pem' });
  await rejects(open(origin, { privatekey: pem }), (thrown) => {
    ok(isAccessDenied(thrown));
    match(
      (thrown as Error).message,
      /^ask for the namespace, bucket thanos: .*401 NotAuthenticated/,
    );
    return true;
  });
  equal(server.refused.length, 1);
  await rejects(open(origin, { privatekey: 'hidden' }), (thrown) => {
    match((thrown as Error).message, /^the key in privatekey cannot be read/);
    ok(!(thrown as Error).message.includes('hidden'));
    return true;
  });
});

test('oci: a key with a passphrase, and the file of Oracle’s tools', async () => {
  await using server = new OracleServer();
  const origin = await server.listen();
  const encrypted = privateKey.export({
    type: 'pkcs8',
    format: 'pem',
    cipher: 'aes-256-cbc',
    passphrase: 'word',
  });
  const bucket = await open(origin, { privatekey: encrypted, passphrase: 'word' });
  await bucket.upload('a', encodeUtf8('x'));
  await bucket.close();
  using directory = temporaryDirectory();
  const [file, keyFile] = [join(directory.path, 'config'), join(directory.path, 'key.pem')];
  writeFileSync(keyFile, PEM);
  writeFileSync(
    file,
    `[OTHER]\nuser=no\n[DEFAULT]\nuser=user1\nfingerprint = aa:bb\ntenancy=tenancy1\n` +
      `region=eu-frankfurt-1\n# comment\nkey_file=${keyFile}\n`,
  );
  const other = await open(origin, { provider: 'default' }, { OCI_CONFIG_FILE: file });
  equal(await other.exists('a'), true);
  await other.close();
});

test('oci: what configurations say', async () => {
  const f = async (config: object, message: string): Promise<void> => {
    const text = JSON.stringify({ type: 'OCI', config });
    await rejects(parseBucketConfig({ text, name: 'o' }), { message });
  };
  await f(
    { provider: 'raw', bucket: 'b', tenancy_ocid: 't' },
    'o:1: config: no OCI user ocid specified, no OCI region specified, no OCI fingerprint specified, no OCI privatekey specified',
  );
  await f(
    { provider: 'x', bucket: 'b' },
    'o:1: config.provider: unsupported OCI provider: x, expected default, instance-principal, raw or oke-workload-identity',
  );
  await rejects(open('http://127.0.0.1:1', { provider: 'instance-principal' }), {
    code: 'unavailable',
    message:
      'the OCI provider instance-principal needs the package oci-common, which is not installed: npm install oci-common',
  });
  await rejects(open('http://127.0.0.1:1', { provider: 'oke-workload-identity' }), {
    code: 'not_implemented',
  });
});
