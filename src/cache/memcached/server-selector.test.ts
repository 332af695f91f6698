import { deepEqual, equal } from 'node:assert/strict';
import { test } from 'node:test';
import { goldenJson } from '../../../test/support/golden-json.ts';
import { Random } from '../../lib/prng.ts';
import { compareUtf8 } from '../../lib/utf8.ts';
import { loadHashes } from '../load-hashes.ts';
import { ServerSelector, compareNatural } from './server-selector.ts';

interface Golden {
  readonly picks: readonly { servers: number; key: string; picked: string }[];
  readonly sorts: readonly { given: string[]; sorted: string[] }[];
}

const { picks, sorts } = goldenJson('index-cache/servers.json') as Golden;

test('memcached servers: a key is asked of the server that Go asks', async () => {
  const hashes = await loadHashes();
  for (const { servers, key, picked } of picks) {
    const names = Array.from({ length: servers }, (_, i) => `127.0.0.1:${10_000 + i}`);
    new Random(servers).shuffle(names);
    equal(new ServerSelector(names, hashes).pick(key), picked, `${key} of ${servers}`);
  }
  equal(new ServerSelector([], hashes).pick('a'), undefined);
  deepEqual(new ServerSelector([], hashes).group(['a']), new Map());
});

test('memcached servers: natural order', () => {
  for (const { given, sorted } of sorts) deepEqual(given.toSorted(compareNatural), sorted);
  equal(compareNatural('a1', 'a1'), 0);
  equal(compareNatural('a1', 'a2'), -1);
  equal(compareNatural('a', 'a2') < 0, true);
});

test('memcached servers: keys by server, and one that is listed twice', async () => {
  const selector = new ServerSelector(['b:1', 'a:1', 'b:1'], await loadHashes());
  deepEqual(selector.servers, ['a:1', 'b:1', 'b:1']);
  const keys = Array.from({ length: 300 }, (_, i) => `k${i}`);
  const groups = selector.group(keys);
  deepEqual([...groups.keys()].toSorted(compareUtf8), ['a:1', 'b:1']);
  deepEqual([...groups.values()].flat().toSorted(compareUtf8), keys.toSorted(compareUtf8));
  for (const [server, group] of groups) for (const key of group) equal(selector.pick(key), server);
});
