/**
 * An fsync that fails: the write is refused although it was applied, so that it will be sent again. It must not be
 * acknowledged then as one that is there already, unless a machine that dies would still have it.
 */
import { equal, ok, rejects } from 'node:assert/strict';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { DroppingFiles } from '../../test/support/dropping-files.ts';
import type { MaintainedTsdb } from '../../test/support/maintained-tsdb.ts';
import { dropUnsynced } from '../../test/support/synced-sizes.ts';
import { temporaryDirectory } from '../../test/support/temporary-directory.ts';
import {
  HOUR,
  Ledger,
  MINUTE,
  crashCopy,
  deleteFromHead,
  every,
  firstDeleted,
  firstGarbage,
  floats,
  histograms,
  missingOf,
  openWhole,
  readEverything,
  withExemplar,
  write,
} from '../../test/support/whole-directory.ts';
import type { CodedError } from '../lib/errors.ts';
import { Random } from '../lib/prng.ts';

/** Loses with the machine what was not fsynced, and fails an fsync when it is told to. */
class FailingFsync extends DroppingFiles {
  failures = 0;

  constructor() {
    super(new Random(1), 0);
  }

  override fsync(fd: number): void {
    if (this.failures > 0) {
      this.failures--;
      throw new Error('EIO: i/o error, fsync');
    }
    super.fsync(fd);
  }
}

type Request = (tsdb: MaintainedTsdb, ledger: Ledger, t: number) => Promise<void>;

const REQUESTS: Readonly<Record<string, Request>> = {
  floats: (tsdb, ledger, t) => write(tsdb, ledger, [floats('float', [t])]),
  'a new series': (tsdb, ledger, t) => write(tsdb, ledger, [floats('new', [t], String(t))]),
  histograms: (tsdb, ledger, t) => write(tsdb, ledger, [histograms('integers', [t], false)]),
  'an exemplar': (tsdb, ledger, t) => write(tsdb, ledger, [withExemplar('float', t)]),
  'late samples': (tsdb, ledger, t) =>
    write(tsdb, ledger, [floats('float', every(1000, t - HOUR + 1, t - HOUR + 50_000))]),
  'a deletion': (tsdb, ledger, t) =>
    deleteFromHead(tsdb, ledger, { mint: t - HOUR, maxt: t - HOUR + 5 * MINUTE }),
};

const MINUTES = every(MINUTE, 0, HOUR);

async function start(directory: string, files: DroppingFiles): Promise<[MaintainedTsdb, Ledger]> {
  const tsdb = openWhole(directory, { files, fsync: 'always' });
  const ledger = new Ledger();
  await write(tsdb, ledger, [
    floats('float', MINUTES),
    floats('deleted', MINUTES),
    histograms('integers', MINUTES, false),
  ]);
  return [tsdb, ledger];
}

/** What a machine that died would find. */
async function checkDead(from: string, to: string, ledger: Ledger, where: string): Promise<void> {
  dropUnsynced(crashCopy(from, to), new Random(1), 0);
  using tsdb = openWhole(to);
  const found = await readEverything(tsdb.reader);
  equal(found.errors[0], undefined, where);
  equal(firstGarbage(found, ledger), undefined, where);
  equal(missingOf(found, ledger).first, '', where);
  equal(firstDeleted(found, ledger), undefined, where);
}

for (const [name, request] of Object.entries(REQUESTS)) {
  test(`${name}, sent again after an fsync that failed, are as durable as they are said to be`, async () => {
    using directory = temporaryDirectory();
    const at = (n: string): string => join(directory.path, n);
    const files = new FailingFsync();
    const [tsdb, ledger] = await start(at('a'), files);
    try {
      for (const failures of [1, 2, 3]) {
        files.failures = failures;
        const t = HOUR + failures * 10 * MINUTE;
        for (let i = 0; i < failures; i++)
          await rejects(
            () => request(tsdb, ledger, t),
            (thrown: CodedError) =>
              thrown.code === 'unavailable' && thrown.message.startsWith('fsync WAL: EIO'),
          );
        equal(files.failures, 0);
        await checkDead(at('a'), at(`refused ${failures}`), ledger, 'refused');
        await request(tsdb, ledger, t);
        await checkDead(at('a'), at(`again ${failures}`), ledger, 'sent again');
        // What comes behind it is in order, and nothing of what was before is written over.
        await write(tsdb, ledger, [floats('float', [t + MINUTE])]);
        await checkDead(at('a'), at(`later ${failures}`), ledger, 'later');
      }
    } finally {
      files.failures = 0;
      tsdb.close();
    }
    await checkDead(at('a'), at('closed'), ledger, 'closed');
  });
}

test('later writes do not overtake what a failed fsync left behind', async () => {
  using directory = temporaryDirectory();
  const at = (n: string): string => join(directory.path, n);
  const files = new FailingFsync();
  const [tsdb, ledger] = await start(at('a'), files);
  files.failures = 1;
  await rejects(() => write(tsdb, ledger, [floats('float', [HOUR])]), /fsync WAL: EIO/);
  // Newer ones of the same series first: the others are there already when they are sent again.
  await write(tsdb, ledger, [floats('float', [HOUR + 1, HOUR + 2])]);
  await write(tsdb, ledger, [floats('float', [HOUR])]).catch(() => undefined);
  await checkDead(at('a'), at('b'), ledger, 'dead');
  equal(ledger.kept.get('__name__=float,zone=a')?.has(HOUR), true);
  ok(readdirSync(join(at('a'), 'wal')).length > 1);
  tsdb.close();
});

test('a duplicate of a write that waits for its fsync waits, too', async () => {
  using directory = temporaryDirectory();
  const at = (n: string): string => join(directory.path, n);
  const files = new FailingFsync();
  const [tsdb, ledger] = await start(at('a'), files);
  const series = [floats('float', [HOUR])];
  ledger.note(series, false);
  files.failures = 1;
  const both = await Promise.allSettled([write(tsdb, ledger, series), write(tsdb, ledger, series)]);
  equal(both.map(({ status }) => status).join(), 'rejected,rejected');
  tsdb.close();
});
