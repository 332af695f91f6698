/**
 * {@link InteropData} with native histograms beside the floats, stale markers where histograms end, and samples that come
 * late.
 */
import type { Random } from '../../src/lib/prng.ts';
import { InteropData } from './interop-data.ts';
import type { TestHistogram, TestSeries } from './write-request.ts';

/** Sizes of the data. */
export interface MixedDataOptions {
  readonly floats: number;
  readonly histograms: number;
  readonly scrapes: number;
}

/** Which samples may come behind younger ones of their series. */
export type Lateness = 'none' | 'floats' | 'all';

/** A sample in so many comes late in series that may have such, so many scrapes at most. */
const LATE_ONE_IN = 3;
const LATE_SCRAPES_MAX = 20;
const ZONES = ['a', 'b', 'ünï', '日本'];

interface HistogramLife {
  readonly labels: TestSeries['labels'];
  readonly isFloat: boolean;
  readonly from: number;
  readonly to: number;
  readonly schema: number;
  readonly counts: number[];
  zeroCount: number;
  first: number;
}

/** Series that come and go. */
export class MixedData {
  readonly #random: Random;
  readonly #scrapes: number;
  readonly #floats: InteropData;
  readonly #histograms: readonly HistogramLife[];
  /** What is due at a scrape, held back before. */
  readonly #held = new Map<number, TestSeries[]>();
  /** Samples that were held back. */
  late = 0;

  constructor(random: Random, { floats, histograms, scrapes }: MixedDataOptions) {
    this.#random = random;
    this.#scrapes = scrapes;
    this.#floats = new InteropData(random, floats, scrapes);
    this.#histograms = Array.from({ length: histograms }, (_, i) => this.#life(i));
  }

  /** What is sent at the n-th scrape. */
  scrape(n: number, t: number, lateness: Lateness = 'none'): TestSeries[] {
    const fresh = [...this.#floats.scrape(n, t), ...this.#histogramsAt(n, t)];
    const due = this.#held.get(n) ?? [];
    this.#held.delete(n);
    return [...fresh.filter((series) => !this.#hold(series, n, lateness)), ...due];
  }

  /** What is held back still. */
  rest(): TestSeries[] {
    const rest = [...this.#held.values()].flat();
    this.#held.clear();
    return rest;
  }

  /** A selector of some of the series. */
  selector(): string {
    const random = this.#random;
    if (random.below(2) === 0) return this.#floats.selector();
    const name = ['latency', 'weights', 'latency|weights', 'w.+|odd'][random.below(4)];
    const more = ['', ',zone=~"a|b|ü.*"', ',zone!="a"', ',i=~".*[0-4]"', ',zone="日本"'];
    return `{__name__=~"${name}"${more[random.below(more.length)]}}`;
  }

  /** Every third series has late samples. */
  #hold(series: TestSeries, n: number, lateness: Lateness): boolean {
    if (lateness === 'none' || (lateness === 'floats' && series.samples.length === 0)) return false;
    const i = Number(series.labels.find(([name]) => name === 'i')?.[1]);
    if (i % 3 !== 0 || this.#random.below(LATE_ONE_IN) > 0) return false;
    const at = n + 1 + this.#random.below(LATE_SCRAPES_MAX);
    if (at >= this.#scrapes) return false;
    this.#held.set(at, [...(this.#held.get(at) ?? []), series]);
    this.late++;
    return true;
  }

  #life(i: number): HistogramLife {
    const random = this.#random;
    const isFloat = i % 2 === 1;
    const from = random.below(3) === 0 ? random.below(this.#scrapes) : 0;
    const to =
      random.below(3) === 0 ? from + random.below(this.#scrapes - from) : this.#scrapes + 1;
    return {
      labels: [
        ['__name__', isFloat ? 'weights' : 'latency'],
        ['i', String(1000 + i)],
        ['zone', ZONES[random.below(ZONES.length)] as string],
      ],
      isFloat,
      from,
      to,
      schema: random.below(6) - 1,
      counts: [],
      zeroCount: 0,
      first: random.below(9) - 4,
    };
  }

  #histogramsAt(n: number, t: number): TestSeries[] {
    return this.#histograms
      .filter(({ from, to }) => n >= from && n <= to && from < to)
      .map((life) => {
        const at = t + this.#random.below(11);
        const one = n === life.to ? staleHistogram(at, life.isFloat) : this.#next(life, at);
        return { labels: life.labels, samples: [], histograms: [one] };
      });
  }

  /** Buckets are added now and then, also in front, and all of them are reset. */
  #next(life: HistogramLife, t: number): TestHistogram {
    const random = this.#random;
    const { counts, isFloat, schema } = life;
    if (random.below(60) === 0) {
      counts.length = 0;
      life.zeroCount = 0;
    }
    if (counts.length === 0 || (counts.length < 12 && random.below(10) === 0)) counts.push(0);
    if (counts.length < 12 && random.below(30) === 0) {
      counts.unshift(0);
      life.first--;
    }
    for (let k = 0; k < counts.length; k++)
      counts[k] = (counts[k] as number) + random.below(5) * (isFloat ? 0.37 : 1);
    life.zeroCount += random.below(2);
    const gap = random.below(4);
    const buckets = [...counts];
    const cut = Math.min(1, counts.length - 1);
    const spans =
      cut === 0 ? [life.first, counts.length] : [life.first, 1, gap, buckets.length - 1];
    const sum = random.float() * 1000 - 100;
    return { t, isFloat, schema, sum, zeroCount: life.zeroCount, spans, buckets };
  }
}

/** What says that a series of histograms has ended: its sum is the stale marker, and there is nothing else. */
function staleHistogram(t: number, isFloat: boolean): TestHistogram {
  return { t, isFloat, schema: 0, sum: NaN, zeroCount: 0, spans: [], buckets: [] };
}
