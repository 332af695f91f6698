/**
 * When an acknowledged sample is durable: the policies of `--wal.fsync`.
 *
 * segment   at once: the operating system has it, so it survives the process (Prometheus' policy)
 * interval  after the next fsync, at most 100 ms later, shared by all writes of that time
 * always    after an fsync of its own, shared only with writes that were already waiting
 */
/** A value of `--wal.fsync`. */
export type FsyncPolicy = 'segment' | 'interval' | 'always';

/** A log that can be made durable: {@link WalWriter}. */
export interface Syncable {
  /** Makes everything logged so far durable. @throws CodedError unavailable. */
  sync(): void;
}

/** How long writes wait for company under `interval`. */
const INTERVAL_MS = 100;

/** Lets writers wait for an fsync of the logs. */
export class GroupCommit {
  readonly #logs: readonly Syncable[];
  readonly #policy: FsyncPolicy;
  #next: Promise<void> | undefined;

  constructor(logs: readonly Syncable[], policy: FsyncPolicy) {
    this.#logs = logs;
    this.#policy = policy;
  }

  /** Resolves when everything logged so far is as durable as the policy promises. @throws CodedError unavailable. */
  durable(): Promise<void> {
    if (this.#policy === 'segment') return Promise.resolve();
    this.#next ??= this.#schedule();
    return this.#next;
  }

  #schedule(): Promise<void> {
    return new Promise((resolve, reject) => {
      const sync = (): void => {
        this.#next = undefined;
        try {
          for (const log of this.#logs) log.sync();
          resolve();
        } catch (thrown) {
          reject(thrown);
        }
      };
      // setImmediate runs after the messages that have arrived: those writes share this fsync.
      if (this.#policy === 'always') setImmediate(sync);
      else setTimeout(sync, INTERVAL_MS);
    });
  }
}
