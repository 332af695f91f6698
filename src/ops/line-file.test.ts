import { deepEqual, equal, rejects } from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { temporaryDirectory } from '../../test/support/temporary-directory.ts';
import { LineFile } from './line-file.ts';

test('line file: lines in order behind what was there, all of them when it is closed', async () => {
  using directory = temporaryDirectory();
  const path = join(directory.path, 'log');
  writeFileSync(path, 'old\n');
  const failures: string[] = [];
  const file = await LineFile.open(path, (reason) => failures.push(reason));
  for (let i = 0; i < 1000; i++) file.add(String(i));
  const closing = file.close();
  await closing;
  const want = ['old', ...Array.from({ length: 1000 }, (_, i) => String(i)), ''];
  equal(readFileSync(path, 'utf8'), want.join('\n'));
  file.add('late');
  deepEqual(failures, [`${path} is closed`]);
  await file.close();
});

test('line file: what does not fit is dropped and reported', async () => {
  using directory = temporaryDirectory();
  const path = join(directory.path, 'log');
  let lost = 0;
  const file = await LineFile.open(path, (_, lines) => (lost += lines));
  // The first one is being written when the others come, and a single line may be of any size.
  for (const size of [20 << 20, 10 << 20, 10 << 20]) file.add('x'.repeat(size));
  await file.close();
  equal(lost, 1);
  equal(readFileSync(path).length, (30 << 20) + 2);
});

test('line file: a disk that refuses is reported, as is a path that cannot be opened', async () => {
  const failures: [string, number][] = [];
  const file = await LineFile.open('/dev/full', (reason, lines) => failures.push([reason, lines]));
  file.add('a');
  await file.close();
  deepEqual(failures, [['ENOSPC: no space left on device, write', 1]]);
  using directory = temporaryDirectory();
  await rejects(
    LineFile.open(join(directory.path, 'none/log'), () => undefined),
    { code: 'unavailable', message: /^open .*none\/log: ENOENT/ },
  );
});
