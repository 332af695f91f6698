import { deepEqual, equal, match, ok } from 'node:assert/strict';
import { readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { systemFiles } from '../lib/file-layer.ts';
import { nopLogger } from '../lib/log.ts';
import type { Logger } from '../lib/log.ts';
import { temporaryDirectory } from '../../test/support/temporary-directory.ts';
import { encodeWriteRequest } from '../../test/support/write-request.ts';
import { Db } from './db.ts';
import { createArenaMemory } from './head/arena.ts';
import { readSegment } from './wal/wal-reader.ts';
import { segmentIndexes } from './wal/wal-writer.ts';

interface Opened {
  readonly db: Db;
  /** What was said above info. */
  readonly lines: string[];
}

function open(directory: string): Opened {
  const lines: string[] = [];
  const say = (msg: string): void => void lines.push(msg);
  const log: Logger = { ...nopLogger, warn: say, error: say, with: () => log };
  const memories = [createArenaMemory(64 << 20)];
  return { db: Db.open({ directory, memories, fsync: 'segment', files: systemFiles, log }), lines };
}

/** Writes one sample to each of many series, so that a segment spans pages. */
async function fill(db: Db, name: string, t: number): Promise<void> {
  const series = Array.from({ length: 300 }, (_, i) => ({
    labels: [
      ['__name__', name],
      ['i', `${i}-${Math.imul(i, 0x9e3779b1) >>> 0}`],
    ] as const,
    samples: [[t, (i * 7919) % 1013]] as const,
  }));
  equal((await db.writeDecoded(encodeWriteRequest(series))).accepted, 300);
}

test('db: a segment damaged in its middle is replaced by its sound records, once', async () => {
  using directory = temporaryDirectory();
  const wal = join(directory.path, 'wal');
  const first = open(directory.path);
  for (let t = 0; t < 60; t++) await fill(first.db, 'old', t);
  first.db.close();
  const file = join(wal, '00000000');
  const damaged = readFileSync(file);
  damaged.fill(0, 40_000, 80_000);
  writeFileSync(file, damaged);

  const second = open(directory.path);
  match(
    second.lines.join('\n'),
    /the WAL is damaged, records were lost\nrewrote a damaged WAL segment/,
  );
  const kept = second.db.report.samples;
  ok(kept > 5000 && kept < 18_000, `${kept} samples were kept`);
  await fill(second.db, 'new', 1);
  second.db.close();
  deepEqual(readFileSync(`${file}.damaged`), damaged);

  // A reader that stops at damage, as Prometheus does, now finds everything.
  for (const index of segmentIndexes(wal)) {
    readSegment(
      wal,
      index,
      () => undefined,
      (damage) => ok(false, damage.reason),
    );
  }
  const third = open(directory.path);
  deepEqual(third.lines, []);
  equal(third.db.report.samples, kept + 300);
  third.db.close();
  deepEqual(
    readdirSync(wal).filter((name) => name.startsWith('00000000')),
    ['00000000', '00000000.damaged'],
  );
});
