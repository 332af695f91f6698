/**
 * A disk that refuses, at each operation of each kind of request and of each step of maintenance, once and for good: a
 * named error, nothing acknowledged is lost, and what comes later works when the disk does.
 */
import { equal, match, ok } from 'node:assert/strict';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { FUZZ_CASES, FUZZ_CASES_DEFAULT } from '../../test/support/mutation-fuzz.ts';
import { FailingFiles } from '../../test/support/failing-files.ts';
import type { Refusal } from '../../test/support/failing-files.ts';
import type { MaintainedTsdb } from '../../test/support/maintained-tsdb.ts';
import { temporaryDirectory } from '../../test/support/temporary-directory.ts';
import {
  HOUR,
  Ledger,
  MINUTE,
  WHOLE_END,
  crashCopy,
  deleteFromHead,
  every,
  firstDeleted,
  firstGarbage,
  floats,
  histograms,
  makeWholeDirectory,
  missingOf,
  openWhole,
  readEverything,
  withExemplar,
  write,
} from '../../test/support/whole-directory.ts';
import type { TestSeries } from '../../test/support/write-request.ts';
import { CodedError } from '../lib/errors.ts';
import { nopLogger } from '../lib/log.ts';
import type { Logger } from '../lib/log.ts';

const original = temporaryDirectory();
let ledger = new Ledger();

before(async () => {
  ledger = await makeWholeDirectory(original.path);
});

after(() => original[Symbol.dispose]());

/** Later than everything in the directory. */
const LATER = WHOLE_END + MINUTE;

type Request = (tsdb: MaintainedTsdb, ledger: Ledger) => Promise<void>;

function writes(...series: TestSeries[]): Request {
  return (tsdb, noted) => write(tsdb, noted, series);
}

const LATE_TIMES = every(1000, WHOLE_END - HOUR + 100, WHOLE_END - HOUR + 100 + 40_000);

const REQUESTS: Readonly<Record<string, Request>> = {
  floats: writes(floats('float', [LATER]), floats('late', [LATER])),
  'a new series': writes(floats('new', [LATER])),
  histograms: writes(histograms('integers', [LATER], false), histograms('new', [LATER], true)),
  'an exemplar': writes(withExemplar('float', LATER)),
  'chunks that are full': writes(floats('float', every(1000, LATER, LATER + 300_000))),
  'late floats': writes(floats('late', LATE_TIMES.slice(0, 3))),
  'late samples that fill a list': writes(
    floats('late', LATE_TIMES),
    histograms('lateHistograms', LATE_TIMES, false),
  ),
  'a new series and late samples': writes(
    floats('new', [LATER]),
    floats('late', LATE_TIMES.slice(0, 2)),
  ),
  'a deletion': (tsdb, noted) =>
    deleteFromHead(tsdb, noted, { mint: 5 * HOUR + 10 * MINUTE, maxt: 5.5 * HOUR }),
};

/** What is wrong with what is read; '' when nothing is. */
async function problemOf(tsdb: MaintainedTsdb, noted: Ledger): Promise<string> {
  const found = await readEverything(tsdb.reader);
  if (found.errors.length > 0) return String(found.errors[0]);
  const garbage = firstGarbage(found, noted);
  if (garbage !== undefined) return `never sent: ${garbage}`;
  const deleted = firstDeleted(found, noted);
  if (deleted !== undefined) return `deleted: ${deleted}`;
  const { count, first } = missingOf(found, noted);
  return count > 0 ? `${count} missing, ${first}` : '';
}

/** The operations of a request on a disk that refuses nothing. */
async function operationsOf(request: Request): Promise<string[]> {
  using directory = temporaryDirectory();
  const files = new FailingFiles();
  using tsdb = openWhole(crashCopy(original.path, join(directory.path, 'a')), {
    files,
    fsync: 'always',
  });
  files.arm();
  await request(tsdb, ledger.copy());
  return [...files.log];
}

/** Runs a request on a disk that refuses, and everything that comes after it. Answers whether it was refused. */
async function refuse(request: Request, refusal: Refusal, where: string): Promise<boolean> {
  using directory = temporaryDirectory();
  const at = (name: string): string => join(directory.path, name);
  const noted = ledger.copy();
  const files = new FailingFiles();
  const tsdb = openWhole(crashCopy(original.path, at('a')), { files, fsync: 'always' });
  let refused = false;
  try {
    files.arm(refusal);
    try {
      await request(tsdb, noted);
    } catch (thrown) {
      ok(thrown instanceof CodedError, `${where}: ${String(thrown)}`);
      equal(thrown.code, 'unavailable', where);
      match(
        thrown.message,
        // tidy: bare-regexp: of names in this file
        new RegExp(`^(?:write|fsync|create) .*: ${refusal.code}: refused`),
        where,
      );
      refused = true;
    }
    ok(files.refused, where);
    equal(await problemOf(tsdb, noted), '', `${where}, in the process`);
    // A process that is killed now, or whose disk goes on refusing.
    const killed = openWhole(crashCopy(at('a'), at('b')));
    equal(await problemOf(killed, noted), '', `${where}, killed`);
    killed.close();
    reopenRefused(crashCopy(at('a'), at('b')), refusal.code, where);
    const third = openWhole(at('b'));
    equal(await problemOf(third, noted), '', `${where}, after openings that were refused`);
    third.close();
    // The disk works again: the request is sent again, and others are.
    files.arm();
    await request(tsdb, noted);
    await write(tsdb, noted, [floats('float', [LATER + HOUR]), floats('late', [LATER - HOUR + 7])]);
    equal(await problemOf(tsdb, noted), '', `${where}, again`);
    const last = openWhole(crashCopy(at('a'), at('c')));
    equal(await problemOf(last, noted), '', `${where}, again, killed`);
    last.close();
  } finally {
    files.arm();
    tsdb.close();
  }
  equal(files.openCount, 0, `${where}: files left open`);
  return refused;
}

/** Opens on a disk that refuses every operation: named, and no file is left open. */
function reopenRefused(directory: string, code: string, where: string): void {
  const files = new FailingFiles();
  files.arm({ at: 1, code, stays: true });
  let thrown: unknown;
  try {
    openWhole(directory, { files });
  } catch (error) {
    thrown = error;
  }
  ok(thrown instanceof CodedError && thrown.code === 'unavailable', `${where}: ${String(thrown)}`);
  ok(thrown.message.includes(`${code}: refused`), thrown.message);
  equal(files.openCount, 0, `${where}: files left open`);
}

for (const [name, request] of Object.entries(REQUESTS)) {
  test(`a disk that refuses at each operation of ${name}`, async (t) => {
    const operations = await operationsOf(request);
    let refused = 0;
    for (const [i, operation] of operations.entries()) {
      // One code at each place, the other at the next: both meet every operation over all requests.
      const code = i % 2 === 0 ? 'ENOSPC' : 'EIO';
      const where = `${code} at ${operation}`;
      const once = await refuse(request, { at: i + 1, code, stays: false }, where);
      const other = code === 'EIO' ? 'ENOSPC' : 'EIO';
      const stays = await refuse(
        request,
        { at: i + 1, code: other, stays: true },
        `${where} (stays)`,
      );
      if (once || stays) refused++;
      // What the log does not need may be refused: chunks stay in memory.
      if (!once) match(operation, /chunks_head/);
    }
    ok(operations.length >= 2 && refused >= 2, operations.join('\n'));
    t.diagnostic(`${operations.length} operations, ${refused} refused`);
  });
}

/** Closes; what could not be made durable before may be told now. */
function closeAnyhow(tsdb: MaintainedTsdb): void {
  try {
    tsdb.close();
  } catch (thrown) {
    ok(thrown instanceof CodedError && thrown.code === 'unavailable', String(thrown));
  }
}

/** A copy that has a block to be cut, late samples for one, and a log to be shortened. */
async function readyToCut(to: string): Promise<Ledger> {
  const noted = ledger.copy();
  using tsdb = openWhole(crashCopy(original.path, to));
  for (let t = LATER; t < WHOLE_END + 1.7 * HOUR; t += 2 * MINUTE)
    await write(tsdb, noted, [floats('float', [t]), histograms('integers', [t], false)]);
  await write(tsdb, noted, [floats('late', [WHOLE_END + 1.2 * HOUR])]);
  await write(tsdb, noted, [floats('late', every(9000, WHOLE_END, WHOLE_END + 400_000))]);
  return noted;
}

test('a disk that refuses at each operation of a cut, a late cut, a checkpoint and a truncation', async (t) => {
  using directory = temporaryDirectory();
  const at = (name: string): string => join(directory.path, name);
  const noted = await readyToCut(at('ready'));
  const lines: string[] = [];
  const log: Logger = {
    ...nopLogger,
    error: (text, fields) => void lines.push(`${text} ${JSON.stringify(fields)}`),
    warn: (text, fields) => void lines.push(`${text} ${JSON.stringify(fields)}`),
    with: () => log,
  };
  const files = new FailingFiles();
  const steps = openWhole(crashCopy(at('ready'), at('a')), { files });
  files.arm();
  await steps.maintenance.run();
  const operations = [...files.log];
  steps.close();
  for (const what of ['tmp-for-creation', 'checkpoint', 'wbl/', 'chunks_head/', 'open ', 'rename '])
    ok(
      operations.some((line) => line.includes(what)),
      `no ${what} in\n${operations.join('\n')}`,
    );
  const kinds = new Set<string>();
  let tried = 0;
  for (const [i, operation] of operations.entries()) {
    // By default one operation of each kind of file, of every soak all of them: late blocks are written as others are.
    const kind = operation.replace(at('a'), '').replaceAll(/[0-9A-Z]{26}|\d+/g, '#');
    if (FUZZ_CASES <= FUZZ_CASES_DEFAULT && kinds.has(kind)) continue;
    kinds.add(kind);
    const code = tried % 2 === 0 ? 'ENOSPC' : 'EIO';
    const stays = tried++ % 4 > 1;
    const where = `${code}${stays ? ', for good,' : ''} at ${operation}`;
    const tsdb = openWhole(crashCopy(at('ready'), at('a')), { files, log });
    lines.length = 0;
    files.arm({ at: i + 1, code, stays });
    await tsdb.maintenance.run();
    ok(files.refused, where);
    ok(
      lines.some((line) => line.includes(`${code}: refused`)),
      `${where} is not told: ${lines.join()}`,
    );
    equal(await problemOf(tsdb, noted), '', `${where}, in the process`);
    if (i % 2 === 0 || /checkpoint|rename|remove|directory/.test(operation)) {
      const killed = openWhole(crashCopy(at('a'), at('b')));
      await killed.maintenance.run();
      equal(await problemOf(killed, noted), '', `${where}, killed`);
      killed.close();
    }
    files.arm();
    await tsdb.maintenance.run();
    const own = noted.copy();
    await write(tsdb, own, [
      floats('float', [WHOLE_END + 2 * HOUR]),
      floats('new', [WHOLE_END + 2 * HOUR]),
    ]);
    equal(await problemOf(tsdb, own), '', `${where}, next round`);
    equal(
      tsdb.catalog.blocks.filter(({ meta }) => meta.minTime === 4 * HOUR).length >= 1,
      true,
      where,
    );
    closeAnyhow(tsdb);
    if (i % 4 === 0) {
      const last = openWhole(at('a'));
      equal(await problemOf(last, own), '', `${where}, next round, restarted`);
      last.close();
    }
    equal(files.openCount, 0, `${where}: files left open`);
  }
  t.diagnostic(`${tried} of ${operations.length} operations`);
});

test('a disk that refuses at each operation of a shutdown that writes a snapshot of the head', async (t) => {
  using directory = temporaryDirectory();
  const at = (name: string): string => join(directory.path, name);
  const files = new FailingFiles();
  const begin = async (): Promise<[MaintainedTsdb, Ledger]> => {
    const noted = ledger.copy();
    const tsdb = openWhole(crashCopy(original.path, at('a')), { files, memorySnapshot: true });
    await write(tsdb, noted, [floats('float', every(1000, LATER, LATER + 200_000))]);
    await write(tsdb, noted, [floats('new', [LATER]), floats('late', LATE_TIMES.slice(0, 5))]);
    return [tsdb, noted];
  };
  const [whole] = await begin();
  files.arm();
  whole.close();
  const operations = [...files.log];
  ok(operations.length > 8, operations.join('\n'));
  let snapshots = 0;
  for (const [i, operation] of operations.entries()) {
    for (const [code, stays] of [
      ['EIO', false],
      ['ENOSPC', true],
    ] as const) {
      const [tsdb, noted] = await begin();
      files.arm({ at: i + 1, code, stays });
      closeAnyhow(tsdb);
      files.arm();
      equal(files.openCount, 0, operation);
      if (readdirSync(at('a')).some((name) => /^chunk_snapshot\.[\d.]+$/.test(name))) snapshots++;
      const again = openWhole(at('a'), { memorySnapshot: true });
      equal(
        await problemOf(again, noted),
        '',
        `${code}${stays ? ' for good' : ''} at ${operation}`,
      );
      again.close();
    }
  }
  t.diagnostic(`${operations.length} operations, ${snapshots} snapshots all the same`);
});
