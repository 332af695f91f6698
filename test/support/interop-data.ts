/** Seeded series and selectors for comparisons with other programs over the same files. */
import type { Random } from '../../src/lib/prng.ts';
import type { TestSeries } from './write-request.ts';

/** Value bits that are easily lost: NaN of Go, stale marker, infinities, -0, subnormal, huge. */
const ODD: readonly (readonly [number, number])[] = [
  [0x7ff80000, 1],
  [0x7ff00000, 2],
  [0x7ff00000, 0],
  [0xfff00000, 0],
  [0x80000000, 0],
  [0, 1],
  [0x7fefffff, 0xffffffff],
];
/** No line break: `.` of a regular expression matches one since Prometheus 3 only. */
const ZONES = ['', 'a', 'b', 'ünï', '日本', 'z\\"\t'];

/** Labels and a life: which of the scrapes it takes part in. */
interface Life {
  readonly labels: readonly (readonly [string, string])[];
  readonly from: number;
  readonly to: number;
  readonly kind: 'counter' | 'gauge' | 'odd' | 'constant';
  value: number;
}

/** Series that come and go, of all shapes of values. */
export class InteropData {
  readonly #random: Random;
  readonly #lives: readonly Life[];

  constructor(random: Random, count: number, scrapes: number) {
    this.#random = random;
    this.#lives = Array.from({ length: count }, (_, i) => this.#life(i, scrapes));
  }

  /** One sample of each series that lives at the n-th scrape. */
  scrape(n: number, t: number): TestSeries[] {
    return this.#lives
      .filter(({ from, to }) => n >= from && n < to)
      .map((life) => ({
        labels: life.labels,
        samples: [[t + this.#random.below(11), this.#next(life)]],
      }));
  }

  /** A selector of some of the series. */
  selector(): string {
    const random = this.#random;
    const pick = <T>(of: readonly T[]): T => of[random.below(of.length)] as T;
    const quote = (text: string): string => JSON.stringify(text);
    const matchers: (() => string)[] = [
      () => `zone=${quote(pick(ZONES))}`,
      () => `zone!=${quote(pick(ZONES))}`,
      () => `zone=~${quote(pick(['a|b', '.+', '.*', 'a?', '[^a]', 'ü.*', '']))}`,
      () => `zone!~${quote(pick(['a|b', '.+', 'b.*', 'x']))}`,
      () => `i=~${quote(pick(['1.*', '.*7', '[0-4]+', '3|33|333', '(2|4).+']))}`,
      () => `i!=${quote(String(random.below(100)))}`,
      () => `missing=${quote(pick(['', 'x']))}`,
      () => `missing!=${quote(pick(['', 'x']))}`,
      () => `__name__=~${quote(pick(['c.*', '.*_total|gauge', 'odd']))}`,
    ];
    const first = `__name__=~${quote(pick(['.+', 'counter_total', 'gauge|odd', 'constant']))}`;
    const more = Array.from({ length: random.below(3) }, () => pick(matchers)());
    return `{${[first, ...more].join(',')}}`;
  }

  #life(i: number, scrapes: number): Life {
    const random = this.#random;
    const kinds = ['counter', 'gauge', 'odd', 'constant'] as const;
    const kind = kinds[i % kinds.length] as Life['kind'];
    const zone = ZONES[random.below(ZONES.length)] as string;
    const labels: (readonly [string, string])[] = [
      ['__name__', kind === 'counter' ? 'counter_total' : kind],
      ['i', String(i)],
    ];
    if (zone !== '') labels.push(['zone', zone]);
    // A third of them come late, a third leave early.
    const from = random.below(3) === 0 ? random.below(scrapes) : 0;
    const to = random.below(3) === 0 ? from + random.below(scrapes - from) : scrapes;
    return { labels, from, to, kind, value: random.below(1000) };
  }

  #next(life: Life): number | readonly [number, number] {
    const random = this.#random;
    if (life.kind === 'constant') return life.value;
    if (life.kind === 'gauge') return random.float() * 10 ** (random.below(40) - 20);
    if (life.kind === 'counter') {
      life.value = random.below(500) === 0 ? 0 : life.value + random.below(100);
      return life.value;
    }
    return random.below(3) === 0
      ? (ODD[random.below(ODD.length)] as readonly [number, number])
      : random.below(5);
  }
}
