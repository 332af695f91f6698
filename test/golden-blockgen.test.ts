/** `thanosbench block plan` prints what the Go program printed for the same profile, labels and time. */
import assert from 'node:assert/strict';
import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { PROFILES } from '../src/components/bench/profiles.ts';
import { runThanosbench } from './support/run-command.ts';

const GOLDEN = fileURLToPath(new URL('../../shared/golden/blockgen', import.meta.url));
const skip = existsSync(GOLDEN) ? false : 'the golden data (../shared/golden) are not here';

const SUFFIX = '.plan.yaml';

test('plans equal the recorded ones, byte for byte', { skip }, async (t) => {
  const names = readdirSync(GOLDEN).filter((file) => file.endsWith(SUFFIX));
  assert.ok(names.length >= 4, 'four plans were recorded');
  for (const file of names) {
    const profile = file.slice(0, -SUFFIX.length);
    assert.ok(PROFILES.has(profile), profile);
    const args = ['-p', profile, '--labels', 'cluster="eu1"', '--max-time=2026-11-01T00:00:00Z'];
    const { code, stdout, stderr } = await runThanosbench('block', 'plan', ...args);
    assert.equal(code, 0, stderr);
    const want = readFileSync(join(GOLDEN, file), 'utf8');
    // Not assert.equal, whose report on a megabyte nobody can read.
    const lines = stdout.split('\n');
    const at = want.split('\n').findIndex((line, i) => line !== lines[i]);
    assert.equal(at, -1, `${profile} differs in line ${at + 1}: ${JSON.stringify(lines[at])}`);
    assert.equal(stdout.length, want.length, profile);
    t.diagnostic(`${profile}: ${stdout.length} bytes equal`);
  }
});
