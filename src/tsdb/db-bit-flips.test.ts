/**
 * A flipped bit in each kind of file: a named error, a repair that is told, or what was written. Never a sample that was not
 * written, never a crash, and what is sound elsewhere stays readable and goes on.
 */
import { deepEqual, equal, match, ok } from 'node:assert/strict';
import { readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { after, before, test } from 'node:test';
import type { MaintainedTsdb } from '../../test/support/maintained-tsdb.ts';
import {
  FUZZ_CASES,
  FUZZ_CASES_DEFAULT,
  FUZZ_SEED,
  mutate,
} from '../../test/support/mutation-fuzz.ts';
import { temporaryDirectory } from '../../test/support/temporary-directory.ts';
import {
  HOUR,
  Ledger,
  MINUTE,
  WHOLE_END,
  crashCopy,
  firstGarbage,
  floats,
  makeWholeDirectory,
  missingOf,
  openWhole,
  readEverything,
  write,
} from '../../test/support/whole-directory.ts';
import { CodedError } from '../lib/errors.ts';
import { nopLogger } from '../lib/log.ts';
import type { Logger } from '../lib/log.ts';
import { Random } from '../lib/prng.ts';
import { FrameBuilder } from './wal/frame-builder.ts';
import { compressRecord } from './wal/record-compression.ts';
import { readSegment } from './wal/wal-reader.ts';

const original = temporaryDirectory();
let ledger = new Ledger();
let plain = '';
let withSnapshot = '';

before(async () => {
  plain = join(original.path, 'plain');
  withSnapshot = join(original.path, 'snapshot');
  ledger = await makeWholeDirectory(plain);
  openWhole(crashCopy(plain, withSnapshot), { memorySnapshot: true }).close();
});

after(() => original[Symbol.dispose]());

/** Names of a folder, sorted. */
function names(directory: string, folder: string): string[] {
  return readdirSync(join(directory, folder)).toSorted((a, b) => (a < b ? -1 : 1));
}

/** Which bytes are flipped: all of a small file, a sample of others; of those all in a soak. */
function* places(size: number): Generator<number> {
  const most = FUZZ_CASES > FUZZ_CASES_DEFAULT ? 3000 : 24;
  const step = Math.max(1, size / (size <= 20 ? size : most));
  for (let at = 0; at < size; at += step) yield Math.floor(at);
}

/** What may become of a file's flips. */
interface Expectation {
  /** Times, ms, from..to, whose samples may be missing; of all others none may. */
  readonly lost: readonly [from: number, to: number];
  /** What is said, when something is missing or nothing can be opened. */
  readonly said: RegExp;
  readonly memorySnapshot?: boolean;
}

/** How often each outcome came. */
type Outcomes = Record<'refused' | 'readOnly' | 'missing' | 'whole', number>;

async function flip(
  directory: string,
  path: string,
  at: number,
  want: Expectation,
): Promise<keyof Outcomes> {
  const where = `${path}, byte ${at}, bit ${at % 8}`;
  const bytes = readFileSync(join(directory, path));
  bytes[at] = (bytes[at] as number) ^ (1 << (at % 8));
  writeFileSync(join(directory, path), bytes);
  const lines: string[] = [];
  const say = (text: string, fields?: object): void =>
    void lines.push(`${text} ${JSON.stringify(fields ?? {})}`);
  const log: Logger = { ...nopLogger, info: say, warn: say, error: say, with: () => log };
  const options = { log, memorySnapshot: want.memorySnapshot === true };
  let tsdb: MaintainedTsdb;
  try {
    tsdb = openWhole(directory, options);
  } catch (thrown) {
    ok(thrown instanceof CodedError, `${where}: ${String(thrown)}`);
    match(thrown.message, want.said, where);
    return 'refused';
  }
  const noted = ledger.copy();
  const isReadOnly = tsdb.db.report.readOnlyReason !== '';
  const isWhole = await check(tsdb, noted, want, lines, where);
  if (isReadOnly) {
    tsdb.close();
    return 'readOnly';
  }
  await write(tsdb, noted, [
    floats('float', [WHOLE_END + MINUTE]),
    floats('new', [WHOLE_END + MINUTE]),
  ]);
  tsdb.close();
  // All that was repaired stays so.
  const again = openWhole(directory, options);
  await check(again, noted, want, lines, `${where}, restarted`);
  again.close();
  return isWhole ? 'whole' : 'missing';
}

/** Answers whether everything is there. */
async function check(
  tsdb: MaintainedTsdb,
  noted: Ledger,
  { lost: [from, to], said }: Expectation,
  lines: readonly string[],
  where: string,
): Promise<boolean> {
  let missing = 0;
  const broken = tsdb.catalog.broken.map(({ reason }) => reason);
  const told = [...lines, ...broken, tsdb.db.report.readOnlyReason];
  for (const [mint, maxt] of [
    [-1e15, 2 * HOUR - 1],
    [2 * HOUR, 4 * HOUR - 1],
    [4 * HOUR, 1e15],
  ] as const) {
    const found = await readEverything(tsdb.reader, mint, maxt);
    for (const error of found.errors) {
      ok(error instanceof CodedError, `${where}: ${String(error)}`);
      told.push(error.message);
    }
    equal(firstGarbage(found, noted), undefined, where);
    const lost = missingOf(found, noted, mint, maxt);
    missing += lost.count;
    if (from > maxt || to < mint) equal(lost.first, '', `${where}: ${told.join('\n')}`);
  }
  const outside = missingOf(
    await readEverything(tsdb.reader, Math.max(to + 1, 4 * HOUR)),
    noted,
    Math.max(to + 1, 4 * HOUR),
  );
  if (to < 1e14) equal(outside.first, '', where);
  if (missing > 0) match(told.join('\n'), said, where);
  return missing === 0;
}

function flips(
  what: string,
  of: () => readonly [directory: string, path: string],
  want: Expectation,
  least: Partial<Outcomes>,
): void {
  test(`a flipped bit in ${what}`, async (t) => {
    using parent = temporaryDirectory();
    const [directory, path] = of();
    const outcomes: Outcomes = { refused: 0, readOnly: 0, missing: 0, whole: 0 };
    for (const at of places(readFileSync(join(directory, path)).length)) {
      const copy = crashCopy(directory, join(parent.path, 'a'));
      outcomes[await flip(copy, path, at, want)]++;
    }
    t.diagnostic(`${path}: ${JSON.stringify(outcomes)}`);
    for (const [outcome, count] of Object.entries(least))
      ok(outcomes[outcome as keyof Outcomes] >= count, `${outcome}: ${JSON.stringify(outcomes)}`);
  });
}

const HEAD: readonly [number, number] = [4 * HOUR, WHOLE_END];
const TORN =
  /ends inside a record|WAL is damaged|cannot be read, it was lost|without a series record|cannot carry yet|not implemented/;
const block = (): string => names(plain, '').filter((name) => /^[0-9A-Z]{26}$/.test(name))[0] ?? '';

flips('a WAL segment', () => [plain, 'wal/00000003'], { lost: HEAD, said: TORN }, { missing: 1 });
flips(
  'the newest WAL segment',
  () => [plain, 'wal/00000005'],
  { lost: HEAD, said: TORN },
  { missing: 1 },
);
flips(
  'the segment of a checkpoint',
  () => {
    const checkpoint = names(plain, 'wal').find((name) => name.startsWith('checkpoint')) ?? '';
    return [plain, `wal/${checkpoint}/00000000`];
  },
  { lost: HEAD, said: TORN },
  { missing: 1 },
);
flips('a WBL segment', () => [plain, 'wbl/00000005'], { lost: HEAD, said: TORN }, { missing: 1 });
for (const n of [0, 2, 3, 4])
  flips(
    `file ${n} of chunks_head/`,
    () => [plain, `chunks_head/${names(plain, 'chunks_head')[n]}`],
    {
      lost: [1, 0],
      said: /^$/,
    },
    { whole: 20 },
  );
flips(
  'an index',
  () => [plain, `${block()}/index`],
  { lost: [0, 2 * HOUR - 1], said: /index/ },
  { missing: 15 },
);
flips(
  'a chunk segment',
  () => [plain, `${block()}/chunks/000001`],
  {
    lost: [0, 2 * HOUR - 1],
    said: /000001/,
  },
  { missing: 15 },
);
flips(
  'tombstones',
  () => [plain, `${block()}/tombstones`],
  {
    lost: [0, 2 * HOUR - 1],
    said: /tombstones/,
  },
  { missing: 5 },
);
flips(
  'thanos-ts.json',
  () => [plain, 'thanos-ts.json'],
  { lost: [1, 0], said: /^$/ },
  { whole: 15 },
);
flips(
  'a meta.json',
  () => [plain, `${block()}/meta.json`],
  {
    lost: [0, 2 * HOUR - 1],
    said: /meta.json/,
  },
  { missing: 5 },
);
for (const file of ['00000000', 'files.json'])
  flips(
    `${file} of a snapshot`,
    () => {
      const snapshot =
        names(withSnapshot, '').find((name) => name.startsWith('chunk_snapshot')) ?? '';
      return [withSnapshot, `${snapshot}/${file}`];
    },
    { lost: [1, 0], said: /^$/, memorySnapshot: true },
    { whole: 20 },
  );

test('a flipped bit in chunks_head/ behind the opening: an error for its series, the others are read', async (t) => {
  using parent = temporaryDirectory();
  let errors = 0;
  for (const name of names(plain, 'chunks_head')) {
    const path = join(parent.path, 'a/chunks_head', name);
    const bytes = readFileSync(join(plain, 'chunks_head', name));
    for (const at of places(Math.min(bytes.length, FUZZ_CASES > FUZZ_CASES_DEFAULT ? 3000 : 900))) {
      crashCopy(plain, join(parent.path, 'a'));
      using tsdb = openWhole(join(parent.path, 'a'));
      const flipped = Buffer.from(bytes);
      flipped[at] = (flipped[at] as number) ^ (1 << (at % 8));
      writeFileSync(path, flipped);
      const found = await readEverything(tsdb.reader);
      equal(firstGarbage(found, ledger), undefined);
      for (const error of found.errors) {
        ok(error instanceof CodedError && error.code === 'corrupt', String(error));
        match(error.message, /checksum mismatch \(.*, offset \d+\)/);
        ok(error.message.includes(`chunks_head/${name}`), error.message);
        errors++;
      }
      if (found.errors.length === 0) deepEqual(missingOf(found, ledger).first, '');
      const series = new Set(missingOfSeries(found.samples));
      ok(series.size <= 1, [...series].join());
      // What is on the disk again is read again: nothing of it was kept.
      writeFileSync(path, bytes);
      if (found.errors.length > 0)
        equal((await readEverything(tsdb.reader)).errors.length <= 1, true);
    }
  }
  t.diagnostic(`${errors} errors`);
  ok(errors > 10, String(errors));
});

/** Series of which something acknowledged was not read. */
function missingOfSeries(samples: ReadonlyMap<string, ReadonlyMap<number, string>>): string[] {
  return [...ledger.kept].flatMap(([key, wanted]) =>
    [...wanted].every(([t, text]) => samples.get(key)?.get(t) === text) ? [] : [key],
  );
}

test('records of the logs that are nonsense under right checksums: the others are kept, and the directory goes on', async (t) => {
  using parent = temporaryDirectory();
  const directory = join(parent.path, 'a');
  const random = new Random(FUZZ_SEED);
  const outcomes: Record<string, number> = {};
  for (const path of ['wal/00000003', 'wal/00000005', 'wbl/00000005']) {
    const records = recordsOf(join(plain, path));
    for (let round = 0; round < Math.min(FUZZ_CASES / 400, 500); round++) {
      crashCopy(plain, directory);
      const n = random.below(records.length);
      const mutated = mutate(records[n] as Buffer, random);
      const bodies = records.map((record, i) =>
        compressRecord(i === n ? mutated : record, 'snappy'),
      );
      writeFileSync(join(directory, path), new FrameBuilder().build(bodies, 0));
      const where = `${path}, record ${n}, round ${round}: ${mutated.toString('hex')}`;
      let outcome = 'opened';
      try {
        const tsdb = openWhole(directory);
        const found = await readEverything(tsdb.reader, -1e15, 4 * HOUR - 1);
        equal(missingOf(found, ledger, -1e15, 4 * HOUR - 1).first, '', where);
        for (const error of (await readEverything(tsdb.reader)).errors)
          ok(error instanceof CodedError, `${where}: ${String(error)}`);
        if (tsdb.db.report.readOnlyReason !== '') outcome = 'read-only';
        tsdb.close();
      } catch (thrown) {
        if (!(thrown instanceof CodedError)) throw new Error(where, { cause: thrown });
        outcome = thrown.code;
      }
      outcomes[outcome] = (outcomes[outcome] ?? 0) + 1;
    }
  }
  t.diagnostic(JSON.stringify(outcomes));
  ok((outcomes['opened'] ?? 0) > 20, JSON.stringify(outcomes));
});

function recordsOf(path: string): Buffer[] {
  const records: Buffer[] = [];
  const index = Number(basename(path));
  readSegment(
    dirname(path),
    index,
    (record) => records.push(Buffer.from(record)),
    () => ok(false),
  );
  return records;
}
