/** Mutated indexes: the file itself, whose checksums then tell, and each of its parts under a right checksum. */
import { deepEqual } from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { crc32c } from '@node-rs/crc32';
import { checkedRanges, readIndex, smallBlock } from '../../../test/support/block-probe.ts';
import type { ByteRange } from '../../../test/support/block-probe.ts';
import { damage, mutate, testFuzz } from '../../../test/support/mutation-fuzz.ts';
import { temporaryDirectory } from '../../../test/support/temporary-directory.ts';
import type { Random } from '../../lib/prng.ts';

const index = readSound();

function readSound(): Buffer {
  using directory = temporaryDirectory();
  return readFileSync(join(smallBlock(directory.path).directory, 'index'));
}

function withCrc(bytes: Uint8Array): Buffer {
  const crc = Buffer.alloc(4);
  crc.writeUInt32BE(crc32c(bytes));
  return Buffer.concat([bytes, crc]);
}

const answers = readIndex(index);
const { symbols, postingsTable, contents, series, postings } = checkedRanges(index, 2);

/** The index with a part mutated in its place. */
function damagedAt({ start, end }: ByteRange, random: Random): Buffer {
  const bytes = Buffer.from(index);
  bytes.set(damage(index.subarray(start, end), random), start);
  bytes.writeUInt32BE(crc32c(bytes.subarray(start, end)), end);
  return bytes;
}

/** The index with a part of another length, put before the contents, which name its place at an offset of theirs. */
function movedPart({ start, end }: ByteRange, at: number, random: Random): Buffer {
  const payload = mutate(index.subarray(start, end), random);
  const length = Buffer.alloc(4);
  length.writeUInt32BE(payload.length);
  const toc = Buffer.from(index.subarray(contents.start, contents.end));
  toc.writeBigUInt64BE(BigInt(contents.start), at);
  return Buffer.concat([index.subarray(0, contents.start), length, withCrc(payload), withCrc(toc)]);
}

testFuzz({
  name: 'index files',
  run: (random) => {
    const bytes = (random.below(2) === 0 ? mutate : damage)(index, random);
    // The padding between series is behind no checksum, and no reader looks at it.
    deepEqual(readIndex(bytes), answers);
    return bytes.length;
  },
});

const PARTS: Readonly<Record<string, (random: Random) => Buffer>> = {
  'symbol tables': (random) =>
    random.below(2) === 0 ? damagedAt(symbols, random) : movedPart(symbols, 0, random),
  'postings offset tables': (random) =>
    random.below(2) === 0 ? damagedAt(postingsTable, random) : movedPart(postingsTable, 40, random),
  series: (random) => damagedAt(series[random.below(series.length)] as ByteRange, random),
  'postings lists': (random) =>
    damagedAt(postings[random.below(postings.length)] as ByteRange, random),
  'tables of contents': (random) => damagedAt(contents, random),
};

for (const [name, make] of Object.entries(PARTS))
  testFuzz({
    name: `${name} under right checksums`,
    run: (random) => {
      const bytes = make(random);
      readIndex(bytes);
      return bytes.length;
    },
  });
