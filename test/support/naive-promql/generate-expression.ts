/**
 * Random expressions that are valid and mostly have an answer. What an expression promises about its values decides
 * what may stand around it: where the order of a sum shows in the last digits (`rounded`), nothing follows that would
 * make a leap of such a difference, as comparisons, floor() or topk() do, and nothing that cancels, as `-` does.
 */
import type { Random } from '../../../src/lib/prng.ts';
import type { DataSet, Metric } from './generate-series.ts';
import { chance, pick } from './random-choice.ts';

/**
 * How well values are known: `dyadic` ones are small multiples of 1/8, which add up exactly; `exact` ones do not
 * depend on the order of anything; `rounded` ones do.
 */
export type Quality = 'dyadic' | 'exact' | 'rounded';

/** A piece of a query. */
export interface Generated {
  readonly text: string;
  readonly quality: Quality;
}

const RANK: Readonly<Record<Quality, number>> = { dyadic: 0, exact: 1, rounded: 2 };

function worst(...qualities: readonly Quality[]): Quality {
  return qualities.reduce((a, b) => (RANK[a] >= RANK[b] ? a : b));
}

const RANGES = ['1m', '90s', '2m', '5m', '4m7s'];
const DISCRETE = 'count_over_time present_over_time changes resets'.split(' ');
const PICKING = 'min_over_time max_over_time first_over_time last_over_time'.split(' ');
const SMOOTH =
  `rate increase delta irate idelta deriv avg_over_time stddev_over_time stdvar_over_time
  mad_over_time ts_of_first_over_time ts_of_last_over_time ts_of_max_over_time ts_of_min_over_time`.split(
    /\s+/,
  );
const ELEMENTWISE =
  `ceil floor exp sqrt ln log2 log10 sin cos tan asin acos atan sinh cosh tanh asinh acosh atanh rad
  deg`.split(/\s+/);
const DATES = 'day_of_month day_of_week day_of_year days_in_month hour minute month year'.split(
  ' ',
);
const COMPARISONS = ['==', '!=', '<', '<=', '>', '>='];
const NUMBERS = ['0', '1', '2', '3', '0.5', '10', '100', '-1', '1e3'];

/** Makes expressions over one data set. */
export class ExpressionGenerator {
  readonly #random: Random;
  readonly #data: DataSet;
  /** Whether `@` may be written here: not in parameters of aggregations, where Prometheus forgets about it. */
  #mayPin = true;

  readonly #hasNatives: boolean;
  /** Whether all sums are of series whose order Prometheus defines: those of selectors, by their labels. */
  #isOrdered = true;

  constructor(random: Random, data: DataSet) {
    this.#random = random;
    this.#data = data;
    this.#hasNatives = data.metrics.some(isNative);
  }

  /** A whole query; only an instant query may be a range vector or a string. */
  query(isInstant: boolean): Generated {
    const roll = this.#random.float();
    if (roll < 0.07) return this.#scalar(2);
    if (isInstant && roll < 0.12) return this.#matrix(2);
    if (isInstant && roll < 0.125) return { text: '"text"', quality: 'exact' };
    if (isInstant && roll < 0.17) return this.#sorted();
    if (roll < 0.3) return this.#dashboardSum();
    return this.#vector(1 + this.#random.below(4), 'rounded');
  }

  /** What most queries are, and what is computed where the samples are: an aggregation of a selector or its rates. */
  #dashboardSum(): Generated {
    const op = this.#pick(['sum', 'avg', 'min', 'max', 'count', 'group']);
    const { text, quality } = this.#chance(0.5) ? this.#leaf('exact') : this.#rangeCall(1);
    const isSum = op === 'sum' || op === 'avg';
    const result = isSum && quality !== 'dyadic' ? 'rounded' : worst(quality, 'exact');
    return { text: `${op}${this.#grouping()} (${text})`, quality: result };
  }

  /** Whether even rounded values have the same bits wherever series are added up one after the other. */
  get isOrdered(): boolean {
    return this.#isOrdered;
  }

  #pick<T>(items: readonly T[]): T {
    return pick(this.#random, items);
  }

  #chance(probability: number): boolean {
    return chance(this.#random, probability);
  }

  #sorted(): Generated {
    const { text, quality } = this.#vector(2, 'exact');
    const call = this.#pick([
      `sort(${text})`,
      `sort_desc(${text})`,
      `sort_by_label(${text}, "inst", "job")`,
      `sort_by_label_desc(${text}, "job")`,
    ]);
    return { text: call, quality };
  }

  /** An instant vector whose quality is at most so bad. */
  #vector(depth: number, most: Quality): Generated {
    if (depth <= 0) return this.#leaf(most);
    for (let tries = 0; tries < 20; tries++) {
      const made = settled(this.#tryVector(depth, most));
      if (made !== undefined && RANK[made.quality] <= RANK[most]) return made;
    }
    return this.#leaf(most);
  }

  #tryVector(depth: number, most: Quality): Generated | undefined {
    const roll = this.#random.below(100);
    if (this.#hasNatives && roll % 4 === 0) return this.#ofNatives(depth, most);
    if (roll < 24) return this.#rangeCall(depth);
    if (roll < 46) return this.#aggregation(depth, most);
    if (roll < 66) return this.#binary(depth, most);
    if (roll < 78) return this.#withScalar(depth, most);
    if (roll < 94) return this.#call(depth, most);
    return this.#leaf(most);
  }

  #leaf(most: Quality): Generated {
    const usable = this.#data.metrics.filter(({ kind }) => most !== 'dyadic' || kind !== 'wild');
    const metric = usable.length === 0 ? undefined : this.#pick(usable);
    const smoothed = this.#chance(0.03) ? ' smoothed' : '';
    const quality = smoothed === '' ? qualityOf(metric) : 'exact';
    if (RANK[quality] > RANK[most]) return { text: this.#selector(metric), quality: 'dyadic' };
    return { text: `${this.#selector(metric)}${smoothed}${this.#modifiers()}`, quality };
  }

  #selector(metric: Metric | undefined): string {
    if (metric === undefined) return 'absent_metric';
    const matchers: string[] = [];
    if (this.#chance(0.25)) {
      matchers.push(
        this.#pick(['job="api"', 'job!="db"', 'job=~"api|é"', 'job!~"d.*"', 'inst=""', 'inst!=""']),
      );
    }
    if (metric.kind !== 'wild' && this.#chance(0.06)) {
      return `{__name__=~"${metric.name}|p"${matchers.map((m) => `,${m}`).join('')}}`;
    }
    return matchers.length === 0 ? metric.name : `${metric.name}{${matchers.join(',')}}`;
  }

  #modifiers(): string {
    const offset = this.#chance(0.12)
      ? ` offset ${this.#pick(['1m', '-1m', '37s', '5m', '-30s'])}`
      : '';
    if (!this.#mayPin || !this.#chance(0.07)) return offset;
    const { startMs, endMs } = this.#data;
    const at = startMs + this.#random.below(endMs - startMs);
    return ` @ ${this.#pick([(at / 1000).toFixed(3), 'start()', 'end()'])}${offset}`;
  }

  #range(): string {
    if (this.#chance(0.05)) {
      return this.#pick(['[1m * 2]', '[max_of(step(), 1m)]', '[90s + 30s]', '[range() + 1m]']);
    }
    return `[${this.#pick(RANGES)}]`;
  }

  /** A range vector: a selector, or a subquery while there is depth left. */
  #matrix(depth: number): Generated {
    if (depth > 1 && this.#chance(0.3)) {
      const { text, quality } = this.#vector(depth - 1, 'exact');
      const step = this.#pick(['', '30s', '1m', '45s', '15s']);
      return { text: `(${text})[${this.#pick(RANGES)}:${step}]${this.#modifiers()}`, quality };
    }
    const metric = this.#data.metrics.length === 0 ? undefined : this.#pick(this.#data.metrics);
    const text = `${this.#selector(metric)}${this.#range()}${this.#modifiers()}`;
    return { text, quality: qualityOf(metric) };
  }

  #rangeCall(depth: number): Generated {
    if (this.#chance(0.06)) return this.#extended();
    const { text, quality } = this.#matrix(depth);
    const roll = this.#random.below(20);
    if (roll < 3) return { text: `${this.#pick(DISCRETE)}(${text})`, quality: 'dyadic' };
    if (roll < 6) return { text: `${this.#pick(PICKING)}(${text})`, quality };
    if (roll < 8) return { text: `sum_over_time(${text})`, quality };
    if (roll < 16) return { text: `${this.#pick(SMOOTH)}(${text})`, quality: 'exact' };
    if (roll === 16) return { text: `absent_over_time(${text})`, quality: 'dyadic' };
    const call = this.#pick([
      `quantile_over_time(${this.#share()}, ${text})`,
      `predict_linear(${text}, ${this.#scalar(0).text})`,
      `double_exponential_smoothing(${text}, ${this.#pick(['0.3', '0.5', '1.5'])}, 0.4)`,
    ]);
    return { text: call, quality: 'exact' };
  }

  #extended(): Generated {
    const metric = this.#data.metrics.length === 0 ? undefined : this.#pick(this.#data.metrics);
    const selector = `${this.#selector(metric)}${this.#range()}`;
    const [name, how] = this.#pick([
      ['rate', 'anchored'],
      ['increase', 'anchored'],
      ['delta', 'anchored'],
      ['resets', 'anchored'],
      ['changes', 'anchored'],
      ['rate', 'smoothed'],
      ['increase', 'smoothed'],
      ['delta', 'smoothed'],
    ] as const);
    return { text: `${name}(${selector} ${how}${this.#modifiers()})`, quality: 'exact' };
  }

  /** What is done with native histograms. */
  #ofNatives(depth: number, most: Quality): Generated {
    this.#isOrdered = false;
    const natives = this.#data.metrics.filter(isNative);
    const selector = this.#selector(this.#pick(natives));
    const leaf = `${selector}${this.#modifiers()}`;
    const range = `${selector}${this.#range()}${this.#modifiers()}`;
    const names = ['rate', 'increase', 'delta', 'irate', 'idelta', 'avg_over_time'];
    const rounded = [
      `${this.#pick(names)}(${range})`,
      `avg${this.#grouping()} (${leaf})`,
      `(${leaf}) ${this.#pick(['</', '>/'])} (${this.#pick(['-1', '0', '0.7', '1', '3'])})`,
    ];
    const dyadic = [
      leaf,
      `sum${this.#grouping()} (${leaf})`,
      `sum_over_time(${range})`,
      `last_over_time(${range})`,
      `(${leaf}) ${this.#pick(['+', '-', '==', '!='])}${this.#matching()} (${leaf})`,
      `(${leaf}) ${this.#pick(['and', 'or', 'unless'])} on (job) (${leaf})`,
      `(${leaf}) ${this.#pick(['*', '/'])} (${this.#pick(['2', '0.5', '-4', '0'])})`,
      `-(${leaf})`,
    ];
    const isRounded = most === 'rounded' && this.#chance(0.5);
    const text = this.#pick(isRounded ? rounded : dyadic);
    const quality = isRounded ? 'rounded' : 'dyadic';
    if (this.#chance(0.4) || depth < 2) return { text, quality };
    if (this.#chance(0.5)) {
      return { text: `${this.#pick(['histogram_count', 'histogram_sum'])}(${text})`, quality };
    }
    const call = this.#pick([
      `histogram_quantile(${this.#pick(['0.1', '0.37', '0.9', '1', '0'])}, ${text})`,
      `histogram_fraction(${this.#pick(['-Inf', '0', '0.7'])}, ${this.#pick(['1', '+Inf', '2.2'])}, ${text})`,
      `${this.#pick(['histogram_avg', 'histogram_stddev', 'histogram_stdvar'])}(${text})`,
    ]);
    return { text: call, quality: 'rounded' };
  }

  #share(): string {
    return this.#pick(['0', '0.25', '0.5', '0.9', '0.99', '1', '-1', '2', 'NaN']);
  }

  #grouping(): string {
    return this.#pick([
      '',
      ' by (job)',
      ' by (job, inst)',
      ' without (inst)',
      ' without (job, version)',
      ' by (__name__)',
      ' by (le)',
    ]);
  }

  #aggregation(depth: number, most: Quality): Generated {
    const by = this.#grouping();
    const roll = this.#random.below(20);
    if (roll < 5) {
      const { text, quality } = this.#summand(depth, most);
      return { text: `sum${by} (${text})`, quality: quality === 'dyadic' ? 'dyadic' : 'rounded' };
    }
    if (roll < 8) {
      const { text, quality } = this.#summand(depth, most);
      return { text: `avg${by} (${text})`, quality: quality === 'dyadic' ? 'exact' : 'rounded' };
    }
    if (roll < 10) {
      const { text } = this.#vector(depth - 1, 'rounded');
      return { text: `${this.#pick(['count', 'group'])}${by} (${text})`, quality: 'dyadic' };
    }
    if (roll < 13) {
      const { text, quality } = this.#chance(0.5)
        ? this.#leaf(most)
        : this.#vector(depth - 1, most);
      return { text: `${this.#pick(['min', 'max'])}${by} (${text})`, quality };
    }
    if (roll === 13) {
      const { text } = this.#summand(depth, 'exact');
      return { text: `${this.#pick(['stddev', 'stdvar'])}${by} (${text})`, quality: 'rounded' };
    }
    if (roll === 14) {
      const { text, quality } = this.#vector(depth - 1, most);
      return {
        text: `quantile${by} (${this.#share()}, ${text})`,
        quality: worst(quality, 'exact'),
      };
    }
    if (roll === 15) {
      const { text } = this.#vector(depth - 1, 'exact');
      return {
        text: `count_values${by} ("${this.#pick(['v', 'job'])}", ${text})`,
        quality: 'dyadic',
      };
    }
    if (roll < 18)
      return this.#selection(by, this.#vector(depth - 1, 'exact'), ['topk', 'bottomk']);
    // Which series come first is known of selectors and range functions only.
    const ordered = this.#chance(0.5) ? this.#leaf('exact') : this.#rangeCall(1);
    if (roll === 18) return this.#selection(by, ordered, ['limitk']);
    const ratio = this.#pick(['0.5', '-0.5', '0.3', '1', '-2', '0']);
    return { text: `limit_ratio${by} (${ratio}, ${ordered.text})`, quality: ordered.quality };
  }

  /** What is added up: series in a known order, or anything. */
  #summand(depth: number, most: Quality): Generated {
    if (most !== 'dyadic' && this.#chance(0.5)) {
      return this.#chance(0.5) ? this.#leaf('exact') : this.#rangeCall(1);
    }
    this.#isOrdered = false;
    if (most === 'exact') return this.#vector(depth - 1, 'exact');
    return this.#vector(depth - 1, most === 'rounded' ? 'rounded' : 'dyadic');
  }

  #selection(by: string, of: Generated, names: readonly string[]): Generated {
    const mayPin = this.#mayPin;
    this.#mayPin = false;
    const k = this.#chance(0.8) ? this.#pick(['1', '2', '3', '5', '0']) : this.#scalar(1).text;
    this.#mayPin = mayPin;
    return { text: `${this.#pick(names)}${by} (${k}, ${of.text})`, quality: of.quality };
  }

  #binary(depth: number, most: Quality): Generated {
    const roll = this.#random.below(10);
    if (roll < 3) return this.#setOperation(depth, most);
    if (roll < 6) {
      const left = this.#vector(depth - 1, 'exact');
      const right = this.#chance(0.3) ? left : this.#vector(depth - 1, 'exact');
      const bool = this.#chance(0.3);
      const op = `${this.#pick(COMPARISONS)}${bool ? ' bool' : ''}${this.#matching()}`;
      return {
        text: `(${left.text}) ${op} (${right.text})`,
        quality: bool ? 'dyadic' : left.quality,
      };
    }
    const op = this.#pick(['+', '-', '*', '/', '%', '^', 'atan2']);
    const isSafe = op === '*' || op === '/';
    const limit = isSafe && most === 'rounded' ? 'rounded' : 'exact';
    const left = this.#vector(depth - 1, limit);
    const right = this.#chance(0.2) ? left : this.#vector(depth - 1, limit);
    const isSum = op === '+' || op === '-';
    return {
      text: `(${left.text}) ${op}${this.#matching()} (${right.text})`,
      quality: worst(left.quality, right.quality, isSum ? 'dyadic' : 'exact'),
    };
  }

  #matching(): string {
    const labels = this.#pick([
      '',
      '',
      ' on (job)',
      ' on (job, inst)',
      ' ignoring (inst)',
      ' ignoring (le, version)',
      ' on ()',
      ' ignoring (job)',
    ]);
    if (labels === '')
      return this.#chance(0.15) ? ` ${this.#pick(['fill (0)', 'fill_left (1)'])}` : '';
    const include = this.#pick(
      ['', 'version', 'inst', '__name__'].filter((name) => !labels.includes(name) || name === ''),
    );
    const group = this.#pick(['', '', ` group_left (${include})`, ` group_right (${include})`]);
    const fill = this.#chance(0.2)
      ? ` ${this.#pick(['fill (0)', 'fill_left (1)', 'fill_right (2)', 'fill_left (1) fill_right (2)'])}`
      : '';
    return labels + group + fill;
  }

  #setOperation(depth: number, most: Quality): Generated {
    const op = this.#pick(['and', 'or', 'unless']);
    const on = this.#pick(['', '', ' on (job)', ' ignoring (inst)', ' on ()']);
    const left = this.#vector(depth - 1, most);
    const right = this.#vector(depth - 1, op === 'or' ? most : 'rounded');
    const quality = op === 'or' ? worst(left.quality, right.quality) : left.quality;
    return { text: `(${left.text}) ${op}${on} (${right.text})`, quality };
  }

  #withScalar(depth: number, most: Quality): Generated {
    const swapped = this.#chance(0.3);
    const write = (vector: string, op: string, scalar: string): string =>
      swapped ? `(${scalar}) ${op} (${vector})` : `(${vector}) ${op} (${scalar})`;
    if (this.#chance(0.45)) {
      const { text, quality } = this.#vector(depth - 1, 'exact');
      const bool = this.#chance(0.3);
      const op = `${this.#pick(COMPARISONS)}${bool ? ' bool' : ''}`;
      return { text: write(text, op, this.#scalar(1).text), quality: bool ? 'dyadic' : quality };
    }
    const op = this.#pick(['+', '-', '*', '/', '%', '^', 'atan2']);
    const isSafe = op === '*' || op === '/';
    const { text, quality } = this.#vector(depth - 1, isSafe ? most : 'exact');
    const plain = this.#chance(0.6);
    const scalar = plain ? this.#pick(NUMBERS) : this.#scalar(1).text;
    const stays = plain && (op === '+' || op === '-');
    return { text: write(text, op, scalar), quality: worst(quality, stays ? 'dyadic' : 'exact') };
  }

  #call(depth: number, most: Quality): Generated {
    const roll = this.#random.below(26);
    if (roll > 23) {
      const { text, quality } = this.#vector(depth - 1, most);
      const which = [
        '',
        ', {version=~".+"}',
        ', {__name__="build_info"}',
        ', {__name__=~".+_info"}',
      ];
      return { text: `info(${text}${this.#pick(which)})`, quality };
    }
    if (roll < 6) {
      const { text } = this.#vector(depth - 1, 'exact');
      return { text: `${this.#pick(ELEMENTWISE)}(${text})`, quality: 'exact' };
    }
    if (roll < 9) {
      const { text, quality } = this.#vector(depth - 1, most);
      return { text: this.#pick([`-(${text})`, `abs(${text})`, `+(${text})`]), quality };
    }
    if (roll < 11) {
      const { text, quality } = this.#vector(depth - 1, most);
      const [low, high] = [this.#scalar(0).text, this.#scalar(0).text];
      const call = this.#pick([
        `clamp(${text}, ${low}, ${high})`,
        `clamp_min(${text}, ${low})`,
        `clamp_max(${text}, ${high})`,
      ]);
      return { text: call, quality: worst(quality, 'exact') };
    }
    if (roll === 11) {
      const { text } = this.#vector(depth - 1, 'exact');
      return {
        text: this.#pick([`round(${text})`, `round(${text}, 0.3)`, `sgn(${text})`]),
        quality: 'exact',
      };
    }
    if (roll < 15) return this.#relabelled(depth, most);
    if (roll < 17) return this.#timeCall(depth);
    if (roll === 17) {
      return { text: `absent(${this.#vector(depth - 1, 'rounded').text})`, quality: 'dyadic' };
    }
    if (roll === 18) {
      const { text, quality } = this.#scalar(1);
      return { text: `vector(${text})`, quality };
    }
    return this.#classicHistogram(depth);
  }

  #relabelled(depth: number, most: Quality): Generated {
    const { text, quality } = this.#vector(depth - 1, most);
    const call = this.#pick([
      `label_replace(${text}, "x", "$1-$2", "inst", "(i)(.*)")`,
      `label_replace(${text}, "job", "", "job", "d.")`,
      `label_replace(${text}, "__name__", "n_$1", "job", "(.*)")`,
      `label_replace(${text}, "inst", "$\{1}0", "inst", "(.+)")`,
      `label_join(${text}, "x", "/", "job", "inst")`,
      `label_join(${text}, "inst", "", "version")`,
      `label_join(${text}, "__name__", "_", "job", "__name__")`,
    ]);
    return { text: call, quality };
  }

  #timeCall(depth: number): Generated {
    // compat: of `@` and offset together, timestamp() forgets the offset, and storages do not.
    const atOnly = (text: string): string => text.replace(/( @ \S+) offset [^\s)]+(\)*)$/, '$1$2');
    const leaf = atOnly(this.#leaf('exact').text);
    const inner = this.#chance(0.6) ? leaf : atOnly(this.#vector(depth - 1, 'rounded').text);
    const time = `timestamp(${inner})`;
    const roll = this.#random.below(4);
    if (roll === 0) return { text: time, quality: 'exact' };
    if (roll === 1) return { text: `${this.#pick(DATES)}()`, quality: 'exact' };
    // Dates far away are Go's own affair.
    const seconds = this.#chance(0.5) ? time : `(${leaf} > -1e9) * 60 < 1e9`;
    return { text: `${this.#pick(DATES)}(${seconds})`, quality: 'exact' };
  }

  #classicHistogram(depth: number): Generated {
    const buckets = this.#pick([
      `h_bucket${this.#modifiers()}`,
      `rate(h_bucket${this.#range()})`,
      `increase(h_bucket${this.#range()}${this.#modifiers()})`,
      'sum by (le) (h_bucket)',
      'sum by (job, le) (h_bucket) * 2',
      `h_bucket or (${this.#vector(depth - 1, 'exact').text})`,
    ]);
    const text = this.#pick([
      `histogram_quantile(${this.#share()}, ${buckets})`,
      `histogram_quantile(${this.#scalar(1).text}, ${buckets})`,
      `histogram_fraction(${this.#pick(['0', '0.2', '-Inf', '1'])}, ${this.#pick(['0.7', '1', '+Inf', '0.1'])}, ${buckets})`,
      `histogram_quantiles(${buckets}, "q", 0.5, ${this.#pick(['1', '0.9', '0'])})`,
    ]);
    return { text, quality: 'exact' };
  }

  #scalar(depth: number): Generated {
    const roll = this.#random.below(12);
    if (depth <= 0 || roll < 5) return { text: this.#number(), quality: 'exact' };
    if (roll < 7) {
      const { text, quality } = this.#vector(depth, 'exact');
      return { text: `scalar(${text})`, quality };
    }
    if (roll === 7) return { text: 'time()', quality: 'exact' };
    if (roll === 8) {
      return {
        text: this.#pick(['start()', 'end()', 'range()', 'step()', 'pi()']),
        quality: 'exact',
      };
    }
    const [a, b] = [this.#scalar(depth - 1).text, this.#scalar(depth - 1).text];
    const text = this.#pick([
      `max_of(${a}, ${b})`,
      `min_of(${a}, ${b})`,
      `(${a}) ${this.#pick(['+', '-', '*', '/', '%', '^', 'atan2'])} (${b})`,
      `(${a}) ${this.#pick(COMPARISONS)} bool (${b})`,
      `-(${a})`,
    ]);
    return { text, quality: 'exact' };
  }

  #number(): string {
    if (this.#chance(0.05)) return this.#pick(['NaN', 'Inf', '-Inf', '1e20', '-0']);
    return this.#pick(NUMBERS);
  }
}

function isNative({ kind }: Metric): boolean {
  return kind === 'native' || kind === 'native-gauge' || kind === 'custom';
}

/** What is computed of native histograms and is not a plain sum depends on bounds that may be off by a bit. */
function settled(made: Generated | undefined): Generated | undefined {
  if (made === undefined || made.quality !== 'exact' || !/\bn[hgc]\b/.test(made.text)) return made;
  return { ...made, quality: 'rounded' };
}

function qualityOf(metric: Metric | undefined): Quality {
  return metric?.kind === 'wild' ? 'exact' : 'dyadic';
}
