import assert from 'node:assert/strict';
import test from 'node:test';
import { readStrictYaml } from './strict-yaml.ts';
import { booleanScalar, durationScalar, integerScalar, numberScalar } from './yaml-scalars.ts';

const read = (text: string) =>
  readStrictYaml({ name: 'f', text }, (z) =>
    z.strictObject({
      b: booleanScalar(z).optional(),
      i: integerScalar(z).optional(),
      n: numberScalar(z).optional(),
      d: durationScalar(z).optional(),
    }),
  );

test('values', async () => {
  const f = async (text: string, want: Record<string, unknown>) =>
    assert.deepEqual({ ...(await read(text)) }, want);
  for (const yes of ['true', 'True', 'TRUE', 'yes', 'Yes', 'YES', 'on', 'On', 'ON', 'y', 'Y']) {
    await f(`b: ${yes}`, { b: true });
  }
  for (const no of ['false', 'no', 'Off', 'n', 'N']) await f(`b: ${no}`, { b: false });
  await f('b: ~', { b: undefined });
  await f('i: -12', { i: -12 });
  await f('n: 0.5', { n: 0.5 });
  await f('n: 1e-3', { n: 0.001 });
  await f('d: 1m30s', { d: 90_000 });
  await f('d: 250ms', { d: 250 });
  await f('d: 0', { d: 0 });
});

test('what is none', async () => {
  const bad = (text: string, want: RegExp) => assert.rejects(read(text), want);
  await bad('b: tRUE', /^CodedError: f:1: b: expected true or false, is "tRUE"$/);
  await bad('b: 1', /expected true or false/);
  await bad('b: [true]', /expected a text, is a list/);
  await bad('i: 1.5', /f:1: i: expected a whole number, is "1.5"/);
  await bad('i: 99999999999999999', /expected a whole number/);
  await bad('n: nan', /expected a number, is "nan"/);
  await bad('d: 5', /f:1: d: expected a duration such as 30s or 1m30s: /);
  await bad('d: 5 parsecs', /expected a duration/);
});
