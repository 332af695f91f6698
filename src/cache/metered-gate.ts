/** A gate that is seen in metrics. Names: thanos pkg/gate/gate.go. */
import type { Clock } from '../lib/clock.ts';
import { Gate } from '../lib/gate.ts';
import type { Counter, Gauge, Histogram, MetricsRegistry } from '../lib/metrics.ts';

/** What one gate counts. */
export interface GateMetrics {
  readonly max: Gauge;
  readonly inFlight: Gauge;
  readonly total: Counter;
  /** Seconds of waiting. */
  readonly duration: Histogram;
}

const DURATION_BUCKETS = [0.01, 0.1, 0.3, 0.6, 1, 3, 6, 9, 20, 30, 60, 90, 120, 240, 360, 720];

/** Registers the families of `PREFIX_gate_OPERATIONS_*` and returns what makes the metrics of a client by its name. */
export function registerGateMetrics(
  registry: MetricsRegistry,
  prefix: string,
  operations: string,
): (clientName: string) => GateMetrics {
  const name = (suffix: string): string => `${prefix}gate_${operations}_${suffix}`;
  const labels = ['name'];
  const max = registry.gaugeFamily(name('max'), `Most ${operations} at once.`, labels);
  const inFlight = registry.gaugeFamily(name('in_flight'), `${operations} under way.`, labels);
  const total = registry.counterFamily(name('total'), `All ${operations}.`, labels);
  const duration = registry.histogramFamily(
    name('duration_seconds'),
    `How long ${operations} waited for their turn.`,
    DURATION_BUCKETS,
    labels,
  );
  return (client) => ({
    max: max.with(client),
    inFlight: inFlight.with(client),
    total: total.with(client),
    duration: duration.with(client),
  });
}

/** Lets so many in at once; 0 is without limit. */
export class MeteredGate {
  readonly #gate: Gate;
  readonly #metrics: GateMetrics;
  readonly #clock: Clock;

  constructor(size: number, metrics: GateMetrics, clock: Clock) {
    this.#gate = new Gate(size > 0 ? size : Infinity);
    this.#metrics = metrics;
    this.#clock = clock;
    metrics.max.set(size);
  }

  /** Runs `work` once there is room. @throws CodedError canceled when the signal fires while it waits. */
  async run<T>(signal: AbortSignal | undefined, work: () => Promise<T>): Promise<T> {
    const started = this.#clock.monotonic();
    const observe = (): void =>
      this.#metrics.duration.observe((this.#clock.monotonic() - started) / 1000);
    this.#metrics.total.inc();
    let entered = false;
    try {
      return await this.#gate.run(signal, () => {
        entered = true;
        observe();
        this.#metrics.inFlight.inc();
        return work();
      });
    } finally {
      if (entered) this.#metrics.inFlight.dec();
      else observe();
    }
  }
}
