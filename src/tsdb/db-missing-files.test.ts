/**
 * Files and directories that are gone, before a directory is opened and while it is: named, the rest is there, and what is
 * written afterwards is neither lost nor mixed with what was.
 */
import { deepEqual, equal, match, ok } from 'node:assert/strict';
import { readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import type { MaintainedTsdb } from '../../test/support/maintained-tsdb.ts';
import { temporaryDirectory } from '../../test/support/temporary-directory.ts';
import {
  HOUR,
  Ledger,
  MINUTE,
  WHOLE_END,
  crashCopy,
  every,
  firstGarbage,
  floats,
  histograms,
  makeWholeDirectory,
  missingOf,
  openWhole,
  readEverything,
  write,
} from '../../test/support/whole-directory.ts';
import type { Found } from '../../test/support/whole-directory.ts';
import { CodedError } from '../lib/errors.ts';
import { nopLogger } from '../lib/log.ts';
import type { Logger } from '../lib/log.ts';

const original = temporaryDirectory();
let ledger = new Ledger();

before(async () => {
  ledger = await makeWholeDirectory(original.path);
});

after(() => original[Symbol.dispose]());

const LATER = WHOLE_END + MINUTE;

/** Names in a folder, sorted; those of blocks when there is no folder. */
function names(directory: string, folder = ''): string[] {
  const all = readdirSync(join(directory, folder)).toSorted((a, b) => (a < b ? -1 : 1));
  return folder === '' ? all.filter((name) => /^[0-9A-Z]{26}$/.test(name)) : all;
}

/** Keeps what is said above info. */
function listening(): { readonly log: Logger; readonly lines: string[] } {
  const lines: string[] = [];
  const say = (text: string, fields?: object): void =>
    void lines.push(`${text} ${JSON.stringify(fields ?? {})}`);
  const log: Logger = { ...nopLogger, warn: say, error: say, with: () => log };
  return { log, lines };
}

async function read(tsdb: MaintainedTsdb): Promise<Found> {
  const found = await readEverything(tsdb.reader);
  for (const error of found.errors) ok(error instanceof CodedError, String(error));
  return found;
}

/** What a loss may be: how many samples of the directory, and what is said about it. */
interface Loss {
  readonly said: RegExp;
  /** Which samples may be missing, in a range of time and of which series; none by default. */
  readonly mint?: number;
  readonly maxt?: number;
  readonly series?: RegExp;
}

/** Reads and compares: no garbage, and nothing missing but what may be. */
async function check(
  tsdb: MaintainedTsdb,
  noted: Ledger,
  loss: Loss | undefined,
  where: string,
): Promise<void> {
  const found = await read(tsdb);
  equal(firstGarbage(found, noted), undefined, where);
  equal(found.errors[0], undefined, where);
  if (loss?.mint === undefined) return equal(missingOf(found, noted).first, '', where);
  const { mint, maxt = Infinity, series = /./ } = loss;
  const rest = noted.copy();
  for (const [key, samples] of rest.kept)
    if (series.test(key))
      for (const t of samples.keys()) if (t >= mint && t <= maxt) samples.delete(t);
  equal(missingOf(found, rest).first, '', where);
}

/**
 * Removes something from a copy, opens it, reads, writes on, and does so once more after a restart and a round; all that
 * without and with snapshots of the head.
 */
function removed(what: string, remove: (directory: string) => void, loss?: Loss): void {
  test(`${what} is gone before the opening`, () => runRemoved(remove, loss, false));
  test(`${what} is gone before the opening, beside a snapshot of the head`, () =>
    runRemoved(remove, loss, true));
}

async function runRemoved(
  remove: (directory: string) => void,
  loss: Loss | undefined,
  memorySnapshot: boolean,
): Promise<void> {
  using directory = temporaryDirectory();
  const path = crashCopy(original.path, join(directory.path, 'a'));
  if (memorySnapshot) {
    openWhole(path, { memorySnapshot }).close();
    equal(readdirSync(path).filter((name) => name.startsWith('chunk_snapshot.')).length, 1);
  }
  remove(path);
  const { log, lines } = listening();
  const noted = ledger.copy();
  const tsdb = openWhole(path, { log, memorySnapshot });
  await check(tsdb, noted, loss, 'opened');
  const [warnings, broken] = [(await read(tsdb)).warnings, tsdb.catalog.broken];
  const said = [...lines, ...warnings, ...broken.map(({ reason }) => reason)].join('\n');
  // A snapshot makes up for some losses.
  const isWhole = missingOf(await read(tsdb), noted).count === 0;
  if (loss === undefined) {
    const unexpected = lines.filter((line) => !line.includes('is not that of the snapshot'));
    deepEqual([unexpected, warnings, broken], [[], [], []]);
    ok(memorySnapshot || lines.length === 0, said);
  }
  if (loss !== undefined && (!memorySnapshot || !isWhole)) match(said, loss.said);
  // Late samples, too: more than a list takes, so that chunks are written and marked in the log.
  const more = new Ledger();
  const times = every(MINUTE, LATER, LATER + 10 * MINUTE);
  await write(tsdb, more, [floats('float', times), histograms('integers', times, false)]);
  for (const name of ['new', 'late', 'float']) {
    await write(tsdb, more, [floats(name, [LATER + HOUR])]);
    for (const from of [0, 10, 20]) {
      const late = every(1000, LATER + from * MINUTE + 77, LATER + from * MINUTE + 20_077);
      await write(tsdb, more, [floats(name, late)]);
    }
  }
  const all = joined(noted, more);
  await check(tsdb, all, loss, 'written to');
  const killed = openWhole(crashCopy(path, join(directory.path, 'b')), { memorySnapshot });
  await check(killed, all, loss, 'killed');
  killed.close();
  tsdb.close();
  const again = openWhole(path, { memorySnapshot });
  await check(again, all, loss, 'restarted');
  await again.maintenance.run();
  await check(again, all, loss, 'after a round');
  again.close();
}

function joined(a: Ledger, b: Ledger): Ledger {
  const all = a.copy();
  for (const [key, samples] of b.sent) {
    const sent = all.sent.get(key) ?? new Map<number, Set<string>>();
    for (const [t, texts] of samples) sent.set(t, texts);
    all.sent.set(key, sent);
    all.kept.set(key, new Map([...(all.kept.get(key) ?? []), ...(b.kept.get(key) ?? [])]));
  }
  return all;
}

const remove =
  (folder: string, pick: (found: string[]) => string | undefined) => (directory: string) =>
    rmSync(join(directory, folder, pick(names(directory, folder)) ?? '?'), { recursive: true });

const HEAD = { mint: 4 * HOUR, maxt: WHOLE_END };

removed('thanos-ts.json', (directory) => rmSync(join(directory, 'thanos-ts.json')));
removed('chunks_head/', (directory) => rmSync(join(directory, 'chunks_head'), { recursive: true }));
for (const n of [0, 4])
  removed(
    `file ${n} of chunks_head/`,
    remove('chunks_head', (found) => found[n]),
  );
for (const n of [1, 2, 3])
  removed(
    `file ${n} of chunks_head/`,
    remove('chunks_head', (found) => found[n]),
    {
      said: /head chunks file is damaged.*it is missing/,
    },
  );
removed(
  'all that names series',
  (directory) => {
    for (const name of ['wal', 'chunks_head']) rmSync(join(directory, name), { recursive: true });
  },
  { said: /samples without a series record were left out/, ...HEAD },
);
removed('wal/', (directory) => rmSync(join(directory, 'wal'), { recursive: true }), {
  said: /samples without a series record were left out/,
  ...HEAD,
});
removed(
  'the checkpoint',
  remove('wal', (found) => found.find((name) => name.startsWith('checkpoint'))),
  {
    said: /WAL segments? .*missing/,
    ...HEAD,
  },
);
removed(
  'the segment of the checkpoint',
  (directory) => {
    const checkpoint = names(directory, 'wal').find((name) => name.startsWith('checkpoint')) ?? '';
    rmSync(join(directory, 'wal', checkpoint, '00000000'));
  },
  { said: /samples without a series record were left out/, ...HEAD },
);
removed(
  'a segment of the WAL',
  remove('wal', (found) => found.find((name) => name === '00000003')),
  {
    said: /WAL segments? .*missing/,
    ...HEAD,
  },
);
removed('wbl/', (directory) => rmSync(join(directory, 'wbl'), { recursive: true }), {
  said: /^$/,
  mint: 4 * HOUR,
  series: /late/,
});
removed(
  'the segment of the WBL',
  remove('wbl', (found) => found.at(-1)),
  {
    said: /^$/,
    mint: 4 * HOUR,
    series: /late/,
  },
);
for (const file of ['meta.json', 'index', 'chunks/000001', 'chunks', '']) {
  removed(
    file === '' ? 'a block' : `${file} of a block`,
    (directory) => rmSync(join(directory, names(directory)[0] ?? '?', file), { recursive: true }),
    {
      // tidy: bare-regexp: of names in this file
      said: file === '' ? /^$/ : /meta\.json|index|chunks/,
      mint: 0,
      maxt: 2 * HOUR,
    },
  );
}

/** Removes something from a directory that is open and was not read: what cannot be read is said, the rest is there. */
function removedWhileOpen(
  what: string,
  drop: (directory: string) => void,
  loss: Loss | undefined,
): void {
  test(`${what} is gone while the directory is open`, async () => {
    using directory = temporaryDirectory();
    const path = crashCopy(original.path, join(directory.path, 'a'));
    const noted = ledger.copy();
    using tsdb = openWhole(path);
    drop(path);
    for (let round = 0; round < 2; round++) {
      // Block by block and then the head, as an error of one source is an error of its select.
      for (const [mint, maxt] of [
        [0, 2 * HOUR - 1],
        [2 * HOUR, 4 * HOUR - 1],
        [4 * HOUR, 1e15],
      ] as const) {
        const found = await readEverything(tsdb.reader, mint, maxt);
        for (const error of found.errors) {
          ok(error instanceof CodedError, String(error));
          match(error.message, loss?.said ?? /never/);
        }
        equal(firstGarbage(found, noted), undefined);
        const touched =
          loss?.mint !== undefined && loss.mint <= maxt && (loss.maxt ?? 1e15) >= mint;
        if (!touched)
          deepEqual([found.errors, missingOf(found, noted, mint, maxt).first], [[], '']);
        else ok(found.errors.length > 0 || missingOf(found, noted, mint, maxt).count === 0);
      }
      const t = LATER + round * MINUTE;
      try {
        await write(tsdb, noted, [floats('float', [t]), floats('late', [t - HOUR + 7])]);
      } catch (thrown) {
        ok(thrown instanceof CodedError && thrown.code === 'unavailable', String(thrown));
      }
      await tsdb.maintenance.run();
    }
  });
}

removedWhileOpen(
  'chunks_head/',
  (directory) => rmSync(join(directory, 'chunks_head'), { recursive: true }),
  {
    said: /chunks_head/,
    mint: 0,
  },
);
for (const file of ['index', 'chunks/000001', 'chunks', '', 'meta.json', 'tombstones'])
  removedWhileOpen(
    `${file === '' ? 'all' : file} of a block`,
    (directory) => rmSync(join(directory, names(directory)[0] ?? '?', file), { recursive: true }),
    { said: /read .*ENOENT/, mint: 0, maxt: 2 * HOUR - 1 },
  );
removedWhileOpen(
  'wal/',
  (directory) => rmSync(join(directory, 'wal'), { recursive: true }),
  undefined,
);
removedWhileOpen(
  'wbl/',
  (directory) => rmSync(join(directory, 'wbl'), { recursive: true }),
  undefined,
);
removedWhileOpen('the lock', (directory) => rmSync(join(directory, 'lock')), undefined);
