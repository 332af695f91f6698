/** What damage to a block does: it is named, the other blocks go on answering, and no file goes away. */
import { deepEqual, equal, match, ok } from 'node:assert/strict';
import {
  cpSync,
  readFileSync,
  readdirSync,
  renameSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { Matcher } from '../model/matcher.ts';
import { FloatColumns } from '../storage/storage.ts';
import { MaintainedTsdb } from '../../test/support/maintained-tsdb.ts';
import type { Rows } from '../../test/support/maintained-tsdb.ts';
import { temporaryDirectory } from '../../test/support/temporary-directory.ts';

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const HOURS = 8;
/** The block in the middle: hours 2 to 4. */
const DAMAGED = 1;

const original = temporaryDirectory();
let names: string[] = [];
let damaged = '';
const all: Rows = {};

before(async () => {
  const tsdb = new MaintainedTsdb({ directory: original.path });
  for (let t = 0; t < HOURS * HOUR; t += MINUTE) {
    const samples: Record<string, [number, number]> = {};
    for (let i = 0; i < 20; i++) samples[`series_${i}`] = [t, t * i];
    await tsdb.write(samples);
    for (const [name, sample] of Object.entries(samples)) (all[name] ??= []).push(sample);
  }
  await tsdb.maintenance.run();
  equal(tsdb.catalog.blocks.length, 3);
  names = tsdb.catalog.blocks.map(({ meta }) => meta.ulid);
  damaged = names[DAMAGED] as string;
  tsdb.close();
  // Without a log that still has what the block held.
  rmSync(join(original.path, 'wal'), { recursive: true });
});

after(() => original[Symbol.dispose]());

/** Every file with its size. */
function files(directory: string): Record<string, number> {
  const out: Record<string, number> = {};
  for (const name of readdirSync(directory, { recursive: true, encoding: 'utf8' })) {
    const stat = statSync(join(directory, name));
    if (stat.isFile() && /^[0-9A-Z]{26}/.test(name)) out[name] = stat.size;
  }
  return out;
}

/** What of the blocks is left without the damaged one. */
function without(): Rows {
  return Object.fromEntries(
    Object.entries(all)
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([name, samples]) => [
        name,
        samples.filter(([t]) => t < 6 * HOUR && (t < 2 * HOUR || t >= 4 * HOUR)),
      ]),
  );
}

async function warningsOf(
  tsdb: MaintainedTsdb,
  mint: number,
  maxt: number,
): Promise<readonly string[]> {
  const matchers = [new Matcher('=', '__name__', 'series_1')];
  return (await tsdb.reader.select({ matchers, mint, maxt })).warnings;
}

/** Damage that is seen when the blocks are listed. */
function quarantined(what: string, damage: (block: string) => void, reason: RegExp): void {
  test(`${what}: quarantined`, async () => {
    using directory = temporaryDirectory();
    cpSync(original.path, directory.path, { recursive: true });
    damage(join(directory.path, damaged));
    const there = files(directory.path);
    const tsdb = new MaintainedTsdb({ directory: directory.path });
    for (let round = 0; round < 2; round++) {
      deepEqual(
        tsdb.catalog.broken.map(({ ulid }) => ulid),
        [damaged],
      );
      match(tsdb.catalog.broken[0]?.reason ?? '', reason);
      deepEqual(await tsdb.read(), without());
      const [warning = '', ...others] = await warningsOf(tsdb, 2 * HOUR, 3 * HOUR);
      ok(warning.startsWith(`the samples of block ${damaged} are missing: `), warning);
      match(warning, reason);
      deepEqual(others, []);
      deepEqual(await warningsOf(tsdb, 1e14, 2e14), [], 'a range that it has nothing of');
      await tsdb.maintenance.run();
    }
    deepEqual(files(directory.path), there);
    equal(await tsdb.metric('blocks_quarantined'), 1);
    // A block that is mended comes back by itself.
    rmSync(join(directory.path, damaged), { recursive: true });
    cpSync(join(original.path, damaged), join(directory.path, damaged), { recursive: true });
    await tsdb.maintenance.run();
    equal(tsdb.catalog.blocks.length, 3);
    deepEqual(await warningsOf(tsdb, 2 * HOUR, 3 * HOUR), []);
    tsdb.close();
  });
}

quarantined('no meta.json', (block) => rmSync(join(block, 'meta.json')), /meta\.json/);
quarantined(
  'an empty meta.json',
  (block) => writeFileSync(join(block, 'meta.json'), ''),
  /meta\.json/,
);
quarantined(
  'a torn meta.json',
  (block) => truncateSync(join(block, 'meta.json'), 100),
  /meta\.json/,
);
quarantined('no index', (block) => rmSync(join(block, 'index')), /index/);
quarantined(
  'an index cut in half',
  (block) => {
    const path = join(block, 'index');
    truncateSync(path, statSync(path).size >> 1);
  },
  /index/,
);
quarantined('no chunks', (block) => rmSync(join(block, 'chunks'), { recursive: true }), /chunks/);
quarantined('no chunk file', (block) => rmSync(join(block, 'chunks/000001')), /chunks/);
quarantined(
  'a chunk file cut short',
  (block) => {
    const path = join(block, 'chunks/000001');
    truncateSync(path, statSync(path).size - 100);
  },
  /000001/,
);
quarantined(
  'a chunk file under another name',
  (block) => {
    renameSync(join(block, 'chunks/000001'), join(block, 'chunks/000002'));
  },
  /chunks/,
);

/** Reads series by series, in a range; an error ends it. */
async function readRange(tsdb: MaintainedTsdb, mint: number, maxt: number): Promise<Rows | string> {
  try {
    return await tsdb.read(mint, maxt);
  } catch (thrown) {
    return String(thrown);
  }
}

test('a flipped bit anywhere in an index or a chunk file: the truth, or a named error, and the others answer', async () => {
  const outcomes = { quarantined: 0, error: 0, same: 0 };
  const want = sortedRange(2 * HOUR, 4 * HOUR);
  for (const file of ['index', 'chunks/000001']) {
    const path = join(original.path, damaged, file);
    const bytes = readFileSync(path);
    // Every byte of the ends, where headers and tables are, and a sample of what lies between.
    for (let at = 0; at < bytes.length; at += at < 32 || at > bytes.length - 60 ? 1 : 131) {
      using directory = temporaryDirectory();
      cpSync(original.path, directory.path, { recursive: true });
      const flipped = Buffer.from(bytes);
      flipped[at] = (flipped[at] as number) ^ (1 << (at % 8));
      writeFileSync(join(directory.path, damaged, file), flipped);
      const there = files(directory.path);
      const tsdb = new MaintainedTsdb({ directory: directory.path });
      const got = await readRange(tsdb, 2 * HOUR, 4 * HOUR - 1);
      if (tsdb.catalog.broken.length > 0) {
        outcomes.quarantined++;
        deepEqual(got, {});
        match(tsdb.catalog.broken[0]?.reason ?? '', /index|000001/);
      } else if (typeof got === 'string') {
        outcomes.error++;
        match(got, /^(?:Corruption|Coded)Error: .*(?:index|000001)/, `${file}, byte ${at}`);
      } else {
        outcomes.same++;
        deepEqual(got, want, `${file}, byte ${at}`);
      }
      deepEqual(
        await readRange(tsdb, 0, 2 * HOUR - 1),
        sortedRange(0, 2 * HOUR),
        `${file}, byte ${at}`,
      );
      deepEqual(await readRange(tsdb, 4 * HOUR, 6 * HOUR - 1), sortedRange(4 * HOUR, 6 * HOUR));
      deepEqual(files(directory.path), there);
      tsdb.close();
    }
  }
  ok(outcomes.quarantined > 20 && outcomes.error > 20, JSON.stringify(outcomes));
});

function sortedRange(mint: number, maxt: number): Rows {
  return Object.fromEntries(
    Object.entries(all)
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([name, samples]) => [name, samples.filter(([t]) => t >= mint && t < maxt)]),
  );
}

test('a series that is read again after an error is an error again', async () => {
  using directory = temporaryDirectory();
  cpSync(original.path, directory.path, { recursive: true });
  const path = join(directory.path, damaged, 'chunks/000001');
  const bytes = readFileSync(path);
  bytes[40] = (bytes[40] as number) ^ 1;
  writeFileSync(path, bytes);
  const tsdb = new MaintainedTsdb({ directory: directory.path });
  const matchers = [new Matcher('=', '__name__', 'series_0')];
  const set = await tsdb.reader.select({ matchers, mint: 2 * HOUR, maxt: 3 * HOUR });
  for (let i = 0; i < 3; i++) {
    let error = '';
    try {
      set.readFloats(0, new FloatColumns(), false);
    } catch (thrown) {
      error = String(thrown);
    }
    match(error, /^CorruptionError: .*000001/);
  }
  tsdb.close();
});
