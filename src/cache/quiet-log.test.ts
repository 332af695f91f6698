import { deepEqual } from 'node:assert/strict';
import { test } from 'node:test';
import { FakeClock } from '../lib/clock.ts';
import { nopLogger } from '../lib/log.ts';
import { QuietLog } from './quiet-log.ts';

test('quiet log: one line of a kind in ten seconds, which says how many were left out', () => {
  const lines: unknown[] = [];
  const clock = new FakeClock(0);
  const log = new QuietLog(
    { ...nopLogger, warn: (msg, fields) => void lines.push([msg, fields]) },
    clock,
  );
  for (let i = 0; i < 3; i++) log.warn('a', new Error(`e${i}`), { x: i });
  log.warn('b', 'text');
  clock.advance(10_000);
  log.warn('a', new Error('e3'));
  log.warn('a', new Error('e4'));
  deepEqual(lines, [
    ['a', { x: 0, err: 'e0' }],
    ['b', { err: 'text' }],
    ['a', { err: 'e3', notLogged: 2 }],
  ]);
});
