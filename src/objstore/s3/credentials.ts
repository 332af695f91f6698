/** Who signs requests to S3, and where that is known from. Order as in objstore s3.go: environment, file, IAM. */
import type { Clock } from '../../lib/clock.ts';

/** A key with its secret. */
export interface Credentials {
  readonly accessKey: string;
  readonly secretKey: string;
  /** '' for keys that do not end. */
  readonly sessionToken: string;
  /** ms since the epoch; undefined for keys that do not end. */
  readonly expiresAt?: number | undefined;
}

/** One place where credentials may be found: undefined when it has none. @throws CodedError when it should have. */
export interface CredentialsSource {
  /** For messages. */
  readonly name: string;
  load(): Promise<Credentials | undefined>;
}

/** Credentials that are renewed before they end; undefined for a bucket that is open to all. */
export interface CredentialsProvider {
  get(): Promise<Credentials | undefined>;
  /** The store did not take them: the next {@link get} asks anew. */
  expire(): void;
  /** A sentence about where none were found, for errors; '' otherwise. */
  hint(): string;
}

/** limit: 5 min before credentials end they are renewed, while the old ones still work. */
const EARLY_MS = 5 * 60_000;
/** limit: a renewal that failed is tried again after so long as the old credentials work. */
const AGAIN_MS = 10_000;

/** Keys from the configuration. */
export function staticCredentials(credentials: Credentials): CredentialsProvider {
  return {
    get: () => Promise.resolve(credentials),
    expire: () => undefined,
    hint: () => '',
  };
}

/** The first of several sources that has some. Concurrent calls load once. */
export class ChainedCredentials implements CredentialsProvider {
  readonly #sources: readonly CredentialsSource[];
  readonly #clock: Clock;
  #loading: Promise<Credentials | undefined> | undefined;
  #current: Credentials | undefined;
  #renewAt = 0;
  #foundNone = false;

  constructor(sources: readonly CredentialsSource[], clock: Clock) {
    this.#sources = sources;
    this.#clock = clock;
  }

  async get(): Promise<Credentials | undefined> {
    if (this.#clock.now() < this.#renewAt) return this.#current;
    this.#loading ??= this.#load().finally(() => {
      this.#loading = undefined;
    });
    return this.#loading;
  }

  expire(): void {
    this.#renewAt = 0;
  }

  hint(): string {
    if (!this.#foundNone) return '';
    return `no credentials were found in ${this.#sources.map(({ name }) => name).join(', ')}`;
  }

  async #load(): Promise<Credentials | undefined> {
    const now = this.#clock.now();
    try {
      const found = await this.#first();
      this.#current = found;
      this.#foundNone = found === undefined;
      this.#renewAt = found === undefined ? now + EARLY_MS : renewalOf(found, now);
      return found;
    } catch (thrown) {
      const { expiresAt } = this.#current ?? {};
      if (this.#current === undefined || (expiresAt ?? 0) <= now) throw thrown;
      this.#renewAt = Math.min(now + AGAIN_MS, expiresAt ?? now);
      return this.#current;
    }
  }

  async #first(): Promise<Credentials | undefined> {
    for (const source of this.#sources) {
      const found = await source.load();
      if (found !== undefined) return found;
    }
    return undefined;
  }
}

function renewalOf({ expiresAt }: Credentials, now: number): number {
  if (expiresAt === undefined) return Infinity;
  // Short-lived ones are used for most of their time.
  return Math.max(expiresAt - EARLY_MS, now + (expiresAt - now) / 2);
}
