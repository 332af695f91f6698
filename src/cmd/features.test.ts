import assert from 'node:assert/strict';
import test from 'node:test';
import { nopLogger } from '../lib/log.ts';
import type { LogValue, Logger } from '../lib/log.ts';
import { promqlSettings } from './features.ts';

function read(...lists: string[]) {
  const lines: unknown[] = [];
  const add = (msg: string, fields?: Record<string, LogValue>) =>
    void lines.push(fields === undefined ? msg : [msg, fields['option']]);
  const log: Logger = { ...nopLogger, info: add, warn: add };
  return { settings: promqlSettings(lists, log), lines };
}

test("features: Prometheus' names, with commas and repeated, and its lines in the log", () => {
  const off = { delayedNameRemoval: false, typeAndUnitLabels: false, perStepStats: false };
  assert.deepEqual(read(), { settings: { features: {}, ...off }, lines: [] });
  assert.deepEqual(
    read('promql-experimental-functions,promql-extended-range-selectors', 'promql-per-step-stats'),
    {
      settings: {
        features: { experimentalFunctions: true, extendedRangeSelectors: true },
        ...off,
        perStepStats: true,
      },
      lines: [
        'Experimental PromQL functions enabled.',
        'Experimental PromQL extended range selectors enabled.',
        'Experimental per-step statistics reporting',
      ],
    },
  );
  assert.deepEqual(
    read('promql-binop-fill-modifiers,promql-delayed-name-removal,type-and-unit-labels').settings,
    {
      features: { binopFill: true },
      delayedNameRemoval: true,
      typeAndUnitLabels: true,
      perStepStats: false,
    },
  );
});

test('features: what has no effect says so', () => {
  const f = (option: string, message: string) => {
    const { settings, lines } = read(option);
    assert.deepEqual(lines, [[message, option]]);
    assert.deepEqual(settings, read().settings);
  };
  const permanent =
    'This option for --enable-feature is now permanently enabled and therefore a no-op.';
  f('promql-duration-expr', permanent);
  f('promql-at-modifier', permanent);
  f('query-pushdown', 'This option for --enable-feature is now deprecated and therefore a no-op.');
  f('use-start-timestamps', 'This option for --enable-feature has no effect in thanos all.');
  f('PromQL-at-modifier', 'Unknown option for --enable-feature');
  f('', 'Unknown option for --enable-feature');
});
