/**
 * Limits of one call of the StoreAPI. Behaviour and texts: thanos pkg/store/limiter.go.
 */
import { CodedError } from '../../lib/errors.ts';

/** A call asked for more than a limit allows: ResourceExhausted for its client. */
export class LimitError extends CodedError {
  constructor(message: string) {
    super('too_large', message);
    this.name = 'LimitError';
  }
}

/** Counts what a call takes against a limit. */
export class Limiter {
  readonly #limit: number;
  readonly #failed: () => void;
  #reserved = 0;
  #hasFailed = false;

  /** A limit of 0 is none. `failed` is called once, at the first refusal. */
  constructor(limit: number, failed: () => void = () => undefined) {
    this.#limit = limit;
    this.#failed = failed;
  }

  /** Takes so many more; `what` begins the sentence of a refusal. @throws LimitError. */
  reserve(count: number, what: string): void {
    if (this.#limit === 0) return;
    this.#reserved += count;
    if (this.#reserved <= this.#limit) return;
    if (!this.#hasFailed) this.#failed();
    this.#hasFailed = true;
    throw new LimitError(`${what}: limit ${this.#limit} violated (got ${this.#reserved})`);
  }
}

/**
 * Bytes that all calls of a process may hold at once. What is asked for beyond it is refused: a query fails rather than the
 * process.
 */
export class ByteBudget {
  readonly #what: string;
  readonly #limit: number;
  #used = 0;
  #peak = 0;

  /** `what` names the budget in messages; a limit of 0 is none. */
  constructor(what: string, limit: number) {
    this.#what = what;
    this.#limit = limit;
  }

  get limit(): number {
    return this.#limit;
  }

  /** Bytes that are held now, and the most that ever were. */
  get used(): number {
    return this.#used;
  }

  get peak(): number {
    return this.#peak;
  }

  /** Takes bytes until {@link release}. @throws LimitError "X of Y". */
  take(bytes: number): void {
    if (this.#limit > 0 && this.#used + bytes > this.#limit) {
      throw new LimitError(
        `${this.#what}: ${this.#used + bytes} of ${this.#limit} bytes would be in use`,
      );
    }
    this.#used += bytes;
    this.#peak = Math.max(this.#peak, this.#used);
  }

  /** Gives bytes back. */
  release(bytes: number): void {
    this.#used -= bytes;
  }
}
