/**
 * What a crash test has sent and what was acknowledged, sample by sample, so that any answer can be checked.
 *
 *   unsent ──send──► in doubt ──2xx──► acknowledged: there for ever, once
 *                      │  ▲             │        ▲
 *          absent after│  │sent again   │delete  │there after the restart
 *           the restart▼  │             ▼        │
 *                      lost: must not   fading ──┴─2xx, or absent──► deleted: must never be there again
 *                      come back by itself
 *
 * A sample's value, or a histogram's sum, names its series and its number.
 */
import { lineOfTest, sumOfLine } from './histogram-line.ts';
import type { RawSeries } from './raw-samples.ts';
import type { TestHistogram, TestSeries } from './write-request.ts';

const UNSENT = 0;
const DOUBT = 1;
const ACKNOWLEDGED = 2;
const LOST = 3;
const FADING = 4;
const DELETED = 5;

/** Values are `series * NUMBERS + number`, integers below 2^53. */
const NUMBERS = 1_000_000;
/** Between two samples of a series, ms; the jitter stays below it. Small, so that many chunks are cut. */
const STEP_MS = 500;
const JITTER_MS = 400;

/** Names of the metrics: floats and histograms. */
export const FLOATS = 'crash_samples';
export const HISTOGRAMS = 'crash_histograms';

/** What a series consists of. */
export type CrashKind = 'float' | 'integer' | 'floatHistogram';

/** What a series is like. */
export interface CrashSeries {
  readonly kind: CrashKind;
  /** Whether its samples may come out of order. It is then not deleted from: what came late stays, as in Prometheus. */
  readonly takesLate: boolean;
}

/** Samples of a series by their numbers, in the order in which they are sent. */
export interface Stretch {
  readonly series: number;
  readonly numbers: readonly number[];
}

/** A deletion: what is asked of the server, and the samples that it reaches. */
export interface CrashDeletion {
  readonly selector: string;
  /** Times in ms, both inclusive. */
  readonly startMs: number;
  readonly endMs: number;
  readonly samples: readonly Stretch[];
}

/** Sums over samples. */
export interface CrashSums {
  /** Samples that were acknowledged and are not deleted, and how many of them are histograms. */
  acknowledged: number;
  histograms: number;
  /** Of those, samples that came out of order. */
  late: number;
  deleted: number;
  /** Samples of requests without an answer that are there, and that are not. */
  kept: number;
  lost: number;
  /** Acknowledged samples that are not there. */
  missing: number;
}

/** What checking an answer found. */
export interface Verdict extends CrashSums {
  /** What is wrong, as sentences, the first of each kind of each series; empty when all is well. */
  readonly problems: readonly string[];
}

/** Sums of nothing. */
export function noSums(): CrashSums {
  return { acknowledged: 0, histograms: 0, late: 0, deleted: 0, kept: 0, lost: 0, missing: 0 };
}

/** Adds sums. */
export function addSums(to: CrashSums, more: CrashSums): void {
  for (const name of Object.keys(to) as (keyof CrashSums)[]) to[name] += more[name];
}

interface Entry extends CrashSeries {
  readonly group: string;
  readonly states: number[];
  readonly times: number[];
  /** 1 for a sample that was acknowledged behind a younger one. */
  readonly late: number[];
  /** The youngest number that was acknowledged. */
  newest: number;
  nextMs: number;
}

/** The book of all samples of a run. */
export class CrashLedger {
  readonly #baseMs: number;
  readonly #series: Entry[] = [];
  /** Where series begin that are added now. */
  #startMs: number;
  #maxMs: number;

  /** Series begin at this time, ms. */
  constructor(baseMs: number) {
    this.#baseMs = baseMs;
    this.#startMs = baseMs;
    this.#maxMs = baseMs;
  }

  /** Adds a series to a group; groups are what {@link check} checks at once. Answers its number. */
  addSeries(group: string, { kind, takesLate }: Partial<CrashSeries> = {}): number {
    return (
      this.#series.push({
        kind: kind ?? 'float',
        takesLate: takesLate ?? false,
        group,
        states: [],
        times: [],
        late: [],
        newest: -1,
        nextMs: this.#startMs,
      }) - 1
    );
  }

  /** What a series is like. */
  describe(series: number): CrashSeries {
    return this.#entry(series);
  }

  /** From here on all series go on at one time, so long behind the newest sample; new ones begin there, too. */
  jump(ms: number): void {
    this.#startMs = this.#maxMs + ms + 1;
    for (const entry of this.#series) entry.nextMs = this.#startMs;
  }

  /** Times before and after every sample, ms. */
  get range(): { readonly startMs: number; readonly endMs: number } {
    return { startMs: this.#baseMs - 1000, endMs: this.#maxMs + 1000 };
  }

  /** The next samples of a series, in order. */
  take(series: number, count: number): Stretch {
    const entry = this.#entry(series);
    const from = entry.states.length;
    for (let n = from; n < from + count; n++) {
      const jitter = (Math.imul(series * 31 + n, 0x9e3779b1) >>> 0) % JITTER_MS;
      const t = entry.nextMs + jitter;
      entry.nextMs += STEP_MS;
      entry.states.push(UNSENT);
      entry.late.push(0);
      entry.times.push(t);
      this.#maxMs = Math.max(this.#maxMs, t);
    }
    return { series, numbers: Array.from({ length: count }, (_, i) => from + i) };
  }

  /** What was sent has been acknowledged. */
  acknowledge(stretches: readonly Stretch[]): void {
    for (const { series, numbers } of stretches) {
      const entry = this.#entry(series);
      for (const n of numbers) {
        if (n < entry.newest && entry.states[n] === DOUBT) entry.late[n] = 1;
        entry.newest = Math.max(entry.newest, n);
        entry.states[n] = ACKNOWLEDGED;
      }
    }
  }

  /** What was sent was refused: it must not be there. */
  refuse(stretches: readonly Stretch[]): void {
    this.#mark(stretches, () => LOST);
  }

  /** Stretches as the series of a write request. They are in doubt from here on, unless they were acknowledged. */
  request(stretches: readonly Stretch[]): TestSeries[] {
    this.#mark(stretches, (state) => (state === UNSENT || state === LOST ? DOUBT : state));
    return stretches.map(({ series, numbers }) => {
      const { group, kind } = this.#entry(series);
      const labels: TestSeries['labels'] = [
        ['__name__', kind === 'float' ? FLOATS : HISTOGRAMS],
        ['group', group],
        ['instance', `host-${series % 17}:9100`],
        ['series', String(series)],
      ];
      if (kind !== 'float')
        return { labels, samples: [], histograms: numbers.map((n) => this.#histogram(series, n)) };
      const samples = numbers.map((n): [number, number] => [
        this.#time(series, n),
        series * NUMBERS + n,
      ]);
      return { labels, samples };
    });
  }

  /**
   * What of a stretch is to be sent again after a restart: all of a series that takes samples out of order; otherwise
   * what is lost, because what is there would be stored beside it, as out of order.
   */
  again({ series, numbers }: Stretch): Stretch {
    const { takesLate, states } = this.#entry(series);
    return { series, numbers: takesLate ? numbers : numbers.filter((n) => states[n] === LOST) };
  }

  /** A deletion of samples `from` to `to` of some series of a group; they may be there or not from here on. */
  beginDelete(
    series: readonly number[],
    { from, to }: { from: number; to: number },
  ): CrashDeletion {
    const [first = 0] = series;
    const startMs = this.#time(first, from);
    const endMs = this.#time(first, to);
    const samples = series.map((number) => {
      const { times, states, takesLate } = this.#entry(number);
      if (takesLate) throw new Error(`series ${number} may have samples that are not deleted`);
      const numbers = [...times.keys()].filter(
        (n) => states[n] === ACKNOWLEDGED && within(times[n], startMs, endMs),
      );
      return { series: number, numbers };
    });
    this.#mark(samples, () => FADING);
    const group = JSON.stringify(this.#entry(first).group);
    const selector = `{group=${group},series=~${JSON.stringify(series.join('|'))}}`;
    return { selector, startMs, endMs, samples };
  }

  /** It has been acknowledged. */
  endDelete({ samples }: CrashDeletion): void {
    this.#mark(samples, () => DELETED);
  }

  /** How many samples a series has so far. */
  count(series: number): number {
    return this.#entry(series).states.length;
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
      if (problem !== undefined) problems.push(`series ${this.#name(series)}: ${problem}`);
    }
    const sums = noSums();
    for (const [series, entry] of this.#series.entries()) {
      if (entry.group !== group) continue;
      const before = sums.missing;
      const first = settle(entry, seen.get(series), sums);
      if (first === undefined) continue;
      const what = `${sums.missing - before} acknowledged samples are missing, first ${first}`;
      problems.push(`series ${this.#name(series)}: ${what}`);
    }
    return { ...sums, problems };
  }

  /** Marks what is there in `present`; answers the first thing that is wrong. */
  #checkSamples(
    series: number,
    values: RawSeries['values'],
    present: Uint8Array,
  ): string | undefined {
    const { states, kind } = this.#entry(series);
    let last = -1;
    let problem: string | undefined;
    for (const [seconds, text] of values) {
      const n = (kind === 'float' ? Number(text) : sumOfLine(text)) - series * NUMBERS;
      const state = states[n] ?? UNSENT;
      if (state === UNSENT) problem ??= `${text} at ${seconds} was never sent`;
      else if (Math.round(seconds * 1000) !== this.#time(series, n)) {
        problem ??= `sample ${n} is at ${seconds}, was sent for ${this.#time(series, n) / 1000}`;
      } else if (n <= last) problem ??= `sample ${n} is there twice, or after sample ${last}`;
      else if (state === LOST) problem ??= `sample ${n} had been refused or lost, and came back`;
      else if (state === DELETED) problem ??= `sample ${n} had been deleted, and came back`;
      else if (kind !== 'float') problem ??= this.#checkHistogram(series, n, text);
      last = n;
      present[n] = 1;
    }
    return problem;
  }

  #checkHistogram(series: number, n: number, text: string): string | undefined {
    const want = lineOfTest(this.#histogram(series, n));
    return text === want ? undefined : `sample ${n} is ${text}, want ${want}`;
  }

  /** A histogram whose buckets grow, change their places now and then, and are reset. */
  #histogram(series: number, n: number): TestHistogram {
    const era = Math.floor(n / 150);
    const since = n % 397;
    const length = 1 + (era % 4);
    return {
      t: this.#time(series, n),
      isFloat: this.#entry(series).kind === 'floatHistogram',
      schema: era % 3,
      sum: series * NUMBERS + n,
      zeroCount: Math.floor(since / 7),
      spans: length > 1 && era % 2 === 0 ? [-1, 1, 2, length - 1] : [era % 5, length],
      buckets: Array.from({ length }, (_, i) => since * (i + 1) + 1),
    };
  }

  #name(series: number): string {
    const { kind, takesLate } = this.#entry(series);
    return `${series} (${kind}${takesLate ? ', takes late samples' : ''})`;
  }

  #time(series: number, n: number): number {
    return this.#entry(series).times[n] ?? NaN;
  }

  #mark(stretches: readonly Stretch[], next: (state: number) => number): void {
    for (const { series, numbers } of stretches) {
      const { states } = this.#entry(series);
      for (const n of numbers) states[n] = next(states[n] ?? UNSENT);
    }
  }

  #entry(series: number): Entry {
    const entry = this.#series[series];
    if (entry === undefined) throw new Error(`no series ${series}`);
    return entry;
  }
}

function within(t: number | undefined, start: number, end: number): boolean {
  return t !== undefined && t >= start && t <= end;
}

/** Counts a series' samples, decides what is in doubt, and answers the first that is missing. */
function settle(
  { states, late, kind }: Entry,
  present: Uint8Array | undefined,
  sums: CrashSums,
): number | undefined {
  let first: number | undefined;
  for (const [n, state] of states.entries()) {
    const there = present?.[n] === 1;
    if (state === DOUBT) {
      states[n] = there ? ACKNOWLEDGED : LOST;
      if (there) sums.kept++;
      else sums.lost++;
    } else if (state === FADING) states[n] = there ? ACKNOWLEDGED : DELETED;
    if (states[n] === DELETED) sums.deleted++;
    // What has just been found is counted as kept.
    if (states[n] !== ACKNOWLEDGED || state === DOUBT) continue;
    sums.acknowledged++;
    sums.late += late[n] as number;
    if (kind !== 'float') sums.histograms++;
    if (there) continue;
    sums.missing++;
    first ??= n;
  }
  return first;
}
