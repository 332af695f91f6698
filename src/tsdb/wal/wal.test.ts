import { deepEqual, equal, ok, throws } from 'node:assert/strict';
import { readFileSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { systemFiles } from '../../lib/file-layer.ts';
import type { FileLayer } from '../../lib/file-layer.ts';
import { nopLogger } from '../../lib/log.ts';
import { Random } from '../../lib/prng.ts';
import { temporaryDirectory } from '../../../test/support/temporary-directory.ts';
import { readSegment } from './wal-reader.ts';
import type { WalDamage } from './wal-reader.ts';
import { WalWriter, segmentIndexes } from './wal-writer.ts';

function readAll(directory: string): { records: Buffer[]; damage: WalDamage[] } {
  const records: Buffer[] = [];
  const damage: WalDamage[] = [];
  for (const index of segmentIndexes(directory)) {
    readSegment(
      directory,
      index,
      (record) => records.push(Buffer.from(record)),
      (d) => damage.push(d),
    );
  }
  return { records, damage };
}

function randomRecords(seed: number, count: number, sizeMax: number): Buffer[] {
  const random = new Random(seed);
  return Array.from({ length: count }, () => {
    const record = Buffer.alloc(1 + random.below(sizeMax));
    // Half of the bytes vary, so that records neither vanish in compression nor fill pages alone.
    for (let i = 0; i < record.length; i += 2) record[i] = random.below(256);
    return record;
  });
}

function writer(
  directory: string,
  options: { files?: FileLayer; segmentBytes?: number } = {},
): WalWriter {
  return new WalWriter({ directory, files: systemFiles, log: nopLogger, ...options });
}

test('wal: records of any size come back in order, over pages and segments', () => {
  using directory = temporaryDirectory();
  const records = randomRecords(7, 400, 90_000);
  const wal = writer(directory.path, { segmentBytes: 1 << 20 });
  for (let i = 0; i < records.length; i += 4) wal.log(records.slice(i, i + 4));
  wal.close();
  const read = readAll(directory.path);
  deepEqual(read.damage, []);
  deepEqual(read.records, records);
  ok(segmentIndexes(directory.path).length > 5);
});

test('wal: a cut at every byte loses only records that reach over it', () => {
  using directory = temporaryDirectory();
  const wal = writer(directory.path);
  const ends: number[] = [];
  for (const record of randomRecords(3, 12, 300)) {
    wal.log([record]);
    ends.push(readFileSync(join(directory.path, '00000000')).length);
  }
  wal.close();
  const file = join(directory.path, '00000000');
  const whole = readFileSync(file);
  for (let size = whole.length; size >= 0; size--) {
    truncateSync(file, size);
    const { records, damage } = readAll(directory.path);
    const sound = ends.filter((end) => end <= size);
    equal(records.length, sound.length, `cut at ${size}`);
    equal(damage.length, size === (sound.at(-1) ?? 0) ? 0 : 1, `cut at ${size}`);
    if (damage[0] !== undefined) {
      equal(damage[0].soundEnd, sound.at(-1) ?? 0);
      equal(damage[0].atEnd, true);
    }
  }
});

test('wal: past damage in the middle, reading goes on with the next page', () => {
  using directory = temporaryDirectory();
  const records = randomRecords(5, 200, 4000);
  const wal = writer(directory.path);
  wal.log(records);
  wal.close();
  const file = join(directory.path, '00000000');
  const bytes = readFileSync(file);
  const at = 40_000;
  bytes[at] = (bytes[at] as number) ^ 0xff;
  writeFileSync(file, bytes);
  const read = readAll(directory.path);
  equal(read.damage.length, 1);
  equal(read.damage[0]?.atEnd, false);
  ok(read.records.length > 150 && read.records.length < 200);
  const known = new Set(records.map((record) => record.toString('hex')));
  ok(read.records.every((record) => known.has(record.toString('hex'))));
  equal(read.records.at(-1)?.toString('hex'), records.at(-1)?.toString('hex'));
});

test('wal: a failed write leaves whole records only, and the next write works', () => {
  using directory = temporaryDirectory();
  let fail = false;
  const files: FileLayer = {
    ...systemFiles,
    write: (fd, bytes, offset) => {
      if (!fail) return systemFiles.write(fd, bytes, offset);
      systemFiles.write(fd, bytes.subarray(0, 20), offset);
      throw Object.assign(new Error('ENOSPC: no space left on device, write'), { code: 'ENOSPC' });
    },
  };
  const wal = writer(directory.path, { files });
  const [a, b, c] = randomRecords(9, 3, 500) as [Buffer, Buffer, Buffer];
  wal.log([a]);
  fail = true;
  throws(() => wal.log([b]), /write WAL: ENOSPC/);
  fail = false;
  wal.log([c]);
  wal.close();
  deepEqual(readAll(directory.path), { records: [a, c], damage: [] });
});

test('wal: after a failed fsync the segment is left behind and never fsynced again', () => {
  using directory = temporaryDirectory();
  const synced: number[] = [];
  let fail = false;
  const files: FileLayer = {
    ...systemFiles,
    fsync: (fd) => {
      synced.push(fd);
      if (fail) throw new Error('EIO: i/o error, fsync');
      systemFiles.fsync(fd);
    },
  };
  const wal = writer(directory.path, { files });
  const [a, b] = randomRecords(9, 2, 500) as [Buffer, Buffer];
  wal.log([a]);
  fail = true;
  throws(() => wal.sync(), /fsync WAL: EIO/);
  fail = false;
  wal.log([b]);
  equal(wal.segment, 1);
  wal.close();
  equal(synced.length, 2);
  deepEqual(readAll(directory.path).records, [a, b]);
});

test('wal: a restart begins a new segment', () => {
  using directory = temporaryDirectory();
  for (let i = 0; i < 3; i++) {
    const wal = writer(directory.path);
    wal.log([Buffer.from([i])]);
    wal.close();
  }
  deepEqual(segmentIndexes(directory.path), [0, 1, 2]);
  deepEqual(readAll(directory.path).records, [
    Buffer.from([0]),
    Buffer.from([1]),
    Buffer.from([2]),
  ]);
});

test('wal: what a roll or a cut back could not make durable is told to the next sync, once', () => {
  const f = (failing: 'fsync' | 'truncate', want: RegExp): void => {
    using directory = temporaryDirectory();
    let fail = false;
    const refuse = (): never => {
      throw new Error(`EIO: i/o error, ${failing}`);
    };
    const files: FileLayer = {
      ...systemFiles,
      write: (fd, bytes, offset) =>
        fail && failing === 'truncate' ? refuse() : systemFiles.write(fd, bytes, offset),
      [failing]: (fd: number, size: number) => (fail ? refuse() : systemFiles[failing](fd, size)),
    };
    const wal = writer(directory.path, { files, segmentBytes: 1 << 17 });
    const [a, b, c] = randomRecords(9, 3, 500) as [Buffer, Buffer, Buffer];
    wal.log([a]);
    fail = true;
    if (failing === 'truncate') throws(() => wal.log([b]), /write WAL: EIO/);
    // Larger than a segment, so that the next one is begun.
    else wal.log([Buffer.from(randomRecords(4, 1, 200_000)[0] as Buffer), b]);
    fail = false;
    wal.log([c]);
    ok(wal.segment > 0);
    throws(() => wal.sync(), want);
    wal.sync();
    wal.close();
    ok(readAll(directory.path).records.some((record) => record.equals(c)));
  };
  f('fsync', /fsync WAL: EIO/);
  f('truncate', /cut back WAL: EIO/);
});

test('wal: a segment whose directory entry is not durable is not written to', () => {
  using directory = temporaryDirectory();
  let fail = false;
  const files: FileLayer = {
    ...systemFiles,
    fsyncDirectory: (path) => {
      if (fail) throw new Error('EIO: i/o error, fsync');
      systemFiles.fsyncDirectory(path);
    },
  };
  const wal = writer(directory.path, { files, segmentBytes: 300_000 });
  const [a, b] = [Buffer.alloc(540_000), Buffer.from('b')];
  const random = new Random(12);
  for (let i = 0; i < a.length; i += 2) a[i] = random.below(256);
  wal.log([a]);
  fail = true;
  throws(() => wal.log([b]), /create WAL segment: EIO/);
  fail = false;
  const skipped = wal.segment;
  wal.log([b]);
  ok(wal.segment > skipped);
  wal.close();
  deepEqual(readAll(directory.path), { records: [a, b], damage: [] });
});
