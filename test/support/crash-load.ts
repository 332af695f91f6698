/** Load for crash tests: several connections that send until the server is gone, and note every answer. */
import type { Random } from '../../src/lib/prng.ts';
import { setTimeout as sleep } from 'node:timers/promises';
import type { CrashLedger, CrashSeries, Stretch } from './crash-ledger.ts';
import { RemoteWriteSender } from './remote-write-sender.ts';
import type { WriteAnswer } from './remote-write-sender.ts';
import type { ThanosAll } from './server-process.ts';

const CONNECTIONS = 4;
const SERIES_PER_CONNECTION = 32;
/** Samples of a series in one request, at most. */
const SAMPLES_MAX = 8;
/** A request in so many also brings a series of its own, long enough that chunks of it are cut at once. */
const BURST_ONE_IN = 6;
const BURST_SAMPLES_MAX = 400;
/** Between two requests of a connection, ms, at most. */
const PAUSE_MAX_MS = 8;
/** Samples of a series that are held back for later requests, at most. */
const HELD_MAX = 6;
/** A request in so many is followed by a deletion, of so many samples of a series at most, and one in so many of those by a cleaning. */
const DELETE_ONE_IN = 12;
const DELETE_SAMPLES_MAX = 60;
const CLEAN_ONE_IN = 10;

const FLOATS_IN_ORDER: CrashSeries = { kind: 'float', takesLate: false };

/** What series of a mixed load are like, in turn. */
const MIX: readonly CrashSeries[] = [
  FLOATS_IN_ORDER,
  { kind: 'float', takesLate: true },
  { kind: 'integer', takesLate: false },
  { kind: 'floatHistogram', takesLate: true },
  FLOATS_IN_ORDER,
  { kind: 'integer', takesLate: true },
  { kind: 'float', takesLate: true },
  { kind: 'floatHistogram', takesLate: false },
];

interface Connection {
  readonly group: string;
  readonly series: readonly number[];
  /** The series of bursts. */
  readonly bursts: number[];
  /** By series: samples that come later than younger ones. */
  readonly held: Map<number, number[]>;
  /** The request that was sent and has no answer. */
  doubt: readonly Stretch[] | undefined;
}

/** Where the load goes. */
export type LoadTarget = Pick<ThanosAll, 'api' | 'write'>;

/** The senders of a crash test; they keep their series over restarts of the server. */
export class CrashLoad {
  readonly #ledger: CrashLedger;
  readonly #random: Random;
  readonly #mixed: boolean;
  readonly #connections: readonly Connection[];
  #stopped = false;
  #mayRefuse = false;
  /** Requests that were acknowledged so far, and deletions among them. */
  acknowledged = 0;
  deletions = 0;

  /**
   * Floats in order; with `mixed`, histograms, samples out of order and deletions, too: for a server with
   * `--web.enable-admin-api` and an out-of-order window of ten minutes or more.
   */
  constructor(ledger: CrashLedger, random: Random, { mixed = false } = {}) {
    this.#ledger = ledger;
    this.#random = random;
    this.#mixed = mixed;
    this.#connections = Array.from({ length: CONNECTIONS }, (_, i) => {
      const group = String(i);
      const series = Array.from({ length: SERIES_PER_CONNECTION }, (__, k) =>
        ledger.addSeries(group, this.#kind(k)),
      );
      return { group, series, bursts: [], held: new Map(), doubt: undefined };
    });
  }

  /** The groups of the ledger that it writes. */
  get groups(): readonly string[] {
    return this.#connections.map(({ group }) => group);
  }

  /**
   * All series go on at one time, so long (ms) behind the newest sample there is. With more than nothing, what was held
   * back or is in doubt is not sent any more: it may have become too old.
   */
  jump(ms: number): void {
    this.#ledger.jump(ms);
    if (ms === 0) return;
    for (const connection of this.#connections) {
      connection.held.clear();
      connection.doubt = undefined;
    }
  }

  /**
   * Sends until {@link stop} or until the server is gone; what had no answer before is first sent again, or given up.
   * A connection that is answered 503 also ends where `mayRefuse` says that the server may do so.
   * @throws Error when the server answers with anything else but success.
   */
  async run(target: LoadTarget, mayRefuse = false): Promise<void> {
    this.#stopped = false;
    this.#mayRefuse = mayRefuse;
    await Promise.all(this.#connections.map((connection) => this.#run(connection, target)));
  }

  /** Ends after the answers to what is under way. */
  stop(): void {
    this.#stopped = true;
  }

  #kind(i: number): CrashSeries {
    return (this.#mixed ? MIX[i % MIX.length] : undefined) ?? FLOATS_IN_ORDER;
  }

  async #run(connection: Connection, { api, write }: LoadTarget): Promise<void> {
    const sender = new RemoteWriteSender(write);
    try {
      if (connection.doubt !== undefined && this.#random.below(2) === 0) {
        const again = connection.doubt.map((stretch) => this.#ledger.again(stretch));
        const left = again.filter(({ numbers }) => numbers.length > 0);
        if (!(await this.#send(sender, connection, left))) return;
      }
      while (!this.#stopped) {
        if (!(await this.#send(sender, connection, this.#next(connection)))) return;
        if (this.#mixed && this.#random.below(DELETE_ONE_IN) === 0) {
          if (!(await this.#delete(connection, api))) return;
        }
        await sleep(this.#random.below(PAUSE_MAX_MS + 1));
      }
    } finally {
      await sender.close();
    }
  }

  #next(connection: Connection): Stretch[] {
    const count = 1 + this.#random.below(SAMPLES_MAX);
    const stretches = connection.series.map((series) => this.#take(connection, series, count));
    if (this.#random.below(BURST_ONE_IN) === 0) {
      const burst = this.#ledger.addSeries(connection.group, this.#kind(this.#random.below(8)));
      connection.bursts.push(burst);
      const samples = 1 + this.#random.below(BURST_SAMPLES_MAX);
      stretches.push(this.#take(connection, burst, samples));
    }
    return stretches.filter(({ numbers }) => numbers.length > 0);
  }

  /** The next samples of a series; some of those that may be late are held back, or come in any order. */
  #take(connection: Connection, series: number, count: number): Stretch {
    const stretch = this.#ledger.take(series, count);
    if (!this.#ledger.describe(series).takesLate) return stretch;
    const numbers = [...(connection.held.get(series) ?? []), ...stretch.numbers];
    if (this.#random.below(2) === 0) this.#random.shuffle(numbers);
    const sent = Math.max(1, numbers.length - this.#random.below(HELD_MAX + 1));
    connection.held.set(series, numbers.slice(sent));
    return { series, numbers: numbers.slice(0, sent) };
  }

  /** Whether there was an answer. */
  async #send(
    sender: RemoteWriteSender,
    connection: Connection,
    stretches: readonly Stretch[],
  ): Promise<boolean> {
    if (stretches.length === 0) return true;
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
    if (answer.status !== 200) throw refused('a write', answer.status, answer.text);
    this.#ledger.acknowledge(stretches);
    this.acknowledged++;
    return true;
  }

  /** Deletes samples of one to three series of a connection, anywhere in their past. Whether there was an answer. */
  async #delete(connection: Connection, api: string): Promise<boolean> {
    const random = this.#random;
    const all = [...connection.series, ...connection.bursts].filter(
      (series) => !this.#ledger.describe(series).takesLate,
    );
    random.shuffle(all);
    const series = all.slice(0, 1 + random.below(3));
    const count = this.#ledger.count(series[0] as number);
    if (count === 0) return true;
    // Young samples as often as old ones: those are in the head, these in blocks.
    const last = random.below(2) === 0 ? count - 1 : random.below(count);
    const from = Math.max(0, last - random.below(DELETE_SAMPLES_MAX));
    const deletion = this.#ledger.beginDelete(series, { from, to: last });
    const { selector, startMs, endMs } = deletion;
    const range = { start: String(startMs / 1000), end: String(endMs / 1000) };
    const done = await post(`${api}/api/v1/admin/tsdb/delete_series`, {
      'match[]': selector,
      ...range,
    });
    if (!done) return false;
    this.#ledger.endDelete(deletion);
    this.deletions++;
    if (random.below(CLEAN_ONE_IN) > 0) return true;
    return post(`${api}/api/v1/admin/tsdb/clean_tombstones`, {});
  }
}

/** Whether there was an answer. @throws Error when it is not the one of success. */
async function post(url: string, form: Record<string, string>): Promise<boolean> {
  let status: number;
  let text: string;
  try {
    const response = await fetch(url, { method: 'POST', body: new URLSearchParams(form) });
    status = response.status;
    text = await response.text();
  } catch {
    return false;
  }
  if (status !== 204) throw refused(url, status, text);
  return true;
}

function refused(what: string, status: number, text: string): Error {
  return new Error(`${what} was answered ${status}: ${text}`);
}
