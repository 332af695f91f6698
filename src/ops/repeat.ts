/** Work that is done again and again, one round at a time. */

/** Calls `round` when started, and then `intervalMs` after the end of each round. */
export class Repetition {
  readonly #intervalMs: number;
  readonly #round: () => Promise<void>;
  #timer: NodeJS.Timeout | undefined;
  #running: Promise<void> | undefined;
  #state: 'idle' | 'started' | 'stopped' = 'idle';

  /** A round does not reject. */
  constructor(intervalMs: number, round: () => Promise<void>) {
    this.#intervalMs = intervalMs;
    this.#round = round;
  }

  start(): void {
    this.#state = 'started';
    this.#begin();
  }

  /** Starts with a pause: the first round has been done otherwise. */
  startLater(): void {
    this.#state = 'started';
    this.#timer = setTimeout(() => this.#begin(), this.#intervalMs);
  }

  /** Begins a round now, unless one is under way. */
  nudge(): void {
    if (this.#state === 'started' && this.#running === undefined) this.#begin();
  }

  /** Ends it; resolves when the round under way has ended. */
  async stop(): Promise<void> {
    this.#state = 'stopped';
    clearTimeout(this.#timer);
    await this.#running;
  }

  #begin(): void {
    clearTimeout(this.#timer);
    this.#running = this.#round().then(() => {
      this.#running = undefined;
      if (this.#state === 'started')
        this.#timer = setTimeout(() => this.#begin(), this.#intervalMs);
    });
  }
}
