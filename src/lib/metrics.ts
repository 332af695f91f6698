/**
 * The metrics interface that every level may use; ops/metrics.ts implements it on prom-client. Workers have no
 * registry of their own: they count in plain numbers and the main thread publishes those.
 */

/** A value that only grows. */
export interface Counter {
  inc(by?: number): void;
}

/** A value that goes up and down. */
export interface Gauge {
  set(value: number): void;
  inc(by?: number): void;
  dec(by?: number): void;
}

/** Observations counted in classic buckets. */
export interface Histogram {
  observe(value: number): void;
}

/** Observations of the last ten minutes as quantiles. */
export interface Summary {
  /** Counts a value that is not negative. */
  observe(value: number): void;
}

/** A family with labels: `with` binds values in the order of the label names. */
export interface Family<T> {
  with(...values: string[]): T;
}

/** Makes metrics by name. Asking twice for one name is a bug. */
export interface MetricsRegistry {
  counter(name: string, help: string): Counter;
  counterFamily(name: string, help: string, labelNames: string[]): Family<Counter>;
  gauge(name: string, help: string): Gauge;
  gaugeFamily(name: string, help: string, labelNames: string[]): Family<Gauge>;
  histogram(name: string, help: string, buckets: number[]): Histogram;
  histogramFamily(
    name: string,
    help: string,
    buckets: number[],
    labelNames: string[],
  ): Family<Histogram>;
  summaryFamily(
    name: string,
    help: string,
    quantiles: number[],
    labelNames: string[],
  ): Family<Summary>;
  /** Calls `collect` before every scrape, for values that are read rather than counted. */
  onCollect(collect: () => void | Promise<void>): void;
}
