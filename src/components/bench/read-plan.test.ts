import assert from 'node:assert/strict';
import test from 'node:test';
import fc from 'fast-check';
import { Random } from '../../lib/prng.ts';
import { PROFILES } from './profiles.ts';
import { planBlocks } from './plan.ts';
import { readPlan } from './read-plan.ts';
import { DOCUMENT_SEPARATOR, printBlockSpec } from './write-plan.ts';

const LABELS = [
  ['cluster', 'eu1'],
  ['n', 'yes'],
  ['number', '1e3'],
  ['text', `it's: "quoted" # and \u0001 more`],
] as const;

/** The plan of a profile, as a text. */
function planOf(name: string, maxTime = Date.UTC(2026, 10, 1)): string {
  const profile = PROFILES.get(name);
  assert.ok(profile);
  const blocks = [...planBlocks(profile, { externalLabels: LABELS, maxTime })];
  return blocks.map(printBlockSpec).join(DOCUMENT_SEPARATOR);
}

test('what is printed reads back', async () => {
  for (const name of ['continuous-30d-tiny', 'realistic-k8s-30d-tiny']) {
    const profile = PROFILES.get(name);
    assert.ok(profile);
    const maxTime = Date.UTC(2026, 10, 1);
    const blocks = [...planBlocks(profile, { externalLabels: LABELS, maxTime })];
    assert.deepEqual(await readPlan(planOf(name), 'plan'), blocks);
  }
});

test('the fast reader and the library read the same', async () => {
  const text = planOf('realistic-k8s-30d-tiny', Date.UTC(2026, 10, 1, 7));
  // A comment behind a value is beyond plain blocks, so the library reads that document.
  const commented = text.replaceAll('meta:\n', 'meta: # a comment\n');
  assert.notEqual(commented, text);
  assert.deepEqual(await readPlan(commented, 'plan'), await readPlan(text, 'plan'));
});

test('label values of any kind survive', async () => {
  const value = fc.string({ unit: 'grapheme', minLength: 1, maxLength: 12 });
  const name = fc.stringMatching(/^[a-zA-Z_][a-zA-Z0-9_]{0,8}$/);
  const values = fc.dictionary(name, value, { maxKeys: 6, noNullPrototype: true });
  await fc.assert(
    fc.asyncProperty(values, async (labels) => {
      const sorted = Object.entries(labels).toSorted(([a], [b]) => (a < b ? -1 : 1));
      const profile = { rangesMs: [7_200_000], apps: 1, metricsPerApp: 1 };
      const [block] = planBlocks(profile, { externalLabels: sorted, maxTime: 0 });
      assert.ok(block);
      const [read] = await readPlan(printBlockSpec(block), 'plan');
      assert.deepEqual(read?.thanos.labels, sorted);
    }),
    { numRuns: 300 },
  );
});

test('a list of blocks, comments, flow style, anchors, nanoseconds', async () => {
  const series = {
    labels: [['a', 'b']],
    targets: 2,
    type: 'RANDOM',
    minTime: -5,
    maxTime: 10,
    jitter: 0,
    scrapeIntervalMs: 1500,
    changeIntervalMs: 0,
    max: 0.5,
    min: 0,
  };
  const block = {
    minTime: 0,
    maxTime: 0,
    level: 0,
    thanos: { version: 0, labels: [], resolution: 0, source: '' },
    series: [series],
  };
  const f = async (text: string, want: unknown) =>
    assert.deepEqual(await readPlan(text, 'plan'), want, text);
  const own = 'labels: {a: b}, targets: 2, type: RANDOM, mintime: -5, maxtime: 10, max: .5';
  await f(`- series:\n  - {${own}, scrapeInterval: 1.5s}\n`, [block]);
  await f(`series: [{${own}, scrapeInterval: 1500000000}]`, [block]);
  await f(`# head\n---\nseries: [{${own}, scrapeInterval: 1500ms}]\n`, [block]);
  await f(`- series: &x [{${own}, scrapeInterval: 1500ms}]\n- series: *x\n`, [block, block]);
  await f(
    'meta:\n  blockmeta: ~\nseries:\n  -   labels:\n        a: "b"\n      targets: 2\n      type: \'RANDOM\'\n' +
      '      mintime: -5\n      maxtime: +10\n\n      max: 5e-1\n      scrapeInterval: 1s500ms\n',
    [block],
  );
  await f('', []);
  await f('---\n# nothing\n---\n', []);
});

test('errors name line and field', async () => {
  const f = (text: string, want: RegExp) => assert.rejects(readPlan(text, 'stdin'), want);
  const series = 'series:\n- labels:\n    a: b\n  type: GAUGE\n  scrapeInterval: 15s\n';
  await readPlan(series, 'stdin');
  await f('meta: {}\n', /^CodedError: stdin:1: series is empty: a block needs at least one$/);
  await f('meta:\n  thanos: {}\nseries: []\n', /stdin:3: series is empty/);
  await f(
    `${series}tail: 1\n`,
    /stdin:6: the block has an unknown field "tail", expected meta, series/,
  );
  await f(
    `${series}  tragets: 1\n`,
    /stdin:6: series\[0\] has an unknown field "tragets", expected /,
  );
  await f(`${series}  type: GAUGE\n`, /stdin:6: series\[0\] has "type" twice/);
  await f(
    `${series}---\n${series}  max: lots\n`,
    /stdin:12: series\[0\]\.max is "lots", expected a num/,
  );
  await f(`${series}  max: "1"\n`, /stdin:6: series\[0\]\.max is "1", expected a number/);
  await f(
    `${series}  mintime: 1.5\n`,
    /stdin:6: series\[0\]\.mintime is "1\.5", expected a whole number/,
  );
  await f(
    `${series}  mintime: 9000000000000000\n`,
    /stdin:6: series\[0\]\.mintime is 9000000000000000, expected a time in ms/,
  );
  await f(
    `${series}  maxtime: 8000000000000000\n`,
    /stdin:6: series\[0\] has \d+ samples, at most 200000000 can/,
  );
  await f(`${series}  targets: -1\n`, /stdin:6: series\[0\]\.targets is -1, expected from 0 to/);
  await f(
    `${series}  changeInterval: 1d\n`,
    /stdin:6: series\[0\]\.changeInterval: time: unknown unit/,
  );
  await f(series.replace('15s', '0s'), /stdin:5: series\[0\]\.scrapeInterval must be 1ms or more/);
  await f(series.replace('15s', '999us'), /stdin:5: .*scrapeInterval must be 1ms or more/);
  await f(
    series.replace('GAUGE', 'GAGE'),
    /stdin:4: series\[0\]\.type: unknown type: GAGE, expected/,
  );
  await f(
    series.replace('GAUGE', 'COUNTER').replace('15s', '6m'),
    /stdin:5: series\[0\]\.scrapeInterval must be 5m or less for the type COUNTER/,
  );
  await f(series.replace('a: b', 'a: {b: c}'), /stdin:3: series\[0\]\.labels\.a must be a text/);
  await f(`meta:\n  thanos:\n    version: 2\n${series}`, /stdin:3: meta\.thanos\.version is 2/);
  await f(
    `meta:\n  thanos:\n    files:\n    - relpath: index\n${series}`,
    /stdin:4: meta\.thanos\.files must be empty/,
  );
  await f('---\nseries: *x\n', /stdin:2: \*x is an anchor that is not defined before/);
  await f('&x series: &y [*y]\n', /stdin:1: nested deeper than 50/);
  await f('series: {}\n', /stdin:1: series must be a list/);
  await f('- series\n', /stdin:1: \[0\] must be a mapping/);
  await f(`${series}  a: [\n`, /^CodedError: stdin:[67]: /);
  await f(series.replace('  type', ' type'), /^CodedError: stdin:4: /);
});

test('a plan that is cut off or damaged is an error or a plan, never a crash', async () => {
  const text = planOf('continuous-30d-tiny').slice(0, 2500);
  const random = new Random(7);
  for (let i = 0; i < 300; i++) {
    const at = random.below(text.length);
    const noise = String.fromCharCode(32 + random.below(95));
    const damaged = text.slice(0, at) + noise + text.slice(at + random.below(3));
    const cut = damaged.slice(0, 1 + random.below(damaged.length));
    try {
      await readPlan(cut, 'stdin');
    } catch (thrown) {
      assert.match(String(thrown), /^CodedError: stdin:\d+: /, `${i}: ${JSON.stringify(cut)}`);
    }
  }
});
