/**
 * Whether a process is healthy and ready, as `/-/healthy`, `/-/ready` and thanos_status{component,check} report it.
 * Changes are logged as Thanos logs them.
 */
import type { Logger } from '../lib/log.ts';
import type { MetricsRegistry } from '../lib/metrics.ts';

/** The state of one component. Starts neither healthy nor ready. */
export class Probe {
  readonly #log: Logger;
  readonly #readyGauge: { set(value: number): void };
  readonly #healthyGauge: { set(value: number): void };
  readonly #listeners = new Set<() => void>();
  #ready = false;
  #healthy = false;

  constructor(component: string, log: Logger, metrics: MetricsRegistry) {
    this.#log = log;
    const family = metrics.gaugeFamily(
      'thanos_status',
      'Represents status (0 indicates failure, 1 indicates success) of the component.',
      ['component', 'check'],
    );
    this.#readyGauge = family.with(component, 'ready');
    this.#healthyGauge = family.with(component, 'healthy');
  }

  get isReady(): boolean {
    return this.#ready;
  }

  get isHealthy(): boolean {
    return this.#healthy;
  }

  /** Calls back after each call of the methods below, until the answered function is called. */
  onChange(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** The process serves requests. */
  ready(): void {
    if (!this.#ready) this.#log.info('changing probe status', { status: 'ready' });
    this.#ready = true;
    this.#readyGauge.set(1);
    this.#tell();
  }

  /** The process does not serve requests for now; `reason` says why. */
  notReady(reason: string): void {
    if (this.#ready) this.#log.warn('changing probe status', { status: 'not-ready', reason });
    this.#ready = false;
    this.#readyGauge.set(0);
    this.#tell();
  }

  /** The process works and needs no restart. */
  healthy(): void {
    if (!this.#healthy) this.#log.info('changing probe status', { status: 'healthy' });
    this.#healthy = true;
    this.#healthyGauge.set(1);
    this.#tell();
  }

  /** The process should be restarted; `reason` says why. */
  notHealthy(reason: string): void {
    if (this.#healthy) this.#log.warn('changing probe status', { status: 'not-healthy', reason });
    this.#healthy = false;
    this.#healthyGauge.set(0);
    this.#tell();
  }

  #tell(): void {
    for (const listener of this.#listeners) listener();
  }
}
