/** Questions for raw samples that two servers answer: by remote read with all bits, and by PromQL as far as floats go. */
import assert from 'node:assert/strict';
import pLimit from 'p-limit';
import type { Random } from '../../src/lib/prng.ts';
import { compareRawSamples, readRawSamples } from './raw-samples.ts';
import type { RawSeries } from './raw-samples.ts';
import { readRemote } from './remote-read.ts';
import type { RemoteForm } from './remote-read.ts';
import { matchersOf } from './selector-matchers.ts';

/** One question; times in ms. The range is closed, and no sample may lie on an end of it. */
export interface RawQuestion {
  readonly selector: string;
  readonly mint: number;
  readonly maxt: number;
  /** How ours is asked; a Prometheus always for chunks. */
  readonly form: RemoteForm;
  /** Whether the floats are asked for by PromQL, too; then the range is of whole seconds. */
  readonly promql: boolean;
}

/** What two servers have in common. */
export interface RawTotals {
  selectors: number;
  nonEmpty: number;
  /** All of them, histograms and stale markers included. */
  samples: number;
  histograms: number;
  /** Floats that were compared a second time, by PromQL. */
  promql: number;
}

/** Where {@link rawQuestions} are put: scrapes come every so often from a time on, jittered by less than half of it. */
export interface QuestionGrid {
  readonly startMs: number;
  readonly scrapeMs: number;
  readonly scrapes: number;
}

/** Makes questions, of them the first for everything. All begin and end half way between two scrapes. */
export function rawQuestions(
  random: Random,
  selector: () => string,
  count: number,
  { startMs, scrapeMs, scrapes }: QuestionGrid,
): RawQuestion[] {
  return Array.from({ length: count }, (_, i) => {
    const last = i === 0 ? scrapes : random.below(scrapes);
    const length = i === 0 ? scrapes + 1 : 1 + random.below(scrapes >> 2);
    const maxt = startMs + last * scrapeMs + scrapeMs / 2;
    return {
      selector: i === 0 ? '{__name__=~".+"}' : selector(),
      mint: maxt - length * scrapeMs,
      maxt,
      form: i % 4 === 0 ? 'samples' : 'chunks',
      promql: i % 4 === 1,
    };
  });
}

/** limit: questions that a server has at once. */
const AT_ONCE = 4;

/** What a server answers, in order of the questions. */
export type RawAnswers = readonly (readonly [remote: RawSeries[], promql: readonly RawSeries[]])[];

/**
 * Asks a server everything. Prometheus 2.42 leaves histograms and the sign of zero out of answers of samples, so that it
 * is asked for chunks only. @throws Error with the server's sentence.
 */
export async function askAll(
  whose: 'ours' | 'prometheus',
  api: string,
  questions: readonly RawQuestion[],
): Promise<RawAnswers> {
  const limit = pLimit(AT_ONCE);
  return Promise.all(
    questions.map(({ selector, mint, maxt, form, promql }) =>
      limit(async () => {
        const query = { matchers: matchersOf(selector), mint, maxt };
        const remote = await readRemote(api, query, whose === 'ours' ? form : 'chunks');
        const range = `[${(maxt - mint) / 1000}s]`;
        const floats = `${selector.slice(0, -1)},__name__!~"latency|weights"}${range}`;
        return [remote, promql ? await readRawSamples(api, floats, maxt / 1000) : []] as const;
      }),
    ),
  );
}

/** Compares answers to the same questions. @throws AssertionError that says where they differ. */
export function assertSameAnswers(
  questions: readonly RawQuestion[],
  want: RawAnswers,
  got: RawAnswers,
): RawTotals {
  const total = { selectors: questions.length, nonEmpty: 0, samples: 0, histograms: 0, promql: 0 };
  for (const [i, question] of questions.entries()) {
    const [remote = [], promql = []] = want[i] ?? [];
    const same = compareRawSamples(remote, got[i]?.[0] ?? []);
    assert.equal(same.differences[0], undefined, `remote read of ${JSON.stringify(question)}`);
    const sameFloats = compareRawSamples(promql, got[i]?.[1] ?? []);
    assert.equal(sameFloats.differences[0], undefined, `PromQL for ${JSON.stringify(question)}`);
    if (same.samples > 0) total.nonEmpty++;
    total.samples += same.samples;
    total.histograms += countHistograms(remote);
    total.promql += sameFloats.samples;
  }
  return total;
}

/** How many samples of an answer are histograms, those that say that a series has ended included. */
export function countHistograms(series: readonly RawSeries[]): number {
  return series.reduce(
    (sum, { values }) => sum + values.filter(([, text]) => text.startsWith('{')).length,
    0,
  );
}

/** How many samples of an answer there are. */
export function countSamples(series: readonly RawSeries[]): number {
  return series.reduce((sum, { values }) => sum + values.length, 0);
}
