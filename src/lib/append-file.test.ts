import { deepEqual, equal, throws } from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { crc32c } from '@node-rs/crc32';
import { temporaryDirectory } from '../../test/support/temporary-directory.ts';
import { AppendFile } from './append-file.ts';
import { systemFiles } from './file-layer.ts';
import { Random } from './prng.ts';

test('append file: bytes and checksums whatever lies across the end of the buffer', () => {
  using directory = temporaryDirectory();
  const random = new Random(1);
  const path = join(directory.path, 'file');
  const file = new AppendFile(systemFiles, path);
  const want: Buffer[] = [];
  const sums: { from: number; to: number; sum: number }[] = [];
  let size = 0;
  const note = (bytes: Buffer): void => {
    want.push(bytes);
    size += bytes.length;
    equal(file.position, size);
  };
  for (let i = 0; i < 400; i++) {
    const from = size;
    file.beginChecksum();
    for (let k = random.below(4); k >= 0; k--) {
      const bytes = Buffer.alloc(random.below(i % 50 === 0 ? 1_500_000 : 3000), i + k);
      file.put(bytes, 1);
      note(bytes.subarray(1));
      const word = Buffer.alloc(4);
      word.writeUInt32BE(random.u32());
      file.u32(word.readUInt32BE());
      note(word);
    }
    sums.push({ from, to: size, sum: file.checksum });
  }
  file.uvarint(300);
  note(Buffer.from([0xac, 2]));
  file.u64(2 ** 52 + 1);
  note(Buffer.from('0010000000000001', 'hex'));
  file.byte(7);
  note(Buffer.from([7]));
  const zeros = (16 - (size % 16)) % 16;
  file.align(16);
  note(Buffer.alloc(zeros));
  file.align(16);
  note(Buffer.alloc(0));
  file.finish();
  file.abandon();
  const bytes = readFileSync(path);
  deepEqual(bytes.equals(Buffer.concat(want)), true);
  for (const { from, to, sum } of sums) equal(crc32c(bytes.subarray(from, to)), sum);
});

test('append file: a file that is there is not written over', () => {
  using directory = temporaryDirectory();
  const path = join(directory.path, 'file');
  writeFileSync(path, 'x');
  throws(() => new AppendFile(systemFiles, path), {
    code: 'unavailable',
    message: /^create .*file: EEXIST/,
  });
});
