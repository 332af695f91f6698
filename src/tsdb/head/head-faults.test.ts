/** What the head does when memory, disk or the log are not as hoped. */
import { deepEqual, equal, match, ok, throws } from 'node:assert/strict';
import { statSync, truncateSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import {
  ReferenceSeries,
  chunksOf,
  fileNames,
  labelField,
  messageField,
  openHead,
  sampleField,
  walRecords,
} from '../../../test/support/head-probe.ts';
import type { ProbedHead } from '../../../test/support/head-probe.ts';
import { temporaryDirectory } from '../../../test/support/temporary-directory.ts';
import { systemFiles } from '../../lib/file-layer.ts';
import type { FileLayer } from '../../lib/file-layer.ts';
import { nopLogger } from '../../lib/log.ts';
import type { Logger } from '../../lib/log.ts';
import { encodeUtf8 } from '../../lib/utf8.ts';
import { HeadChunkWriter } from '../chunks/head-chunk-writer.ts';
import { SeriesRecordBuilder } from '../wal/records.ts';
import { WalWriter } from '../wal/wal-writer.ts';
import type { ArenaWriter } from './arena.ts';
import { H } from './arena-layout.ts';

function request(name: string, t: number, ...labels: Buffer[]): Buffer {
  const fields = [labelField('__name__', name), ...labels, sampleField([t, 0x40000000, t])];
  return messageField(1, Buffer.concat(fields));
}

function arenaOf({ head }: ProbedHead): ArenaWriter {
  return (head.arenas[0] as (typeof head.arenas)[number]).arena;
}

for (const twin of [false, true]) {
  const name = twin ? 'twin' : 'kernel';

  test(`head ${name}: a full arena refuses new series, logs nothing of them and keeps what it has`, () => {
    using directory = temporaryDirectory();
    using opened = openHead(directory.path, { twin });
    equal(opened.head.write(request('m', 1)).accepted, 1);
    const arena = arenaOf(opened);
    const end = arena.header(H.end);
    arena.setHeader(H.end, arena.header(H.bump) + 20_000);
    const logged = walRecords(directory.path);
    // The key of a large label is put together in front of the staging buffer.
    const canary = arena.header(H.staged) + 50_000;
    arena.u8[canary] = 0x5a;
    for (let i = 0; i < 20; i++) {
      const large = labelField('large', 'x'.repeat(200_000));
      throws(() => opened.head.write(request('n', i, large)), /head memory is full: \d+ of \d+/);
    }
    equal(arena.u8[canary], 0x5a);
    throws(() => opened.head.write(request('n', 1)), /head memory is full/);
    equal(opened.head.write(request('m', 2)).accepted, 1);
    equal(walRecords(directory.path).length, logged.length + 1);
    arena.setHeader(H.end, end);
    equal(opened.head.write(request('n', 3, labelField('large', 'x'.repeat(200_000)))).accepted, 1);
    equal(opened.head.stats().series, 2);
    const want = new ReferenceSeries();
    for (const t of [1, 2]) want.append([t, 0x40000000, t]);
    deepEqual(chunksOf(opened)['{__name__="m"}'], want.chunks);
  });

  test(`head ${name}: a request that does not fit leaves buffers that are as large as they say`, () => {
    using directory = temporaryDirectory();
    using opened = openHead(directory.path, { twin, arenaBytes: 64 << 20 });
    const samples = Array.from({ length: 9000 }, (_, t) => sampleField([t + 1, 0, t]));
    const body = messageField(1, Buffer.concat([labelField('__name__', 'm'), ...samples]));
    opened.head.write(request('m', 0));
    const arena = arenaOf(opened);
    const end = arena.header(H.end);
    const capacities = (): number[] =>
      [H.stagedCapacity, H.recordCapacity, H.cutCapacity, H.staged, H.record, H.cut].map((field) =>
        arena.header(field),
      );
    const before = capacities();
    // Enough for the body and for the first of the larger buffers, not for all of them.
    arena.setHeader(H.end, arena.header(H.bump) + 5_000_000);
    throws(() => opened.head.write(body), /head memory is full/);
    deepEqual(capacities(), before);
    arena.setHeader(H.end, end);
    equal(opened.head.write(body).accepted, 9000);
  });

  test(`head ${name}: a label or sample that is none makes the whole body malformed, however labels are ordered`, () => {
    using directory = temporaryDirectory();
    using opened = openHead(directory.path, { twin });
    const m = labelField('__name__', 'm');
    const a = labelField('a', '1');
    const noLabel = Buffer.from([0x0a, 0x02, 0x0a, 0x05]);
    const noSample = Buffer.from([0x12, 0x02, 0x09, 0x05]);
    const f = (...fields: Buffer[]): void => {
      const good = request('good', 1);
      const body = Buffer.concat([good, messageField(1, Buffer.concat(fields))]);
      throws(() => opened.head.write(body), /not a prometheus.WriteRequest at byte \d+ of \d+/);
      equal(opened.head.stats().samples, 0);
    };
    f(m, noLabel);
    f(m, a, noSample);
    f(m, noSample, a);
    f(m, sampleField([1, 0, 0]), noLabel);
  });

  test(`head ${name}: duplicates of a chunk's last sample are known after a restart`, () => {
    using directory = temporaryDirectory();
    const segment = join(directory.path, 'wal', '00000000');
    let size = 0;
    {
      using opened = openHead(directory.path, { twin });
      // The sample that ends the chunk is the last in the log, the one that cut it is lost.
      for (let i = 0; i <= 120; i++) {
        size = statSync(segment).size;
        equal(opened.head.write(request('m', i * 15_000)).accepted, 1);
      }
    }
    truncateSync(segment, size);
    using opened = openHead(directory.path, { twin });
    const counts = opened.head.write(request('m', 119 * 15_000));
    deepEqual([counts.identical, counts.conflicts], [1, 0]);
    const other = messageField(
      1,
      Buffer.concat([labelField('__name__', 'm'), sampleField([119 * 15_000, 0, 0])]),
    );
    equal(opened.head.write(other).conflicts, 1);
    equal(opened.head.write(request('m', 120 * 15_000)).accepted, 1);
  });

  test(`head ${name}: a second ref of a series, and its chunks, do not disturb the open chunk`, () => {
    using directory = temporaryDirectory();
    const labels = ['__name__', 'm'].map((text) => encodeUtf8(text));
    const want = new ReferenceSeries();
    const record = (ref: number, from: number, to: number): Uint8Array => {
      const bytes = Buffer.alloc(17 + (to - from) * 10);
      bytes[0] = 2;
      bytes.writeBigUInt64BE(BigInt(ref), 1);
      bytes.writeBigInt64BE(BigInt(from), 9);
      for (let t = from; t < to; t++) {
        const at = 17 + (t - from) * 10;
        bytes[at + 1] = (t - from) * 2;
        bytes.writeUInt32BE(t, at + 6);
        want.append([t, 0, t]);
      }
      return bytes;
    };
    const series = (ref: number): Uint8Array => {
      const builder = new SeriesRecordBuilder();
      builder.add(ref, labels);
      return builder.bytes;
    };
    const wal = new WalWriter({
      directory: join(directory.path, 'wal'),
      files: systemFiles,
      log: nopLogger,
    });
    for (const one of [series(1), record(1, 100, 110), series(2), record(2, 200, 230)])
      wal.log([one]);
    wal.close();
    const chunk = new ReferenceSeries();
    for (let t = 200; t < 220; t++) chunk.append([t, 0, t]);
    const writer = new HeadChunkWriter(join(directory.path, 'chunks_head'), systemFiles);
    const data = Buffer.from(chunk.chunks[0]?.bytes ?? '', 'hex');
    writer.add({ ref: 2, mint: 200, maxt: 219, encoding: 1, data });
    writer.close();
    using opened = openHead(directory.path, { twin });
    deepEqual(chunksOf(opened), { '{__name__="m"}': want.chunks });
  });
}

test('head: series and pairs that would be one too many are refused before anything is stored', () => {
  using directory = temporaryDirectory();
  using opened = openHead(directory.path, { arenaBytes: 512 << 20 });
  opened.head.write(request('m', 1));
  const arena = arenaOf(opened);
  const pairs = arena.header(H.pairCount);
  arena.setHeader(H.pairCount, 4096 * 4096 - 1);
  throws(
    () => opened.head.write(request('n', 1, labelField('a', '1'))),
    /holds no more than 16777216/,
  );
  arena.setHeader(H.pairCount, pairs);
  equal(opened.head.write(request('n', 1, labelField('a', '1'))).accepted, 1);
  deepEqual(Object.keys(chunksOf(opened)), ['{__name__="m"}', '{__name__="n", a="1"}']);
});

test('head: memory that fills up is announced, once a level', () => {
  using directory = temporaryDirectory();
  const lines: string[] = [];
  const log: Logger = { ...nopLogger, warn: (msg) => void lines.push(msg) };
  using opened = openHead(directory.path, { arenaBytes: 64 << 20, log });
  const arena = arenaOf(opened);
  const f = (t: number, share: number, want: number): void => {
    arena.setHeader(H.end, Math.ceil(arena.usedBytes / share));
    equal(opened.head.write(request('m', t)).accepted, 1);
    equal(lines.length, want, `at ${share}`);
  };
  opened.head.write(request('m', 0));
  f(1, 0.7, 0);
  f(2, 0.81, 1);
  f(3, 0.82, 1);
  f(4, 0.91, 2);
  f(5, 0.5, 2);
  f(6, 0.81, 2);
  match(lines.join(), /^head memory fills up.*,head memory fills up/);
});

test('head: chunks wait in memory while chunks_head refuses, and few files are left of it', () => {
  using directory = temporaryDirectory();
  let refusals = 0;
  let refuse = true;
  const opened = new Map<number, string>();
  const files: FileLayer = {
    ...systemFiles,
    open: (path, create) => {
      const fd = systemFiles.open(path, create);
      opened.set(fd, path);
      return fd;
    },
    write: (fd, bytes, offset) => {
      if (!refuse || opened.get(fd)?.includes('chunks_head') !== true)
        return systemFiles.write(fd, bytes, offset);
      refusals++;
      systemFiles.write(fd, bytes.subarray(0, bytes.length / 2), offset);
      throw new Error('EIO: i/o error, write');
    },
  };
  using probed = openHead(directory.path, { files });
  const want = new ReferenceSeries();
  for (let i = 0; i < 2000; i++) {
    refuse = i < 400 || (i > 1000 && i < 1400);
    probed.head.write(request('m', i * 15_000));
    want.append([i * 15_000, 0x40000000, i * 15_000]);
  }
  // Tries become rarer while it refuses, and do not end.
  ok(refusals >= 8 && refusals < 100, `${refusals} refusals`);
  deepEqual(chunksOf(probed), { '{__name__="m"}': want.chunks });
  equal(probed.head.stats().pendingChunks, 0);
  ok(fileNames(directory.path, 'chunks_head').length <= 3);
  match(fileNames(directory.path, 'chunks_head').join(), /^000001/);
  ok(statSync(join(directory.path, 'chunks_head', '000001')).size > 8);
  probed.head.close();
  using again = openHead(directory.path);
  deepEqual(chunksOf(again), { '{__name__="m"}': want.chunks });
});
