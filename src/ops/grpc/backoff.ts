/** How long a client waits between attempts to connect. Behaviour: gRPC's connection-backoff.md. */

/** Waits in ms. */
export interface BackoffOptions {
  readonly baseMs: number;
  readonly maxMs: number;
  readonly factor: number;
  /** Part by which a wait is longer or shorter at random. */
  readonly jitter: number;
}

/** What gRPC says. */
export const DEFAULT_BACKOFF: BackoffOptions = {
  baseMs: 1000,
  maxMs: 120_000,
  factor: 1.6,
  jitter: 0.2,
};

/** Grows with each failure in a row. */
export class Backoff {
  readonly #options: BackoffOptions;
  readonly #random: () => number;
  #failures = 0;

  /** `random` gives numbers from 0 up to 1. */
  constructor(options: BackoffOptions, random: () => number) {
    this.#options = options;
    this.#random = random;
  }

  /** The wait after another failure, in ms. */
  next(): number {
    const { baseMs, maxMs, factor, jitter } = this.#options;
    const waitMs = Math.min(baseMs * factor ** this.#failures++, maxMs);
    return waitMs * (1 + jitter * (2 * this.#random() - 1));
  }

  /** It worked: the next failure is a first one. */
  reset(): void {
    this.#failures = 0;
  }
}
