import { deepEqual, equal, match, ok, rejects } from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { createServer } from 'node:net';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { testBucket } from '../../test/support/bucket-acceptance.ts';
import { temporaryDirectory } from '../../test/support/temporary-directory.ts';
import { systemClock } from '../lib/clock.ts';
import { compareUtf8, encodeUtf8 } from '../lib/utf8.ts';
import { isAccessDenied, isNotFound } from './bucket.ts';
import { FilesystemBucket } from './filesystem.ts';
import { readObject } from './read-object.ts';

const isRoot = process.getuid?.() === 0 ? 'root may read and write everything' : false;
const UPLOADS = '.thanos-ts-uploads';

testBucket('filesystem', async () => {
  const directory = temporaryDirectory();
  return {
    bucket: new FilesystemBucket(directory.path),
    [Symbol.asyncDispose]: async () => directory[Symbol.dispose](),
  };
});

test('filesystem: an object is a file of its name, and a file is an object', async () => {
  using directory = temporaryDirectory();
  const bucket = new FilesystemBucket(directory.path);
  equal(bucket.name, `fs: ${directory.path}`);
  await bucket.upload('01ABC/chunks/000001', encodeUtf8('chunk'));
  equal(readFileSync(join(directory.path, '01ABC/chunks/000001'), 'utf8'), 'chunk');
  writeFileSync(join(directory.path, '01ABC/index'), 'index');
  deepEqual(await Array.fromAsync(bucket.iter('01ABC')), ['01ABC/chunks/', '01ABC/index']);
  equal(Buffer.from(await readObject(bucket, '01ABC/index')).toString(), 'index');
  utimesSync(join(directory.path, '01ABC/index'), 100, 100);
  equal((await bucket.attributes('01ABC/index')).lastModified, 100_000);
});

test('filesystem: the directory need not exist', async () => {
  using directory = temporaryDirectory();
  const bucket = new FilesystemBucket(join(directory.path, 'a/b'));
  deepEqual(await Array.fromAsync(bucket.iter('')), []);
  await bucket.delete('x');
  await bucket.upload('x', encodeUtf8('x'));
  equal(readFileSync(join(directory.path, 'a/b/x'), 'utf8'), 'x');
});

test('filesystem: a delete leaves no empty directory, and never the root', async () => {
  using directory = temporaryDirectory();
  const bucket = new FilesystemBucket(directory.path);
  await bucket.upload('a/b/c/d', encodeUtf8('x'));
  await bucket.upload('a/e', encodeUtf8('x'));
  await bucket.delete('a/b/c/d');
  deepEqual(readdirSync(join(directory.path, 'a')), ['e']);
  await bucket.delete('a/e');
  deepEqual(readdirSync(directory.path), [UPLOADS]);
  mkdirSync(join(directory.path, 'm/chunks'), { recursive: true });
  deepEqual(await Array.fromAsync(bucket.iter('')), []);
  await bucket.delete('m/chunks/');
  deepEqual(readdirSync(directory.path), [UPLOADS]);
});

test(
  'filesystem: what is neither file nor directory is not there',
  { timeout: 20_000 },
  async (t) => {
    using directory = temporaryDirectory();
    using outside = temporaryDirectory();
    const bucket = new FilesystemBucket(directory.path);
    writeFileSync(join(outside.path, 'target'), 'linked');
    symlinkSync(join(outside.path, 'target'), join(directory.path, 'link'));
    symlinkSync(outside.path, join(directory.path, 'linked-directory'));
    symlinkSync('/nowhere', join(directory.path, 'dangling'));
    execFileSync('mkfifo', [join(directory.path, 'fifo')]);
    deepEqual(await Array.fromAsync(bucket.iter('')), ['link']);
    equal(Buffer.from(await readObject(bucket, 'link')).toString(), 'linked');
    const socket = createServer().listen(join(directory.path, 'socket'));
    await once(socket, 'listening');
    t.after(() => socket.close());
    await rejects(bucket.get('socket'), isNotFound);
    await rejects(bucket.get('fifo'), isNotFound);
    await rejects(bucket.getRange('fifo', { offset: 0, length: 1 }), isNotFound);
    await rejects(bucket.get('dangling'), isNotFound);
    await bucket.delete('link');
    ok(existsSync(join(outside.path, 'target')));
  },
);

test('filesystem: a name cannot be object and directory at once', async () => {
  using directory = temporaryDirectory();
  const bucket = new FilesystemBucket(directory.path);
  await bucket.upload('a/b', encodeUtf8('x'));
  await rejects(bucket.upload('a', encodeUtf8('x')), { code: 'bad_data', message: /"a"/ });
  await rejects(bucket.upload('a/b/c', encodeUtf8('x')), {
    code: 'bad_data',
    message: /"a\/b\/c"/,
  });
  await rejects(bucket.upload('x'.repeat(300), encodeUtf8('x')), { code: 'bad_data' });
  equal(await bucket.exists('x'.repeat(300)), false);
  deepEqual(readdirSync(join(directory.path, UPLOADS)), []);
});

test('filesystem: what is refused by the system', { skip: isRoot }, async () => {
  using directory = temporaryDirectory();
  const bucket = new FilesystemBucket(directory.path);
  await bucket.upload('a/b', encodeUtf8('x'));
  chmodSync(join(directory.path, 'a/b'), 0);
  await rejects(bucket.get('a/b'), isAccessDenied);
  chmodSync(join(directory.path, 'a'), 0);
  await rejects(bucket.upload('a/c', encodeUtf8('x')), isAccessDenied);
  await rejects(bucket.attributes('a/b'), isAccessDenied);
  await rejects(Array.fromAsync(bucket.iter('a')), isAccessDenied);
  chmodSync(join(directory.path, 'a'), 0o755);
});

test('filesystem: uploads under way are no objects, and nobody can name them', async () => {
  using directory = temporaryDirectory();
  const bucket = new FilesystemBucket(directory.path);
  let during: string[] = [];
  async function* body(): AsyncGenerator<Uint8Array> {
    yield encodeUtf8('half');
    during = await Array.fromAsync(bucket.iter('', { recursive: true }));
    equal(readdirSync(join(directory.path, UPLOADS)).length, 1);
    deepEqual(await Array.fromAsync(bucket.iter(UPLOADS)), []);
    yield encodeUtf8('whole');
  }
  await bucket.upload('a/b', { stream: body() });
  deepEqual(during, []);
  equal(Buffer.from(await readObject(bucket, 'a/b')).toString(), 'halfwhole');
  deepEqual(readdirSync(join(directory.path, UPLOADS)), []);
  for (const name of [UPLOADS, `${UPLOADS}/x`]) {
    await rejects(bucket.upload(name, encodeUtf8('x')), { code: 'bad_data', message: /under way/ });
    await rejects(bucket.get(name), { code: 'bad_data' });
    await rejects(bucket.delete(name), { code: 'bad_data' });
  }
});

test('filesystem: what fails or is aborted leaves no file', async () => {
  using directory = temporaryDirectory();
  const bucket = new FilesystemBucket(directory.path);
  const uploads = join(directory.path, UPLOADS);
  const controller = new AbortController();
  async function* broken(): AsyncGenerator<Uint8Array> {
    yield encodeUtf8('half');
    equal(readdirSync(uploads).length, 1);
    throw new Error('own');
  }
  async function* hanging(): AsyncGenerator<Uint8Array> {
    yield encodeUtf8('half');
    controller.abort();
    await new Promise(() => undefined);
  }
  await rejects(bucket.upload('a', { stream: broken() }), /own/);
  deepEqual(readdirSync(uploads), []);
  const { signal } = controller;
  await rejects(bucket.upload('a', { stream: hanging() }, { signal }), { code: 'canceled' });
  deepEqual(readdirSync(uploads), []);
});

test('filesystem: two buckets of one process on one directory', async () => {
  using directory = temporaryDirectory();
  const [first, second] = [directory.path, directory.path].map((d) => new FilesystemBucket(d));
  async function* body(): AsyncGenerator<Uint8Array> {
    yield encodeUtf8('half');
    // Its first upload cleans up behind dead processes.
    await second?.upload('b', encodeUtf8('x'));
    yield encodeUtf8('whole');
  }
  await first?.upload('a', { stream: body() });
  deepEqual(await Array.fromAsync(new FilesystemBucket(directory.path).iter('')), ['a', 'b']);
});

test('filesystem: uploads while deletes take the directories away', async () => {
  using directory = temporaryDirectory();
  const bucket = new FilesystemBucket(directory.path);
  const stop = new AbortController();
  // A delete removes empty directories even when there was no such object.
  const removing = Array.from({ length: 2 }, async () => {
    while (!stop.signal.aborted) await bucket.delete('x/y/z/none');
  });
  try {
    for (let round = 0; round < 100; round++) {
      await bucket.upload('x/y/z/object', encodeUtf8('x'));
      equal(await bucket.exists('x/y/z/object'), true);
      await bucket.delete('x/y/z/object');
    }
  } finally {
    stop.abort();
  }
  await Promise.all(removing);
  deepEqual(readdirSync(directory.path), [UPLOADS]);
});

test('filesystem: kill -9 in an upload leaves no object, and the next process cleans up', async () => {
  using directory = temporaryDirectory();
  const script = fileURLToPath(new URL('../../test/support/hanging-upload.ts', import.meta.url));
  const child = spawn(process.execPath, [script, directory.path], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const exited = once(child, 'exit');
  const [said] = (await once(child.stdout, 'data')) as [Buffer];
  equal(said.toString(), 'half\n');
  const left = readdirSync(join(directory.path, UPLOADS));
  equal(left.length, 1);
  equal(statSync(join(directory.path, UPLOADS, left[0] ?? '')).size, 100_000);
  const bucket = new FilesystemBucket(directory.path);
  await bucket.upload('other', encodeUtf8('x'));
  deepEqual(readdirSync(join(directory.path, UPLOADS)), left, 'it is alive still');
  child.kill('SIGKILL');
  await exited;
  deepEqual(await Array.fromAsync(bucket.iter('', { recursive: true })), ['other']);
  await new FilesystemBucket(directory.path).upload('next', encodeUtf8('x'));
  deepEqual(readdirSync(join(directory.path, UPLOADS)), []);
  deepEqual(await Array.fromAsync(bucket.iter('', { recursive: true })), ['next', 'other']);
});

test('filesystem: which leftovers are removed', async () => {
  using directory = temporaryDirectory();
  mkdirSync(join(directory.path, UPLOADS));
  const put = (name: string, ageHours: number): void => {
    const file = join(directory.path, UPLOADS, name);
    writeFileSync(file, 'left');
    const seconds = systemClock.now() / 1000 - ageHours * 3600;
    utimesSync(file, seconds, seconds);
  };
  const here = hostname();
  put(`${process.pid}.earlier-life.1.${here}`, 0);
  put(`${process.ppid}.living.1.${here}`, 1);
  put(`${process.ppid}.living.2.${here}`, 25);
  put('1.elsewhere.1.other.host', 23);
  put('1.elsewhere.2.other.host', 25);
  put('foreign', 1);
  await new FilesystemBucket(directory.path).upload('x', encodeUtf8('x'));
  const left = readdirSync(join(directory.path, UPLOADS));
  deepEqual(
    left.toSorted(compareUtf8),
    ['1.elsewhere.1.other.host', `${process.ppid}.living.1.${here}`, 'foreign'].toSorted(
      compareUtf8,
    ),
  );
});

test('filesystem: objects are readable by whom the process’ umask lets', async () => {
  using directory = temporaryDirectory();
  using source = temporaryDirectory();
  const file = join(source.path, 'private');
  writeFileSync(file, 'x', { mode: 0o400 });
  const bucket = new FilesystemBucket(directory.path);
  await bucket.upload('a', { file });
  const mode = (statSync(join(directory.path, 'a')).mode & 0o777).toString(8);
  match(mode, /^6[0-6][0-6]$/);
  writeFileSync(join(directory.path, 'b'), 'x');
  equal(mode, (statSync(join(directory.path, 'b')).mode & 0o777).toString(8));
});
