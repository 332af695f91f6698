import assert from 'node:assert/strict';
import { existsSync, mkdirSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { Random } from '../../src/lib/prng.ts';
import { DroppingFiles } from './dropping-files.ts';
import { temporaryDirectory } from './temporary-directory.ts';

const bytes = (text: string): Uint8Array => Buffer.from(text);

test('dropping files: only what was fsynced, in a directory that was, is on the disk', () => {
  using directory = temporaryDirectory();
  const wal = join(directory.path, 'wal');
  mkdirSync(wal);
  const path = join(wal, '00000000');
  const files = new DroppingFiles(new Random(1), 0);
  const onDisk = (): string => (existsSync(path) ? readFileSync(path, 'utf8') : 'no file');
  const fd = files.open(path, true);
  files.write(fd, bytes('abc'), 0);
  files.fsync(fd);
  assert.equal(onDisk(), 'no file');
  files.write(fd, bytes('def'), 3);
  files.fsyncDirectory(wal);
  assert.equal(onDisk(), 'abc');
  assert.equal(files.size(fd), 6);
  files.truncate(fd, 4);
  files.write(fd, bytes('X'), 0);
  assert.equal(onDisk(), 'abc');
  files.close(fd);
  assert.equal(onDisk(), 'abc');
  const again = files.open(path, false);
  assert.equal(files.size(again), 4);
  files.fsync(again);
  assert.equal(onDisk(), 'Xbcd');
  assert.throws(() => files.open(path, true), /EEXIST/);
  files.close(again);
});

test('dropping files: what was there before is known, and its bytes are copied when written', () => {
  using directory = temporaryDirectory();
  const wal = join(directory.path, 'wal');
  mkdirSync(wal);
  const path = join(wal, '00000000');
  writeFileSync(path, 'before');
  const files = new DroppingFiles(new Random(1), 0);
  assert.throws(() => files.open(path, true), /EEXIST/);
  const fd = files.open(path, false);
  assert.equal(files.size(fd), 6);
  const buffer = bytes('after');
  files.write(fd, buffer, 6);
  buffer.fill(0);
  files.fsync(fd);
  assert.equal(readFileSync(path, 'utf8'), 'beforeafter');
  files.close(fd);
});

test('dropping files: other directories pass through, and pages may be written back early', () => {
  using directory = temporaryDirectory();
  for (const name of ['wal', 'chunks_head']) mkdirSync(join(directory.path, name));
  const files = new DroppingFiles(new Random(1), 1);
  const f = (name: string, want: string): void => {
    const path = join(directory.path, name);
    const fd = files.open(path, true);
    files.fsyncDirectory(join(path, '..'));
    files.write(fd, bytes('abc'), 2);
    assert.equal(readFileSync(path, 'latin1'), want);
    files.close(fd);
  };
  f('chunks_head/000001', '\0\0abc');
  f('wal/00000000', '\0\0abc');
});

test('dropping files: what was renamed or removed is so once the directory is synced', () => {
  using directory = temporaryDirectory();
  const wal = join(directory.path, 'wal');
  mkdirSync(wal);
  writeFileSync(join(wal, 'old'), 'old');
  const files = new DroppingFiles(new Random(1), 0);
  const onDisk = (): Record<string, string> =>
    Object.fromEntries(
      readdirSync(wal, { recursive: true, withFileTypes: true })
        .filter((entry) => entry.isFile())
        .map((entry) => join(entry.parentPath, entry.name))
        .map((path) => [path.slice(wal.length + 1), readFileSync(path, 'latin1')]),
    );
  files.remove(join(wal, 'old'));
  files.remove(join(wal, 'never there'));
  assert.throws(() => files.open(join(wal, 'old'), false), /ENOENT/);
  files.makeDirectory(join(wal, 'checkpoint.tmp'));
  const fd = files.open(join(wal, 'checkpoint.tmp', '0'), true);
  files.write(fd, bytes('abc'), 0);
  files.fsync(fd);
  files.write(fd, bytes('lost'), 3);
  files.close(fd);
  files.fsyncDirectory(join(wal, 'checkpoint.tmp'));
  files.rename(join(wal, 'checkpoint.tmp'), join(wal, 'checkpoint.0'));
  assert.deepEqual(onDisk(), { old: 'old', 'checkpoint.tmp/0': 'abc' });
  const anew = files.open(join(wal, 'old'), true);
  files.write(anew, bytes('new'), 0);
  files.fsync(anew);
  files.fsyncDirectory(wal);
  assert.deepEqual(onDisk(), { old: 'new', 'checkpoint.0/0': 'abc' });
  const renamed = files.open(join(wal, 'checkpoint.0', '0'), false);
  assert.equal(files.size(renamed), 7);
  files.fsync(renamed);
  assert.deepEqual(onDisk(), { old: 'new', 'checkpoint.0/0': 'abclost' });
  files.remove(join(wal, 'checkpoint.0'));
  files.write(renamed, bytes('x'), 0);
  files.fsync(renamed);
  files.fsyncDirectory(wal);
  assert.deepEqual(onDisk(), { old: 'new' });
  files.close(renamed);
  files.close(anew);
});

test('dropping files: a removal may reach the disk early', () => {
  using directory = temporaryDirectory();
  const wal = join(directory.path, 'wal');
  mkdirSync(wal);
  writeFileSync(join(wal, 'old'), 'old');
  new DroppingFiles(new Random(1), 1).remove(join(wal, 'old'));
  assert.ok(!existsSync(join(wal, 'old')));
});
