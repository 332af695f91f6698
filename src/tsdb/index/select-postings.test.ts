import { deepEqual, ok } from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { buildBlock } from '../../../test/support/block-builder.ts';
import { temporaryDirectory } from '../../../test/support/temporary-directory.ts';
import { Random } from '../../lib/prng.ts';
import { Labels } from '../../model/labels.ts';
import { Matcher } from '../../model/matcher.ts';
import type { MatchType } from '../../model/matcher.ts';
import { BytesSource } from './byte-source.ts';
import { IndexReader } from './index-reader.ts';
import { LabelStore } from './label-store.ts';
import { selectPostings } from './select-postings.ts';
import { SeriesEntry } from './series-entry.ts';
import { shardedPostings } from './sharded-postings.ts';
import { StableHasher } from './stable-hash.ts';

const NAMES = ['__name__', 'a', 'b', 'ü.x', 'never'];
const VALUES = [
  'a',
  'b',
  'c',
  'ab',
  'abc',
  'a\nb',
  'x',
  'xa',
  'ü',
  '日本',
  '\u{10000}',
  'a|b',
  '.*',
];
const PATTERNS = [
  '',
  '|',
  ...'a a|b|c (a|b) (?:a|x) a| none none|a ü|日本 a.* ab.+ .*b .+a .*b.* .* .+ ü.* 日.*'.split(' '),
  ...'\u{10000}.* [ab]+ a.b a?b (a|x)b* a\\|b \\.\\* . .. (a.*|x) [^a]* x{0,1}'.split(' '),
];
const TYPES: readonly MatchType[] = ['=', '!=', '=~', '!~'];

/** What a matcher says, by JavaScript's own regular expressions. */
function matches(type: MatchType, pattern: string, value: string): boolean {
  if (type === '=') return value === pattern;
  if (type === '!=') return value !== pattern;
  // tidy: bare-regexp: one of the patterns above, on texts of three characters
  return new RegExp(`^(?:${pattern})$`, 'su').test(value) === (type === '=~');
}

interface IndexedSeries {
  readonly number: number;
  readonly labels: Labels;
}

/** An index over random series and what is in it. */
function buildIndex(
  directory: string,
  random: Random,
  count: number,
): { readonly index: IndexReader; readonly series: IndexedSeries[] } {
  const sets = new Map<string, Record<string, string>>();
  for (let i = 0; i < count; i++) {
    // One name occurs in no series, each of the others in some: `__name__`, too.
    const names = NAMES.slice(0, -1).filter(() => random.below(3) > 0);
    const pairs = names.map((name) => [name, VALUES[random.below(VALUES.length)] ?? '']);
    if (pairs.length > 0) sets.set(JSON.stringify(pairs), Object.fromEntries(pairs));
  }
  const made = Array.from(sets.values(), (labels) => ({ labels, chunks: [[[1, 1] as const]] }));
  const block = buildBlock(directory, made);
  const bytes = readFileSync(join(block.directory, 'index'));
  const index = new IndexReader(new BytesSource(bytes), 'index', new LabelStore());
  const entry = new SeriesEntry();
  const series = Array.from(index.all(), (number) => {
    index.readSeries(number, entry);
    return { number, labels: index.labelsOf(number, entry) };
  });
  return { index, series };
}

test('select postings: random matchers, compared with a look at every series', () => {
  const random = new Random(11);
  let found = 0;
  for (let round = 0; round < 20; round++) {
    using directory = temporaryDirectory();
    const { index, series } = buildIndex(directory.path, random, 5 + random.below(100));
    for (let k = 0; k < 150; k++) {
      const chosen = Array.from({ length: random.below(5) }, () => {
        const type = TYPES[random.below(4)] ?? '=';
        const texts = type.length === 2 && type !== '!=' ? PATTERNS : [...VALUES, '', 'none'];
        const name = NAMES[random.below(NAMES.length)] ?? '';
        return [type, name, texts[random.below(texts.length)] ?? ''] as const;
      });
      const got = selectPostings(
        index,
        chosen.map((one) => new Matcher(...one)),
      );
      const want = series.filter(({ labels }) =>
        chosen.every(([type, name, text]) => matches(type, text, labels.get(name))),
      );
      deepEqual(
        [...got],
        want.map(({ number }) => number),
        JSON.stringify(chosen),
      );
      if (want.length > 0 && want.length < series.length) found++;
    }
  }
  ok(found > 500, `only ${found} selections were neither nothing nor everything`);
});

test('sharded postings: the hash is that of Prometheus', () => {
  // prometheus model/labels/sharding_test.go
  const f = (pairs: readonly string[], want: bigint): void => {
    deepEqual(new StableHasher().hash(new Labels(pairs)), want);
  };
  f([], 0xef46db3751d8e999n);
  f(['hello', 'world'], 0x347c8ee7a9e29708n);
  f(['__name__', 'metric', 'label', 'value'], 0xcbab40540f26097dn);
});

test('sharded postings: each series is in one shard, in order', () => {
  using directory = temporaryDirectory();
  const { series } = buildIndex(directory.path, new Random(3), 400);
  const all = Uint32Array.from(series, ({ number }) => number);
  const labels = new Map(series.map((one) => [one.number, one.labels]));
  const labelsOf = (number: number): Labels => labels.get(number) as Labels;
  deepEqual(shardedPostings(all, labelsOf, { index: 0, count: 1 }), all);
  for (const count of [2, 3, 16]) {
    const shards = Array.from({ length: count }, (_, index) =>
      shardedPostings(all, labelsOf, { index, count }),
    );
    const hasher = new StableHasher();
    for (const [index, shard] of shards.entries()) {
      ok(shard.length > 0);
      const want = series.filter(
        (one) => hasher.hash(one.labels) % BigInt(count) === BigInt(index),
      );
      deepEqual(
        [...shard],
        want.map(({ number }) => number),
      );
    }
    deepEqual(
      shards.reduce((sum, shard) => sum + shard.length, 0),
      all.length,
    );
  }
  // A label set longer than the hasher's first buffer.
  const long = ['a', 'x'.repeat(5000), 'b', 'ü'];
  const short = new StableHasher();
  short.hash(new Labels(['a', 'b']));
  deepEqual(short.hash(new Labels(long)), new StableHasher().hash(new Labels(long)));
});
