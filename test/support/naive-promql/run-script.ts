/** Runs scripts of Prometheus' test language against the naive evaluator: who judges is judged, too. */
import { NO_HISTOGRAMS } from '../../../src/model/float-histogram/matrix-histograms.ts';
import { errorText } from '../../../src/lib/errors.ts';
import { compareLabels } from '../../../src/model/labels.ts';
import { ALL_FEATURES } from '../../../src/promql/parse/options.ts';
import { parseExpr } from '../../../src/promql/parse/parse.ts';
import type { QueryResult } from '../../../src/promql/result.ts';
import { compareResult } from '../promqltest-compare.ts';
import { parseScript, type EvalCommand, type LoadCommand } from '../promqltest-script.ts';
import { answerNaively, type Answer } from './answer.ts';
import { NaiveError, type NaiveSeries, type Point } from './sample.ts';

/** What came of a script; annotations are not looked at. */
export interface NaiveOutcome {
  readonly passed: number;
  /** A line for each expectation that was not met. */
  readonly wrong: readonly string[];
}

/** Runs all commands of a script of floats. */
export function runNaiveScript(text: string): NaiveOutcome {
  const series = new Map<string, NaiveSeries>();
  const wrong: string[] = [];
  let passed = 0;
  for (const command of parseScript(text)) {
    if (command.kind === 'clear') series.clear();
    else if (command.kind === 'load') load(series, command);
    else {
      const sorted = [...series.values()].toSorted((a, b) => compareLabels(a.labels, b.labels));
      const why = checkEval(command, sorted);
      if (why === undefined) passed++;
      else wrong.push(`line ${command.line}: ${command.expr}: ${why}`);
    }
  }
  return { passed, wrong };
}

function load(into: Map<string, NaiveSeries>, { series, stepMs }: LoadCommand): void {
  for (const { labels, values } of series) {
    const points = values.flatMap((value, i): Point[] => {
      if (value.kind === 'float') return [{ t: i * stepMs, value: value.value }];
      return value.kind === 'stale' ? [{ t: i * stepMs, value: 'stale' }] : [];
    });
    into.set(labels.key, { labels, points });
  }
}

function checkEval(command: EvalCommand, series: readonly NaiveSeries[]): string | undefined {
  const { expr, startMs, endMs, stepMs, texts } = command;
  const fail = texts.find(({ what }) => what === 'fail');
  const settings = { lookbackMs: 300_000, subqueryStepMs: 60_000, delayedNames: true };
  const query = { startMs, endMs, stepMs };
  try {
    const answer = answerNaively({ series, ...settings, query }, parseExpr(expr, ALL_FEATURES));
    return fail === undefined ? compareResult(command, toResult(answer)) : 'did not fail';
  } catch (thrown) {
    const said = errorText(thrown);
    if (fail === undefined || !(thrown instanceof NaiveError)) return `failed with "${said}"`;
    if (fail.message !== undefined) return fail.message === said ? undefined : said;
    // tidy: bare-regexp: a pattern of a test script
    return fail.pattern === undefined || new RegExp(fail.pattern).test(said) ? undefined : said;
  }
}

/** An answer of floats in the engine's form. */
function toResult(answer: Answer): QueryResult {
  const stats = { samplesTotal: 0, samplesPeak: 0, elapsedMs: 0, prepareMs: 0, evalMs: 0 };
  const rest = { warnings: [], infos: [], stats };
  switch (answer.type) {
    case 'string':
    case 'scalar':
      return { ...rest, type: answer.type, t: 0, v: answer.value } as QueryResult;
    case 'vector': {
      const v = Float64Array.from(answer.samples, ({ value }) => Number(value));
      return {
        ...rest,
        type: 'vector',
        t: 0,
        labels: answer.samples.map((s) => s.labels),
        v,
        histograms: undefined,
      };
    }
    case 'matrix': {
      const points = answer.series.flatMap((series) => series.points);
      let at = 0;
      const ends = answer.series.map((series) => (at += series.points.length));
      return {
        ...rest,
        type: 'matrix',
        labels: answer.series.map(({ labels }) => labels),
        offsets: Uint32Array.of(0, ...ends),
        t: Float64Array.from(points, ({ t }) => t),
        v: Float64Array.from(points, ({ value }) => Number(value)),
        histograms: NO_HISTOGRAMS,
      };
    }
  }
}
