import { deepEqual, equal, ok } from 'node:assert/strict';
import { test } from 'node:test';
import { Random } from '../lib/prng.ts';
import { ENTRY_OVERHEAD_BYTES, type PackedKey, PackedValues } from './packed-values.ts';

const bytes = (size: number, fill = 0): Uint8Array => new Uint8Array(size).fill(fill);
const nothing = (): void => undefined;

test('packed values: whatever happens, a value is the last one of its key, or none', () => {
  const seed = 11;
  const random = new Random(seed);
  for (const bytesMax of [3000, 40_000, 1_000_000]) {
    const model = new Map<PackedKey, { value: Uint8Array; tag: number }>();
    let [count, size, evictions] = [0, 0, 0];
    const values = new PackedValues(bytesMax, ({ valueBytes, how }) => {
      count--;
      size -= valueBytes;
      if (how === 'gone') evictions++;
    });
    for (let i = 0; i < 20_000; i++) {
      // Numbers and texts are different keys, also where they look alike.
      const number = random.below(150) * 2 ** 36;
      const key = random.below(2) === 0 ? number : String(number);
      const action = random.below(10);
      const value = bytes(random.below(random.below(20) === 0 ? 3000 : 100), random.below(256));
      if (action < 4 && values.fits(key, value.length)) {
        values.set(key, value, i);
        model.set(key, { value, tag: i });
        count++;
        size += value.length;
      } else if (action === 9) {
        values.delete(key);
        model.delete(key);
      } else {
        const found = values.get(key);
        const expected = model.get(key);
        equal(values.has(key), found !== undefined);
        if (found === undefined) continue;
        equal(found.tag, expected?.tag, `seed ${seed}, step ${i}`);
        equal(
          Buffer.compare(found.bytes, expected?.value ?? bytes(0)),
          0,
          `seed ${seed}, step ${i}`,
        );
      }
      ok(values.usedBytes <= bytesMax, `${values.usedBytes} of ${bytesMax}`);
      equal(values.count, count);
    }
    const sizes = [...model.keys()].map((key) => values.get(key)?.bytes.length ?? 0);
    equal(
      size,
      sizes.reduce((a, b) => a + b),
    );
    ok(evictions > 0);
  }
});

test('packed values: what is used stays, what is not leaves in its order', () => {
  const gone: number[] = [];
  const values = new PackedValues(100_000, ({ tag }) => void gone.push(tag));
  values.set('hot', bytes(100, 7), -1);
  for (let i = 0; i < 5000; i++) {
    values.set(`cold${i}`, bytes(100), i);
    deepEqual([values.get('hot')?.tag, values.get('hot')?.bytes[99]], [-1, 7]);
  }
  ok(gone.length > 4000);
  deepEqual(
    gone,
    Array.from({ length: gone.length }, (_, i) => i),
  );
});

test('packed values: who holds a value keeps it', () => {
  const values = new PackedValues(20_000, nothing);
  values.set('a', bytes(50, 1), 0);
  const held = values.get('a')?.bytes;
  for (let i = 0; i < 1000; i++) values.set(`b${i}`, bytes(50, 2), 0);
  equal(values.has('a'), false);
  deepEqual(held, bytes(50, 1));
});

test('packed values: large ones, and those that never fit', () => {
  const values = new PackedValues(5_000_000, nothing);
  const key = 'large';
  const most = Math.floor((5_000_000 - ENTRY_OVERHEAD_BYTES - key.length) / 8) * 8 - 16;
  equal(values.fits(key, most), true);
  equal(values.fits(key, most + 1), false);
  values.set('small', bytes(10), 0);
  values.set(key, bytes(2_000_000, 3), 0);
  values.set(`${key}2`, bytes(2_000_000, 4), 0);
  equal(values.get(key)?.bytes.length, 2_000_000);
  equal(values.has('small'), true);
  values.set(key, bytes(most, 5), 1);
  equal(values.count, 1);
  equal(values.get(key)?.bytes[most - 1], 5);
  equal(new PackedValues(0, nothing).fits('', 0), false);
});
