/**
 * What a crash test has sent and what was acknowledged, sample by sample, so that any answer can be checked.
 *
 *   unsent ──send──► in doubt ──2xx──► acknowledged: there for ever, once
 *                      │  ▲
 *          absent after│  │sent again
 *           the restart▼  │
 *                      lost: must not come back by itself
 *
 * A sample's value names its series and its number, and its time follows from both.
 */
import type { RawSeries } from './raw-samples.ts';
import type { TestSeries } from './write-request.ts';

const UNSENT = 0;
const DOUBT = 1;
const ACKNOWLEDGED = 2;
const LOST = 3;

/** Values are `series * NUMBERS + number`, integers below 2^53. */
const NUMBERS = 1_000_000;
/** Between two samples of a series, ms; the jitter stays below it. Small, so that many chunks are cut. */
const STEP_MS = 500;
const JITTER_MS = 400;

/** Samples `from` to `from + count - 1` of a series. */
export interface Stretch {
  readonly series: number;
  readonly from: number;
  readonly count: number;
}

/** What checking an answer found. */
export interface Verdict {
  readonly acknowledged: number;
  /** Samples of requests without an answer that are there, and that are not. */
  readonly kept: number;
  readonly lost: number;
  /** What is wrong, as sentences, the first of each kind of each series; empty when all is well. */
  readonly problems: readonly string[];
  /** Acknowledged samples that are not there. */
  readonly missing: number;
}

interface Entry {
  readonly group: string;
  readonly states: number[];
}

/** The book of all samples of a run. */
export class CrashLedger {
  readonly #baseMs: number;
  readonly #series: Entry[] = [];

  /** Series begin at this time, ms. */
  constructor(baseMs: number) {
    this.#baseMs = baseMs;
  }

  /** Adds a series to a group; groups are what {@link check} checks at once. Answers its number. */
  addSeries(group: string): number {
    return this.#series.push({ group, states: [] }) - 1;
  }

  /** A time after every sample, ms, and how long before it the first may lie. */
  get range(): { readonly endMs: number; readonly spanMs: number } {
    const longest = this.#series.reduce((most, { states }) => Math.max(most, states.length), 0);
    const spanMs = (longest + 2) * STEP_MS;
    return { endMs: this.#baseMs + spanMs, spanMs: spanMs + 1000 };
  }

  /** The next samples of a series, in doubt from here on. */
  take(series: number, count: number): Stretch {
    const { states } = this.#entry(series);
    const from = states.length;
    for (let i = 0; i < count; i++) states.push(DOUBT);
    return { series, from, count };
  }

  /** Stretches that are sent again. */
  retake(stretches: readonly Stretch[]): void {
    this.#mark(stretches, (state) => (state === LOST ? DOUBT : state));
  }

  /** What was sent has been acknowledged. */
  acknowledge(stretches: readonly Stretch[]): void {
    this.#mark(stretches, () => ACKNOWLEDGED);
  }

  /** What was sent was refused: it must not be there. */
  refuse(stretches: readonly Stretch[]): void {
    this.#mark(stretches, () => LOST);
  }

  /** Stretches as the series of a write request. */
  request(stretches: readonly Stretch[]): TestSeries[] {
    return stretches.map(({ series, from, count }) => ({
      labels: [
        ['__name__', 'crash_samples'],
        ['group', this.#entry(series).group],
        ['instance', `host-${series % 17}:9100`],
        ['series', String(series)],
      ],
      samples: Array.from({ length: count }, (_, i) => [
        this.#time(series, from + i),
        series * NUMBERS + from + i,
      ]),
    }));
  }

  /**
   * Checks all samples of a group as a server gives them. What is in doubt is decided by it: there or lost.
   */
  check(group: string, answer: readonly RawSeries[]): Verdict {
    const problems: string[] = [];
    const seen = new Map<number, Uint8Array>();
    for (const { metric, values } of answer) {
      const series = Number(metric['series']);
      const entry = this.#series[series];
      if (entry?.group !== group || seen.has(series)) {
        problems.push(`series ${JSON.stringify(metric)} was never sent, or is there twice`);
        continue;
      }
      const present = new Uint8Array(entry.states.length);
      seen.set(series, present);
      const problem = this.#checkSamples(series, values, present);
      if (problem !== undefined) problems.push(`series ${series}: ${problem}`);
    }
    const sums = { acknowledged: 0, kept: 0, lost: 0, missing: 0 };
    for (const [series, entry] of this.#series.entries()) {
      if (entry.group !== group) continue;
      const before = sums.missing;
      const first = settle(entry.states, seen.get(series), sums);
      if (first === undefined) continue;
      const count = sums.missing - before;
      problems.push(`series ${series}: ${count} acknowledged samples are missing, first ${first}`);
    }
    return { ...sums, problems };
  }

  /** Marks what is there in `present`; answers the first thing that is wrong. */
  #checkSamples(
    series: number,
    values: RawSeries['values'],
    present: Uint8Array,
  ): string | undefined {
    const { states } = this.#entry(series);
    let last = -1;
    let problem: string | undefined;
    for (const [seconds, text] of values) {
      const n = Number(text) - series * NUMBERS;
      const state = states[n] ?? UNSENT;
      if (state === UNSENT) problem ??= `${text} at ${seconds} was never sent`;
      else if (Math.round(seconds * 1000) !== this.#time(series, n)) {
        problem ??= `sample ${n} is at ${seconds}, was sent for ${this.#time(series, n) / 1000}`;
      } else if (n <= last) problem ??= `sample ${n} is there twice, or after sample ${last}`;
      else if (state === LOST) problem ??= `sample ${n} had been refused or lost, and came back`;
      last = n;
      present[n] = 1;
    }
    return problem;
  }

  #time(series: number, n: number): number {
    const jitter = Math.imul(series * 31 + n, 0x9e3779b1) >>> 0;
    return this.#baseMs + n * STEP_MS + (jitter % JITTER_MS);
  }

  #mark(stretches: readonly Stretch[], next: (state: number) => number): void {
    for (const { series, from, count } of stretches) {
      const { states } = this.#entry(series);
      for (let n = from; n < from + count; n++) states[n] = next(states[n] ?? UNSENT);
    }
  }

  #entry(series: number): Entry {
    const entry = this.#series[series];
    if (entry === undefined) throw new Error(`no series ${series}`);
    return entry;
  }
}

/** Counts a series' samples, decides what is in doubt, and answers the first that is missing. */
function settle(
  states: number[],
  present: Uint8Array | undefined,
  sums: { acknowledged: number; kept: number; lost: number; missing: number },
): number | undefined {
  let first: number | undefined;
  for (const [n, state] of states.entries()) {
    const there = present?.[n] === 1;
    if (state === ACKNOWLEDGED) {
      sums.acknowledged++;
      if (there) continue;
      sums.missing++;
      first ??= n;
    } else if (state === DOUBT) {
      states[n] = there ? ACKNOWLEDGED : LOST;
      if (there) sums.kept++;
      else sums.lost++;
    }
  }
  return first;
}
