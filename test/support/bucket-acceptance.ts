/**
 * What every bucket must do: implementations and wrappers call {@link testBucket} from a test file of their own.
 * Covers what objstore's own suite (testing.go, AcceptanceTest) asks for, and the contracts of src/objstore/bucket.ts.
 */
import { deepEqual, equal, ok, rejects } from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import type { CodedError } from '../../src/lib/errors.ts';
import { Random } from '../../src/lib/prng.ts';
import { compareUtf8, encodeUtf8 } from '../../src/lib/utf8.ts';
import { isNotFound } from '../../src/objstore/bucket.ts';
import type { Bucket, IterOptions } from '../../src/objstore/bucket.ts';
import { readObject } from '../../src/objstore/read-object.ts';
import { temporaryDirectory } from './temporary-directory.ts';

/** An empty bucket, and what removes it. */
export type BucketUnderTest = { readonly bucket: Bucket } & AsyncDisposable;

type Check = (bucket: Bucket) => Promise<void>;

/**
 * Registers the suite. `make` gives a new empty bucket each time. `faultsOfServer` names checks that the server behind the
 * bucket does not survive, each with the reason.
 */
export function testBucket(
  title: string,
  make: () => Promise<BucketUnderTest>,
  faultsOfServer: Readonly<Record<string, string>> = {},
): void {
  for (const [name, check] of Object.entries(CHECKS)) {
    if (name in faultsOfServer) continue;
    test(`${title}: ${name}`, async () => {
      await using made = await make();
      await check(made.bucket);
      await made.bucket.close();
    });
  }
}

const CHECKS: Readonly<Record<string, Check>> = {
  'what is not there': checkAbsent,
  'names that are none': checkNames,
  'write and read': checkReadWrite,
  ranges: checkRanges,
  listings: checkListings,
  'order of listings': checkOrder,
  'kinds of bodies': checkBodies,
  'an upload that fails leaves the old object': checkFailedUploads,
  'an aborted operation': checkAborts,
  'an abort while a body keeps us waiting': checkAbortedWait,
  'uploads of one name at once': checkRacingUploads,
  'uploads and deletes of neighbours at once': checkRacingDeletes,
  deletes: checkDeletes,
  'streams that are given up': checkGivenUp,
  'a large object': checkLarge,
};

async function checkAbsent(bucket: Bucket): Promise<void> {
  await rejects(bucket.get('id1/obj_1.some'), isNotFound);
  await rejects(bucket.getRange('id1/obj_1.some', { offset: 0, length: 1 }), isNotFound);
  await rejects(bucket.attributes('id1/obj_1.some'), isNotFound);
  equal(await bucket.exists('id1/obj_1.some'), false);
  deepEqual(await list(bucket, ''), []);
  deepEqual(await list(bucket, 'id1'), []);
  deepEqual(await list(bucket, 'id1/', { recursive: true }), []);
  await bucket.upload('file', text('x'));
  await rejects(bucket.get('file/below'), isNotFound);
  equal(await bucket.exists('file/below'), false);
  deepEqual(await list(bucket, 'file'), []);
}

async function checkNames(bucket: Bucket): Promise<void> {
  const bad = [
    '',
    '/',
    '/a',
    'a//b',
    '.',
    '..',
    '../a',
    'a/../b',
    'a/./b',
    'a\0b',
    'x'.repeat(1025),
  ];
  for (const name of [...bad, 'a/', '\ud800']) {
    const refused = isBadName;
    await rejects(bucket.get(name), refused, name);
    await rejects(bucket.getRange(name, { offset: 0, length: 1 }), refused, name);
    await rejects(bucket.exists(name), refused, name);
    await rejects(bucket.attributes(name), refused, name);
    await rejects(bucket.upload(name, text('x')), refused, name);
  }
  for (const name of bad) {
    await rejects(bucket.delete(name), isBadName, name);
    if (name !== '') await rejects(list(bucket, name), isBadName, name);
  }
  deepEqual(await list(bucket, '', { recursive: true }), []);
}

async function checkReadWrite(bucket: Bucket): Promise<void> {
  for (const name of ['top', 'id1/obj_1.some', 'id1/sub/ü 😀 ～\n"\\%2f', '...', 'a.b/..c']) {
    await bucket.upload(name, text('@test-data@'));
    equal(await read(bucket, name), '@test-data@');
    equal(await bucket.exists(name), true);
    const { size, lastModified } = await bucket.attributes(name);
    equal(size, 11);
    ok(Number.isInteger(lastModified) && lastModified >= 0);
    await using stream = await bucket.get(name);
    equal(stream.size, 11);
  }
  await bucket.upload('top', text('shorter'));
  equal(await read(bucket, 'top'), 'shorter');
  equal((await bucket.attributes('top')).size, 7);
  await bucket.upload('empty', text(''));
  equal(await read(bucket, 'empty'), '');
  equal((await bucket.attributes('empty')).size, 0);
  equal(await bucket.exists('id1'), false);
  await rejects(bucket.get('id1'), isNotFound);
  await rejects(bucket.attributes('id1/sub'), isNotFound);
}

async function checkRanges(bucket: Bucket): Promise<void> {
  await bucket.upload('id1/obj_1.some', text('@test-data@'));
  const f = async (offset: number, length: number, want: string): Promise<void> => {
    const bytes = await bucket.getRange('id1/obj_1.some', { offset, length });
    equal(Buffer.from(bytes).toString(), want, `${offset}, ${length}`);
  };
  await f(1, 3, 'tes');
  await f(0, 11, '@test-data@');
  await f(3, 9999, 'st-data@');
  await f(0, 0, '');
  await f(10, 1, '@');
  await f(11, 1, '');
  await f(124141, 3, '');
  for (const range of [
    { offset: -1, length: 1 },
    { offset: 0, length: -1 },
    { offset: 0.5, length: 1 },
    { offset: 0, length: NaN },
  ]) {
    await rejects(bucket.getRange('id1/obj_1.some', range), /range/);
  }
  // The bytes are the caller's: changing them changes nothing.
  const bytes = await bucket.getRange('id1/obj_1.some', { offset: 0, length: 11 });
  bytes.fill(0);
  equal(await read(bucket, 'id1/obj_1.some'), '@test-data@');
}

async function checkListings(bucket: Bucket): Promise<void> {
  const all = [
    'id1/obj_1.some',
    'id1/obj_2.some',
    'id1/obj_3.some',
    'id1/sub/subobj_1.some',
    'id1/sub/subobj_2.some',
    'id2/obj_4.some',
    'obj_5.some',
  ];
  for (const name of all) await bucket.upload(name, text(name));
  deepEqual(await list(bucket, ''), ['id1/', 'id2/', 'obj_5.some']);
  deepEqual(await list(bucket, '', { recursive: true }), all);
  const below = ['id1/obj_1.some', 'id1/obj_2.some', 'id1/obj_3.some', 'id1/sub/'];
  deepEqual(await list(bucket, 'id1'), below);
  deepEqual(await list(bucket, 'id1/'), below);
  deepEqual(await list(bucket, 'id1', { recursive: true }), all.slice(0, 5));
  deepEqual(await list(bucket, 'id1/sub/'), all.slice(3, 5));
  deepEqual(await list(bucket, 'id'), []);
  deepEqual(await list(bucket, 'id0'), []);
  for await (const entry of bucket.iterEntries('id1')) {
    if (entry.name === 'id1/sub/') deepEqual(entry, { name: 'id1/sub/' });
    else if (entry.size !== undefined) equal(entry.size, entry.name.length);
  }
  await bucket.delete('id1/obj_2.some');
  deepEqual(await list(bucket, 'id1'), ['id1/obj_1.some', 'id1/obj_3.some', 'id1/sub/']);
  await bucket.delete('id2/obj_4.some');
  deepEqual(await list(bucket, ''), ['id1/', 'obj_5.some']);
  await bucket.delete('id1/sub/subobj_1.some');
  await bucket.delete('id1/sub/subobj_2.some');
  deepEqual(await list(bucket, 'id1'), ['id1/obj_1.some', 'id1/obj_3.some']);
}

/** '/' sorts behind '-' and '.', and UTF-8 differs from what JavaScript compares. */
async function checkOrder(bucket: Bucket): Promise<void> {
  const names = ['a/x', 'a-b', 'a.b', 'a0', 'A', 'a/x-y', 'b/～', 'b/😀', 'b/c/d', 'b/c-d', 'ü'];
  const random = new Random(7);
  random.shuffle(names);
  for (const name of names) await bucket.upload(name, text('x'));
  deepEqual(await list(bucket, '', { recursive: true }), names.toSorted(compareUtf8));
  deepEqual(await list(bucket, ''), ['A', 'a-b', 'a.b', 'a/', 'a0', 'b/', 'ü']);
  deepEqual(await list(bucket, 'b'), ['b/c-d', 'b/c/', 'b/～', 'b/😀']);
}

async function checkBodies(bucket: Bucket): Promise<void> {
  const content = new Random(1);
  const bytes = Uint8Array.from({ length: 700_000 }, () => content.below(256));
  await bucket.upload('bytes', bytes);
  await bucket.upload('stream', { stream: pieces(bytes) });
  await bucket.upload('sized', { stream: pieces(bytes), size: bytes.length });
  await bucket.upload('none', { stream: pieces(new Uint8Array()), size: 0 });
  using directory = temporaryDirectory();
  const file = join(directory.path, 'local');
  writeFileSync(file, bytes);
  await bucket.upload('file', { file }, { contentType: 'application/octet-stream' });
  for (const name of ['bytes', 'stream', 'sized', 'file']) {
    ok(Buffer.from(await readObject(bucket, name)).equals(bytes), name);
  }
  equal(await read(bucket, 'none'), '');
}

async function checkFailedUploads(bucket: Bucket): Promise<void> {
  await bucket.upload('dir/old', text('old'));
  const own = new Error('own');
  let ended = 0;
  async function* failing(): AsyncGenerator<Uint8Array> {
    try {
      yield text('half');
      throw own;
    } finally {
      ended++;
    }
  }
  const missing = { file: '/nowhere/at/all' };
  for (const name of ['dir/old', 'dir/new', 'other/new']) {
    await rejects(bucket.upload(name, { stream: failing() }), (thrown) => thrown === own);
    await rejects(
      bucket.upload(name, { stream: pieces(text('abc')), size: 4 }),
      /3 of the 4 bytes/,
    );
    await rejects(
      bucket.upload(name, { stream: pieces(text('abc')), size: 2 }),
      /more than the 2 b/,
    );
    await rejects(bucket.upload(name, missing), { code: 'unavailable', message: /\/nowhere/ });
  }
  equal(ended, 3);
  equal(await read(bucket, 'dir/old'), 'old');
  deepEqual(await list(bucket, '', { recursive: true }), ['dir/old']);
  deepEqual(await list(bucket, ''), ['dir/']);
}

async function checkAborts(bucket: Bucket): Promise<void> {
  await bucket.upload('a', text('x'));
  const signal = AbortSignal.abort();
  const canceled = { code: 'canceled' };
  await rejects(bucket.get('a', { signal }), canceled);
  await rejects(bucket.getRange('a', { offset: 0, length: 1 }, { signal }), canceled);
  await rejects(bucket.exists('a', { signal }), canceled);
  await rejects(bucket.attributes('a', { signal }), canceled);
  await rejects(bucket.upload('b', text('x'), { signal }), canceled);
  await rejects(bucket.delete('a', { signal }), canceled);
  await rejects(list(bucket, '', { signal }), canceled);
  deepEqual(await list(bucket, ''), ['a']);
  const controller = new AbortController();
  await bucket.upload('long', new Uint8Array(2_000_000));
  await using stream = await bucket.get('long', { signal: controller.signal });
  await rejects(async () => {
    for await (const chunk of stream) {
      ok(chunk.length < 2_000_000);
      controller.abort();
    }
  }, canceled);
}

async function checkAbortedWait(bucket: Bucket): Promise<void> {
  const controller = new AbortController();
  async function* hanging(): AsyncGenerator<Uint8Array> {
    yield text('first');
    controller.abort();
    await new Promise(() => undefined);
  }
  const upload = bucket.upload('dir/a', { stream: hanging() }, { signal: controller.signal });
  await rejects(upload, { code: 'canceled' });
  deepEqual(await list(bucket, '', { recursive: true }), []);
}

async function checkRacingUploads(bucket: Bucket): Promise<void> {
  const contents = Array.from({ length: 8 }, (_, i) => new Uint8Array(300_000 + i).fill(i));
  await Promise.all(contents.map((bytes) => bucket.upload('dir/one', bytes)));
  const got = Buffer.from(await readObject(bucket, 'dir/one'));
  ok(contents.some((bytes) => got.equals(bytes)));
  deepEqual(await list(bucket, '', { recursive: true }), ['dir/one']);
}

/** A delete of the last object in a directory must not take the ground from under an upload. */
async function checkRacingDeletes(bucket: Bucket): Promise<void> {
  for (let round = 0; round < 20; round++) {
    await bucket.upload('x/y/old', text('x'));
    await Promise.all([
      bucket.delete('x/y/old'),
      bucket.upload('x/y/new', text('new')),
      bucket.upload('x/new', text('new')),
    ]);
    deepEqual(await list(bucket, 'x', { recursive: true }), ['x/new', 'x/y/new']);
    await Promise.all([bucket.delete('x/y/new'), bucket.delete('x/new')]);
    deepEqual(await list(bucket, ''), []);
  }
}

async function checkDeletes(bucket: Bucket): Promise<void> {
  await bucket.upload('a/b/c', text('x'));
  await bucket.upload('a/b/d', text('x'));
  await bucket.delete('a/b/none');
  await bucket.delete('none/at/all');
  await bucket.delete('a');
  await bucket.delete('a/b');
  await bucket.delete('a/b/');
  await bucket.delete('none/');
  deepEqual(await list(bucket, '', { recursive: true }), ['a/b/c', 'a/b/d']);
  await bucket.delete('a/b/c');
  await bucket.delete('a/b/c');
  await bucket.delete('a/b/d');
  deepEqual(await list(bucket, ''), []);
  await bucket.upload('a', text('now an object'));
  equal(await read(bucket, 'a'), 'now an object');
}

async function checkGivenUp(bucket: Bucket): Promise<void> {
  await bucket.upload('a', new Uint8Array(1_000_000).fill(7));
  const unread = await bucket.get('a');
  await unread[Symbol.asyncDispose]();
  await unread[Symbol.asyncDispose]();
  const begun = await bucket.get('a');
  for await (const chunk of begun) {
    ok(chunk.every((byte) => byte === 7));
    break;
  }
  await begun[Symbol.asyncDispose]();
  // Replaced while it is read: the old content, or an error.
  await using old = await bucket.get('a');
  await bucket.upload('a', new Uint8Array(500_000).fill(8));
  let bytes = 0;
  try {
    for await (const chunk of old) {
      ok(chunk.every((byte) => byte === 7));
      bytes += chunk.length;
    }
    equal(bytes, 1_000_000);
  } catch (thrown) {
    equal((thrown as CodedError).code, 'unavailable');
  }
}

async function checkLarge(bucket: Bucket): Promise<void> {
  const [size, chunk] = [64 * 1024 * 1024, new Uint8Array(1024 * 1024)];
  async function* chunks(): AsyncGenerator<Uint8Array> {
    // One buffer for all of them, as the contract allows.
    for (let i = 0; i < size / chunk.length; i++) yield chunk.fill(i);
  }
  await bucket.upload('large', { stream: chunks(), size });
  let at = 0;
  await using stream = await bucket.get('large');
  for await (const piece of stream) {
    equal(piece[0], Math.floor(at / chunk.length), `byte ${at}`);
    at += piece.length;
  }
  equal(at, size);
  const range = { offset: 5 * chunk.length - 1, length: 2 };
  deepEqual([...(await bucket.getRange('large', range))], [4, 5]);
}

function isBadName(thrown: unknown): boolean {
  const { code, message } = thrown as CodedError;
  return code === 'bad_data' && message.includes('object name') && !isNotFound(thrown);
}

async function* pieces(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += 100_000) yield bytes.slice(at, at + 100_000);
}

async function list(bucket: Bucket, directory: string, options?: IterOptions): Promise<string[]> {
  const names = await Array.fromAsync(bucket.iter(directory, options));
  const entries = await Array.fromAsync(bucket.iterEntries(directory, options));
  deepEqual(
    entries.map(({ name }) => name),
    names,
  );
  return names;
}

async function read(bucket: Bucket, name: string): Promise<string> {
  return Buffer.from(await readObject(bucket, name)).toString();
}

function text(content: string): Uint8Array {
  return encodeUtf8(content);
}
