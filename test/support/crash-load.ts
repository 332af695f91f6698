/** Load for crash tests: several connections that send until the server is gone, and note every answer. */
import type { Random } from '../../src/lib/prng.ts';
import { setTimeout as sleep } from 'node:timers/promises';
import type { CrashLedger, Stretch } from './crash-ledger.ts';
import { RemoteWriteSender } from './remote-write-sender.ts';
import type { WriteAnswer } from './remote-write-sender.ts';

const CONNECTIONS = 4;
const SERIES_PER_CONNECTION = 60;
/** Samples of a series in one request, at most. */
const SAMPLES_MAX = 8;
/** A request in so many also brings a series of its own, long enough that chunks of it are cut at once. */
const BURST_ONE_IN = 8;
const BURST_SAMPLES_MAX = 400;
/** Between two requests of a connection, ms, at most. */
const PAUSE_MAX_MS = 8;

interface Connection {
  readonly group: string;
  readonly series: readonly number[];
  /** The request that was sent and has no answer. */
  doubt: readonly Stretch[] | undefined;
}

/** The senders of a crash test; they keep their series over restarts of the server. */
export class CrashLoad {
  readonly #ledger: CrashLedger;
  readonly #random: Random;
  readonly #connections: readonly Connection[];
  #stopped = false;
  #mayRefuse = false;
  /** Requests that were acknowledged so far. */
  acknowledged = 0;

  constructor(ledger: CrashLedger, random: Random) {
    this.#ledger = ledger;
    this.#random = random;
    this.#connections = Array.from({ length: CONNECTIONS }, (_, i) => {
      const group = String(i);
      const series = Array.from({ length: SERIES_PER_CONNECTION }, () => ledger.addSeries(group));
      return { group, series, doubt: undefined };
    });
  }

  /** The groups of the ledger that it writes. */
  get groups(): readonly string[] {
    return this.#connections.map(({ group }) => group);
  }

  /**
   * Sends until {@link stop} or until the server is gone; what had no answer before is first sent again, or given up.
   * A connection that is answered 503 also ends where `mayRefuse` says that the server may do so.
   * @throws Error when the server answers with anything else but success.
   */
  async run(address: string, mayRefuse = false): Promise<void> {
    this.#stopped = false;
    this.#mayRefuse = mayRefuse;
    await Promise.all(this.#connections.map((connection) => this.#run(connection, address)));
  }

  /** Ends after the answers to what is under way. */
  stop(): void {
    this.#stopped = true;
  }

  async #run(connection: Connection, address: string): Promise<void> {
    const sender = new RemoteWriteSender(address);
    try {
      if (connection.doubt !== undefined && this.#random.below(2) === 0) {
        this.#ledger.retake(connection.doubt);
        // 409: some of it had been stored, so that it is out of order now; the rest is stored.
        if (!(await this.#send(sender, connection, connection.doubt, [200, 409]))) return;
      }
      while (!this.#stopped) {
        if (!(await this.#send(sender, connection, this.#next(connection), [200]))) return;
        await sleep(this.#random.below(PAUSE_MAX_MS + 1));
      }
    } finally {
      await sender.close();
    }
  }

  #next({ group, series }: Connection): Stretch[] {
    const count = 1 + this.#random.below(SAMPLES_MAX);
    const stretches = series.map((number) => this.#ledger.take(number, count));
    if (this.#random.below(BURST_ONE_IN) === 0) {
      const burst = this.#ledger.addSeries(group);
      stretches.push(this.#ledger.take(burst, 1 + this.#random.below(BURST_SAMPLES_MAX)));
    }
    return stretches;
  }

  /** Whether there was an answer. */
  async #send(
    sender: RemoteWriteSender,
    connection: Connection,
    stretches: readonly Stretch[],
    accepted: readonly number[],
  ): Promise<boolean> {
    connection.doubt = stretches;
    let answer: WriteAnswer;
    try {
      answer = await sender.send(this.#ledger.request(stretches));
    } catch {
      return false;
    }
    connection.doubt = undefined;
    if (answer.status === 503 && this.#mayRefuse) {
      this.#ledger.refuse(stretches);
      return false;
    }
    if (!accepted.includes(answer.status)) {
      throw new Error(`the server answered ${answer.status}: ${answer.text}`);
    }
    this.#ledger.acknowledge(stretches);
    this.acknowledged++;
    return true;
  }
}
