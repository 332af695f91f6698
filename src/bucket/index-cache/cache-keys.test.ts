import { equal } from 'node:assert/strict';
import { test } from 'node:test';
import { goldenJson } from '../../../test/support/golden-json.ts';
import { loadHashes } from '../../cache/load-hashes.ts';
import { Random } from '../../lib/prng.ts';
import { Matcher, type MatchType } from '../../model/matcher.ts';
import {
  expandedPostingsKey,
  matchersText,
  postingsKey,
  seriesKey,
  sortMatchers,
} from './cache-keys.ts';

type GoldenKey = { readonly key: string } & (
  | { readonly kind: 'postings'; readonly name: string; readonly value: string }
  | { readonly kind: 'series'; readonly ref: number }
  | {
      readonly kind: 'expanded postings';
      readonly text: string;
      readonly matchers: readonly { type: MatchType; name: string; value: string }[];
    }
);

const golden = goldenJson('index-cache/keys.json') as {
  readonly block: string;
  readonly keys: readonly GoldenKey[];
};

test('index cache: keys are those of Go', async () => {
  const hashes = await loadHashes();
  const { block } = golden;
  for (const item of golden.keys) {
    if (item.kind === 'postings') equal(postingsKey(hashes, block, item), item.key);
    else if (item.kind === 'series') equal(seriesKey(block, item.ref), item.key);
    else {
      const matchers = item.matchers.map(({ type, name, value }) => new Matcher(type, name, value));
      new Random(1).shuffle(matchers);
      const sorted = sortMatchers(matchers);
      equal(matchersText(sorted), item.text);
      equal(expandedPostingsKey(hashes, block, sorted), item.key);
    }
  }
});
