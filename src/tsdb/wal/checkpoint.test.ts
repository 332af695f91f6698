import { deepEqual, equal, throws } from 'node:assert/strict';
import { readdirSync, writeFileSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { systemFiles } from '../../lib/file-layer.ts';
import type { FileLayer } from '../../lib/file-layer.ts';
import { nopLogger } from '../../lib/log.ts';
import { compareUtf8 } from '../../lib/utf8.ts';
import { temporaryDirectory } from '../../../test/support/temporary-directory.ts';
import { makeCheckpoint, newestCheckpoint } from './checkpoint.ts';
import { RECORD } from './records.ts';
import { readSegment } from './wal-reader.ts';
import { WalWriter, segmentIndexes } from './wal-writer.ts';

/** A samples record: entries [ref, t, value bits], the bases as given. */
function samples(baseRef: bigint, baseT: bigint, entries: [bigint, bigint, bigint][]): Buffer {
  const head = Buffer.alloc(17);
  head[0] = RECORD.samples;
  head.writeBigInt64BE(baseRef, 1);
  head.writeBigInt64BE(baseT, 9);
  const rest = entries.map(([ref, t, bits]) => {
    const value = Buffer.alloc(8);
    value.writeBigUInt64BE(bits);
    return Buffer.concat([zigzag(ref - baseRef), zigzag(t - baseT), value]);
  });
  return Buffer.concat([head, ...rest]);
}

function zigzag(value: bigint): Buffer {
  const out: number[] = [];
  let left = value < 0n ? -value * 2n - 1n : value * 2n;
  for (; left >= 0x80n; left >>= 7n) out.push(Number(left & 0x7fn) | 0x80);
  return Buffer.from([...out, Number(left)]);
}

/** Writes segments of records; the last one stays open and empty. */
function writeSegments(directory: string, segments: Uint8Array[][]): number {
  const writer = new WalWriter({ directory, files: systemFiles, log: nopLogger });
  for (const segment of segments) {
    for (const record of segment) writer.log([record]);
    writer.roll();
  }
  const open = writer.segment;
  writer.close();
  return open;
}

function records(directory: string, after = -1): string[] {
  const out: string[] = [];
  for (const index of segmentIndexes(directory).filter((i) => i > after)) {
    readSegment(
      directory,
      index,
      (record) => out.push(Buffer.from(record).toString('hex')),
      ({ reason }) => {
        throw new Error(reason);
      },
    );
  }
  return out;
}

/** Everything a replay would read: the newest checkpoint, then the segments behind it. */
function replayed(directory: string): string[] {
  const checkpoint = newestCheckpoint(directory);
  const first = checkpoint === undefined ? [] : records(join(directory, checkpoint.name));
  return [...first, ...records(directory, checkpoint?.index)];
}

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');
const series = Buffer.from([RECORD.series, 0, 0, 0, 0, 0, 0, 0, 1, 0]);
/** Ref 1, a gauge, no fields. */
const metadata = Buffer.from([RECORD.metadata, 1, 2, 0]);
/** A stale marker, a signalling NaN, and -0: what a number variable could change. */
const STALE = 0x7ff0000000000002n;
const MINUS_ZERO = 0x8000000000000000n;

const options = { mint: 100, files: systemFiles, log: nopLogger };

test('a checkpoint leaves out old samples, keeps everything else bit for bit, and deletes what it stands for', () => {
  using directory = temporaryDirectory();
  const wal = directory.path;
  const mixed = samples(5n, 90n, [
    [5n, 90n, 1n],
    [3n, 100n, STALE],
    [900n, 99n, 2n],
    [2n ** 40n, 5000n, MINUS_ZERO],
  ]);
  const old = samples(1n, 1n, [[1n, 1n, 1n]]);
  const fresh = samples(1n, 100n, [[1n, 100n, 7n]]);
  const later = samples(1n, 7n, [[1n, 7n, 7n]]);
  const open = writeSegments(wal, [[series, mixed], [old, metadata], [fresh], [later]]);
  equal(open, 4);
  deepEqual(makeCheckpoint({ ...options, directory: wal, openSegment: open }), {
    segment: 2,
    seriesKept: 1,
    seriesDropped: 0,
    samplesKept: 3,
    samplesDropped: 3,
    exemplarsKept: 0,
    exemplarsDropped: 0,
    tombstonesKept: 0,
    tombstonesDropped: 0,
    metadataKept: 1,
    metadataDropped: 0,
  });
  const kept = samples(5n, 90n, [
    [3n, 100n, STALE],
    [2n ** 40n, 5000n, MINUS_ZERO],
  ]);
  deepEqual(readdirSync(wal).sort(compareUtf8), ['00000003', '00000004', 'checkpoint.00000002']);
  deepEqual(replayed(wal), [series, kept, fresh, metadata, later].map(hex));
});

test('the next checkpoint takes the last one in and replaces it', () => {
  using directory = temporaryDirectory();
  const wal = directory.path;
  const at = (t: bigint): Buffer => samples(1n, t, [[1n, t, t]]);
  let open = writeSegments(wal, [[series, at(100n)], [at(101n)], [at(102n)], [at(103n)]]);
  equal(makeCheckpoint({ ...options, directory: wal, openSegment: open })?.segment, 2);
  open = writeSegments(wal, [[at(104n)], [at(105n)], [at(106n)]]);
  const second = { ...options, mint: 102, directory: wal, openSegment: open };
  equal(makeCheckpoint(second)?.segment, 5);
  deepEqual(
    readdirSync(wal).filter((name) => name.startsWith('c')),
    ['checkpoint.00000005'],
  );
  deepEqual(replayed(wal), [series, ...[102n, 103n, 104n, 105n, 106n].map(at)].map(hex));
});

test('there is no checkpoint of fewer than two segments, nor of the open one', () => {
  using directory = temporaryDirectory();
  for (let segments = 0; segments < 3; segments++) {
    const wal = join(directory.path, `${segments}`);
    const open = writeSegments(
      wal,
      Array.from({ length: segments }, () => [series]),
    );
    equal(makeCheckpoint({ ...options, directory: wal, openSegment: open }), undefined);
    equal(segmentIndexes(wal).length, segments + 1);
  }
});

test('a damaged segment makes no checkpoint and is named; nothing is deleted', () => {
  using directory = temporaryDirectory();
  const wal = directory.path;
  const open = writeSegments(wal, [[series, metadata], [series], [series], [series]]);
  const path = join(wal, '00000001');
  const bytes = readFileSync(path);
  bytes[8] = (bytes[8] ?? 0) ^ 1;
  writeFileSync(path, bytes);
  throws(
    () => makeCheckpoint({ ...options, directory: wal, openSegment: open }),
    /^CorruptionError: .*00000001/,
  );
  deepEqual(readdirSync(wal).sort(compareUtf8), [
    '00000000',
    '00000001',
    '00000002',
    '00000003',
    '00000004',
  ]);
});

test('a record that is none of its type is left out and named: it must not keep the log from getting shorter', () => {
  using temporary = temporaryDirectory();
  const directory = temporary.path;
  const nonsense = Uint8Array.of(RECORD.tombstones, 1, 2);
  const kept = samples(1n, 1_000n, [[1n, 1_000n, 7n]]);
  // Replay takes the entry before the fault, and so does the checkpoint.
  const cut = Buffer.concat([kept, Buffer.of(0x80)]);
  const open = writeSegments(directory, [[nonsense, kept], [cut], [kept], [kept]]);
  const lines: string[] = [];
  const log = { ...nopLogger, error: (text: string) => lines.push(text) };
  const report = makeCheckpoint({
    directory,
    mint: 0,
    openSegment: open,
    files: systemFiles,
    log,
  });
  equal(report?.segment, 2);
  deepEqual(replayed(directory), [kept, kept, kept, kept].map(hex));
  const line = 'a WAL record cannot be read, the checkpoint leaves it out';
  deepEqual(lines, [line, line]);
});

test('a disk that refuses at any moment leaves the log whole', () => {
  let failed = 0;
  for (let operation = 1; ; operation++) {
    using directory = temporaryDirectory();
    const wal = directory.path;
    const open = writeSegments(wal, [[series], [series], [series, metadata], [series]]);
    const before = replayed(wal);
    const { files, calls } = failingAt(operation);
    try {
      makeCheckpoint({ ...options, files, directory: wal, openSegment: open });
    } catch (thrown) {
      failed++;
      equal(/ENOSPC/.test(String(thrown)), true, String(thrown));
    }
    deepEqual(replayed(wal), before, `operation ${operation}`);
    makeCheckpoint({ ...options, directory: wal, openSegment: open });
    deepEqual(replayed(wal), before, `after operation ${operation}`);
    deepEqual(readdirSync(wal).sort(compareUtf8), ['00000003', '00000004', 'checkpoint.00000002']);
    if (calls() < operation) break;
  }
  equal(failed > 5, true, `${failed} operations failed`);
});

/** The system's files, of which the n-th changing operation fails. */
function failingAt(n: number): { files: FileLayer; calls: () => number } {
  let count = 0;
  const may = (): void => {
    if (++count === n) throw Object.assign(new Error('ENOSPC: no space left'), { code: 'ENOSPC' });
  };
  const files: FileLayer = {
    ...systemFiles,
    open: (path, create) => (may(), systemFiles.open(path, create)),
    write: (fd, bytes, offset) => (may(), systemFiles.write(fd, bytes, offset)),
    fsync: (fd) => (may(), systemFiles.fsync(fd)),
    fsyncDirectory: (path) => (may(), systemFiles.fsyncDirectory(path)),
    rename: (from, to) => (may(), systemFiles.rename(from, to)),
  };
  return { files, calls: () => count };
}
