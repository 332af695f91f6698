import { deepEqual, equal, match, ok, rejects } from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { test } from 'node:test';
import { testBucket } from '../../../test/support/bucket-acceptance.ts';
import { StoredObjects } from '../../../test/support/stored-objects.ts';
import { systemClock } from '../../lib/clock.ts';
import { nopLogger } from '../../lib/log.ts';
import { encodeUtf8 } from '../../lib/utf8.ts';
import { type Bucket, isAccessDenied } from '../bucket.ts';
import { openBucket, parseBucketConfig } from '../config.ts';
import { readObject } from '../read-object.ts';

interface Segment {
  readonly path: string;
  readonly etag: string;
  readonly size_bytes: number;
}

/** Swift and Keystone over memory, by their documentation. */
class SwiftServer implements AsyncDisposable {
  /** Bodies of requests for tokens. */
  readonly logins: unknown[] = [];
  readonly containers = new Map([
    ['thanos', new StoredObjects()],
    ['segments1', new StoredObjects()],
  ]);
  /** Segments of static large objects by `container/name`. */
  readonly manifests = new Map<string, readonly Segment[]>();
  #token = 'token1';
  readonly #server = createServer((request, answer) => {
    this.#handle(request, answer).catch(() => answer.destroy());
  });

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  async listen(): Promise<void> {
    await new Promise<void>((resolve) => {
      this.#server.listen(0, '127.0.0.1', resolve);
    });
  }

  /** From now on another token counts. */
  endToken(): void {
    this.#token += '+';
  }

  /** Every object of a container. */
  names(container: string): string[] {
    const all = { prefix: '', delimiter: '', after: '', max: Infinity };
    return (
      this.containers
        .get(container)
        ?.list(all)
        .entries.map(([name]) => name) ?? []
    );
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  async #handle(request: IncomingMessage, answer: ServerResponse): Promise<void> {
    const chunks: Buffer[] = [];
    for await (const chunk of request as AsyncIterable<Buffer>) chunks.push(chunk);
    const body = Buffer.concat(chunks);
    answer.setHeader('x-trans-id', 'TRANS');
    const { pathname, searchParams } = new URL(`http://host${request.url ?? ''}`);
    if (!pathname.startsWith('/v1/AUTH_x/')) {
      this.#logIn(request, pathname, body, answer);
      return;
    }
    if (request.headers['x-auth-token'] !== this.#token) {
      answer.writeHead(401);
      answer.end('<html><h1>Unauthorized</h1></html>');
      return;
    }
    const [, container = '', rest = ''] = /^\/v1\/AUTH_x\/([^/]*)\/?(.*)$/.exec(pathname) ?? [];
    const name = decodeURIComponent(rest);
    const objects = this.containers.get(decodeURIComponent(container));
    if (objects === undefined) {
      answer.writeHead(404);
      answer.end();
    } else if (name === '') this.#list(objects, searchParams, answer);
    else if (request.method === 'PUT') {
      this.#put(objects, { container, name, body, request }, answer);
    } else if (request.method === 'DELETE') {
      this.#delete(objects, `${container}/${name}`, searchParams, answer);
    } else this.#read(objects, `${container}/${name}`, request, answer);
  }

  #logIn(request: IncomingMessage, path: string, body: Buffer, answer: ServerResponse): void {
    const storage = `${this.url}/v1/AUTH_x`;
    const expires = new Date(systemClock.now() + 3600_000).toISOString();
    if (path === '/auth/v1.0') {
      this.logins.push([request.headers['x-auth-user'], request.headers['x-auth-key']]);
      answer.writeHead(200, { 'x-auth-token': this.#token, 'x-storage-url': storage });
      answer.end();
      return;
    }
    const login = JSON.parse(body.toString()) as unknown;
    this.logins.push(login);
    if (JSON.stringify(login).includes('wrong')) {
      answer.writeHead(401);
      answer.end('{"error":{"message":"The request you have made requires authentication."}}');
    } else if (path === '/v2.0/tokens') {
      const endpoints = [
        { region: 'other', publicURL: 'http://127.0.0.1:1/' },
        { region: 'here', publicURL: `${storage}/` },
      ];
      answer.end(
        JSON.stringify({
          access: {
            token: { id: this.#token, expires },
            serviceCatalog: [{ type: 'object-store', endpoints }],
          },
        }),
      );
    } else {
      const endpoints = [
        { interface: 'internal', region: 'here', url: 'http://127.0.0.1:1/' },
        { interface: 'public', region: 'here', url: storage },
      ];
      answer.writeHead(201, { 'x-subject-token': this.#token });
      const catalog = [{ type: 'volume' }, { type: 'object-store', endpoints }];
      answer.end(JSON.stringify({ token: { expires_at: expires, catalog } }));
    }
  }

  #list(objects: StoredObjects, query: URLSearchParams, answer: ServerResponse): void {
    const { entries } = objects.list({
      prefix: query.get('prefix') ?? '',
      delimiter: query.get('delimiter') ?? '',
      after: query.get('marker') ?? '',
      max: Number(query.get('limit') ?? 10_000),
    });
    const list = entries.map(([name, object]) =>
      object === undefined
        ? { subdir: name }
        : {
            name,
            bytes: object.bytes.length,
            last_modified: new Date(object.lastModified).toISOString().replace('Z', '456'),
          },
    );
    answer.end(JSON.stringify(list));
  }

  #put(
    objects: StoredObjects,
    given: {
      readonly container: string;
      readonly name: string;
      readonly body: Buffer;
      readonly request: IncomingMessage;
    },
    answer: ServerResponse,
  ): void {
    const { container, name, body, request } = given;
    const key = `${container}/${name}`;
    this.manifests.delete(key);
    const manifest = request.headers['x-object-manifest'];
    if (request.url?.endsWith('multipart-manifest=put') === true) {
      const segments = JSON.parse(body.toString()) as readonly Segment[];
      for (const { path, etag, size_bytes: size } of segments) {
        const segment = this.#segment(path);
        ok(segment !== undefined && segment.length === size && md5(segment) === etag);
      }
      this.manifests.set(key, segments);
    }
    const headers = manifest === undefined ? {} : { 'x-object-manifest': String(manifest) };
    const { etag } = objects.put(name, body, { headers });
    answer.writeHead(201, { etag });
    answer.end();
  }

  #segment(path: string): Buffer | undefined {
    const [, container = '', name = ''] = /^\/?([^/]*)\/(.*)$/.exec(path) ?? [];
    return this.containers.get(container)?.get(name)?.bytes;
  }

  #delete(
    objects: StoredObjects,
    key: string,
    query: URLSearchParams,
    answer: ServerResponse,
  ): void {
    if (query.get('multipart-manifest') === 'delete') {
      for (const { path } of this.manifests.get(key) ?? []) {
        const [, container = '', name = ''] = /^\/([^/]*)\/(.*)$/.exec(path) ?? [];
        this.containers.get(container)?.delete(name);
      }
    }
    this.manifests.delete(key);
    answer.writeHead(objects.delete(key.slice(key.indexOf('/') + 1)) ? 204 : 404);
    answer.end();
  }

  #read(
    objects: StoredObjects,
    key: string,
    request: IncomingMessage,
    answer: ServerResponse,
  ): void {
    const object = objects.get(key.slice(key.indexOf('/') + 1));
    if (object === undefined) {
      answer.writeHead(404);
      answer.end(request.method === 'HEAD' ? undefined : '<html><h1>Not Found</h1></html>');
      return;
    }
    const segments = this.manifests.get(key);
    const manifest = object.headers['x-object-manifest'];
    const bytes = this.#content(object.bytes, segments, manifest);
    const range = /^bytes=(\d+)-(\d*)$/.exec(request.headers.range ?? '');
    const from = Number(range?.[1] ?? 0);
    if (range !== null && from >= bytes.length) {
      answer.writeHead(416);
      answer.end();
      return;
    }
    const to = range === null || range[2] === '' ? bytes.length : Number(range[2]) + 1;
    const part = bytes.subarray(from, to);
    answer.writeHead(range === null ? 200 : 206, {
      'content-length': part.length,
      'last-modified': new Date(object.lastModified).toUTCString(),
      etag: object.etag,
      ...(segments === undefined ? {} : { 'x-static-large-object': 'True' }),
      ...(manifest === undefined ? {} : { 'x-object-manifest': manifest }),
      ...(range === null
        ? {}
        : { 'content-range': `bytes ${from}-${from + part.length - 1}/${bytes.length}` }),
    });
    answer.end(request.method === 'HEAD' ? undefined : part);
  }

  #content(
    own: Buffer,
    segments: readonly Segment[] | undefined,
    manifest: string | undefined,
  ): Buffer {
    if (segments !== undefined) {
      return Buffer.concat(segments.map(({ path }) => this.#segment(path) ?? Buffer.alloc(0)));
    }
    if (manifest === undefined) return own;
    const [, container = '', prefix = ''] = /^([^/]*)\/(.*)$/.exec(decodeURI(manifest)) ?? [];
    const all = { prefix, delimiter: '', after: '', max: Infinity };
    const found = this.containers.get(container)?.list(all).entries ?? [];
    return Buffer.concat(found.map(([, object]) => object?.bytes ?? Buffer.alloc(0)));
  }
}

function md5(bytes: Buffer): string {
  return createHash('md5').update(bytes).digest('hex');
}

const V3 = {
  username: 'me',
  password: 'secret',
  domain_name: 'Default',
  project_name: 'monitoring',
  region_name: 'here',
};

async function start(
  fields: object = V3,
  path = '/v3',
): Promise<SwiftServer & { readonly bucket: Bucket }> {
  const server = new SwiftServer();
  await server.listen();
  try {
    return Object.assign(server, { bucket: await open(server, fields, path) });
  } catch (thrown) {
    await server[Symbol.asyncDispose]();
    throw thrown;
  }
}

async function open(server: SwiftServer, fields: object, path = '/v3'): Promise<Bucket> {
  const config = { auth_url: server.url + path, container_name: 'thanos', ...fields };
  const text = JSON.stringify({ type: 'SWIFT', config });
  const parsed = await parseBucketConfig({ text, name: 'test' });
  return openBucket(parsed, { log: nopLogger, env: {} });
}

const SMALL = { ...V3, large_object_chunk_size: '5000000' };

testBucket('swift, static large objects', () => start(SMALL));
testBucket('swift, dynamic large objects in a container of their own', () =>
  start({
    ...SMALL,
    use_dynamic_large_objects: 'true',
    large_object_segments_container_name: 'segments1',
  }),
);

test('swift: segments are neither listed nor left behind', async () => {
  for (const dynamic of ['false', 'true']) {
    await using server = await start({ ...SMALL, use_dynamic_large_objects: dynamic });
    const { bucket } = server;
    const body = Uint8Array.from({ length: 12_000_000 }, (_, i) => i * 31);
    await bucket.upload('dir/a', body);
    equal(server.names('thanos').length, 4);
    deepEqual(await Array.fromAsync(bucket.iter('', { recursive: true })), ['dir/a']);
    deepEqual(await Array.fromAsync(bucket.iter('')), ['dir/']);
    equal((await bucket.attributes('dir/a')).size, body.length);
    ok(Buffer.from(await readObject(bucket, 'dir/a')).equals(body));
    const range = { offset: 4_999_999, length: 3 };
    deepEqual(await bucket.getRange('dir/a', range), body.slice(4_999_999, 5_000_002));
    await bucket.delete('dir/a');
    deepEqual(server.names('thanos'), []);
    const own = new Error('own');
    async function* failing(): AsyncGenerator<Uint8Array> {
      yield body;
      throw own;
    }
    await rejects(bucket.upload('b', { stream: failing() }), (thrown) => thrown === own);
    await bucket.close();
    deepEqual(server.names('thanos'), []);
  }
});

test('swift: a token that has ended is renewed', async () => {
  await using server = await start();
  await server.bucket.upload('a', encodeUtf8('x'));
  equal(server.logins.length, 1);
  server.endToken();
  equal(await server.bucket.exists('a'), true);
  equal(server.logins.length, 2);
  await server.bucket.close();
});

test('swift: ways to log in', async () => {
  const f = async (fields: object, path: string, login: unknown): Promise<void> => {
    await using server = await start(fields, path);
    deepEqual(server.logins, [login]);
    equal(await server.bucket.exists('a'), false);
    await server.bucket.close();
  };
  await f({ username: 'acc:me', password: 'key' }, '/auth/v1.0', ['acc:me', 'key']);
  await f({ username: 'me', password: 'secret', project_name: 'p', region_name: 'here' }, '/v2.0', {
    auth: { passwordCredentials: { username: 'me', password: 'secret' }, tenantName: 'p' },
  });
  const domain = { name: 'Default' };
  await f(V3, '/v3/', {
    auth: {
      identity: {
        methods: ['password'],
        password: { user: { name: 'me', domain, password: 'secret' } },
      },
      scope: { project: { name: 'monitoring', domain } },
    },
  });
  await f({ user_id: 'u1', password: 'secret', project_id: 'p1' }, '/v3', {
    auth: {
      identity: { methods: ['password'], password: { user: { id: 'u1', password: 'secret' } } },
      scope: { project: { id: 'p1' } },
    },
  });
  await f({ application_credential_id: 'c1', application_credential_secret: 'secret' }, '/v3', {
    auth: {
      identity: {
        methods: ['application_credential'],
        application_credential: { id: 'c1', secret: 'secret' },
      },
    },
  });
});

test('swift: what is refused when it is opened', async () => {
  await rejects(start({ ...V3, password: 'wrong' }), (thrown) => {
    ok(isAccessDenied(thrown));
    match(
      (thrown as Error).message,
      /^log in: http:\/\/127.0.0.1:\d+\/v3\/auth\/tokens answers 401/,
    );
    ok(!(thrown as Error).message.includes('wrong'));
    return true;
  });
  await rejects(start({ ...V3, container_name: 'none' }), {
    code: 'bad_data',
    message: 'unable to find the expected container none',
  });
  await rejects(start({ ...V3, region_name: 'nowhere' }), /names no place for objects/);
  const f = async (config: object, message: string): Promise<void> => {
    const text = JSON.stringify({ type: 'SWIFT', config });
    await rejects(parseBucketConfig({ text, name: 'o' }), { message });
  };
  await f({}, 'o:1: config.auth_url: expected the URL of the identity service');
  await f(
    { auth_url: 'http://h/v3' },
    'o:1: config.container_name: missing, expected the name of a container',
  );
  await f(
    { auth_url: 'http://h', container_name: 'c', auth_version: '4' },
    'o:1: config.auth_version: expected 1, 2 or 3, is 4',
  );
});
