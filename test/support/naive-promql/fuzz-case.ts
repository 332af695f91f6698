/** One case of the fuzz test: a query over a data set, asked of the engine and of the naive evaluator. */
import { CodedError, errorCode, errorText } from '../../../src/lib/errors.ts';
import { Random } from '../../../src/lib/prng.ts';
import { Engine, type EngineOptions } from '../../../src/promql/engine.ts';
import { ALL_FEATURES } from '../../../src/promql/parse/options.ts';
import { parseExpr } from '../../../src/promql/parse/parse.ts';
import type { FragmentRunner } from '../../../src/promql/exec/fragment.ts';
import { answerNaively, type Answer } from './answer.ts';
import { compareAnswers, type Tolerance } from './compare-answers.ts';
import { toAnswer } from './engine-answer.ts';
import { ExpressionGenerator, type Quality } from './generate-expression.ts';
import { generateSeries, type DataSet } from './generate-series.ts';
import { KNOWN_DIFFERENCES } from './known-differences.ts';
import { chance, pick } from './random-choice.ts';
import { NaiveStorage, workers } from './naive-storage.ts';
import type { Grid } from './query.ts';
import { NaiveError, Unspecified, type NaiveSeries } from './sample.ts';

/** Everything that a case needs; shrinking makes others of it. */
export interface FuzzCase {
  readonly text: string;
  readonly quality: Quality;
  /** Whether rounded values are to the bit, too, unless work is divided. */
  readonly isOrdered: boolean;
  /** The step is 0 of an instant query. */
  readonly times: Grid;
  readonly lookbackMs: number;
  readonly delayedNames: boolean;
  readonly series: readonly NaiveSeries[];
}

/** What became of a case. */
export type Verdict =
  | { readonly kind: 'same'; readonly isEmpty: boolean; readonly failed: boolean }
  /** Prometheus leaves the answer open. */
  | { readonly kind: 'unspecified' }
  | { readonly kind: 'not-implemented'; readonly what: string }
  | { readonly kind: 'known'; readonly what: string }
  | { readonly kind: 'different'; readonly why: string };

/** limit: cases over one data set; making and storing series costs more than a query. */
const CASES_PER_DATA_SET = 25;

/** The difference between sums of the same numbers in another order, relative. */
const SUM_TOLERANCE = 1e-12;

/** Makes the i-th case of a seed, with native histograms among the series or without. */
export function generateCase(seed: number, i: number): FuzzCase {
  const set = Math.floor(i / CASES_PER_DATA_SET);
  // Every second set of series has native histograms, too.
  const data = dataSet(seed, set, set % 2 === 1);
  const random = new Random(seed * 1_000_003 + i * 7919 + 1);
  const isInstant = chance(random, 0.4);
  const times = generateTimes(random, data, isInstant);
  const generator = new ExpressionGenerator(random, data);
  const { text, quality } = generator.query(isInstant);
  return {
    text,
    quality,
    isOrdered: generator.isOrdered,
    times,
    lookbackMs: pick(random, [300_000, 300_000, 60_000, 30_000]),
    delayedNames: chance(random, 0.3),
    series: data.series,
  };
}

let lastData: { readonly key: string; readonly data: DataSet } | undefined;

/** The data set of a number; the last one is kept. */
function dataSet(seed: number, number: number, natives: boolean): DataSet {
  const key = `${seed} ${number} ${natives}`;
  if (lastData?.key !== key) {
    lastData = { key, data: generateSeries(new Random(seed * 92_821 + number), natives) };
  }
  return lastData.data;
}

function generateTimes(random: Random, { startMs, endMs }: DataSet, isInstant: boolean): Grid {
  const align = pick(random, [1, 1000, 15_000, 60_000]);
  const from = startMs + random.below(endMs - startMs);
  const first = Math.floor(from / align) * align;
  if (isInstant) return { startMs: first, endMs: first, stepMs: 0 };
  const stepMs = pick(random, [10_000, 15_000, 30_000, 60_000, 77_000]);
  return {
    startMs: first,
    endMs: first + stepMs * random.below(10) + random.below(stepMs),
    stepMs,
  };
}

/** An answer, or the text of an error. */
export type Outcome = { readonly answer: Answer } | { readonly error: string };

/** The naive evaluator's answer. @throws Unspecified when there may be others. */
export function askNaively(asked: FuzzCase): Outcome {
  const { text, series, lookbackMs, delayedNames, times } = asked;
  const query = { series, lookbackMs, delayedNames, subqueryStepMs: 60_000, query: times };
  try {
    return { answer: answerNaively(query, parseExpr(text, ALL_FEATURES)) };
  } catch (thrown) {
    if (thrown instanceof NaiveError) return { error: thrown.message };
    throw thrown;
  }
}

interface Asked {
  readonly storage: NaiveStorage;
  readonly runFragments?: FragmentRunner;
}

async function askEngine(asked: FuzzCase, { storage, runFragments }: Asked): Promise<Outcome> {
  const { text, lookbackMs, delayedNames, times } = asked;
  const options: EngineOptions = {
    features: ALL_FEATURES,
    lookbackDeltaMs: lookbackMs,
    delayedNameRemoval: delayedNames,
    ...(runFragments === undefined ? {} : { runFragments }),
  };
  const engine = new Engine(options);
  try {
    const { startMs, endMs, stepMs } = times;
    const result =
      stepMs === 0
        ? await engine.instant(storage, text, startMs)
        : await engine.range(storage, text, startMs, endMs, stepMs);
    return { answer: toAnswer(result) };
  } catch (thrown) {
    const code = errorCode(thrown);
    if (code === 'execution' || code === 'bad_data') return { error: errorText(thrown) };
    throw thrown;
  }
}

/** Runs a case. `i` says how work is divided among workers. */
export async function runCase(asked: FuzzCase, i: number): Promise<Verdict> {
  let want: Outcome;
  try {
    want = askNaively(asked);
  } catch (thrown) {
    if (thrown instanceof Unspecified) return { kind: 'unspecified' };
    return { kind: 'different', why: `the naive evaluator failed: ${stackOf(thrown)}` };
  }
  try {
    const got = await askEngine(asked, { storage: new NaiveStorage(asked.series) });
    const known = knownDifference(asked, want, got);
    if (known !== undefined) return { kind: 'known', what: known };
    const wrong =
      compareOutcomes(want, got, toleranceOf(asked, false)) ?? (await divided(asked, got, i));
    if (wrong !== undefined) return { kind: 'different', why: wrong };
  } catch (thrown) {
    if (thrown instanceof CodedError && thrown.code === 'not_implemented') {
      return { kind: 'not-implemented', what: thrown.message };
    }
    return { kind: 'different', why: `the engine failed: ${stackOf(thrown)}` };
  }
  if ('error' in want) return { kind: 'same', isEmpty: true, failed: true };
  return { kind: 'same', isEmpty: isEmpty(want.answer), failed: false };
}

/** What is known to be different, or undefined. */
function knownDifference(
  { delayedNames }: FuzzCase,
  want: Outcome,
  got: Outcome,
): string | undefined {
  const textOf = (outcome: Outcome) => ('error' in outcome ? outcome.error : '');
  const said = { want: textOf(want), got: textOf(got), delayedNames };
  if (said.want === said.got) return undefined;
  return KNOWN_DIFFERENCES.find((known) => known.matches(said))?.what;
}

function stackOf(thrown: unknown): string {
  return thrown instanceof Error ? (thrown.stack ?? thrown.message) : String(thrown);
}

function isEmpty(answer: Answer): boolean {
  if (answer.type === 'vector') return answer.samples.length === 0;
  return answer.type === 'matrix' && answer.series.length === 0;
}

/** How answers are compared when work is divided among shards, and when it is not. */
function toleranceOf({ text, quality, isOrdered }: FuzzCase, isDivided: boolean): Tolerance {
  const call = /^(?:sort|topk|bottomk|sort_desc|sort_by_label|sort_by_label_desc)\b/.exec(
    text,
  )?.[0];
  const isOnlyCall =
    call !== undefined && /^\w+\((?:[^()]|\((?:[^()]|\([^()]*\))*\))*\)$/.test(text);
  const order = !isOnlyCall ? 'none' : call.includes('label') ? 'labels' : 'values';
  const isRounded = quality === 'rounded' && (isDivided || !isOrdered);
  return { relative: isRounded ? SUM_TOLERANCE : 0, order };
}

/** With one shard everything is as without workers; with more, how many workers there are makes no difference. */
async function divided(asked: FuzzCase, whole: Outcome, i: number): Promise<string | undefined> {
  const shards = [1, 2, 7][i % 3] as number;
  const storage = new NaiveStorage(asked.series, shards);
  const ask = (count: number) =>
    askEngine(asked, { storage, runFragments: workers(count, storage) });
  const alone = await ask(1);
  const exact: Tolerance = { relative: 0, order: toleranceOf(asked, true).order };
  const wrong = compareOutcomes(whole, alone, shards === 1 ? exact : toleranceOf(asked, true));
  if (wrong !== undefined) return `with ${shards} shards: ${wrong}`;
  const together = compareOutcomes(alone, await ask(i % 2 === 0 ? 2 : 7), exact);
  return together === undefined ? undefined : `with more workers on ${shards} shards: ${together}`;
}

function compareOutcomes(want: Outcome, got: Outcome, tolerance: Tolerance): string | undefined {
  if ('answer' in want && 'answer' in got) {
    return compareAnswers(want.answer, got.answer, tolerance);
  }
  const texts = [want, got].map((outcome) =>
    'error' in outcome ? `error "${outcome.error}"` : `a ${outcome.answer.type}`,
  );
  return texts[0] === texts[1] ? undefined : `got ${texts[1]}, want ${texts[0]}`;
}
