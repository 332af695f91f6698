/**
 * Writes that a crash has cut off at any byte: what was acknowledged before is all there, the rest is whole or gone, and
 * writing goes on.
 */
import { deepEqual, equal, ok } from 'node:assert/strict';
import { readFileSync, statSync, truncateSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import type { MaintainedTsdb } from '../../test/support/maintained-tsdb.ts';
import { FUZZ_CASES, FUZZ_CASES_DEFAULT } from '../../test/support/mutation-fuzz.ts';
import { temporaryDirectory } from '../../test/support/temporary-directory.ts';
import {
  HOUR,
  Ledger,
  MINUTE,
  crashCopy,
  deleteFromHead,
  every,
  firstGarbage,
  floats,
  histograms,
  missingOf,
  openWhole,
  readEverything,
  withExemplar,
  write,
} from '../../test/support/whole-directory.ts';
import { systemFiles } from '../lib/file-layer.ts';
import { nopLogger } from '../lib/log.ts';
import { Random } from '../lib/prng.ts';
import { PAGE_BYTES, segmentName } from './wal/page-format.ts';
import { readSegment } from './wal/wal-reader.ts';
import { WalWriter, segmentIndexes } from './wal/wal-writer.ts';

type Request = (tsdb: MaintainedTsdb, ledger: Ledger) => Promise<void>;

const MINUTES = every(MINUTE, 0, HOUR);
const LATE = every(1000, 30 * MINUTE + 100, 31 * MINUTE + 100);

/** What is there before the last write: late lists that are nearly full. */
async function begin(tsdb: MaintainedTsdb, ledger: Ledger): Promise<void> {
  await write(tsdb, ledger, [
    floats('float', MINUTES),
    floats('deleted', MINUTES),
    histograms('integers', MINUTES, false),
    histograms('floatHistograms', MINUTES, true),
  ]);
  await write(tsdb, ledger, [
    floats('float', LATE.slice(0, 30)),
    histograms('integers', LATE.slice(0, 28), false),
  ]);
}

const LAST: Readonly<Record<string, { readonly log: 'wal' | 'wbl'; readonly request: Request }>> = {
  'series, floats, histograms and exemplars': {
    log: 'wal',
    request: (tsdb, ledger) =>
      write(tsdb, ledger, [
        floats('new', [HOUR]),
        withExemplar('float', HOUR),
        histograms('integers', [HOUR], false),
        histograms('floatHistograms', [HOUR], true),
      ]),
  },
  'a deletion': {
    log: 'wal',
    request: (tsdb, ledger) => deleteFromHead(tsdb, ledger, { mint: 0, maxt: 10 * MINUTE }),
  },
  'late samples and markers': {
    log: 'wbl',
    request: (tsdb, ledger) =>
      write(tsdb, ledger, [
        floats('float', LATE.slice(30, 35)),
        histograms('integers', LATE.slice(28, 34), false),
      ]),
  },
};

async function check(directory: string, ledger: Ledger, where: string): Promise<MaintainedTsdb> {
  const tsdb = openWhole(directory);
  const found = await readEverything(tsdb.reader);
  deepEqual(found.errors, [], where);
  equal(firstGarbage(found, ledger), undefined, where);
  equal(missingOf(found, ledger).first, '', where);
  return tsdb;
}

for (const [name, { log, request }] of Object.entries(LAST)) {
  test(`torn at every byte: ${name}`, async (t) => {
    using directory = temporaryDirectory();
    const at = (n: string): string => join(directory.path, n);
    const before = new Ledger();
    const tsdb = openWhole(at('a'));
    await begin(tsdb, before);
    const file = join(log, segmentName(segmentIndexes(join(at('a'), log)).at(-1) ?? 0));
    const start = statSync(join(at('a'), file)).size;
    const after = before.copy();
    await request(tsdb, after);
    const end = statSync(join(at('a'), file)).size;
    ok(end > start + 20, `${end - start} bytes`);
    // What is only sent may be there, and what is only deleted may be gone.
    const allowed = before.copy();
    for (const [key, samples] of after.sent) allowed.sent.set(key, samples);
    for (const [key, times] of after.deleted)
      for (const time of times) allowed.kept.get(key)?.delete(time);
    for (let size = start; size < end; size++) {
      const where = `cut at ${size - start} of ${end - start}`;
      crashCopy(at('a'), at('b'));
      truncateSync(join(at('b'), file), size);
      const opened = await check(at('b'), allowed, where);
      equal(statSync(join(at('b'), file)).size <= size, true);
      if (size % 16 === 0 || size === start + 1) {
        // What was not acknowledged is sent again.
        const again = allowed.copy();
        await request(opened, again);
        opened.close();
        (await check(at('b'), again, `${where}, sent again`)).close();
      } else opened.close();
    }
    (await check(crashCopy(at('a'), at('b')), after, 'whole')).close();
    tsdb.close();
    t.diagnostic(`${end - start} cuts`);
  });
}

/** Bytes that do not compress. */
function noise(random: Random, size: number): Buffer {
  return Buffer.from(Array.from({ length: size }, () => random.below(256)));
}

test('torn inside a record of several pages: the records before it, and where the sound part ends', () => {
  using directory = temporaryDirectory();
  const wal = new WalWriter({ directory: directory.path, files: systemFiles, log: nopLogger });
  const random = new Random(3);
  const [first, large] = [noise(random, 9000), noise(random, 3 * PAGE_BYTES)];
  wal.log([first]);
  const start = wal.offset;
  wal.log([large]);
  const end = wal.offset;
  wal.close();
  ok(end - start > 3 * PAGE_BYTES);
  const path = join(directory.path, segmentName(0));
  const whole = readFileSync(path);
  let cuts = 0;
  for (let size = end; size >= start; size--) {
    // By default what lies around fragments' ends, and a sample of the rest; every byte in a soak.
    const inPage = size % PAGE_BYTES;
    const isNear = inPage < 24 || inPage > PAGE_BYTES - 24 || size - start < 24 || end - size < 24;
    if (!isNear && size % 331 !== 0 && FUZZ_CASES <= FUZZ_CASES_DEFAULT) continue;
    cuts++;
    truncateSync(path, size);
    const records: Buffer[] = [];
    const damages: [number, boolean][] = [];
    readSegment(
      directory.path,
      0,
      (record) => records.push(Buffer.from(record)),
      ({ soundEnd, atEnd }) => damages.push([soundEnd, atEnd]),
    );
    const isWhole = size === end;
    equal(Buffer.concat(records).equals(isWhole ? Buffer.concat([first, large]) : first), true);
    deepEqual(damages, isWhole || size === start ? [] : [[start, true]], `cut at ${size}`);
  }
  ok(cuts > 400);
  ok(whole.length === end);
});

test('torn inside a request of several pages: opened, written to, opened again', async () => {
  using directory = temporaryDirectory();
  const at = (n: string): string => join(directory.path, n);
  const ledger = new Ledger();
  const tsdb = openWhole(at('a'));
  await begin(tsdb, ledger);
  const random = new Random(4);
  const large = Array.from({ length: 900 }, (_, i) => ({
    labels: [['__name__', `large_${i}_${noise(random, 40).toString('hex')}`]] as const,
    samples: [[HOUR, random.float()]] as const,
  }));
  const file = join('wal', segmentName(0));
  const start = statSync(join(at('a'), file)).size;
  ledger.note(large, false);
  await write(tsdb, ledger.copy(), large);
  const end = statSync(join(at('a'), file)).size;
  ok(end - start > PAGE_BYTES, `${end - start} bytes`);
  const places = new Set<number>([start, start + 1, end - 1]);
  for (let page = PAGE_BYTES; page < end; page += PAGE_BYTES)
    for (let near = -9; near <= 9; near++)
      if (page + near >= start && page + near < end) places.add(page + near);
  for (const size of places) {
    crashCopy(at('a'), at('b'));
    truncateSync(join(at('b'), file), size);
    const own = ledger.copy();
    const opened = await check(at('b'), own, `cut at ${size}`);
    await write(opened, own, [floats('float', [HOUR + MINUTE]), floats('another', [HOUR])]);
    opened.close();
    (await check(at('b'), own, `cut at ${size}, written to`)).close();
  }
  tsdb.close();
});
