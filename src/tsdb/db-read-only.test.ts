/** A disk that takes no writes, and a directory that another process has: named, and nothing is changed. */
import { deepEqual, equal, match, ok, throws } from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { FailingFiles } from '../../test/support/failing-files.ts';
import { MountedDisk, mountSmallDisk } from '../../test/support/small-disk.ts';
import { temporaryDirectory } from '../../test/support/temporary-directory.ts';
import {
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

const original = temporaryDirectory();
let ledger = new Ledger();

before(async () => {
  ledger = await makeWholeDirectory(original.path);
});

after(() => original[Symbol.dispose]());

/** Every file with its bytes. */
function content(directory: string): Map<string, string> {
  const names = readdirSync(directory, { recursive: true, encoding: 'utf8' });
  return new Map(
    names
      .filter((name) => statSync(join(directory, name)).isFile())
      .map((name) => [name, readFileSync(join(directory, name)).toString('hex')]),
  );
}

function isUnavailable(message: RegExp): (thrown: unknown) => boolean {
  return (thrown) => {
    ok(thrown instanceof CodedError && thrown.code === 'unavailable', String(thrown));
    match(thrown.message, message);
    return true;
  };
}

/** A disk that is mounted without writes, with a copy of the directory; a text says why there can be none. */
function readOnlyMount(path: string): MountedDisk | string {
  mkdirSync(path);
  const refused = mountSmallDisk(path, 64 << 20);
  if (refused !== undefined) return refused;
  const disk = new MountedDisk(path);
  crashCopy(original.path, join(path, 'data'));
  const { status, stderr } = spawnSync('mount', ['-o', 'remount,ro', path], { encoding: 'utf8' });
  if (status === 0) return disk;
  disk[Symbol.dispose]();
  return `cannot be mounted read-only: ${stderr.trim()}`;
}

test('a file system without writes: the opening is refused, and says so', (t) => {
  using directory = temporaryDirectory();
  const mounted = readOnlyMount(join(directory.path, 'disk'));
  if (typeof mounted === 'string') return t.skip(mounted);
  using disk = mounted;
  const data = join(disk.path, 'data');
  const was = content(data);
  throws(() => openWhole(data), isUnavailable(/^open .*lock: EROFS: read-only file system/));
  throws(
    () => openWhole(join(disk.path, 'none')),
    // Node says ENOENT for it when directories above are to be made, too.
    isUnavailable(/^create data directory .*none: (?:EROFS|ENOENT): /),
  );
  deepEqual(content(data), was);
});

test('files that cannot be written at the opening: refused at each of them, and nothing is lost', async () => {
  using directory = temporaryDirectory();
  const path = join(directory.path, 'a');
  const files = new FailingFiles();
  crashCopy(original.path, path);
  openWhole(path, { files }).close();
  const operations = files.log.length;
  ok(operations >= 4, files.log.join());
  let refused = 0;
  for (let at = 1; at <= operations; at++) {
    for (const stays of [false, true]) {
      crashCopy(original.path, path);
      files.arm({ at, code: 'EROFS', stays });
      try {
        openWhole(path, { files }).close();
      } catch (thrown) {
        isUnavailable(/^(?:create|fsync|write|open|remove) .*: EROFS: refused/)(thrown);
        refused++;
      }
      files.arm();
      equal(files.openCount, 0, `${at}`);
      using tsdb = openWhole(path);
      const found = await readEverything(tsdb.reader);
      deepEqual(
        [found.errors, firstGarbage(found, ledger), missingOf(found, ledger).first],
        [[], undefined, ''],
      );
    }
  }
  ok(refused >= operations, `${refused} of ${operations}`);
});

test('a disk that becomes read-only: reads go on, writes are refused until it takes some', async () => {
  using directory = temporaryDirectory();
  const files = new FailingFiles();
  const tsdb = openWhole(crashCopy(original.path, join(directory.path, 'a')), { files });
  const noted = ledger.copy();
  files.arm({ at: 1, code: 'EROFS', stays: true });
  for (let i = 1; i <= 3; i++) {
    let refused: unknown;
    try {
      await write(tsdb, noted, [floats('float', [WHOLE_END + i * MINUTE])]);
    } catch (thrown) {
      refused = thrown;
    }
    isUnavailable(/EROFS: refused/)(refused);
    await tsdb.maintenance.run();
    const found = await readEverything(tsdb.reader);
    deepEqual(
      [found.errors, firstGarbage(found, noted), missingOf(found, noted).first],
      [[], undefined, ''],
    );
  }
  files.arm();
  await write(tsdb, noted, [floats('float', [WHOLE_END + 9 * MINUTE])]);
  tsdb.close();
  using again = openWhole(join(directory.path, 'a'));
  equal(missingOf(await readEverything(again.reader), noted).first, '');
});

test('two openings of one directory, in this process and in another: the second is refused', async () => {
  using directory = temporaryDirectory();
  const path = crashCopy(original.path, join(directory.path, 'a'));
  const noted = ledger.copy();
  using tsdb = openWhole(path);
  // tidy: bare-regexp: of a number
  const inUse = new RegExp(`^directory .* is in use by process ${process.pid} \\(`);
  throws(() => openWhole(path), isUnavailable(inUse));
  const support = join(import.meta.dirname, '../../test/support/whole-directory.ts');
  const script = `
    import { openWhole } from ${JSON.stringify(support)};
    try {
      openWhole(${JSON.stringify(path)});
    } catch ({ code, message }) {
      console.log(code + ' ' + message);
    }`;
  const { stdout } = spawnSync(process.execPath, ['--input-type=module', '-e', script], {
    encoding: 'utf8',
  });
  const [code, ...message] = stdout.trim().split(' ');
  equal(code, 'unavailable');
  match(message.join(' '), inUse);
  // Whoever was refused has changed nothing, and the lock is still held.
  await write(tsdb, noted, [floats('float', [WHOLE_END + MINUTE])]);
  throws(() => openWhole(path), isUnavailable(inUse));
  const found = await readEverything(tsdb.reader);
  deepEqual([found.errors, missingOf(found, noted).first], [[], '']);
});
