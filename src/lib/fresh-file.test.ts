import assert from 'node:assert/strict';
import { renameSync, symlinkSync, unlinkSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'node:test';
import { temporaryDirectory } from '../../test/support/temporary-directory.ts';
import { FreshFile } from './fresh-file.ts';

test('each change is seen at the next look, also within one tick of the clock and with the same size', async () => {
  using directory = temporaryDirectory();
  const path = join(directory.path, 'f');
  writeFileSync(path, 'a0');
  const file = new FreshFile(path);
  const first = await file.read();
  assert.deepEqual(first, { text: 'a0', version: 1 });
  for (let i = 1; i < 50; i++) {
    writeFileSync(path, `a${i % 10}`);
    assert.deepEqual(await file.read(), { text: `a${i % 10}`, version: i + 1 });
  }
});

test('what is written again without a change keeps its version', async () => {
  using directory = temporaryDirectory();
  const path = join(directory.path, 'f');
  writeFileSync(path, 'same');
  utimesSync(path, 1, 1);
  const file = new FreshFile(path);
  assert.equal((await file.read()).version, 1);
  assert.equal((await file.read()).version, 1);
  writeFileSync(path, 'same');
  assert.equal((await file.read()).version, 1);
});

test('a link that is swapped, as of a mounted ConfigMap', async () => {
  using directory = temporaryDirectory();
  const at = (name: string) => join(directory.path, name);
  for (const name of ['one', 'two']) {
    writeFileSync(at(name), name);
    utimesSync(at(name), 1, 1);
  }
  symlinkSync('one', at('link'));
  const file = new FreshFile(at('link'));
  assert.equal((await file.read()).text, 'one');
  symlinkSync('two', at('next'));
  renameSync(at('next'), at('link'));
  assert.equal((await file.read()).text, 'two');
});

test('a file that is away is an error that names it, until it is back', async () => {
  using directory = temporaryDirectory();
  const path = join(directory.path, 'f');
  const file = new FreshFile(path);
  await assert.rejects(file.read(), (thrown: Error) => thrown.message.includes(path));
  writeFileSync(path, 'a');
  assert.equal((await file.read()).text, 'a');
  unlinkSync(path);
  await assert.rejects(file.read(), /ENOENT/);
  writeFileSync(path, 'a');
  assert.deepEqual(await file.read(), { text: 'a', version: 1 });
});
