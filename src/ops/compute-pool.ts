/**
 * The compute pool: worker threads that decode, evaluate and ingest, so that the main thread only does I/O.
 *
 * Tasks go to the least busy worker, or by name to the one where their state lives. Workers start at first need. One
 * that dies fails the task that it was at, and is started anew by the next one; what else it had is run again. A
 * dedicated worker that dies is its owner's to handle, because its state is gone.
 *
 * A cancelled task sees a flag in shared memory, also inside its loops. One that does not look at it is ended with its
 * worker.
 */
import { availableParallelism } from 'node:os';
import { CodedError } from '../lib/errors.ts';
import type { Logger } from '../lib/log.ts';
import { BystanderError, PoolWorker } from './pool-worker.ts';
import { CONTROL_BYTES } from './worker-protocol.ts';
import type { AskMessage, WorkerInit } from './worker-protocol.ts';

/** limit: tasks under way in one process; each has a word in the cancel flags. */
const SLOTS = 16384;

/** limit: how long a cancelled task may go on computing without a look at its flag, ms. */
const CANCEL_GRACE_MS = 25;

/** How a pool is made. */
export interface ComputePoolOptions {
  /** The module that workers run; it calls serveTasks. */
  readonly workerUrl: URL;
  /** Shared workers; default one a core. */
  readonly size?: number;
  /** Given to every worker: shared memories, paths. Read when a worker starts. */
  readonly data: () => unknown;
  readonly log: Logger;
}

/** How one task is run. */
export interface RunOptions {
  /** Buffers that move to the worker. */
  readonly transfer?: readonly ArrayBuffer[];
  readonly signal?: AbortSignal | undefined;
  /** The dedicated worker to run on. */
  readonly worker?: string;
}

/** Which worker a task goes to: a dedicated one, or a shared one other than this. */
interface Where {
  readonly name?: string | undefined;
  readonly not?: PoolWorker;
}

/** Counts for metrics. */
export interface PoolStats {
  readonly workers: number;
  readonly running: number;
  readonly started: number;
  /** Workers that ended by themselves. */
  readonly died: number;
  /** Workers that were ended because a cancelled task did not stop. */
  readonly ended: number;
}

/** Worker threads and the tasks they run. */
export class ComputePool {
  readonly #options: ComputePoolOptions;
  readonly #size: number;
  readonly #cancelFlags = new SharedArrayBuffer(SLOTS * 4);
  readonly #flags = new Int32Array(this.#cancelFlags);
  readonly #freeSlots: number[] = Array.from({ length: SLOTS - 1 }, (_, i) => SLOTS - 1 - i);
  /** How many tasks run that a slot's task asked for, and slots whose own task has ended before those. */
  readonly #asked = new Uint32Array(SLOTS);
  readonly #orphaned = new Set<number>();
  readonly #shared: PoolWorker[] = [];
  readonly #dedicated = new Map<string, PoolWorker>();
  #nextId = 1;
  #nextName = 0;
  #started = 0;
  #died = 0;
  #ended = 0;
  #closed = false;

  constructor(options: ComputePoolOptions) {
    this.#options = options;
    this.#size = options.size ?? availableParallelism();
  }

  /** How many shared workers there can be: what a query may spread over. */
  get size(): number {
    return this.#size;
  }

  /** Current figures. */
  get stats(): PoolStats {
    const workers = [...this.#shared, ...this.#dedicated.values()];
    const running = workers.reduce((n, worker) => n + worker.running, 0);
    return {
      workers: workers.length,
      running,
      started: this.#started,
      died: this.#died,
      ended: this.#ended,
    };
  }

  /**
   * Runs a task and answers its value.
   * @throws CodedError as the task threw it; canceled when the signal fires; internal when the worker dies of it.
   */
  async run(task: string, payload: unknown, options: RunOptions = {}): Promise<unknown> {
    const slot = this.#freeSlots.pop();
    if (slot === undefined) throw new CodedError('unavailable', `${SLOTS} tasks are under way`);
    const cancel = (): void => this.#cancel(slot);
    const { signal } = options;
    if (signal?.aborted === true) cancel();
    else signal?.addEventListener('abort', cancel, { once: true });
    try {
      const where = { name: options.worker };
      return await this.#dispatch(task, payload, slot, where, options.transfer ?? []);
    } finally {
      signal?.removeEventListener('abort', cancel);
      this.#releaseSlot(slot);
    }
  }

  /** Starts a dedicated worker; `onDeath` hears of an end that nobody asked for. */
  dedicate(name: string, onDeath: (reason: string) => void): void {
    const worker = this.#start(name, (reason) => {
      this.#dedicated.delete(name);
      onDeath(reason);
    });
    this.#dedicated.set(name, worker);
  }

  /** Ends all workers; running tasks fail. */
  async close(): Promise<void> {
    this.#closed = true;
    const workers = [...this.#shared, ...this.#dedicated.values()];
    await Promise.all(workers.map((worker) => worker.terminate()));
  }

  /** Tells the tasks of a slot to stop, and sees to it that they do. */
  #cancel(slot: number): void {
    Atomics.store(this.#flags, slot, 1);
    // Answers that lie in the queue already are read before anybody is ended.
    setTimeout(() => setImmediate(() => this.#endStuck(slot)), CANCEL_GRACE_MS).unref();
  }

  /** Ends the workers that a cancelled task keeps busy; one that waits for its turn is looked at again later. */
  #endStuck(slot: number): void {
    if (this.#closed || Atomics.load(this.#flags, slot) === 0) return;
    const busy = this.#shared.filter((worker) => worker.has(slot));
    if (busy.length === 0) return;
    for (const worker of busy) {
      if (!worker.endIfStuck(slot)) continue;
      this.#ended++;
      this.#shared.splice(this.#shared.indexOf(worker), 1);
      // Whoever comes next need not wait for it to start.
      this.#startShared();
      this.#options.log.debug('a cancelled task did not stop, its worker was ended', {
        worker: worker.name,
      });
    }
    this.#cancel(slot);
  }

  /** Gives a task's slot back, at once or when the last task that it asked for has ended. */
  #releaseSlot(slot: number): void {
    if (this.#asked[slot] === 0) {
      Atomics.store(this.#flags, slot, 0);
      this.#freeSlots.push(slot);
      return;
    }
    // Nobody waits for what still runs: it is told to stop, and the slot must not say otherwise before it has.
    this.#orphaned.add(slot);
    this.#cancel(slot);
  }

  /** Runs a task for a task of another worker, under the same slot. */
  async #ask({ task, payload, slot, elsewhere }: AskMessage, asker: PoolWorker): Promise<unknown> {
    this.#asked[slot] = (this.#asked[slot] ?? 0) + 1;
    try {
      return await this.#dispatch(task, payload, slot, elsewhere ? { not: asker } : {}, []);
    } finally {
      const left = (this.#asked[slot] ?? 0) - 1;
      this.#asked[slot] = left;
      if (left === 0 && this.#orphaned.delete(slot)) this.#releaseSlot(slot);
    }
  }

  /** Hands a task to a worker, and to another one when that ended because of a task that it ran beside it. */
  async #dispatch(
    task: string,
    payload: unknown,
    slot: number,
    where: Where,
    transfer: readonly ArrayBuffer[],
  ): Promise<unknown> {
    try {
      return await this.#send(task, payload, slot, where, transfer);
    } catch (thrown) {
      // What has moved to the worker is gone with it, and the state of a dedicated worker, too.
      const isFree = where.name === undefined && transfer.length === 0;
      if (!(thrown instanceof BystanderError && isFree)) throw thrown;
      return this.#send(task, payload, slot, where, []);
    }
  }

  #send(
    task: string,
    payload: unknown,
    slot: number,
    { name, not }: Where,
    transfer: readonly ArrayBuffer[],
  ): Promise<unknown> {
    if (this.#closed) throw new CodedError('canceled', 'the process is stopping');
    const worker = name === undefined ? this.#leastBusy(not) : this.#dedicated.get(name);
    if (worker === undefined) throw new CodedError('unavailable', `worker ${name} is not running`);
    const id = this.#nextId++;
    return worker.run({ kind: 'run', id, task, payload, slot }, transfer);
  }

  /** The shared worker that has least to do; another one than `not` unless there can be no other. */
  #leastBusy(not?: PoolWorker): PoolWorker {
    let best: PoolWorker | undefined;
    for (const worker of this.#shared) {
      if (worker === not && this.#size > 1) continue;
      if (best === undefined || worker.running < best.running) best = worker;
    }
    if (best !== undefined && (best.running === 0 || this.#shared.length >= this.#size))
      return best;
    return this.#startShared();
  }

  #startShared(): PoolWorker {
    const fresh = this.#start(`compute-${this.#nextName++}`, (reason) => {
      this.#options.log.error('compute worker died, its query failed', { reason });
      const at = this.#shared.indexOf(fresh);
      if (at >= 0) this.#shared.splice(at, 1);
    });
    this.#shared.push(fresh);
    return fresh;
  }

  #start(name: string, onDeath: (reason: string) => void): PoolWorker {
    this.#started++;
    const init: WorkerInit = {
      name,
      cancelFlags: this.#cancelFlags,
      control: new SharedArrayBuffer(CONTROL_BYTES),
      data: this.#options.data(),
    };
    const worker: PoolWorker = new PoolWorker(this.#options.workerUrl, init, {
      log: this.#options.log,
      ask: (message) => this.#ask(message, worker),
      died: (reason) => {
        if (this.#closed) return;
        this.#died++;
        onDeath(reason);
      },
    });
    return worker;
  }
}
