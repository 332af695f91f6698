import { deepEqual, equal, match, ok, throws } from 'node:assert/strict';
import { test } from 'node:test';
import { Random } from '../lib/prng.ts';
import { isUlid, newUlid, parseUlid, secureRandom, ulidTime } from './ulid.ts';

test('ulid: new ones have their time, and grow whatever the clock does', () => {
  const random = new Random(1);
  const times = [1000, 1000, 1000, 5000, 4000, 5001];
  const ids = times.map((time) => newUlid(time, random));
  deepEqual(
    ids,
    ids.toSorted((a, b) => (a < b ? -1 : 1)),
  );
  equal(new Set(ids).size, ids.length);
  deepEqual(ids.map(ulidTime), [1000, 1000, 1000, 5000, 5000, 5001]);
  deepEqual(
    times.map((time) => newUlid(time, new Random(2)).slice(10)),
    Array(times.length).fill(newUlid(0, new Random(2)).slice(10)),
  );
  for (const id of [...ids, newUlid(281474976710655, new Random(3))]) ok(isUlid(id), id);
});

test('ulid: secure randomness is in [0, 1), and not the same twice', () => {
  const numbers = Array.from({ length: 100 }, () => secureRandom.float());
  ok(numbers.every((x) => x >= 0 && x < 1));
  equal(new Set(numbers).size, 100);
});

test('ulid: texts', () => {
  // The time of the specification's example, and what Prometheus named a block cut in November 2026.
  equal(ulidTime('01ARZ3NDEKTSV4RRFFQ69G5FAV'), 1469922850259);
  equal(ulidTime('01M7YF2Z91SGB2KEBY4MJJ0436'), 1795245047073);
  const f = (text: string, want: boolean): void => equal(isUlid(text), want, text);
  f('01M7YF2Z91SGB2KEBY4MJJ0436', true);
  f('7ZZZZZZZZZZZZZZZZZZZZZZZZZ', true);
  f('8ZZZZZZZZZZZZZZZZZZZZZZZZZ', false);
  f('01M7YF2Z91SGB2KEBY4MJJ043', false);
  f('01M7YF2Z91SGB2KEBY4MJJ0436X', false);
  f('01M7YF2Z91SGB2KEBY4MJJ043U', false);
  f('01m7yf2z91sgb2keby4mjj0436', false);
  f('', false);
  equal(parseUlid('01m7yf2z91sgb2keby4mjj0436'), '01M7YF2Z91SGB2KEBY4MJJ0436');
  throws(() => parseUlid('wal'), /"wal" is not a ULID/);
  throws(() => ulidTime('wal'), /"wal" is not a ULID/);
  match(newUlid(1, { float: () => secureRandom.float() }), /^0000000001/);
});
