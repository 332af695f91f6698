/**
 * Runs scripts of Prometheus' test language against our engine, as promql/promqltest does: instant queries are asked
 * again in range mode, and again with every selector pinned by `@` at other evaluation times.
 */
import { errorCode, errorText } from '../../src/lib/errors.ts';
import { Engine, type EngineOptions } from '../../src/promql/engine.ts';
import { ALL_FEATURES } from '../../src/promql/parse/options.ts';
import type { QueryResult } from '../../src/promql/result.ts';
import {
  compareInstant,
  compareResult,
  compareScalar,
  instantOf,
  unsortedSeries,
} from './promqltest-compare.ts';
import { pinnedQueries } from './promqltest-pinned.ts';
import { parseScript, type EvalCommand, type TextExpectation } from './promqltest-script.ts';
import { ScriptStorage } from './promqltest-storage.ts';
import { strictly } from './promqltest-strict.ts';

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
  const options: EngineOptions & { readonly useStartTimestamps: boolean } = {
    maxSamples: 10_000,
    timeoutMs: 100_000,
    features: ALL_FEATURES,
    delayedNameRemoval: true,
    subqueryStepMs: () => 60_000,
    useStartTimestamps: true,
  };
  return new Engine(options);
}

/** How a script is run. */
export interface ScriptOptions {
  /** Whether the script has to tell all annotations and counter reset hints, as ours do. */
  readonly strict?: boolean;
}

/** Runs all commands of a script. */
export async function runScript(
  text: string,
  { strict = false }: ScriptOptions = {},
): Promise<Outcome[]> {
  const engine = newTestEngine();
  let storage = new ScriptStorage();
  const outcomes: Outcome[] = [];
  for (const command of parseScript(text)) {
    if (command.kind === 'clear') storage = new ScriptStorage();
    else if (command.kind === 'load') storage.load(command);
    else outcomes.push(await runEval(engine, storage, strict ? strictly(command) : command));
  }
  return outcomes;
}

async function runEval(
  engine: Engine,
  storage: ScriptStorage,
  command: EvalCommand,
): Promise<Outcome> {
  const { line, expr } = command;
  let reason: string | undefined;
  try {
    reason = await checkEval(engine, storage, command);
  } catch (thrown) {
    const text = errorText(thrown);
    if (errorCode(thrown) === 'not_implemented') {
      return { line, expr, status: 'skipped', reason: text };
    }
    reason = `error ${text}`;
  }
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
  // Where a range vector is expected, its end is the time to ask at, whatever the eval line says.
  const at = command.rangeVector?.endMs ?? startMs;
  const queries = [{ expr, timeMs: at }, ...pinnedQueries(expr, at)];
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
    unsortedSeries(range) ??
    (result.type === 'scalar'
      ? compareScalar(command, at.v[0] ?? NaN)
      : compareInstant(command, at));
  return rangeWrong === undefined ? undefined : `in range mode: ${rangeWrong}`;
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
