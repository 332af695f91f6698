import assert from 'node:assert/strict';
import test from 'node:test';

import { runThanosbench } from './thanosbench.ts';

test('answers for help and version, and says what it lacks', () => {
  const f = (args: string, code: number, text: RegExp): void => {
    const outcome = runThanosbench(args.split(' ').filter((arg) => arg !== ''));
    assert.equal(outcome.code, code, args);
    assert.match((code === 0 ? outcome.out : outcome.error) ?? '', text);
  };
  f('--help', 0, /^usage: thanosbench.*block plan.*block gen/s);
  f('block plan -h', 0, /^usage: thanosbench/);
  f('--version', 0, /^thanosbench, version \d+\.\d+\.\d+\n$/);
  f('block plan -p key-k8s-30d-tiny', 1, /error: block plan is not implemented yet\n$/);
  f('block gen', 1, /error: block gen is not implemented yet\n$/);
  f('block', 1, /must select a subcommand of "block"/);
  f('blok', 1, /expected command but got "blok"/);
  f('', 1, /command not specified/);
});
