import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import path from 'node:path';
import test from 'node:test';

import { runBlock } from './docs-blocks.ts';
import { runnableBlocks } from './markdown.ts';
import { Tree, readTree } from './tree.ts';

const ROOT = path.resolve(import.meta.dirname, '../..');

function run(markdown: string): void {
  const found = runnableBlocks(new Tree(ROOT, new Map([['README.md', markdown]])));
  assert.equal(found.length, 1);
  for (const block of found) runBlock(block, ROOT);
}

test('a block runs and its output is compared', () => {
  run('```sh run\necho a\n```\n');
  run('```sh run\necho a\n```\n\nprints\n\n```text output\na\n```\n');
  run(
    "```ts run\nimport { compareUtf8 } from './src/lib/utf8.ts';\nconsole.log(compareUtf8('a', 'b'));\n```\n\n``` output\n-1\n```\n",
  );
  run('1. in a list\n\n   ```sh run\n   thanosbench --help > "$TMPDIR/help"\n   ```\n');
});

test('a block that fails, or prints something else, is an error', () => {
  const f = (markdown: string, want: RegExp): void => assert.throws(() => run(markdown), want);
  f('text\n```sh run\nexit 3\n```\n', /README\.md:2: exit code 3/);
  f('```sh run\nfalse\ntrue\n```\n', /exit code 1/);
  f('```sh run\necho "$nothing_of_this_name"\n```\n', /exit code/);
  f('```sh run\necho b\n```\n```text output\na\n```\n', /expected\na\nbut it printed\nb/);
  f('```ts run\nthrow new Error("no");\n```\n', /exit code 1/);
});

test('a block leaves nothing behind in its scratch folder', () => {
  const [block] = runnableBlocks(
    new Tree(
      ROOT,
      new Map([['README.md', '```sh run\ntouch "$TMPDIR/x"; echo "$TMPDIR"; exit 1\n```\n']]),
    ),
  );
  assert.ok(block !== undefined);
  let message = '';
  try {
    runBlock(block, ROOT);
  } catch (error) {
    message = error instanceof Error ? error.message : '';
  }
  const scratch = /^(\/.*)$/m.exec(message)?.[1];
  assert.ok(scratch !== undefined, message);
  assert.equal(existsSync(scratch), false);
});

test('the blocks of the documentation run', async (t) => {
  for (const block of runnableBlocks(readTree(ROOT))) {
    await t.test(`${block.file}:${block.line}`, () => runBlock(block, ROOT));
  }
});
