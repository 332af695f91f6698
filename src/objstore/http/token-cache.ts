/** A token that is asked for when it is needed, kept until shortly before it ends, and asked for once at a time. */
import type { Clock } from '../../lib/clock.ts';

/** A token. */
export interface AccessToken<T = string> {
  readonly value: T;
  /** ms since the epoch; undefined for one whose end is not known. */
  readonly expiresAt?: number | undefined;
}

/** limit: 5 min before its end, or at half of its time, a token is renewed while the old one works. */
const EARLY_MS = 5 * 60_000;

/** Keeps one token. */
export class TokenCache<T = string> {
  readonly #load: () => Promise<AccessToken<T>>;
  readonly #clock: Clock;
  #loading: Promise<AccessToken<T>> | undefined;
  #current: AccessToken<T> | undefined;
  #renewAt = 0;

  constructor(load: () => Promise<AccessToken<T>>, clock: Clock) {
    this.#load = load;
    this.#clock = clock;
  }

  /** The token. @throws what loading it throws, unless the old one still works. */
  async get(): Promise<T> {
    const now = this.#clock.now();
    if (this.#current !== undefined && now < this.#renewAt) return this.#current.value;
    this.#loading ??= this.#load().finally(() => {
      this.#loading = undefined;
    });
    try {
      const token = await this.#loading;
      this.#current = token;
      this.#renewAt = renewalOf(token, now);
      return token.value;
    } catch (thrown) {
      const { value, expiresAt = 0 } = this.#current ?? {};
      if (value === undefined || expiresAt <= now) throw thrown;
      return value;
    }
  }

  /** The store did not take it. */
  expire(): void {
    this.#current = undefined;
  }
}

function renewalOf({ expiresAt }: AccessToken<unknown>, now: number): number {
  if (expiresAt === undefined) return Infinity;
  return Math.max(expiresAt - EARLY_MS, now + (expiresAt - now) / 2);
}
