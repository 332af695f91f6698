/**
 * Runs scripts of Prometheus' test language against our engine, as promql/promqltest does: instant queries are asked
 * again in range mode, and again with every selector pinned by `@` at other evaluation times.
 */
import { unreachable } from '../../src/lib/assert.ts';
import { errorCode, errorText } from '../../src/lib/errors.ts';
import { Labels, METRIC_NAME } from '../../src/model/labels.ts';
import { STALE_NAN_HI, STALE_NAN_LO } from '../../src/model/value.ts';
import { Engine } from '../../src/promql/engine.ts';
import { children, type Expr } from '../../src/promql/parse/ast.ts';
import { ALL_FEATURES } from '../../src/promql/parse/options.ts';
import { parseExpr } from '../../src/promql/parse/parse.ts';
import { printExpr } from '../../src/promql/parse/print.ts';
import type { QueryResult } from '../../src/promql/result.ts';
import type { SelectRequest, SeriesSet } from '../../src/storage/storage.ts';
import { MemoryStorage } from './memory-storage.ts';
import { compareInstant, compareResult, compareScalar } from './promqltest-compare.ts';
import {
  parseScript,
  type EvalCommand,
  type LoadCommand,
  type TextExpectation,
} from './promqltest-script.ts';
import type { SeriesDescription } from './promqltest-series.ts';

/** What became of one eval command. */
export interface Outcome {
  readonly line: number;
  readonly expr: string;
  readonly status: 'passed' | 'failed' | 'skipped';
  /** Why it failed or was skipped. */
  readonly reason: string;
}

/** Settings of Prometheus' own test engine. */
export function newTestEngine(): Engine {
  return new Engine({
    maxSamples: 10_000,
    timeoutMs: 100_000,
    features: ALL_FEATURES,
    delayedNameRemoval: true,
    subqueryStepMs: () => 60_000,
  });
}

/** Runs all commands of a script. */
export async function runScript(
  text: string,
  engine: Engine = newTestEngine(),
): Promise<Outcome[]> {
  let storage = new ScriptStorage();
  const outcomes: Outcome[] = [];
  for (const command of parseScript(text)) {
    if (command.kind === 'clear') storage = new ScriptStorage();
    else if (command.kind === 'load') storage.load(command);
    else outcomes.push(await runEval(engine, storage, command));
  }
  return outcomes;
}

/** A storage that notices when a query looks at series it cannot represent. */
class ScriptStorage extends MemoryStorage {
  /** Series with histograms or start timestamps. */
  readonly #beyond: Labels[] = [];
  /** Whether one of those was selected. */
  touched = false;

  load(command: LoadCommand): void {
    for (const { labels } of command.startTimestamps) this.#beyond.push(labels);
    for (const series of command.series) {
      if (series.values.some(({ kind }) => kind === 'histogram')) this.#beyond.push(series.labels);
      if (command.customHistograms) this.#beyond.push(histogramLabels(series.labels));
      const { t, v } = columnsOf(series, command.stepMs);
      if (t.length > 0) this.append(series.labels, t, v);
    }
  }

  override select(request: SelectRequest): Promise<SeriesSet> {
    const { matchers } = request;
    if (this.#beyond.some((labels) => matchers.every((m) => m.matches(labels.get(m.name))))) {
      this.touched = true;
    }
    return super.select(request);
  }
}

function histogramLabels(labels: Labels): Labels {
  const name = labels.get(METRIC_NAME).replace(/_(bucket|count|sum)$/, '');
  return labels.drop(new Set(['le'])).with(METRIC_NAME, name);
}

function columnsOf({ values }: SeriesDescription, stepMs: number) {
  const kept = values
    .map((value, i) => ({ value, t: i * stepMs }))
    .filter(({ value }) => value.kind === 'float' || value.kind === 'stale');
  const t = Float64Array.from(kept, (sample) => sample.t);
  const v = new Float64Array(t.length);
  const halves = new Uint32Array(v.buffer);
  for (const [i, { value }] of kept.entries()) {
    if (value.kind === 'float') v[i] = value.value;
    else {
      halves[2 * i] = STALE_NAN_LO;
      halves[2 * i + 1] = STALE_NAN_HI;
    }
  }
  return { t, v };
}

async function runEval(
  engine: Engine,
  storage: ScriptStorage,
  command: EvalCommand,
): Promise<Outcome> {
  const { line, expr } = command;
  storage.touched = false;
  const wantsHistogram = command.series.some(({ values }) =>
    values.some(({ kind }) => kind === 'histogram'),
  );
  let reason: string | undefined;
  let missing: string | undefined;
  try {
    reason = await checkEval(engine, storage, command);
  } catch (thrown) {
    if (errorCode(thrown) === 'not_implemented') missing = errorText(thrown);
    else reason = `error ${errorText(thrown)}`;
  }
  if (storage.touched || wantsHistogram) missing ??= 'histograms or start timestamps';
  if (missing !== undefined) return { line, expr, status: 'skipped', reason: missing };
  if (reason === undefined) return { line, expr, status: 'passed', reason: '' };
  return { line, expr, status: 'failed', reason };
}

/** What is wrong, or undefined. */
async function checkEval(
  engine: Engine,
  storage: ScriptStorage,
  command: EvalCommand,
): Promise<string | undefined> {
  const { expr, startMs, endMs, stepMs } = command;
  if (stepMs !== 0) {
    const ask = () => engine.range(storage, expr, startMs, endMs, stepMs);
    return (await checkQuery(command, ask)).wrong;
  }
  const queries = [{ expr, timeMs: startMs }, ...pinnedQueries(expr, startMs)];
  for (const query of queries) {
    const wrong = await checkInstant(engine, storage, command, query.expr, query.timeMs);
    if (wrong !== undefined) return `${wrong} [${query.expr} at ${query.timeMs} ms]`;
  }
  return undefined;
}

async function checkInstant(
  engine: Engine,
  storage: ScriptStorage,
  command: EvalCommand,
  expr: string,
  timeMs: number,
): Promise<string | undefined> {
  const { wrong, result } = await checkQuery(command, () => engine.instant(storage, expr, timeMs));
  if (wrong !== undefined || result === undefined) return wrong;
  const onlyInstant = command.rangeVector !== undefined || command.text !== undefined;
  if (onlyInstant || /(start|end|range|step)\(\)/.test(expr)) return undefined;
  const range = await engine.range(storage, expr, timeMs - 60_000, timeMs + 60_000, 60_000);
  if (command.texts.some(({ what }) => what === 'ordered')) return undefined;
  const at = instantOf(range, timeMs);
  const rangeWrong =
    result.type === 'scalar' ? compareScalar(command, at.v[0] ?? NaN) : compareInstant(command, at);
  return rangeWrong === undefined ? undefined : `in range mode: ${rangeWrong}`;
}

/** The values of a matrix at one time. */
function instantOf(result: QueryResult, timeMs: number): { labels: Labels[]; v: number[] } {
  const labels: Labels[] = [];
  const v: number[] = [];
  if (result.type !== 'matrix') return { labels, v };
  for (const [i, label] of result.labels.entries()) {
    const from = result.offsets[i] as number;
    const at = result.t.subarray(from, result.offsets[i + 1]).indexOf(timeMs);
    if (at < 0) continue;
    labels.push(label);
    v.push(result.v[from + at] as number);
  }
  return { labels, v };
}

async function checkQuery(
  command: EvalCommand,
  ask: () => Promise<QueryResult>,
): Promise<{ wrong: string | undefined; result?: QueryResult }> {
  const fail = command.texts.find(({ what }) => what === 'fail');
  let result: QueryResult;
  try {
    result = await ask();
  } catch (thrown) {
    if (fail === undefined || errorCode(thrown) === 'not_implemented') throw thrown;
    const text = errorText(thrown);
    return { wrong: matches(fail, text) ? undefined : `failed with "${text}"` };
  }
  if (fail !== undefined) return { wrong: 'did not fail' };
  const wrong = checkTexts(command, result) ?? compareResult(command, result);
  return { wrong, result };
}

function matches({ message, pattern }: TextExpectation, text: string): boolean {
  if (message !== undefined) return message === text;
  return pattern === undefined || new RegExp(pattern).test(text);
}

function checkTexts({ texts }: EvalCommand, { warnings, infos }: QueryResult): string | undefined {
  for (const [what, got] of [['warn', warnings] as const, ['info', infos] as const]) {
    if (texts.some((text) => text.what === `no_${what}`) && got.length > 0) {
      return `unexpected ${what}: ${got.join('; ')}`;
    }
    const wanted = texts.filter((text) => text.what === what);
    if (wanted.length === 0) continue;
    const missing = wanted.find((want) => !got.some((text) => matches(want, text)));
    if (missing !== undefined) {
      return `no ${what} like ${missing.message ?? missing.pattern ?? 'any'}, got ${got.join('; ')}`;
    }
    const extra = got.find((text) => !wanted.some((want) => matches(want, text)));
    if (extra !== undefined) return `unexpected ${what}: ${extra}`;
  }
  return undefined;
}

const TIME_DEPENDENT: ReadonlySet<string> = new Set(
  'days_in_month day_of_month day_of_week day_of_year end hour minute month year predict_linear range start step time timestamp'.split(
    ' ',
  ),
);

/** The expression with every selector pinned to the time, at times where it must not matter. */
function pinnedQueries(text: string, timeMs: number): { expr: string; timeMs: number }[] {
  let expr: Expr;
  try {
    expr = parseExpr(text, ALL_FEATURES);
  } catch {
    return [];
  }
  if (usesTime(expr)) return [];
  const pinned = printExpr(pin(expr, timeMs));
  const times =
    timeMs === 0
      ? [-1000, 0, 1000]
      : [-10 * timeMs, 0, Math.trunc(timeMs / 5), timeMs, 10 * timeMs];
  return times.map((t) => ({ expr: pinned, timeMs: t }));
}

/** Whether the result depends on the evaluation time; subqueries with `@` are not looked into. */
function usesTime(expr: Expr): boolean {
  if (expr.kind === 'call' && TIME_DEPENDENT.has(expr.func.name)) return true;
  return expr.kind !== 'subquery' && children(expr).some(usesTime);
}

function pin(expr: Expr, timeMs: number): Expr {
  switch (expr.kind) {
    case 'number':
    case 'string':
      return expr;
    case 'selector':
    case 'subquery':
      return { ...expr, timestamp: expr.timestamp ?? timeMs };
    case 'matrix': {
      const { selector } = expr;
      return { ...expr, selector: { ...selector, timestamp: selector.timestamp ?? timeMs } };
    }
    case 'unary':
    case 'paren':
      return { ...expr, expr: pin(expr.expr, timeMs) };
    case 'binary':
      return { ...expr, lhs: pin(expr.lhs, timeMs), rhs: pin(expr.rhs, timeMs) };
    case 'aggregate': {
      const param = expr.param === undefined ? undefined : pin(expr.param, timeMs);
      return { ...expr, expr: pin(expr.expr, timeMs), param };
    }
    case 'call':
      return { ...expr, args: expr.args.map((arg) => pin(arg, timeMs)) };
    default:
      return unreachable(expr);
  }
}
