/** Damaged blocks: an error that names file and place, or the same data; never others, never a crash. */
import { deepEqual, equal, ok } from 'node:assert/strict';
import { closeSync, openSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { crc32c } from '@node-rs/crc32';
import { readBlock } from '../../../test/support/block-frames.ts';
import { checkedRanges, readIndex, smallBlock } from '../../../test/support/block-probe.ts';
import { encodeIndexV1 } from '../../../test/support/index-v1.ts';
import { temporaryDirectory } from '../../../test/support/temporary-directory.ts';
import { XorScratch } from '../../chunkenc/xor-scratch.ts';
import { CodedError, CorruptionError } from '../../lib/errors.ts';
import { Random } from '../../lib/prng.ts';
import { Matcher } from '../../model/matcher.ts';
import { PageCache } from '../chunks/page-cache.ts';
import { BlockReader } from './block-reader.ts';
import type { BlockHandle } from './block-handle.ts';

const EVER = { mint: -1e15, maxt: 1e15 };
const memory = PageCache.allocate(8 * 65536);
/** Blocks of one file number must not meet: each is opened under a number of its own. */
let nextFile = 1 << 20;

/** What a block answers, through a page cache. */
function readAll(handle: BlockHandle): unknown {
  const reader = new BlockReader({ ...handle, firstFile: nextFile }, new PageCache(memory));
  nextFile += handle.segments + 1;
  try {
    const set = reader.select({ matchers: [new Matcher('=~', 'n', 'value-.*')], ...EVER });
    return Array.from({ length: set.count }, (_, i) => {
      const scratch = new XorScratch({ twin: true, capacity: 64 });
      set.appendFloats(i, scratch, false);
      const { length } = scratch;
      return [set.labels(i).pairs, scratch.t.slice(0, length), scratch.v.slice(0, length)];
    });
  } finally {
    reader.close();
  }
}

/** The answer is as wanted, or an error of the right kind. Answers whether it was an error. */
function sameOrCorrupt(read: () => unknown, want: unknown, where: string): boolean {
  let got: unknown;
  try {
    got = read();
  } catch (thrown) {
    ok(thrown instanceof CorruptionError, `${where}: ${String(thrown)}`);
    return true;
  }
  deepEqual(got, want, where);
  return false;
}

function flip(bytes: Uint8Array, i: number, bit: number): Uint8Array {
  const damaged = new Uint8Array(bytes);
  damaged[i] = (damaged[i] as number) ^ (1 << bit);
  return damaged;
}

for (const version of [1, 2]) {
  test(`index version ${version}: each byte flipped, and each length cut`, () => {
    using directory = temporaryDirectory();
    const handle = smallBlock(directory.path);
    const { series } = readBlock(handle.directory);
    const bytes =
      version === 1 ? encodeIndexV1(series) : readFileSync(join(handle.directory, 'index'));
    const want = readIndex(bytes);
    let errors = 0;
    for (let i = 0; i < bytes.length; i++) {
      const bit = i % 8;
      const where = `byte ${i}, bit ${bit}`;
      if (sameOrCorrupt(() => readIndex(flip(bytes, i, bit)), want, where)) errors++;
      const cut = `cut at ${i}`;
      equal(
        sameOrCorrupt(() => readIndex(bytes.subarray(0, i)), want, cut),
        true,
        cut,
      );
    }
    // Only zeros between sections and the empty label indices of version 1 are covered by no checksum.
    ok(errors > bytes.length * 0.85, `${errors} of ${bytes.length}`);
  });

  test(`index version ${version}: wrong content under right checksums ends in an error or an answer`, () => {
    using directory = temporaryDirectory();
    const handle = smallBlock(directory.path);
    const { series } = readBlock(handle.directory);
    const bytes =
      version === 1 ? encodeIndexV1(series) : readFileSync(join(handle.directory, 'index'));
    const random = new Random(version);
    const {
      symbols,
      postingsTable,
      contents,
      series: entries,
      postings,
    } = checkedRanges(bytes, version);
    const ranges = [symbols, postingsTable, ...entries, ...postings, contents];
    let errors = 0;
    for (const { start, end } of ranges) {
      for (let round = 0; round < Math.min(30, 2 * (end - start)); round++) {
        const damaged = Buffer.from(bytes);
        for (let k = random.below(2); k >= 0; k--) {
          damaged[start + random.below(end - start)] = random.below(256);
        }
        damaged.writeUInt32BE(crc32c(damaged.subarray(start, end)), end);
        try {
          readIndex(damaged);
        } catch (thrown) {
          ok(thrown instanceof CorruptionError, `range from ${start}: ${String(thrown)}`);
          errors++;
        }
      }
    }
    ok(errors > 100, String(errors));
  });
}

test('block reader: each byte of a segment flipped, and many lengths cut', () => {
  using directory = temporaryDirectory();
  const handle = smallBlock(directory.path);
  ok(handle.segments > 1);
  const want = readAll(handle);
  let errors = 0;
  for (const name of ['000001', '000002']) {
    const path = join(handle.directory, 'chunks', name);
    const bytes = readFileSync(path);
    for (let i = 0; i < bytes.length; i++) {
      writeFileSync(path, flip(bytes, i, i % 8));
      if (sameOrCorrupt(() => readAll(handle), want, `${name}, byte ${i}`)) errors++;
    }
    for (let i = 0; i < bytes.length; i += 1 + (i % 13)) {
      writeFileSync(path, bytes.subarray(0, i));
      const cut = `${name}, cut at ${i}`;
      equal(
        sameOrCorrupt(() => readAll(handle), want, cut),
        true,
        cut,
      );
    }
    // The header is looked at when blocks are listed.
    writeFileSync(path, bytes);
    equal(errors >= bytes.length - 8, true, `${name}: ${errors} of ${bytes.length}`);
    errors = 0;
  }
});

test('block reader: a chunk that was sound is looked at again when its page is read again', () => {
  using directory = temporaryDirectory();
  const handle = smallBlock(directory.path);
  const cache = new PageCache(PageCache.allocate(8 * 65536));
  const reader = new BlockReader(handle, cache);
  const read = (): void => {
    const set = reader.select({ matchers: [], ...EVER });
    for (let i = 0; i < set.count; i++) set.appendFloats(i, new XorScratch(), false);
  };
  read();
  const path = join(handle.directory, 'chunks/000001');
  const bytes = readFileSync(path);
  writeFileSync(path, flip(bytes, 100, 3));
  // The page is in memory still, and sound.
  read();
  // Other pages take its place.
  writeFileSync(join(directory.path, 'other'), new Uint8Array(100 * 65536));
  const fd = openSync(join(directory.path, 'other'), 'r');
  for (let page = 0; page < 100; page++) {
    cache.read({ descriptor: () => fd }, 1 << 30, page * 65536, 4, new Uint8Array(4));
  }
  let error: unknown;
  try {
    read();
  } catch (thrown) {
    error = thrown;
  }
  ok(
    error instanceof CodedError && /checksum mismatch \(.*000001, offset \d+\)/.test(error.message),
  );
  reader.close();
  closeSync(fd);
});
