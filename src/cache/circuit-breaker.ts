/**
 * Stops asking a server that fails, and tries it again after a while.
 *
 *   closed --too many failures--> open --open_duration--> half-open --enough successes--> closed
 *                                  ^-------------------one failure----------'
 *
 * Behaviour: thanos pkg/cacheutil/cacheutil.go on sony/gobreaker.
 */
import type { Clock } from '../lib/clock.ts';
import { CodedError } from '../lib/errors.ts';

/** `set_async_circuit_breaker_config`. */
export interface CircuitBreakerConfig {
  readonly enabled: boolean;
  /** How many may pass while it is half-open, and how many of them must succeed; 0 is 1. */
  readonly halfOpenMaxRequests: number;
  /** 0 is a minute. */
  readonly openDurationMs: number;
  /** It stays closed before so many requests. */
  readonly minRequests: number;
  readonly consecutiveFailures: number;
  /** 0 to 1. */
  readonly failurePercent: number;
}

/** How long requests are counted while it is closed. */
const INTERVAL_MS = 10_000;
const OPEN_MS_DEFAULT = 60_000;

/** Thrown in place of asking. */
export class CircuitOpenError extends CodedError {
  constructor(message: string) {
    super('unavailable', message);
    this.name = 'CircuitOpenError';
  }
}

type State = 'closed' | 'half-open' | 'open';

/** One circuit. */
export class CircuitBreaker {
  readonly #config: CircuitBreakerConfig;
  readonly #clock: Clock;
  #state: State = 'closed';
  /** What belongs to a former state does not count. */
  #generation = 0;
  #expires: number;
  #counts = { requests: 0, failures: 0, successesInRow: 0, failuresInRow: 0 };

  constructor(config: CircuitBreakerConfig, clock: Clock) {
    this.#config = config;
    this.#clock = clock;
    this.#expires = clock.monotonic() + INTERVAL_MS;
  }

  /** Does the work, or throws {@link CircuitOpenError} instead. */
  async run<T>(work: () => Promise<T>): Promise<T> {
    if (!this.#config.enabled) return work();
    const generation = this.#begin();
    try {
      const result = await work();
      this.#end(generation, true);
      return result;
    } catch (thrown) {
      this.#end(generation, false);
      throw thrown;
    }
  }

  #begin(): number {
    this.#refresh();
    if (this.#state === 'open') throw new CircuitOpenError('circuit breaker is open');
    const passing = Math.max(1, this.#config.halfOpenMaxRequests);
    if (this.#state === 'half-open' && this.#counts.requests >= passing) {
      throw new CircuitOpenError('too many requests');
    }
    this.#counts.requests++;
    return this.#generation;
  }

  #end(generation: number, success: boolean): void {
    this.#refresh();
    if (generation !== this.#generation) return;
    const counts = this.#counts;
    if (success) {
      counts.successesInRow++;
      counts.failuresInRow = 0;
      const wanted = Math.max(1, this.#config.halfOpenMaxRequests);
      if (this.#state === 'half-open' && counts.successesInRow >= wanted) this.#enter('closed');
      return;
    }
    counts.failures++;
    counts.failuresInRow++;
    counts.successesInRow = 0;
    if (this.#state === 'half-open' || this.#isTooBad()) this.#enter('open');
  }

  #isTooBad(): boolean {
    const { minRequests, consecutiveFailures, failurePercent } = this.#config;
    const { requests, failures, failuresInRow } = this.#counts;
    if (requests < minRequests) return false;
    return failuresInRow >= consecutiveFailures || failures / requests >= failurePercent;
  }

  /** Time alone ends a period of counting and the open state. */
  #refresh(): void {
    if (this.#clock.monotonic() <= this.#expires) return;
    if (this.#state === 'closed') this.#enter('closed');
    else if (this.#state === 'open') this.#enter('half-open');
  }

  #enter(state: State): void {
    this.#state = state;
    this.#generation++;
    this.#counts = { requests: 0, failures: 0, successesInRow: 0, failuresInRow: 0 };
    const now = this.#clock.monotonic();
    if (state === 'closed') this.#expires = now + INTERVAL_MS;
    else if (state === 'half-open') this.#expires = Infinity;
    else this.#expires = now + (this.#config.openDurationMs || OPEN_MS_DEFAULT);
  }
}
