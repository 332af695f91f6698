import { deepEqual, equal, ok, rejects } from 'node:assert/strict';
import { existsSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { crc32c } from '@node-rs/crc32';
import { CodedError, CorruptionError } from '../../lib/errors.ts';
import { Labels } from '../../model/labels.ts';
import type { Bucket } from '../../objstore/bucket.ts';
import { MemoryBucket } from '../../objstore/memory.ts';
import { buildBlock } from '../../../test/support/block-builder.ts';
import { FaultyBucket } from '../../../test/support/faulty-bucket.ts';
import { encodeIndexV1 } from '../../../test/support/index-v1.ts';
import { RangesBucket } from '../../../test/support/stored-block.ts';
import { temporaryDirectory } from '../../../test/support/temporary-directory.ts';
import { buildHeader, writeHeader } from './build.ts';

const ULID = '01M7YF2Z91SGB2KEBY4MJJ0436';
const OBJECT = `${ULID}/index`;

/** The index of a block whose series have values of so many bytes. */
function indexOf(series: number, valueBytes: number): Buffer {
  using directory = temporaryDirectory();
  const block = buildBlock(
    directory.path,
    Array.from({ length: series }, (_, i) => ({
      labels: { __name__: 'm', v: `${String(i).padStart(6, '0')}${'x'.repeat(valueBytes)}` },
      chunks: [[[i, 1]]],
    })),
  );
  return readFileSync(join(block.directory, 'index'));
}

function indexV1(): Buffer {
  return encodeIndexV1(
    ['x', 'y', 'z'].map((a, i) => ({
      labels: Labels.fromObject({ __name__: 'm', a }),
      chunks: [{ mint: i, maxt: i + 1, ref: 8 }],
    })),
  );
}

async function bucketOf(index: Uint8Array): Promise<RangesBucket> {
  const bucket = new MemoryBucket();
  await bucket.upload(OBJECT, index);
  return new RangesBucket(bucket);
}

/** The header by docs/format/index-header.md, from the whole index. */
function plainHeader(index: Buffer): Buffer {
  const toc = index.subarray(-52);
  const [symbols, series, table] = [0, 8, 40].map((at) => Number(toc.readBigUInt64BE(at)));
  const start = Buffer.from('baaad79201000000000000000000', 'hex');
  start[5] = index[4] as number;
  start.writeBigUInt64BE(BigInt(table as number), 6);
  const end = Buffer.alloc(20);
  end.writeBigUInt64BE(14n, 0);
  end.writeBigUInt64BE(BigInt(14 + (series as number) - (symbols as number)), 8);
  end.writeUInt32BE(crc32c(end.subarray(0, 16)), 16);
  return Buffer.concat([start, index.subarray(symbols, series), index.subarray(table), end]);
}

test('a header by few requests', async (t) => {
  const f = (name: string, index: Buffer, rounds: readonly number[]): Promise<void> =>
    t.test(name, async () => {
      for (const indexBytes of [undefined, index.length]) {
        const bucket = await bucketOf(index);
        const header = await buildHeader({ bucket, ulid: ULID, indexBytes });
        ok(header.equals(plainHeader(index)));
        deepEqual(
          bucket.ranges.map(({ length }) => length),
          rounds,
        );
      }
    });
  const small = indexOf(10, 10);
  await f('a small index is read at once', small, [small.length]);
  const v1 = indexV1();
  await f('version 1', v1, [v1.length]);
  const END = 64 * 1024;
  const middling = indexOf(300, 2000);
  const toc = middling.subarray(-52);
  const symbolBytes = Number(toc.readBigUInt64BE(8) - toc.readBigUInt64BE(0));
  const tableBytes = middling.length - Number(toc.readBigUInt64BE(40));
  ok(middling.length > 512 * 1024 && tableBytes > END && symbolBytes > END);
  await f('both ends, then both sections', middling, [END, END, symbolBytes, tableBytes]);
});

test('symbols and postings table that lie in the ends are not read again', async () => {
  // Many series with few values: the series make the index large.
  using directory = temporaryDirectory();
  const block = buildBlock(
    directory.path,
    Array.from({ length: 16_000 }, (_, i) => ({
      labels: { __name__: 'm', a: String(i % 130), b: String(Math.floor(i / 130)) },
      chunks: [[[i, 1]]],
    })),
  );
  const index = readFileSync(join(block.directory, 'index'));
  ok(index.length > 512 * 1024);
  const bucket = await bucketOf(index);
  ok((await buildHeader({ bucket, ulid: ULID })).equals(plainHeader(index)));
  equal(bucket.ranges.length, 2);
});

test('large symbols come in pieces of 8 MiB, two at a time', async () => {
  const index = indexOf(150, 120_000);
  const bucket = await bucketOf(index);
  ok((await buildHeader({ bucket, ulid: ULID })).equals(plainHeader(index)));
  ok(bucket.ranges.every(({ length }) => length <= 8 * 1024 * 1024));
  // Ends, three pieces of the symbols, three of the table.
  equal(bucket.ranges.length, 2 + 3 + 3);
  equal(bucket.concurrency.most, 2);
});

test('a size that somebody noted wrongly', async () => {
  const index = indexOf(10, 10);
  for (const indexBytes of [0, 10, index.length - 1, index.length + 1, 1 << 30]) {
    const bucket = await bucketOf(index);
    const header = await buildHeader({ bucket, ulid: ULID, indexBytes });
    ok(header.equals(plainHeader(index)), String(indexBytes));
  }
});

test('an index that is none', async (t) => {
  const index = indexOf(300, 2000);
  const f = (name: string, bytes: Uint8Array, message: RegExp): Promise<void> =>
    t.test(name, async () => {
      for (const indexBytes of [undefined, bytes.length]) {
        const bucket = await bucketOf(bytes);
        await rejects(buildHeader({ bucket, ulid: ULID, indexBytes }), (thrown) => {
          ok(thrown instanceof CorruptionError);
          ok(thrown.message.includes(OBJECT), thrown.message);
          ok(message.test(thrown.message), thrown.message);
          return true;
        });
      }
    });
  const changed = (at: number, ...bytes: number[]): Buffer => {
    const copy = Buffer.from(index);
    copy.set(bytes, at < 0 ? copy.length + at : at);
    return copy;
  };
  await f('empty', new Uint8Array(0), /too short/);
  await f('56 bytes', index.subarray(0, 56), /too short/);
  await f('cut in half', index.subarray(0, index.length / 2), /table of contents/);
  await f('the last byte is missing', index.subarray(0, -1), /table of contents/);
  await f('another magic', changed(0, 1), /not an index/);
  await f('another version', changed(4, 9), /version 9/);
  await f('a damaged table of contents', changed(-20, 0xff), /table of contents/);
  const toc = (offsets: readonly number[]): Buffer => {
    const bytes = Buffer.alloc(52);
    for (const [i, offset] of offsets.entries()) bytes.writeBigUInt64BE(BigInt(offset), i * 8);
    bytes.writeUInt32BE(crc32c(bytes.subarray(0, 48)), 48);
    return Buffer.concat([index.subarray(0, -52), bytes]);
  };
  await f('sections in another order', toc([500, 400, 0, 0, 0, 600]), /outside the file/);
  await f('a table behind the end', toc([5, 400, 0, 0, 0, index.length]), /outside the file/);
  await f('symbols before the begin', toc([0, 400, 0, 0, 0, 600]), /outside the file/);
  await f('a table among the symbols', toc([5, 400, 0, 0, 0, 300]), /outside the file/);
});

test('what the bucket throws goes on', async () => {
  const index = indexOf(300, 2000);
  const inner = await bucketOf(index);
  const source = (bucket: Bucket) => ({ bucket, ulid: ULID });
  await rejects(buildHeader(source(new MemoryBucket())), { code: 'not_found' });
  for (let n = 0; n < 5; n++) {
    const bucket = new FaultyBucket(inner, (_call, i) => (i === n ? { kind: 'fail' } : undefined));
    await rejects(buildHeader(source(bucket)), { message: 'injected fault' }, `request ${n}`);
  }
  const signal = AbortSignal.abort();
  await rejects(buildHeader({ ...source(inner), signal }), { code: 'canceled' });
});

test('a file is there whole or not at all', async (t) => {
  using directory = temporaryDirectory();
  const index = indexOf(300, 2000);
  const inner = await bucketOf(index);
  const file = join(directory.path, ULID, 'index-header');
  await t.test('no request may fail', async () => {
    for (let n = 0; n < 5; n++) {
      const bucket = new FaultyBucket(inner, (_call, i) =>
        i === n ? { kind: 'fail' } : undefined,
      );
      await rejects(writeHeader({ bucket, ulid: ULID }, file), { message: 'injected fault' });
      deepEqual(readdirSync(join(directory.path, ULID)), []);
    }
  });
  await t.test('what an earlier process left is replaced', async () => {
    writeFileSync(`${file}.tmp`, Buffer.alloc(1 << 20, 1));
    await writeHeader({ bucket: inner, ulid: ULID }, file);
    ok(readFileSync(file).equals(plainHeader(index)));
    deepEqual(readdirSync(join(directory.path, ULID)), ['index-header']);
  });
  await t.test('a failure leaves the old file', async () => {
    await rejects(writeHeader({ bucket: new MemoryBucket(), ulid: ULID }, file), CodedError);
    ok(readFileSync(file).equals(plainHeader(index)));
  });
  await t.test('a disk that refuses', async () => {
    const blocked = join(directory.path, 'a-file');
    writeFileSync(blocked, '');
    await rejects(
      writeHeader({ bucket: inner, ulid: ULID }, join(blocked, ULID, 'index-header')),
      (thrown) => thrown instanceof CodedError && thrown.code === 'unavailable',
    );
    equal(existsSync(join(blocked, ULID)), false);
  });
});
