/** A bounded number of things at once; the others wait in order. */
import { CodedError } from './errors.ts';

/** Lets at most `size` holders in at a time, first come, first served. */
export class Gate {
  readonly #size: number;
  #held = 0;
  readonly #waiting: { enter: () => void }[] = [];

  constructor(size: number) {
    this.#size = size;
  }

  /** How many are inside. */
  get held(): number {
    return this.#held;
  }

  /** How many wait. */
  get waiting(): number {
    return this.#waiting.length;
  }

  /** Runs `work` once there is room. @throws CodedError canceled when the signal fires while it waits. */
  async run<T>(signal: AbortSignal | undefined, work: () => Promise<T>): Promise<T> {
    if (this.#held >= this.#size) await this.#wait(signal);
    else this.#held++;
    try {
      return await work();
    } finally {
      // The place passes to the next in line without becoming free in between, or a newcomer could take it.
      const next = this.#waiting.shift();
      if (next === undefined) this.#held--;
      else next.enter();
    }
  }

  #wait(signal: AbortSignal | undefined): Promise<void> {
    return new Promise((resolve, reject) => {
      const entry = {
        enter: (): void => {
          signal?.removeEventListener('abort', leave);
          resolve();
        },
      };
      const leave = (): void => {
        const at = this.#waiting.indexOf(entry);
        if (at >= 0) this.#waiting.splice(at, 1);
        reject(new CodedError('canceled', 'query was canceled while waiting for its turn'));
      };
      this.#waiting.push(entry);
      if (signal?.aborted === true) leave();
      else signal?.addEventListener('abort', leave, { once: true });
    });
  }
}
