/**
 * Two expressions over the same series, asked in one query, where they may share a select, and each alone: the answers are the
 * same to the bit. A label tells the two sides of the one query apart; it sorts before all others.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { CodedError, errorText } from '../../src/lib/errors.ts';
import { Random } from '../../src/lib/prng.ts';
import { METRIC_NAME } from '../../src/model/labels.ts';
import { Engine } from '../../src/promql/engine.ts';
import type { SelectRequest, SeriesSet } from '../../src/storage/storage.ts';
import type { Answer } from '../support/naive-promql/answer.ts';
import { toAnswer } from '../support/naive-promql/engine-answer.ts';
import { generateCase, type FuzzCase } from '../support/naive-promql/fuzz-case.ts';
import { NaiveStorage } from '../support/naive-promql/naive-storage.ts';
import { pick } from '../support/naive-promql/random-choice.ts';

const CASES = 1500;
const SEED = Number(process.env['PROMQL_FUZZ_SEED'] ?? 1);
const SIDE = 'A';

const RANGES = ['30s', '1m', '4m7s', '10m', '1h'];
const MODIFIERS = ['', '', '', ' offset 1m', ' @ end()', ' offset -30s'];
const FUNCTIONS = [
  'rate',
  'increase',
  'delta',
  'irate',
  'resets',
  'sum_over_time',
  'avg_over_time',
];
const MORE_FUNCTIONS = ['min_over_time', 'last_over_time', 'stddev_over_time', 'deriv', 'changes'];
const AROUND = ['', '', 'sum by (job) ', 'avg by (inst) ', 'max ', 'count without (inst) '];
const MORE_AROUND = ['timestamp', 'histogram_count', 'histogram_avg', 'abs', '-'];

/** An expression over a selector. */
function expression(random: Random, selector: string): string {
  const modifier = pick(random, MODIFIERS);
  const range = pick(random, RANGES);
  const func = pick(random, [...FUNCTIONS, ...MORE_FUNCTIONS]);
  const inner = pick(random, [
    `${selector}${modifier}`,
    `${func}(${selector}[${range}]${modifier})`,
    `${func}(${selector}[${range}]${modifier})`,
    `${func}((${selector}${modifier})[${range}:20s])`,
  ]);
  return `${pick(random, [...AROUND, ...MORE_AROUND])}(${inner})`;
}

/** What a query answers, or how it fails, and how often it selected. */
interface Asked {
  /** Labels and values of each series, in their order; empty when it failed. */
  readonly rows: readonly (readonly [string, unknown])[];
  readonly error: string | undefined;
  readonly selects: number;
}

/** Counts the selects of a query. */
class CountingStorage extends NaiveStorage {
  selects = 0;

  override select(request: SelectRequest): Promise<SeriesSet> {
    this.selects++;
    return super.select(request);
  }
}

async function ask({ series, times, lookbackMs }: FuzzCase, text: string): Promise<Asked> {
  const engine = new Engine({ lookbackDeltaMs: lookbackMs });
  const storage = new CountingStorage(series);
  const { startMs, endMs, stepMs } = times;
  try {
    const result = await (stepMs === 0
      ? engine.instant(storage, text, startMs)
      : engine.range(storage, text, startMs, endMs, stepMs));
    return { rows: rowsOf(toAnswer(result)), error: undefined, selects: storage.selects };
  } catch (thrown) {
    if (!(thrown instanceof CodedError)) throw thrown;
    return { rows: [], error: errorText(thrown), selects: storage.selects };
  }
}

function rowsOf(answer: Answer): Asked['rows'] {
  if (answer.type === 'vector')
    return answer.samples.map(({ labels, value }) => [labels.toString(), value]);
  assert.equal(answer.type, 'matrix');
  if (answer.type !== 'matrix') return [];
  return answer.series.map(({ labels, points }) => [labels.toString(), points]);
}

test(`what is selected once gives what two selects give, seed ${SEED}`, async () => {
  let shared = 0;
  let compared = 0;
  for (let i = 0; i < CASES; i++) {
    const asked = generateCase(SEED, i);
    const random = new Random(SEED * 7919 + i);
    const names = [...new Set(asked.series.map(({ labels }) => labels.get(METRIC_NAME)))];
    const selector = pick(random, [pick(random, names), `{job=~".+",__name__="${names[0]}"}`]);
    const sides = [expression(random, selector), expression(random, selector)];
    const marked = sides.map((side, k) => `label_replace(${side}, "${SIDE}", "${k}", "", "")`);
    const alone = [await ask(asked, marked[0] ?? ''), await ask(asked, marked[1] ?? '')];
    const both = await ask(asked, marked.join(' or '));
    const error = alone.find((side) => side.error !== undefined)?.error;
    const rows = error === undefined ? alone.flatMap((side) => side.rows) : [];
    const { selects, ...got } = both;
    assert.deepEqual(got, { rows, error }, marked.join(' or '));
    if (selects < 2) shared++;
    if (rows.length > 0) compared++;
  }
  // Otherwise nothing is tested any more.
  assert.ok(shared > CASES / 5, `${shared} of ${CASES} queries share a select`);
  assert.ok(compared > CASES / 2, `${compared} of ${CASES} answers are not empty`);
});
