/** The PromQL engine: text in, columns out. It holds nothing but its settings; queries may run side by side. */
import { unreachable } from '../lib/assert.ts';
import { systemClock, type Clock } from '../lib/clock.ts';
import { CodedError } from '../lib/errors.ts';
import { EMPTY_LABELS, type Labels } from '../model/labels.ts';
import type { Queryable } from '../storage/storage.ts';
import { ExecContext } from './exec/context.ts';
import { evaluate } from './exec/execute.ts';
import { Profiler } from './exec/profile.ts';
import type { FragmentRunner } from './exec/fragment.ts';
import { vectorsToRaw } from './exec/raw-series.ts';
import { removeDelayedNames } from './exec/same-labels.ts';
import { HISTOGRAM, histogramOf, vectorsOf } from './exec/step-vectors.ts';
import type { RawSeries, StepScalars, StepVectors, Value } from './exec/step-vectors.ts';
import type { CounterView } from './funcs/counter-view.ts';
import { valueType, type Expr } from './parse/ast.ts';
import { DEFAULT_FEATURES, type ParseOptions } from './parse/options.ts';
import { parseExpr } from './parse/parse.ts';
import { documentedType } from './parse/value-type.ts';
import { buildPlan } from './plan/build.ts';
import type { Grid, QueryPlan } from './plan/node.ts';
import { optimise } from './plan/optimise.ts';
import { planTree, type PlanTree } from './plan/print-plan.ts';
import type {
  MatrixResult,
  QueryResult,
  ScalarResult,
  StringResult,
  VectorResult,
} from './result.ts';

/** Settings of an engine; what is left out has Prometheus' default. */
export interface EngineOptions {
  /** How far back an instant selector looks; 5 m. */
  readonly lookbackDeltaMs?: number;
  /** When a query is given up; 2 m. */
  readonly timeoutMs?: number;
  /** limit: samples held at one time by one query; 50 M. */
  readonly maxSamples?: number;
  /** The step of subqueries that name none, by their range; 1 m. */
  readonly subqueryStepMs?: (rangeMs: number) => number;
  /** Parts of the language behind feature flags. */
  readonly features?: Partial<ParseOptions>;
  /** promql-delayed-name-removal. */
  readonly delayedNameRemoval?: boolean;
  /** type-and-unit-labels. */
  readonly typeAndUnitLabels?: boolean;
  /** How counters are seen: as they are, the default, or as Go's Thanos querier shows them. */
  readonly counterView?: CounterView;
  /** use-start-timestamps: rate and its kin look at the start timestamps of samples, where a storage has them. */
  readonly useStartTimestamps?: boolean;
  /** Runs fragments of queries elsewhere; by default everything runs in this thread. */
  readonly runFragments?: FragmentRunner;
  readonly clock?: Clock;
}

/** Settings of one query that override the engine's. */
export interface QueryOptions {
  readonly lookbackDeltaMs?: number;
  readonly timeoutMs?: number;
  readonly maxSamples?: number;
  readonly signal?: AbortSignal;
  /** Whether the result says what each operator took. */
  readonly analyze?: boolean;
}

/** When a query is evaluated. */
export interface Times {
  readonly startMs: number;
  readonly endMs: number;
  /** 0 for an instant query. */
  readonly stepMs: number;
}

type Answer = MatrixResult | VectorResult | ScalarResult | StringResult;

/** Evaluates queries over storages. */
export class Engine {
  readonly #options: EngineOptions;
  readonly #features: ParseOptions;
  readonly #clock: Clock;

  constructor(options: EngineOptions = {}) {
    this.#options = options;
    this.#features = { ...DEFAULT_FEATURES, ...options.features };
    this.#clock = options.clock ?? systemClock;
  }

  /** Parses a query with the engine's features. @throws ParseError with Prometheus' text. */
  parse(text: string): Expr {
    return parseExpr(text, this.#features);
  }

  /**
   * Evaluates a query at one time.
   * @throws CodedError bad_data (parse), execution, timeout, canceled or not_implemented.
   */
  instant(
    queryable: Queryable,
    text: string,
    timeMs: number,
    options: QueryOptions = {},
  ): Promise<QueryResult> {
    return this.#run(queryable, text, { startMs: timeMs, endMs: timeMs, stepMs: 0 }, options);
  }

  /**
   * Evaluates a query at start, start + step, … up to end. The result is always a matrix.
   * @throws CodedError as {@link instant}, and bad_data for queries that have no value at a single time.
   */
  async range(
    queryable: Queryable,
    text: string,
    startMs: number,
    endMs: number,
    stepMs: number,
    options: QueryOptions = {},
  ): Promise<QueryResult> {
    return this.#run(queryable, text, { startMs, endMs, stepMs }, options);
  }

  /**
   * How a query would be evaluated: its operators, without asking a storage.
   * @throws CodedError as {@link instant} and {@link range} do before they evaluate.
   */
  explain(
    text: string,
    times: Times,
    options: Pick<QueryOptions, 'lookbackDeltaMs'> = {},
  ): PlanTree {
    return planTree(this.#plan(text, times, { ...this.#options, ...options }).root);
  }

  #plan(text: string, times: Times, settings: EngineOptions): QueryPlan {
    const expr = this.parse(text);
    const type = valueType(expr);
    if (times.stepMs !== 0 && type !== 'vector' && type !== 'scalar') {
      throw new CodedError(
        'bad_data',
        `invalid expression type "${documentedType(type)}" for range query, must be Scalar or instant Vector`,
      );
    }
    return optimise(
      buildPlan(expr, {
        ...times,
        lookbackMs: settings.lookbackDeltaMs ?? 300_000,
        subqueryStepMs: settings.subqueryStepMs ?? (() => 60_000),
      }),
      settings.counterView ?? 'exact',
    );
  }

  async #run(
    queryable: Queryable,
    text: string,
    times: Times,
    options: QueryOptions,
  ): Promise<QueryResult> {
    const began = this.#clock.monotonic();
    const settings = { ...this.#options, ...options };
    const plan = this.#plan(text, times, settings);
    const profiler = settings.analyze === true ? new Profiler(this.#clock) : undefined;
    const ctx = new ExecContext({
      queryable,
      clock: this.#clock,
      deadline: began + (settings.timeoutMs ?? 120_000),
      signal: settings.signal,
      maxSamples: settings.maxSamples ?? 50_000_000,
      delayedNames: settings.delayedNameRemoval ?? false,
      typeAndUnitLabels: settings.typeAndUnitLabels ?? false,
      counterView: settings.counterView ?? 'exact',
      useStarts: settings.useStartTimestamps ?? false,
      runFragments: settings.runFragments,
      profiler,
    });
    try {
      await ctx.open(plan.selects);
      const opened = this.#clock.monotonic();
      const value = await evaluate(ctx, plan.root);
      const evaluated = this.#clock.monotonic();
      const answer = toAnswer(ctx, value, times);
      const { warnings, infos } = ctx.annotations.texts(text);
      const { samplesTotal, samplesPeak } = ctx;
      const ended = this.#clock.monotonic();
      const timings = { prepareMs: opened - began, evalMs: evaluated - opened };
      const stats = { samplesTotal, samplesPeak, elapsedMs: ended - began, ...timings };
      warnings.unshift(...ctx.storageWarnings);
      const analysis = profiler === undefined ? {} : { analysis: profiler.tree(plan.root) };
      return { ...answer, warnings, infos, stats, ...analysis };
    } finally {
      ctx.close();
    }
  }
}

function toAnswer(ctx: ExecContext, value: Value, times: Times): Answer {
  const { startMs, stepMs } = times;
  const instant = stepMs === 0;
  switch (value.kind) {
    case 'string':
      return { type: 'string', t: startMs, v: value.value };
    case 'raw':
      return matrixOf(value);
    case 'scalars':
      if (instant) return { type: 'scalar', t: startMs, v: value.values[0] ?? NaN };
      return matrixOf(vectorsToRaw(scalarRow(value), gridOf(times, value.values.length)));
    case 'vectors': {
      const named = ctx.options.delayedNames ? removeDelayedNames(value) : value;
      if (instant) return vectorAnswer(named, startMs);
      return matrixOf(vectorsToRaw(named, gridOf(times, named.steps)));
    }
    default:
      return unreachable(value);
  }
}

function gridOf({ startMs, endMs, stepMs }: Times, count: number): Grid {
  return { startMs, endMs, stepMs, count };
}

function scalarRow({ values }: StepScalars): StepVectors {
  const present = new Uint8Array(values.length).fill(1);
  return vectorsOf([EMPTY_LABELS], values.length, { values, present });
}

function vectorAnswer(vectors: StepVectors, t: number): VectorResult {
  const { labels, values, present } = vectors;
  const rows = labels.map((_, i) => i).filter((i) => present[i] !== 0);
  const isHistogram = (i: number): boolean => present[i] === HISTOGRAM;
  return {
    type: 'vector',
    labels: rows.map((i) => labels[i] as Labels),
    t,
    v: Float64Array.from(rows, (i) => (isHistogram(i) ? NaN : (values[i] as number))),
    histograms: rows.some(isHistogram)
      ? rows.map((i) => (isHistogram(i) ? histogramOf(vectors, i) : undefined))
      : undefined,
  };
}

function matrixOf({ labels, offsets, t, v, histograms }: RawSeries): MatrixResult {
  return { type: 'matrix', labels, offsets, t, v, histograms };
}
