import { deepEqual, equal, throws } from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { crc32c } from '@node-rs/crc32';
import fc from 'fast-check';
import { temporaryDirectory } from '../../../test/support/temporary-directory.ts';
import { CorruptionError } from '../../lib/errors.ts';
import { systemFiles } from '../../lib/file-layer.ts';
import {
  decodeTombstones,
  encodeTombstones,
  joinIntervals,
  readTombstones,
  writeTombstones,
} from './tombstones.ts';
import type { Tombstones } from './tombstones.ts';

/** What Prometheus writes for a block without deletions. */
const EMPTY = Buffer.from('0130ba300100000000', 'hex');

test('tombstones: the empty file, and one stone byte by byte', () => {
  deepEqual(Buffer.from(encodeTombstones(new Map())), EMPTY);
  deepEqual(decodeTombstones(EMPTY, ''), new Map());
  // ref 300 (ac 02), -1 and 64 as zigzag varints; the checksum covers them alone.
  const stone = Buffer.from('ac02018001', 'hex');
  const crc = Buffer.alloc(4);
  crc.writeUInt32BE(crc32c(stone));
  const want = Buffer.concat([EMPTY.subarray(0, 5), stone, crc]);
  const stones: Tombstones = new Map([[300, [{ mint: -1, maxt: 64 }]]]);
  deepEqual(Buffer.from(encodeTombstones(stones)), want);
  deepEqual(decodeTombstones(want, ''), stones);
});

test('tombstones: intervals of a series are joined as sets of times are', () => {
  const time = fc.integer({ min: -20, max: 20 });
  fc.assert(
    fc.property(fc.array(fc.record({ mint: time, maxt: time }), { maxLength: 8 }), (intervals) => {
      const joined = joinIntervals(intervals);
      const has = (list: typeof intervals, t: number): boolean =>
        list.some(({ mint, maxt }) => t >= mint && t <= maxt);
      for (let t = -21; t <= 21; t++) equal(has(joined, t), has(intervals, t), String(t));
      for (const [i, { mint, maxt }] of joined.entries()) {
        equal(mint <= maxt, true);
        equal(mint > (joined[i - 1]?.maxt ?? -Infinity) + 1, true);
      }
    }),
  );
});

test('tombstones: written and read again; none where there is no file', () => {
  using directory = temporaryDirectory();
  deepEqual(readTombstones(directory.path), new Map());
  const stones: Tombstones = new Map([
    [7, [{ mint: 1, maxt: 2 }]],
    [1 << 30, [{ mint: -9e12, maxt: 9e12 }]],
  ]);
  writeTombstones(systemFiles, directory.path, stones);
  deepEqual(readTombstones(directory.path), stones);
});

test('tombstones: damage is an error', () => {
  using directory = temporaryDirectory();
  const stones: Tombstones = new Map([[7, [{ mint: 1, maxt: 2000 }]]]);
  writeTombstones(systemFiles, directory.path, stones);
  const path = join(directory.path, 'tombstones');
  const bytes = readFileSync(path);
  const fails = (): void => throws(() => readTombstones(directory.path), CorruptionError);
  for (let i = 0; i < bytes.length; i++) {
    for (let bit = 0; bit < 8; bit++) {
      const damaged = Buffer.from(bytes);
      damaged[i] = (damaged[i] as number) ^ (1 << bit);
      writeFileSync(path, damaged);
      fails();
    }
    writeFileSync(path, bytes.subarray(0, i));
    fails();
  }
  // A right checksum over half a stone.
  const half = Buffer.concat([bytes.subarray(0, 7), Buffer.alloc(4)]);
  half.writeUInt32BE(crc32c(half.subarray(5, 7)), 7);
  throws(() => decodeTombstones(half, 'x'), /tombstone ends early \(x, offset 5\)/);
});
