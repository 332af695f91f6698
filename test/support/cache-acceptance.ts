/** What every cache must do: implementations call {@link testCache} from a test file of their own. */
import { deepEqual, equal, ok } from 'node:assert/strict';
import { test } from 'node:test';
import type { Cache } from '../../src/cache/cache.ts';
import { Random } from '../../src/lib/prng.ts';

/** An empty cache, and what removes it. */
export interface CacheUnderTest extends AsyncDisposable {
  readonly cache: Cache;
  /** Lets so many ms go by, as far as the cache can tell. */
  readonly pass: (ms: number) => Promise<void>;
}

const HOUR = 3600_000;

/** Registers the suite. `make` gives a new empty cache each time. */
export function testCache(title: string, make: () => Promise<CacheUnderTest>): void {
  for (const [name, check] of Object.entries(CHECKS)) {
    test(`${title}: ${name}`, async () => {
      await using made = await make();
      await check(made.cache, made.pass);
      await made.cache.close();
    });
  }
}

type Check = (cache: Cache, pass: CacheUnderTest['pass']) => Promise<void>;

const CHECKS: Readonly<Record<string, Check>> = {
  'what is not there': checkAbsent,
  'what was stored is found': checkRoundTrip,
  'bytes of all values': checkBinary,
  'keys of all kinds': checkKeys,
  'the last value of a key counts': checkReplace,
  'what has expired is gone': checkExpiry,
  'many keys at once': checkMany,
  'large values': checkLarge,
  'fetches side by side': checkConcurrent,
  'a canceled fetch': checkCanceled,
  'after close': checkClosed,
};

async function put(
  cache: Cache,
  entries: Iterable<[string, Uint8Array]>,
  ttlMs = HOUR,
): Promise<void> {
  cache.store(new Map(entries), ttlMs);
  await cache.settled();
}

async function texts(cache: Cache, keys: readonly string[]): Promise<Record<string, string>> {
  const found = await cache.fetch(keys);
  return Object.fromEntries([...found].map(([key, value]) => [key, Buffer.from(value).toString()]));
}

async function checkAbsent(cache: Cache): Promise<void> {
  deepEqual(await texts(cache, []), {});
  deepEqual(await texts(cache, ['a', 'b']), {});
  await put(cache, []);
}

async function checkRoundTrip(cache: Cache): Promise<void> {
  await put(cache, [
    ['a', Buffer.from('1')],
    ['b', Buffer.from('2')],
  ]);
  deepEqual(await texts(cache, ['b', 'c', 'a']), { a: '1', b: '2' });
  deepEqual(await texts(cache, ['a', 'a']), { a: '1' });
  // A part of a buffer is stored as that part.
  const whole = Buffer.from('0123456789');
  await put(cache, [['part', whole.subarray(3, 6)]]);
  deepEqual(await texts(cache, ['part']), { part: '345' });
}

async function checkBinary(cache: Cache): Promise<void> {
  const all = Uint8Array.from({ length: 256 }, (_, i) => i);
  const lines = Buffer.from('END\r\nVALUE a 0 1\r\n\r\n$-1\r\n*0\r\nSTORED\r\n');
  const values = [all, lines, Buffer.alloc(0), Buffer.from('\0'), Buffer.from('\r\n')];
  await put(
    cache,
    values.map((value, i) => [`k${i}`, value]),
  );
  const found = await cache.fetch(values.map((_, i) => `k${i}`));
  values.forEach((value, i) => deepEqual([...(found.get(`k${i}`) ?? [-1])], [...value], `k${i}`));
}

/** Keys that a protocol cannot carry are misses; others never stand for each other. */
async function checkKeys(cache: Cache): Promise<void> {
  const keys = [
    'x',
    'größe',
    '😀',
    '～',
    'a:b:c',
    'x'.repeat(250),
    '"quoted"',
    '\u00e9',
    'e\u0301',
  ];
  const odd = [
    '',
    'a b',
    'a\nb',
    'a\r\nget x',
    'x'.repeat(251),
    'ü'.repeat(200),
    '\ud800',
    '\udc00',
    '\0',
  ];
  const all = [...keys, ...odd];
  await put(
    cache,
    all.map((key, i) => [key, Buffer.from(String(i))]),
  );
  const found = await texts(cache, all);
  keys.forEach((key, i) => equal(found[key], String(i), key));
  odd.forEach((key, i) =>
    ok([undefined, String(keys.length + i)].includes(found[key]), JSON.stringify(key)),
  );
  deepEqual(await texts(cache, ['x', 'a b']), { ...(await texts(cache, ['a b'])), x: '0' });
}

async function checkReplace(cache: Cache): Promise<void> {
  await put(cache, [['a', Buffer.from('old')]]);
  await put(cache, [['a', Buffer.from('newer')]]);
  deepEqual(await texts(cache, ['a']), { a: 'newer' });
}

async function checkExpiry(cache: Cache, pass: CacheUnderTest['pass']): Promise<void> {
  await put(cache, [['short', Buffer.from('1')]], 1000);
  await put(cache, [['long', Buffer.from('2')]], HOUR);
  // A server may count whole seconds.
  await pass(2100);
  deepEqual(await texts(cache, ['short', 'long']), { long: '2' });
  await put(cache, [['short', Buffer.from('3')]], HOUR);
  deepEqual(await texts(cache, ['short', 'long']), { short: '3', long: '2' });
}

async function checkMany(cache: Cache): Promise<void> {
  const key = (i: number): string => `S:01HZX3V4C2YJ6S8M0K5QWERTY0:${i * 16}`;
  const entries = Array.from({ length: 1500 }, (_, i): [string, Uint8Array] => [
    key(i * 2),
    Buffer.from(`value ${i * 2}`),
  ]);
  await put(cache, entries);
  const found = await cache.fetch(Array.from({ length: 3000 }, (_, i) => key(i)));
  equal(found.size, entries.length);
  for (const [name, value] of entries)
    equal(Buffer.compare(found.get(name) ?? Buffer.alloc(0), value), 0);
}

async function checkLarge(cache: Cache): Promise<void> {
  const random = new Random(3);
  const value = Uint8Array.from({ length: 900_000 }, () => random.below(256));
  await put(cache, [
    ['large', value],
    ['small', Buffer.from('s')],
  ]);
  const found = await cache.fetch(['small', 'large', 'none']);
  equal(Buffer.compare(found.get('large') ?? Buffer.alloc(0), value), 0);
  deepEqual([...found.keys()].toSorted(), ['large', 'small']);
  // More than a cache takes: it is not there, and what comes after it is.
  await put(cache, [['huge', new Uint8Array(20_000_000)]]);
  await put(cache, [['after', Buffer.from('a')]]);
  deepEqual(await texts(cache, ['after', 'small']), { after: 'a', small: 's' });
}

async function checkConcurrent(cache: Cache): Promise<void> {
  const value = (i: number): Buffer => Buffer.alloc(i * 100, i);
  await put(
    cache,
    Array.from({ length: 100 }, (_, i) => [`k${i}`, value(i)]),
  );
  const fetches = Array.from({ length: 100 }, async (_, i) => {
    const found = await cache.fetch([`k${i}`, `none${i}`, `k${99 - i}`]);
    equal(Buffer.compare(found.get(`k${i}`) ?? Buffer.of(1, 2), value(i)), 0);
    equal(Buffer.compare(found.get(`k${99 - i}`) ?? Buffer.of(1, 2), value(99 - i)), 0);
  });
  await Promise.all(fetches);
}

async function checkCanceled(cache: Cache): Promise<void> {
  await put(cache, [['a', Buffer.from('1')]]);
  await cache.fetch(['a'], { signal: AbortSignal.abort() });
  const controller = new AbortController();
  const fetching = cache.fetch(['a'], { signal: controller.signal });
  controller.abort();
  await fetching;
  deepEqual(await texts(cache, ['a']), { a: '1' });
}

async function checkClosed(cache: Cache): Promise<void> {
  await put(cache, [['a', Buffer.from('1')]]);
  await cache.close();
  await cache.close();
  cache.store(new Map([['b', Buffer.from('2')]]), HOUR);
  await cache.settled();
  deepEqual(await texts(cache, ['a', 'b']), {});
}
