/**
 * Directories whose snapshot of the head holds a record of nonsense under a right checksum: opened from it or from the log,
 * or refused by name; read, and gone on with.
 */
import { equal, ok } from 'node:assert/strict';
import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { FUZZ_CASES, FUZZ_SEED, damage, mutate } from '../../test/support/mutation-fuzz.ts';
import { temporaryDirectory } from '../../test/support/temporary-directory.ts';
import {
  HOUR,
  Ledger,
  MINUTE,
  crashCopy,
  deleteFromHead,
  every,
  floats,
  histograms,
  openWhole,
  readEverything,
  withExemplar,
  write,
} from '../../test/support/whole-directory.ts';
import { CodedError } from '../lib/errors.ts';
import { Random } from '../lib/prng.ts';
import { FrameBuilder } from './wal/frame-builder.ts';
import { segmentName } from './wal/page-format.ts';
import { compressRecord } from './wal/record-compression.ts';
import { listSnapshots } from './wal/snapshot-format.ts';
import { readSegment } from './wal/wal-reader.ts';

/** perf: a case opens a directory twice: fewer than elsewhere. */
const CASES = Math.ceil(FUZZ_CASES / 100);

const original = temporaryDirectory();
const directory = join(original.path, 'a');
const ledger = new Ledger();
let snapshot = '';
const records: Buffer[] = [];

before(async () => {
  const tsdb = openWhole(directory, { memorySnapshot: true });
  const times = every(MINUTE, 0, HOUR);
  await write(tsdb, ledger, [
    floats('float', times),
    floats('deleted', times),
    histograms('integers', times, false),
    histograms('floatHistograms', times, true),
  ]);
  await write(tsdb, ledger, [withExemplar('float', HOUR)]);
  await deleteFromHead(tsdb, ledger, { mint: 0, maxt: 10 * MINUTE });
  tsdb.close();
  snapshot = listSnapshots(directory)[0]?.name ?? '';
  readSegment(
    join(directory, snapshot),
    0,
    (record) => records.push(Buffer.from(record)),
    ({ reason }) => ok(false, reason),
  );
  equal(records.length, 6);
});

after(() => original[Symbol.dispose]());

/** Opens and reads. Answers 'whole' or 'errors', or the code of the error that kept it from opening. */
async function openAndRead(path: string, isLast: boolean): Promise<string> {
  let tsdb: ReturnType<typeof openWhole> | undefined;
  try {
    tsdb = openWhole(path, { memorySnapshot: true });
    const { errors } = await readEverything(tsdb.reader);
    for (const error of errors) if (!(error instanceof CodedError)) throw error;
    if (isLast) return errors.length > 0 ? 'errors' : 'whole';
    await write(tsdb, new Ledger(), [floats('float', [2 * HOUR]), floats('new', [2 * HOUR])]);
    return errors.length > 0 ? 'errors' : 'whole';
  } catch (thrown) {
    if (!(thrown instanceof CodedError)) throw thrown;
    return thrown.code;
  } finally {
    // It writes a snapshot of what it holds.
    tsdb?.close();
  }
}

test(`fuzz: ${CASES} directories with nonsense in their snapshots, seed ${FUZZ_SEED}`, async (t) => {
  using parent = temporaryDirectory();
  const path = join(parent.path, 'b');
  const random = new Random(FUZZ_SEED * 31);
  const outcomes: Record<string, number> = {};
  for (let i = 0; i < CASES; i++) {
    const n = random.below(records.length);
    const way = random.below(2) === 0 ? mutate : damage;
    const mutated = way(records[n] as Buffer, random, { from: 1 });
    const bodies = records.map((record, k) => compressRecord(k === n ? mutated : record, 'snappy'));
    crashCopy(directory, path);
    // The list of files would tell that they are not those that were written.
    rmSync(join(path, snapshot, 'files.json'), { force: true });
    writeFileSync(join(path, snapshot, segmentName(0)), new FrameBuilder().build(bodies, 0));
    try {
      for (const isLast of [false, true]) {
        const outcome = await openAndRead(path, isLast);
        outcomes[outcome] = (outcomes[outcome] ?? 0) + 1;
      }
    } catch (thrown) {
      const where = `case ${i}, record ${n}: ${mutated.toString('hex')}`;
      const what = thrown instanceof Error ? thrown.stack : String(thrown);
      throw new Error(`${where}: ${what}`, { cause: thrown });
    }
  }
  t.diagnostic(JSON.stringify(outcomes));
  ok((outcomes['whole'] ?? 0) > CASES / 2, JSON.stringify(outcomes));
});
