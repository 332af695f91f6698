/** Runs many cases and says what came of them. */
import { formatFixed } from './go-math.ts';
import { generateCase, runCase, type FuzzCase } from './fuzz-case.ts';
import { describeHistogram } from './histogram-text.ts';
import type { Point } from './sample.ts';
import { shrinkCase } from './shrink.ts';

/** What came of a run. */
export interface FuzzReport {
  readonly cases: number;
  /** Cases with an answer that is not empty. */
  readonly nonEmpty: number;
  /** Cases that both refuse with the same text. */
  readonly failed: number;
  /** Cases whose answer Prometheus leaves open. */
  readonly unspecified: number;
  /** Cases by what the engine lacks, or is known to do otherwise. */
  readonly leftOut: ReadonlyMap<string, number>;
  /** A text for each difference, with all that repeats it. */
  readonly differences: readonly string[];
}

/** limit: differences that are shrunk and told of; the others are only counted. */
const TOLD_MAX = 20;

/** Which cases are run. */
export interface FuzzRun {
  readonly seed: number;
  readonly from: number;
  /** Exclusive. */
  readonly to: number;
}

/** Runs cases and asks the engine and the naive evaluator. */
export async function fuzz({ seed, from, to }: FuzzRun): Promise<FuzzReport> {
  const counts = { nonEmpty: 0, failed: 0, unspecified: 0 };
  const leftOut = new Map<string, number>();
  const differences: string[] = [];
  for (let i = from; i < to; i++) {
    const asked = generateCase(seed, i);
    const verdict = await runCase(asked, i);
    switch (verdict.kind) {
      case 'same':
        if (verdict.failed) counts.failed++;
        else if (!verdict.isEmpty) counts.nonEmpty++;
        break;
      case 'unspecified':
        counts.unspecified++;
        break;
      case 'not-implemented':
      case 'known':
        leftOut.set(verdict.what, (leftOut.get(verdict.what) ?? 0) + 1);
        break;
      case 'different': {
        const head = `seed ${seed}, case ${i}: ${asked.text}\n  ${verdict.why}`;
        differences.push(
          differences.length < TOLD_MAX ? `${head}\n${await shrunk(asked, i)}` : head,
        );
        break;
      }
    }
  }
  return { cases: to - from, ...counts, leftOut, differences };
}

/** The shrunk case, with what is wrong of it. */
async function shrunk(asked: FuzzCase, i: number): Promise<string> {
  const small = await shrinkCase(asked, i);
  const verdict = await runCase(small, i);
  const why = verdict.kind === 'different' ? verdict.why : verdict.kind;
  return `shrunk to\n${describeCase(small)}\n  ${why}\n`;
}

/** A case in words: the series with their samples as value@time, then the query. Times in ms. */
export function describeCase(asked: FuzzCase): string {
  const { series, times, text, lookbackMs, delayedNames } = asked;
  const lines = series.map(({ labels, points }) => {
    const samples = points.map(({ t, value }) => {
      return `${printValue(value)}@${t}`;
    });
    return `  ${labels.toString()} ${samples.join(' ')}`;
  });
  const when =
    times.stepMs === 0
      ? `at ${times.startMs}`
      : `from ${times.startMs} to ${times.endMs} step ${times.stepMs}`;
  const settings = `lookback ${lookbackMs}${delayedNames ? ', delayed name removal' : ''}`;
  return [...lines, `  ${text}`, `  ${when}, ${settings}`].join('\n');
}

function printValue(value: Point['value']): string {
  if (value === 'stale') return value;
  return typeof value === 'number' ? formatFixed(value) : describeHistogram(value);
}
