import { equal } from 'node:assert/strict';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { temporaryDirectory } from '../../test/support/temporary-directory.ts';
import { isAdopted, markOurs } from './adoption.ts';

test('a directory is adopted when it holds data that were not made here', () => {
  const f = (names: string[], want: boolean): void => {
    using directory = temporaryDirectory();
    for (const name of names) mkdirSync(join(directory.path, name));
    equal(isAdopted(directory.path), want, names.join());
  };
  f([], false);
  f(['lost+found', 'lock'], false);
  f(['wal'], true);
  f(['chunks_head'], true);
  f(['01M858EJP5TMBKC7G5WCTN9TF5'], true);
});

test('a directory that was empty stays ours, whatever comes into it', () => {
  using directory = temporaryDirectory();
  markOurs(directory.path);
  markOurs(directory.path);
  mkdirSync(join(directory.path, 'wal'));
  equal(isAdopted(directory.path), false);
});
