/** Labels of series with external ones, and the order in which series come out, against the plain way. */
import { deepEqual, equal, ok, rejects, throws } from 'node:assert/strict';
import { test } from 'node:test';
import { CorruptionError } from '../../lib/errors.ts';
import { Random } from '../../lib/prng.ts';
import { Labels, compareLabels } from '../../model/labels.ts';
import { buildBlock } from '../../../test/support/block-builder.ts';
import { randomLabelSets, readCall, storeBlock } from '../../../test/support/stored-block.ts';
import { temporaryDirectory } from '../../../test/support/temporary-directory.ts';
import { BufferPool } from './buffer-pool.ts';
import { blockSeries } from './block-series.ts';
import { LabelComposer, keepsOrder } from './compose-labels.ts';
import type { LabelRules } from './compose-labels.ts';
import { ChunkFramer } from './frame-chunks.ts';
import { eachLabel, encodeLabels } from './label-bytes.ts';
import { ByteBudget } from './limits.ts';
import type { ParsedSeries } from './series-batch.ts';
import { OrderKeeper } from './series-order.ts';
import type { SeriesPlace } from './series-order.ts';

/** As Thanos composes them: external labels win, labels that are not wanted are left out of both. */
function plainLabels(series: Labels, { external, without }: LabelRules): Labels {
  return Labels.fromPairs([...series.drop(without), ...external]);
}

interface Outcome {
  readonly labels: string[];
  readonly isOrderKept: boolean;
}

const framer = new ChunkFramer();

/** The label sets of a block of these series, in the order in which they come. */
async function read(
  sets: readonly Labels[],
  rules: LabelRules,
  batchSize: number,
): Promise<Outcome> {
  using directory = temporaryDirectory();
  const series = sets.map((labels) => ({ labels: labels.toObject(), chunks: [[[1, 1]]] as const }));
  const handle = buildBlock(directory.path, series);
  const { block, header } = await storeBlock(handle.directory);
  const [all] = await header.postings.find('', ['']);
  ok(all);
  const bytes = await block.bucket.getRange(`${block.ulid}/index`, {
    offset: all.start,
    length: all.end - all.start,
  });
  const view = Buffer.from(bytes);
  const postings = Uint32Array.from({ length: view.readUInt32BE(4) }, (_, i) =>
    view.readUInt32BE(8 + i * 4),
  );
  const budget = new ByteBudget('budget', 0);
  const runs = blockSeries(
    block,
    header,
    { postings, matchers: [], lazyMatchers: [] },
    {
      mint: 0,
      maxt: 10,
      skipChunks: true,
      aggregates: 0,
      rules,
      isWanted: undefined,
      limit: 0,
      batchSize,
      runBytes: 1 << 20,
    },
    readCall(),
    {
      framer,
      pool: new BufferPool(0),
      budget,
      onSeriesRefetch: () => undefined,
      onChunkRefetch: () => undefined,
      onOverfetch: () => undefined,
      onSeriesRead: () => undefined,
      onChunksRead: () => undefined,
      now: () => 0,
    },
  );
  const labels: string[] = [];
  for await (const run of runs) {
    for (let i = 0; i < run.count; i++) {
      const pairs: string[] = [];
      const from = run.labelStarts[i] as number;
      const to = run.labelStarts[i + 1] as number;
      eachLabel({ bytes: run.labels, from, to }, (a, b, c, d) =>
        pairs.push(run.labels.toString('utf8', a, b), run.labels.toString('utf8', c, d)),
      );
      labels.push(JSON.stringify(pairs));
    }
    run.release();
  }
  equal(budget.used, 0);
  return { labels, isOrderKept: keepsOrder(header.postings.names, rules) };
}

function plainOrder(sets: readonly Labels[], rules: LabelRules): string[] {
  return sets
    .map((labels) => plainLabels(labels, rules))
    .toSorted(compareLabels)
    .map(({ pairs }) => JSON.stringify(pairs));
}

const rulesOf = (external: Readonly<Record<string, string>>, ...without: string[]): LabelRules => ({
  external: Labels.fromObject(external).drop(new Set(without)),
  without: new Set(without),
});

test('external labels among those of series', async (t) => {
  const f = (
    name: string,
    sets: readonly Readonly<Record<string, string>>[],
    rules: LabelRules,
    isOrderKept: boolean,
  ): Promise<void> =>
    t.test(name, async () => {
      const series = sets.map((set) => Labels.fromObject(set)).toSorted(compareLabels);
      for (const batchSize of [1, 2, 1000]) {
        deepEqual(await read(series, rules, batchSize), {
          labels: plainOrder(series, rules),
          isOrderKept,
        });
      }
    });
  const m = (labels: Readonly<Record<string, string>> = {}) => ({ __name__: 'm', ...labels });
  const tree = [
    m(),
    m({ a: '1' }),
    m({ a: '1', b: '1' }),
    m({ a: '1', b: '1', z: '1' }),
    m({ a: '1', d: '2' }),
    m({ a: '2' }),
    m({ z: '1' }),
    { __name__: 'n' },
    { __name__: 'n', z: '1' },
  ];
  await f('none', tree, rulesOf({}), true);
  await f('between', tree, rulesOf({ cluster: 'x' }), true);
  await f('before', tree, rulesOf({ A: 'x' }), true);
  await f('behind', tree, rulesOf({ zz: 'x' }), true);
  await f('everywhere', tree, rulesOf({ A: '1', aa: '2', c: '3', y: '4', zz: '5' }), true);
  await f('UTF-8 order', tree, rulesOf({ '\u{ffff}': '1', '\u{1f600}': '2', ü: '3' }), true);
  await f('one that the series have', tree, rulesOf({ a: '1' }), false);
  await f('one that the series have, with another value', tree, rulesOf({ b: '0', z: '9' }), false);
  await f('the metric name', tree, rulesOf({ __name__: 'other' }), false);
  await f('one is left out', tree, rulesOf({}, 'a'), false);
  await f('all are left out', tree, rulesOf({}, '__name__', 'a', 'b', 'd', 'z'), false);
  await f(
    'an external one is left out',
    tree,
    rulesOf({ cluster: 'x', replica: 'r' }, 'replica'),
    true,
  );
  await f('one of both is left out', tree, rulesOf({ cluster: 'x', a: 'r' }, 'a', 'z'), false);
  await f(
    'only external labels are left',
    tree,
    rulesOf({ c: 'x' }, '__name__', 'a', 'b', 'd', 'z'),
    false,
  );
});

for (const seed of [1, 2, 3, 4, 5, 6]) {
  test(`random series and rules, seed ${seed}`, async () => {
    const random = new Random(seed);
    const sets = randomLabelSets(random, 10 + random.below(200));
    const names = [
      'A',
      'a',
      'aaa',
      'b',
      'cluster',
      'job',
      'q',
      'zz',
      'ünï',
      '\u{ffff}',
      '\u{1f600}',
    ];
    for (let i = 0; i < 8; i++) {
      const some = (share: number): string[] => names.filter(() => random.below(share) === 0);
      // Of every second one nothing is left out or replaced.
      const own = new Set(sets.flatMap((set) => [...set].map(([name]) => name)));
      const externals = some(2).filter((name) => i % 2 === 0 || !own.has(name));
      const rules = rulesOf(
        Object.fromEntries(externals.map((name) => [name, `v${random.below(3)}`])),
        ...(i % 2 === 0 ? some(4) : []),
      );
      const want = plainOrder(sets, rules);
      const { labels, isOrderKept } = await read(sets, rules, 1 + random.below(50));
      deepEqual(labels, want);
      if (i % 2 === 1) equal(isOrderKept, true);
    }
  });
}

/** A batch of label sets that are composed already. */
function placesOf(sets: readonly Readonly<Record<string, string>>[]): SeriesPlace[] {
  const all = sets.map((set) => encodeLabels(Labels.fromObject(set)));
  const starts = Uint32Array.from([0, ...all].map((_, i) => Buffer.concat(all.slice(0, i)).length));
  const labels = { bytes: Buffer.concat(all), starts };
  return sets.map((_, at) => ({ batch: { labels, series: {} as ParsedSeries }, at }));
}

test('series of an index that is in no order are not answered with', () => {
  const keeper = new OrderKeeper('block/index');
  const out: SeriesPlace[] = [];
  throws(() => {
    for (const place of placesOf([{ a: '2' }, { a: '3' }, { a: '1' }, { a: '4' }])) {
      keeper.push(place, out);
    }
    keeper.finish(out);
  }, CorruptionError);
});

test('what waits is a handful', () => {
  const keeper = new OrderKeeper('block/index');
  const places = placesOf(Array.from({ length: 1000 }, (_, i) => ({ a: String(i + 1000) })));
  let gone = 0;
  for (const [i, place] of places.entries()) {
    const out: SeriesPlace[] = [];
    keeper.push(place, out);
    gone += out.length;
    ok(i + 1 - gone <= 1);
  }
});

test('symbols that are not there', async () => {
  using directory = temporaryDirectory();
  const handle = buildBlock(directory.path, [{ labels: { a: 'b' }, chunks: [[[1, 1]]] }]);
  const { header } = await storeBlock(handle.directory);
  const composer = new LabelComposer(header.symbols, rulesOf({ c: 'd' }));
  for (const reference of [2, 2 ** 31, 2 ** 32, 2 ** 32 + 1, 2 ** 53]) {
    const series = {
      count: 1,
      symbols: Float64Array.of(0, reference),
      symbolStarts: Uint32Array.of(0, 2),
    } as unknown as ParsedSeries;
    await rejects(composer.compose(series), CorruptionError, String(reference));
  }
});
