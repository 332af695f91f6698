import { deepEqual, equal, match, ok, throws } from 'node:assert/strict';
import {
  appendFileSync,
  closeSync,
  openSync,
  readFileSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { systemFiles } from '../../lib/file-layer.ts';
import { Random } from '../../lib/prng.ts';
import { temporaryDirectory } from '../../../test/support/temporary-directory.ts';
import { scanHeadChunkFile } from './head-chunk-reader.ts';
import type { HeadChunkEntry } from './head-chunk-reader.ts';
import { HeadChunkWriter, headChunkSequences } from './head-chunk-writer.ts';
import { PageCache } from './page-cache.ts';

function chunkData(random: Random): Uint8Array {
  const data = new Uint8Array(2 + random.below(900));
  for (let i = 0; i < data.length; i++) data[i] = random.below(256);
  return data;
}

test('head chunks: entries come back with their places, over several files', () => {
  using directory = temporaryDirectory();
  const random = new Random(1);
  const writer = new HeadChunkWriter(directory.path, systemFiles, 100_000);
  const want: { file: number; entry: HeadChunkEntry; data: Uint8Array }[] = [];
  for (let i = 1; i <= 500; i++) {
    const data = chunkData(random);
    const place = writer.add({ ref: i, mint: -i, maxt: i * 1000, encoding: 1, data });
    const count = ((data[0] as number) << 8) | (data[1] as number);
    const { offset, file } = place;
    const { length } = data;
    // ref, times and encoding, then the length: a varint of one byte or two.
    const start = offset - 25 - (length < 128 ? 1 : 2);
    const entry = { ref: i, mint: -i, maxt: i * 1000, encoding: 1, count, start, offset, length };
    want.push({ file, entry, data });
    if (i % 7 === 0) writer.flush();
  }
  writer.close();
  ok(headChunkSequences(directory.path).length > 2);
  for (const file of headChunkSequences(directory.path)) {
    const got: HeadChunkEntry[] = [];
    const scan = scanHeadChunkFile(directory.path, file, (entry) => got.push(entry));
    equal(scan.problem, undefined);
    deepEqual(
      got,
      want.filter((w) => w.file === file).map((w) => w.entry),
    );
  }
  const first = want[0];
  ok(first !== undefined);
  const bytes = readFileSync(join(directory.path, '000001'));
  deepEqual(
    new Uint8Array(bytes.subarray(first.entry.offset, first.entry.offset + first.entry.length)),
    first.data,
  );
});

test('head chunks: a torn end and a preallocated end are told apart', () => {
  using directory = temporaryDirectory();
  const random = new Random(2);
  const writer = new HeadChunkWriter(directory.path, systemFiles);
  for (let i = 0; i < 3; i++) {
    writer.add({ ref: i, mint: 0, maxt: 1, encoding: 1, data: chunkData(random) });
  }
  writer.close();
  const file = join(directory.path, '000001');
  const size = readFileSync(file).length;
  const scan = (): { entries: number; problem: string | undefined; soundEnd: number } => {
    let entries = 0;
    const found = scanHeadChunkFile(directory.path, 1, () => entries++);
    return { entries, problem: found.problem, soundEnd: found.soundEnd };
  };
  appendFileSync(file, new Uint8Array(5000));
  deepEqual(scan(), { entries: 3, problem: undefined, soundEnd: size });
  truncateSync(file, size - 1);
  const torn = scan();
  equal(torn.entries, 2);
  match(torn.problem ?? '', /reaches over the end/);
  const bytes = readFileSync(file);
  bytes[40] = (bytes[40] as number) ^ 1;
  writeFileSync(file, bytes);
  match(scan().problem ?? '', /checksum mismatch/);
});

test('head chunks: no empty file stays between others, which would keep a Prometheus from starting', () => {
  using directory = temporaryDirectory();
  const chunk = { ref: 1, mint: 1, maxt: 2, encoding: 1, data: new Uint8Array(50) };
  let full = false;
  const write = (fd: number, bytes: Uint8Array, offset: number): void => {
    if (full) throw Object.assign(new Error('ENOSPC: write'), { code: 'ENOSPC' });
    systemFiles.write(fd, bytes, offset);
  };
  const sizes = (): number[] =>
    headChunkSequences(directory.path).map(
      (n) => readFileSync(join(directory.path, String(n).padStart(6, '0'))).length,
    );
  const open = (): HeadChunkWriter =>
    new HeadChunkWriter(directory.path, { ...systemFiles, write });
  // Killed between the making of a file and the first write to it.
  writeFileSync(join(directory.path, '000001'), new Uint8Array(8));
  writeFileSync(join(directory.path, '000002'), '');
  const writer = open();
  equal(writer.add(chunk).file, 2);
  writer.flush();
  // Closed while nothing could be written to the newest file.
  full = true;
  writer.close();
  writer.add(chunk);
  throws(() => writer.flush(), { code: 'unavailable' });
  writer.close();
  ok(sizes().every((size) => size > 0));
  full = false;
  const { file } = writer.add(chunk);
  writer.close();
  deepEqual(headChunkSequences(directory.path), [1, 2, file]);
  ok(
    sizes().every((size) => size > 0),
    sizes().join(),
  );
});

test('page cache: reads equal the file whatever the budget, and a grown file is read again', () => {
  using directory = temporaryDirectory();
  const random = new Random(3);
  const content = new Uint8Array(3_000_000);
  for (let i = 0; i < content.length; i++) content[i] = random.below(256);
  const path = join(directory.path, 'data');
  writeFileSync(path, content.subarray(0, 2_500_000));
  const fd = openSync(path, 'r');
  const cache = new PageCache(PageCache.allocate(8 * 65536));
  const files = { descriptor: () => fd };
  const read = (offset: number, length: number): boolean => {
    const into = new Uint8Array(length);
    const complete = cache.read(files, 4, offset, length, into);
    if (complete) deepEqual(into, content.subarray(offset, offset + length));
    return complete;
  };
  for (let i = 0; i < 500; i++) ok(read(random.below(2_300_000), random.below(200_000)));
  ok(read(2_499_990, 10));
  equal(read(2_499_990, 11), false);
  appendFileSync(path, content.subarray(2_500_000));
  ok(read(2_499_990, 11));
  ok(read(2_999_000, 1000));
  equal(read(2_999_001, 1000), false);
  ok(cache.counts.hits > 0 && cache.counts.misses > 0);
  closeSync(fd);
});

test('page cache: a lock that nobody gives back costs the cache, not the reader', () => {
  using directory = temporaryDirectory();
  const random = new Random(4);
  const content = Uint8Array.from({ length: 300_000 }, () => random.below(256));
  const path = join(directory.path, 'data');
  writeFileSync(path, content);
  const fd = openSync(path, 'r');
  const memory = PageCache.allocate(8 * 65536);
  const cache = new PageCache(memory);
  const read = (offset: number, length: number): boolean => {
    const into = new Uint8Array(length);
    const complete = cache.read({ descriptor: () => fd }, 1, offset, length, into);
    if (complete) deepEqual(into, content.subarray(offset, offset + length));
    return complete;
  };
  ok(read(0, 1000));
  // As a worker leaves it that dies while it fills a page: the first word is the lock.
  const lock = new Int32Array(memory, 0, 1);
  lock[0] = 1;
  ok(read(500, 1000));
  ok(read(60_000, 150_000));
  equal(read(299_999, 2), false);
  equal(lock[0], 1);
  closeSync(fd);
});
