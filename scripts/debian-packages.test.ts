import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import test from 'node:test';

import { temporaryDirectory } from '../test/support/temporary-directory.ts';
import { denyServices } from './debian-packages.ts';

const exits = (code: number): string => `#!/bin/sh\nexit ${code}\n`;

test('services are denied while packages are installed, and what was before comes back', () => {
  const f = (files: Readonly<Record<string, string>>, want: string | undefined): void => {
    using directory = temporaryDirectory();
    const policy = path.join(directory.path, 'policy-rc.d');
    for (const [name, text] of Object.entries(files)) {
      writeFileSync(path.join(directory.path, name), text, { mode: 0o755 });
    }
    const restore = denyServices(policy);
    assert.equal(spawnSync(policy, ['memcached', 'start']).status, 101);
    restore();
    assert.equal(existsSync(policy) ? readFileSync(policy, 'utf8') : undefined, want);
    assert.deepEqual(readdirSync(directory.path), want === undefined ? [] : ['policy-rc.d']);
  };
  f({}, undefined);
  f({ 'policy-rc.d': exits(0) }, exits(0));
  f({ 'policy-rc.d': exits(104) }, exits(104));
  f({ 'policy-rc.d': exits(101) }, exits(101));
  // Left by a run that was cut off.
  f({ 'policy-rc.d': exits(101), 'policy-rc.d.before-thanos-e2e': exits(0) }, exits(0));
});
