import assert from 'node:assert/strict';
import test from 'node:test';
import { commandIndex } from './command-word.ts';

test('global flags may stand in front of a command', () => {
  const cases: readonly (readonly [string, number])[] = [
    ['store --data-dir=x', 0],
    ['--log.level=debug store', 1],
    ['--log.level debug store', 2],
    ['--enable-auto-gomemlimit store', 1],
    ['--log.format=json --tracing.config-file t.yml all', 3],
    // The value of a flag is no command, whatever it looks like.
    ['--debug.name store all', 2],
    ['--log.level', -1],
    ['--log.level debug', -1],
    ['', -1],
  ];
  for (const [line, want] of cases) {
    const args = line === '' ? [] : line.split(' ');
    assert.equal(commandIndex(args), want, line);
  }
});
