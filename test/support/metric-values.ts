/** A registry whose values tests ask for by name and labels. */
import { ProcessMetrics } from '../../src/ops/metrics.ts';
import type { MetricsRegistry } from '../../src/lib/metrics.ts';

/** Metrics of one test. */
export class MetricValues {
  readonly #metrics = new ProcessMetrics();

  get registry(): MetricsRegistry {
    return this.#metrics;
  }

  /** The sample with exactly these labels, in any order; undefined when there is none. */
  async get(
    name: string,
    labels: Readonly<Record<string, string>> = {},
  ): Promise<number | undefined> {
    const wanted = Object.entries(labels);
    const samples = await this.#metrics.snapshot();
    const found = samples.find(
      (sample) =>
        sample.name === name &&
        sample.labels.length === wanted.length &&
        wanted.every(([key, value]) => sample.labels.some(([k, v]) => k === key && v === value)),
    );
    return found?.value;
  }
}
