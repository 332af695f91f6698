/** A log that a cache which is down does not fill: one line of a kind in ten seconds, which says how many were left out. */
import type { Clock } from '../lib/clock.ts';
import { errorText } from '../lib/errors.ts';
import type { Logger, LogValue } from '../lib/log.ts';

/** limit: of lines of one kind. */
const INTERVAL_MS = 10_000;

interface Kind {
  /** When the next line may be written, by the monotonic clock. */
  next: number;
  left: number;
}

/** Warnings that repeat. */
export class QuietLog {
  readonly #log: Logger;
  readonly #clock: Clock;
  readonly #kinds = new Map<string, Kind>();

  constructor(log: Logger, clock: Clock) {
    this.#log = log;
    this.#clock = clock;
  }

  /** Writes a warning unless one with this message was written lately. Messages are constants. */
  warn(msg: string, thrown: unknown, fields: Record<string, LogValue> = {}): void {
    const now = this.#clock.monotonic();
    const kind = this.#kinds.get(msg) ?? { next: now, left: 0 };
    this.#kinds.set(msg, kind);
    if (now < kind.next) {
      kind.left++;
      return;
    }
    const left = kind.left === 0 ? {} : { notLogged: kind.left };
    this.#log.warn(msg, { ...fields, err: errorText(thrown), ...left });
    kind.next = now + INTERVAL_MS;
    kind.left = 0;
  }
}
