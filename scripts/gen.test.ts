import { deepEqual, equal } from 'node:assert/strict';
import path from 'node:path';
import { test } from 'node:test';

import { GENERATED, generate, readGenerated, scratchFolder } from './gen.ts';

test('src/gen is what proto/ makes: otherwise run `npm run gen`', () => {
  using scratch = scratchFolder();
  const folder = path.join(scratch.path, 'gen');
  generate(folder);
  const [made, kept] = [readGenerated(folder), readGenerated(GENERATED)];
  deepEqual([...kept.keys()], [...made.keys()]);
  for (const [name, text] of made) equal(kept.get(name), text, name);
});
