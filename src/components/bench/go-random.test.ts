import assert from 'node:assert/strict';
import test from 'node:test';
import { GoRandom } from './go-random.ts';

// Printed by Go 1.26: the first two Float64 of a source, and the one after a Uint64 and a thousand more.
test('gives the numbers of Go sources', () => {
  const random = new GoRandom();
  const f = (seed: bigint, ...want: number[]) => {
    random.seed(seed);
    const got = [random.float(), random.float()];
    for (let i = 0; i < 1001; i++) random.float();
    assert.deepEqual([...got, random.float()], want, `seed ${seed}`);
  };
  f(0n, 0.9451961492941164, 0.24496508529377975, 0.6559901514037089);
  f(1n, 0.6046602879796196, 0.9405090880450124, 0.4271766277039);
  f(2n, 0.16729663442585624, 0.2650543054337802, 0.9898943959354148);
  f(-1n, 0.3951876009960174, 0.05964969860952545, 0.5721965701326758);
  f(2n ** 64n - 1n, 0.3951876009960174, 0.05964969860952545, 0.5721965701326758);
  f(2n ** 62n + 12345n, 0.40556097247212647, 0.0957142985569981, 0.651667362941294);
  f(-(2n ** 63n), 0.8328240056498365, 0.7347809470961395, 0.010402196793813177);
  f(2147483647n, 0.9451961492941164, 0.24496508529377975, 0.6559901514037089);
  f(-2147483647n * 3n, 0.9451961492941164, 0.24496508529377975, 0.6559901514037089);
});
