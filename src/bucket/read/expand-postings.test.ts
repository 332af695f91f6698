import { deepEqual, equal, ok, rejects } from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { CorruptionError } from '../../lib/errors.ts';
import { Random } from '../../lib/prng.ts';
import { Matcher } from '../../model/matcher.ts';
import type { MatchType } from '../../model/matcher.ts';
import type { Labels } from '../../model/labels.ts';
import { BytesSource } from '../../tsdb/index/byte-source.ts';
import { IndexReader } from '../../tsdb/index/index-reader.ts';
import { LabelStore } from '../../tsdb/index/label-store.ts';
import { selectPostings } from '../../tsdb/index/select-postings.ts';
import { buildBlock } from '../../../test/support/block-builder.ts';
import { readBlock } from '../../../test/support/block-frames.ts';
import { encodeIndexV1 } from '../../../test/support/index-v1.ts';
import { randomLabelSets, readCall, storeBlock } from '../../../test/support/stored-block.ts';
import { temporaryDirectory } from '../../../test/support/temporary-directory.ts';
import { buildHeader } from '../index-header/build.ts';
import { HeaderInMemory } from '../index-header/header-bytes.ts';
import { openIndexHeader } from '../index-header/index-header.ts';
import { expandPostings, sortMatchers } from './expand-postings.ts';
import { LimitError, Limiter } from './limits.ts';
import { ReadCost } from './read-cost.ts';

const TYPES: readonly MatchType[] = ['=', '!=', '=~', '!~'];
const PATTERNS = [
  '',
  '.*',
  '.+',
  'a',
  'a|b',
  'a|b|',
  'ab?',
  'v1.*',
  'v[0-9]',
  '(1|2|x y)',
  '.*b',
  'ünï|日本',
  '[^a]+',
  'no such value',
  '\u{1f600}|\u{ffff}',
  '(a|a)',
];

function randomMatcher(random: Random, names: readonly string[], sets: readonly Labels[]): Matcher {
  const name = names[random.below(names.length)] as string;
  const type = TYPES[random.below(4)] as MatchType;
  const own = (sets[random.below(sets.length)] as Labels).get(name);
  const some = PATTERNS[random.below(PATTERNS.length)] as string;
  const isRegexp = type === '=~' || type === '!~';
  return new Matcher(
    type,
    name,
    random.below(2) === 0 && !(isRegexp && /[\n]/u.test(own)) ? own : some,
  );
}

function readerOf(directory: string): IndexReader {
  const index = readFileSync(join(directory, 'index'));
  return new IndexReader(new BytesSource(index), 'index', new LabelStore());
}

for (const seed of [1, 2, 3, 4]) {
  test(`matchers select what they select of the whole index, seed ${seed}`, async () => {
    using directory = temporaryDirectory();
    const random = new Random(seed);
    const sets = randomLabelSets(random, 20 + random.below(300));
    const names = [
      'no such name',
      ...new Set(sets.flatMap((set) => [...set].map(([name]) => name))),
    ];
    const handle = buildBlock(
      directory.path,
      sets.map((labels) => ({ labels: labels.toObject(), chunks: [[[1, 1]]] })),
    );
    const reader = readerOf(handle.directory);
    const { series } = readBlock(handle.directory);
    const labelsOf = new Map(series.map(({ number, labels }) => [number, labels]));
    const { block, header } = await storeBlock(handle.directory, {
      sampling: 4,
      seriesBytesMax: 40,
    });
    let lazyCount = 0;
    for (let i = 0; i < 400; i++) {
      const matchers = sortMatchers(
        Array.from({ length: 1 + random.below(4) }, () => randomMatcher(random, names, sets)),
      );
      const text = `case ${i}: ${matchers.join(', ')}`;
      const want = [...selectPostings(reader, matchers)];
      const eager = await expandPostings(block, header, matchers, readCall(), undefined);
      deepEqual([...eager.postings], want, text);
      deepEqual(eager.lazyMatchers, []);
      const lazy = await expandPostings(block, header, matchers, readCall(), {
        matchRatio: 0.5,
        maxKeySeriesRatio: random.below(2) === 0 ? 0 : 0.1,
        onLazy: () => undefined,
      });
      lazyCount += lazy.lazyMatchers.length;
      const passed = [...lazy.postings].filter((ref) =>
        lazy.lazyMatchers.every((one) => one.matches(labelsOf.get(ref)?.get(one.name) ?? '')),
      );
      deepEqual(passed, want, `lazily, ${text}`);
    }
    ok(lazyCount > 20, `${lazyCount} lazy matchers`);
  });
}

test('version 1', async () => {
  using directory = temporaryDirectory();
  const random = new Random(9);
  const sets = randomLabelSets(random, 200);
  const handle = buildBlock(
    directory.path,
    sets.map((labels) => ({ labels: labels.toObject(), chunks: [[[1, 1]]] })),
  );
  const { block, bucket } = await storeBlock(handle.directory);
  const index = encodeIndexV1(
    sets.map((labels) => ({ labels, chunks: [{ mint: 1, maxt: 1, ref: 8 }] })),
  );
  await bucket.upload(`${block.ulid}/index`, index);
  const header = await openIndexHeader(
    new HeaderInMemory('header', await buildHeader({ bucket, ulid: block.ulid })),
  );
  const reader = new IndexReader(new BytesSource(index), 'index', new LabelStore());
  const names = [...header.postings.names];
  for (let i = 0; i < 200; i++) {
    const matchers = sortMatchers([
      randomMatcher(random, names, sets),
      randomMatcher(random, names, sets),
    ]);
    const { postings } = await expandPostings(block, header, matchers, readCall(), undefined);
    deepEqual([...postings], [...selectPostings(reader, matchers)], matchers.join());
  }
});

async function smallBlock(directory: string) {
  const series = Array.from({ length: 100 }, (_, i) => ({
    labels: { __name__: 'm', i: String(i), even: String(i % 2) },
    chunks: [[[1, 1]]] as const,
  }));
  return storeBlock(buildBlock(directory, series).directory);
}

test('without matchers there is nothing', async () => {
  using directory = temporaryDirectory();
  const { block, header } = await smallBlock(directory.path);
  const { postings } = await expandPostings(block, header, [], readCall(), undefined);
  equal(postings.length, 0);
});

test('bytes are counted and limited', async () => {
  using directory = temporaryDirectory();
  const { block, header } = await smallBlock(directory.path);
  const matchers = [new Matcher('=', 'even', '0'), new Matcher('=~', 'i', '1.*')];
  const cost = new ReadCost();
  await expandPostings(block, header, matchers, readCall({ cost }), undefined);
  const { fetchedBytes, fetchCount, touched } = cost.postings;
  equal(fetchCount, 1);
  equal(touched, 1 + 11);
  ok(fetchedBytes > 0);
  const withLimit = (bytes: number): Promise<unknown> =>
    expandPostings(
      block,
      header,
      matchers,
      readCall({ bytesLimit: new Limiter(bytes) }),
      undefined,
    );
  await withLimit(fetchedBytes);
  await rejects(withLimit(fetchedBytes - 1), (thrown) => {
    ok(thrown instanceof LimitError);
    // Thanos pkg/store/bucket.go and limiter.go.
    equal(
      thrown.message,
      `exceeded bytes limit while fetching postings: limit ${fetchedBytes - 1} violated (got ${fetchedBytes})`,
    );
    return true;
  });
});

test('postings that are damaged name the object', async (t) => {
  using directory = temporaryDirectory();
  const { block, header, bucket } = await smallBlock(directory.path);
  const matchers = [new Matcher('=', 'even', '1')];
  const [range] = await header.postings.find('even', ['1']);
  ok(range);
  const name = `${block.ulid}/index`;
  const index = Buffer.from(await bucket.getRange(name, { offset: 0, length: 1 << 30 }));
  const f = (
    title: string,
    change: (bytes: Buffer) => Uint8Array,
    message: RegExp,
  ): Promise<void> =>
    t.test(title, async () => {
      await bucket.upload(name, change(Buffer.from(index)));
      await rejects(expandPostings(block, header, matchers, readCall(), undefined), (thrown) => {
        ok(thrown instanceof CorruptionError, String(thrown));
        ok(thrown.message.includes(name) && message.test(thrown.message), thrown.message);
        return true;
      });
    });
  const set = (at: number, byte: number) => (bytes: Buffer) => {
    bytes[range.start + at] = byte;
    return bytes;
  };
  await f('a longer list', set(0, 1), /series in \d+ bytes/);
  await f('another count', set(7, 1), /1 series in/);
  await f('a ref', set(20, 9), /checksum/);
  await f('the object ends inside', (bytes) => bytes.subarray(0, range.start + 30), /end early/);
  await f('the object ends before', (bytes) => bytes.subarray(0, range.start - 30), /end early/);
  await f('nothing is there', () => new Uint8Array(0), /end early/);
  await bucket.upload(name, index);
  const { postings } = await expandPostings(block, header, matchers, readCall(), undefined);
  equal(postings.length, 50);
});

test('the end of a call ends it', async () => {
  using directory = temporaryDirectory();
  const { block, header } = await smallBlock(directory.path);
  const call = readCall({ signal: AbortSignal.abort() });
  await rejects(expandPostings(block, header, [new Matcher('=', 'even', '1')], call, undefined), {
    code: 'canceled',
  });
});
