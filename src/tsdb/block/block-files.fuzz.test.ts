/** Mutated tombstones and meta.json of blocks, the former under right checksums, too: an answer within bounds or a named error. */
import { deepEqual, ok } from 'node:assert/strict';
import { crc32c } from '@node-rs/crc32';
import { damage, mutate, testFuzz } from '../../../test/support/mutation-fuzz.ts';
import { tinyMeta, tinyUlid } from '../../../test/support/tiny-block.ts';
import { CorruptionError } from '../../lib/errors.ts';
import type { Random } from '../../lib/prng.ts';
import { encodeBlockMeta, parseBlockMeta } from './meta.ts';
import { decodeTombstones, encodeTombstones } from './tombstones.ts';

const stones = new Map(
  [1, 40, 700, 2 ** 31].map((ref) => [
    ref,
    [
      { mint: -ref, maxt: ref },
      { mint: ref * 3, maxt: ref * 4 },
    ],
  ]),
);
const stoneBytes = Buffer.from(encodeTombstones(stones));
const wanted = decodeTombstones(stoneBytes, 'tombstones');

function checkStones(bytes: Buffer): number {
  const got = decodeTombstones(bytes, 'tombstones');
  let count = 0;
  for (const intervals of got.values()) {
    let before = -Infinity;
    for (const { mint, maxt } of intervals) {
      ok(mint <= maxt && mint > before);
      before = maxt;
      count++;
    }
  }
  ok(count <= bytes.length / 3);
  return bytes.length;
}

testFuzz({
  name: 'tombstones files',
  run: (random, i) => {
    const bytes = i % 2 === 0 ? damage(stoneBytes, random) : mutate(stoneBytes, random);
    const size = checkStones(bytes);
    deepEqual(decodeTombstones(bytes, 'tombstones'), wanted);
    return size;
  },
});

testFuzz({
  name: 'tombstones, under right checksums',
  refused: [0.02, 0.98],
  run: (random) => {
    const body = mutate(stoneBytes.subarray(5, -4), random);
    const bytes = Buffer.concat([stoneBytes.subarray(0, 5), body, Buffer.alloc(4)]);
    bytes.writeUInt32BE(crc32c(body), bytes.length - 4);
    return checkStones(bytes);
  },
});

const meta = tinyMeta({ ulid: tinyUlid(5), minTime: -7_200_000, maxTime: 7_200_000 });
const metaTexts = [
  encodeBlockMeta(meta),
  encodeBlockMeta({
    ...meta,
    compaction: {
      level: 3,
      sources: [meta.ulid, meta.ulid],
      parents: [{ ulid: meta.ulid, minTime: -5, maxTime: 2 ** 60 }],
      hints: ['from-out-of-order'],
      failed: true,
    },
    extra: { thanos: { labels: { a: '<b>' }, downsample: { resolution: 0 }, n: 2n ** 62n } },
  }),
];

testFuzz({
  name: 'meta.json',
  refused: [0.02, 0.98],
  run: (random) => {
    const text = metaTexts[random.below(metaTexts.length)] as string;
    const mutated = (random.below(3) === 0 ? swapToken : mutateText)(text, random);
    const got = parseBlockMeta(mutated, 'meta.json');
    // What was read can be written, and is the same when it is read again, limits of i64 apart.
    const again = parseBlockMeta(encodeBlockMeta(got), 'meta.json');
    deepEqual(parseBlockMeta(encodeBlockMeta(again), 'meta.json'), again);
    deepEqual(Object.keys(again.extra), Object.keys(got.extra));
    return mutated.length;
  },
});

function mutateText(text: string, random: Random): string {
  return mutate(Buffer.from(text), random).toString();
}

/** Puts another value in the place of one: JSON that stays JSON. */
function swapToken(text: string, random: Random): string {
  const values = [
    'null',
    '1e400',
    '-1',
    '0.5',
    '""',
    '[]',
    '{}',
    'true',
    '9007199254740993',
    '[[[{}]]]',
  ];
  const tokens = [...text.matchAll(/"[^"]*"|-?\d+|\[\]|\{\}/g)];
  const token = tokens[random.below(tokens.length)];
  if (token === undefined) throw new CorruptionError('no token', 'meta.json', 0);
  const value = values[random.below(values.length)] as string;
  return text.slice(0, token.index) + value + text.slice(token.index + token[0].length);
}
