import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Matcher } from '../../model/matcher.ts';
import { SeriesEntry } from '../index/series-entry.ts';
import {
  AllChunksBuilder,
  FoundChunksBuilder,
  clipChunks,
  type AllChunks,
} from './found-chunks.ts';
import { SelectCache } from './select-cache.ts';

/** A series entry with chunks [mint, maxt, ref]. */
function entryOf(chunks: readonly (readonly [number, number, number])[]): SeriesEntry {
  const entry = new SeriesEntry();
  entry.chunkCount = chunks.length;
  for (const [i, [mint, maxt, ref]] of chunks.entries()) {
    entry.mint[i] = mint;
    entry.maxt[i] = maxt;
    entry.refs[i] = ref;
  }
  return entry;
}

const SERIES = new Map([
  [
    3,
    entryOf([
      [0, 9, 1],
      [10, 19, 2],
      [15, 29, 3],
    ]),
  ],
  [5, entryOf([])],
  [
    7,
    entryOf([
      [20, 29, 4],
      [30, 39, 5],
    ]),
  ],
]);

function all(): AllChunks {
  const builder = new AllChunksBuilder(SERIES.size);
  for (const [series, entry] of SERIES) builder.add(series, entry);
  return builder.finish();
}

test('clipping what was kept finds what a select of the range finds', () => {
  const deleted = new Map([[7, [{ mint: 20, maxt: 29 }]]]);
  for (const tombstones of [new Map(), deleted]) {
    for (let mint = -1; mint <= 41; mint++) {
      for (let maxt = mint; maxt <= 41; maxt++) {
        const direct = new FoundChunksBuilder({ mint, maxt }, SERIES.size);
        for (const [series, entry] of SERIES) {
          const chunks = { from: 0, to: entry.chunkCount };
          direct.add(series, entry, chunks, tombstones.get(series));
          direct.dropEmpty();
        }
        const got = clipChunks(all(), { mint, maxt }, tombstones);
        assert.deepEqual(got, direct.finish(), `${mint}..${maxt}`);
      }
    }
  }
});

test('series stay the same object while all of them have chunks in the range', () => {
  const kept = all();
  const none = new Map();
  assert.equal(clipChunks(kept, { mint: 0, maxt: 39 }, none).series, kept.series);
  assert.equal(clipChunks(kept, { mint: 12, maxt: 25 }, none).series, kept.series);
  assert.notEqual(clipChunks(kept, { mint: 0, maxt: 9 }, none).series, kept.series);
});

test('what was asked for longest ago goes first, and what is too large is not kept', () => {
  const one = all();
  const bytes = new SelectCache(1 << 20);
  const key = (i: number) => SelectCache.key('01A', [new Matcher('=', 'a', `${i}`)]);
  for (let i = 0; i < 2000; i++) {
    bytes.get(key(0));
    bytes.set(key(i), one);
  }
  assert.equal(bytes.get(key(0)), one);
  assert.equal(bytes.get(key(1)), undefined);
  assert.equal(bytes.get(key(1999)), one);
  const small = new SelectCache(100);
  small.set(key(0), one);
  assert.equal(small.get(key(0)), undefined);
});

test('keys tell blocks and matchers apart, and a block is forgotten with its own', () => {
  const a = [new Matcher('=', 'a', 'x')];
  const keys = [
    SelectCache.key('01A', a),
    SelectCache.key('01AB', a),
    SelectCache.key('01A', [new Matcher('!=', 'a', 'x')]),
    SelectCache.key('01A', [new Matcher('=', 'a', 'x"],["b')]),
    SelectCache.key('01A', [...a, ...a]),
    SelectCache.key('01A', []),
  ];
  assert.equal(new Set(keys).size, keys.length);
  const cache = new SelectCache();
  for (const key of keys) cache.set(key, all());
  cache.forget('01A');
  assert.deepEqual(
    keys.map((key) => cache.get(key) !== undefined),
    [false, true, false, false, false, false],
  );
});
