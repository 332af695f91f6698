/**
 * The metrics of a process. Every metric is a plain cell: counting is one addition on a bound object, and label
 * values are resolved once, at `with`. The cells hang in a prom-client registry, which brings the process_* and
 * nodejs_* families; ops/exposition.ts writes all of them as text.
 */
import { Registry } from 'prom-client';
import type { Metric } from 'prom-client';
import { assert } from '../lib/assert.ts';
import { type Clock, systemClock } from '../lib/clock.ts';
import type {
  Counter,
  Family,
  Gauge,
  Histogram,
  MetricsRegistry,
  Summary,
} from '../lib/metrics.ts';
import { compareUtf8 } from '../lib/utf8.ts';
import { KEY_SEPARATOR } from '../model/labels.ts';
import { formatGoFloat } from './go-float.ts';
import { SlidingQuantiles } from './sliding-quantiles.ts';

/** The types that the text formats know. */
export type MetricType = 'counter' | 'gauge' | 'histogram' | 'summary' | 'untyped';

/**
 * One line of an exposition: a name with its suffix, labels sorted by name except that `le` and `quantile` come last, a
 * value.
 */
export interface MetricSample {
  readonly name: string;
  readonly labels: [string, string][];
  readonly value: number;
}

/** All samples of one family. */
export interface MetricFamily {
  readonly name: string;
  readonly help: string;
  readonly type: MetricType;
  readonly samples: MetricSample[];
}

/** A registry of cells. One per process; asking twice for one name is a bug. */
export class ProcessMetrics implements MetricsRegistry {
  /** For collectors of prom-client's own; its `metrics()` includes our cells. */
  readonly registry: Registry = new Registry();
  readonly #collectors: (() => void | Promise<void>)[] = [];
  readonly #clock: Clock;

  constructor(clock: Clock = systemClock) {
    this.#clock = clock;
  }

  counter(name: string, help: string): Counter {
    return this.counterFamily(name, help, []).with();
  }

  counterFamily(name: string, help: string, labelNames: string[]): Family<Counter> {
    return this.#add({ name, help, type: 'counter', labelNames }, () => new CounterCell());
  }

  gauge(name: string, help: string): Gauge {
    return this.gaugeFamily(name, help, []).with();
  }

  gaugeFamily(name: string, help: string, labelNames: string[]): Family<Gauge> {
    return this.#add({ name, help, type: 'gauge', labelNames }, () => new GaugeCell());
  }

  histogram(name: string, help: string, buckets: number[]): Histogram {
    return this.histogramFamily(name, help, buckets, []).with();
  }

  histogramFamily(
    name: string,
    help: string,
    buckets: number[],
    labelNames: string[],
  ): Family<Histogram> {
    const bounds = Float64Array.from([...buckets].sort((a, b) => a - b));
    const les = [...bounds].map(formatGoFloat);
    const make = () => new HistogramCell(bounds, les);
    return this.#add({ name, help, type: 'histogram', labelNames }, make);
  }

  summaryFamily(
    name: string,
    help: string,
    quantiles: number[],
    labelNames: string[],
  ): Family<Summary> {
    const make = () => new SummaryCell(quantiles, this.#clock);
    return this.#add({ name, help, type: 'summary', labelNames }, make);
  }

  onCollect(collect: () => void | Promise<void>): void {
    this.#collectors.push(collect);
  }

  /** Runs the collectors and returns every family, sorted by name. */
  async collect(): Promise<MetricFamily[]> {
    await Promise.all(this.#collectors.map(async (collect) => collect()));
    const families = await Promise.all(
      this.registry.getMetricsAsArray().map(async (metric) => {
        const own: unknown = metric;
        return own instanceof CellFamily ? own.collect() : collectForeign(own as ForeignSource);
      }),
    );
    return families.toSorted((a, b) => (a.name < b.name ? -1 : 1));
  }

  /** All current samples with the names a scrape would give them (`_bucket`, `_sum`, `_count` included). */
  async snapshot(): Promise<MetricSample[]> {
    return (await this.collect()).flatMap((family) => family.samples);
  }

  #add<C extends Cell>(definition: Definition, make: () => C): CellFamily<C> {
    const family = new CellFamily(definition, make);
    // prom-client registers anything with a name and a get(); its types only name its own classes.
    this.registry.registerMetric(family as unknown as Metric);
    return family;
  }
}

interface Definition {
  readonly name: string;
  readonly help: string;
  readonly type: MetricType;
  readonly labelNames: readonly string[];
}

/** A metric with one set of label values. */
interface Cell {
  samples(name: string, labels: [string, string][], into: MetricSample[]): void;
}

class CounterCell implements Counter, Cell {
  value = 0;

  inc(by = 1): void {
    assert(by >= 0, 'a counter only grows');
    this.value += by;
  }

  samples(name: string, labels: [string, string][], into: MetricSample[]): void {
    into.push({ name, labels, value: this.value });
  }
}

class GaugeCell implements Gauge, Cell {
  value = 0;

  set(value: number): void {
    this.value = value;
  }

  inc(by = 1): void {
    this.value += by;
  }

  dec(by = 1): void {
    this.value -= by;
  }

  samples(name: string, labels: [string, string][], into: MetricSample[]): void {
    into.push({ name, labels, value: this.value });
  }
}

class HistogramCell implements Histogram, Cell {
  readonly #bounds: Float64Array;
  readonly #les: readonly string[];
  /** Observations per bucket, not cumulative; the last one is above every bound. */
  readonly #counts: Float64Array;
  #sum = 0;

  constructor(bounds: Float64Array, les: readonly string[]) {
    this.#bounds = bounds;
    this.#les = les;
    this.#counts = new Float64Array(bounds.length + 1);
  }

  observe(value: number): void {
    const bounds = this.#bounds;
    let i = 0;
    // NaN is below no bound and lands in +Inf, as in client_golang.
    while (i < bounds.length && !(value <= (bounds[i] as number))) i++;
    (this.#counts[i] as number) += 1;
    this.#sum += value;
  }

  samples(name: string, labels: [string, string][], into: MetricSample[]): void {
    let count = 0;
    for (const [i, n] of this.#counts.entries()) {
      count += n;
      const le = this.#les[i] ?? '+Inf';
      into.push({ name: `${name}_bucket`, labels: [...labels, ['le', le]], value: count });
    }
    into.push({ name: `${name}_sum`, labels, value: this.#sum });
    into.push({ name: `${name}_count`, labels, value: count });
  }
}

class SummaryCell implements Summary, Cell {
  readonly #quantiles: readonly number[];
  readonly #clock: Clock;
  readonly #window = new SlidingQuantiles();
  #sum = 0;
  #count = 0;

  constructor(quantiles: readonly number[], clock: Clock) {
    this.#quantiles = quantiles;
    this.#clock = clock;
  }

  observe(value: number): void {
    this.#window.observe(value, this.#clock.monotonic());
    this.#sum += value;
    this.#count++;
  }

  samples(name: string, labels: [string, string][], into: MetricSample[]): void {
    const values = this.#window.quantiles(this.#quantiles, this.#clock.monotonic());
    for (const [i, value] of values.entries()) {
      const quantile = formatGoFloat(this.#quantiles[i] as number);
      into.push({ name, labels: [...labels, ['quantile', quantile]], value });
    }
    into.push({ name: `${name}_sum`, labels, value: this.#sum });
    into.push({ name: `${name}_count`, labels, value: this.#count });
  }
}

/** A family of cells by label values; also what prom-client holds. */
class CellFamily<C extends Cell> implements Family<C> {
  readonly name: string;
  readonly help: string;
  readonly type: MetricType;
  /** For prom-client's merging of workers, which this process does not use. */
  readonly aggregator = 'sum';
  readonly #labelNames: readonly string[];
  /** Positions of the label names in sorted order. */
  readonly #order: readonly number[];
  readonly #cells = new Map<string, { values: readonly string[]; cell: C }>();
  readonly #make: () => C;

  constructor(definition: Definition, make: () => C) {
    this.name = definition.name;
    this.help = definition.help;
    this.type = definition.type;
    this.#labelNames = definition.labelNames;
    const names = this.#labelNames;
    this.#order = names
      .map((_, i) => i)
      .sort((a, b) => ((names[a] as string) < (names[b] as string) ? -1 : 1));
    this.#make = make;
  }

  with(...values: string[]): C {
    assert(values.length === this.#labelNames.length, 'a value for each label name');
    const key = values.join(KEY_SEPARATOR);
    let entry = this.#cells.get(key);
    if (entry === undefined) {
      entry = { values, cell: this.#make() };
      this.#cells.set(key, entry);
    }
    return entry.cell;
  }

  collect(): MetricFamily {
    const samples: MetricSample[] = [];
    const keys = [...this.#cells.keys()].toSorted(compareUtf8);
    for (const key of keys) {
      const entry = this.#cells.get(key);
      if (entry === undefined) continue;
      const labels = this.#order.map((i): [string, string] => [
        this.#labelNames[i] as string,
        entry.values[i] as string,
      ]);
      entry.cell.samples(this.name, labels, samples);
    }
    return { name: this.name, help: this.help, type: this.type, samples };
  }

  /** prom-client's view of the family. */
  get(): Promise<unknown> {
    const { samples } = this.collect();
    const values = samples.map(({ name, labels, value }) => ({
      metricName: name,
      labels: Object.fromEntries(labels),
      value,
    }));
    const { name, help, type, aggregator } = this;
    return Promise.resolve({ name, help, type, aggregator, values });
  }
}

async function collectForeign(metric: ForeignSource): Promise<MetricFamily> {
  const { name, help, type, values } = await metric.get();
  const samples = values.map((v): MetricSample => ({
    name: v.metricName ?? name,
    labels: Object.entries(v.labels)
      .map(([key, value]): [string, string] => [key, String(value)])
      .sort((a, b) => (a[0] < b[0] ? -1 : 1)),
    value: v.value,
  }));
  return { name, help, type: typeof type === 'string' ? type : 'untyped', samples };
}

/** A metric of prom-client's own classes, whose published types leave out `get`. */
interface ForeignSource {
  get(): Promise<ForeignMetric>;
}

interface ForeignMetric {
  readonly name: string;
  readonly help: string;
  readonly type: MetricType;
  readonly values: {
    readonly metricName?: string;
    readonly labels: Readonly<Record<string, string | number>>;
    readonly value: number;
  }[];
}
