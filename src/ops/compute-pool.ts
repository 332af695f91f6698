/**
 * The compute pool: worker threads that decode, evaluate and ingest, so that the main thread only does I/O.
 *
 * Tasks go to the least busy worker, or by name to the one where their state lives. Workers start at first need. One
 * that dies fails its tasks and is started anew by the next one; a dedicated worker that dies is its owner's to
 * handle, because its state is gone.
 */
import { availableParallelism } from 'node:os';
import { Worker } from 'node:worker_threads';
import { CodedError, errorText } from '../lib/errors.ts';
import type { Logger } from '../lib/log.ts';
import { Transfer, fromWireError, post, toWireError } from './worker-protocol.ts';
import type { RunMessage, WorkerInit, WorkerMessage } from './worker-protocol.ts';

/** limit: tasks under way in one process; each has a word in the cancel flags. */
const SLOTS = 16384;

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

/** Counts for metrics. */
export interface PoolStats {
  readonly workers: number;
  readonly running: number;
  readonly started: number;
  readonly died: number;
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
  #started = 0;
  #died = 0;
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
    return { workers: workers.length, running, started: this.#started, died: this.#died };
  }

  /**
   * Runs a task and answers its value.
   * @throws CodedError as the task threw it; canceled when the signal fires; internal when the worker dies.
   */
  async run(task: string, payload: unknown, options: RunOptions = {}): Promise<unknown> {
    const slot = this.#freeSlots.pop();
    if (slot === undefined) throw new CodedError('unavailable', `${SLOTS} tasks are under way`);
    const cancel = (): void => {
      Atomics.store(this.#flags, slot, 1);
    };
    const { signal } = options;
    if (signal?.aborted === true) cancel();
    else signal?.addEventListener('abort', cancel, { once: true });
    try {
      return await this.#dispatch(task, payload, slot, options.worker, options.transfer ?? []);
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

  /** Gives a task's slot back, at once or when the last task that it asked for has ended. */
  #releaseSlot(slot: number): void {
    if (this.#asked[slot] === 0) {
      Atomics.store(this.#flags, slot, 0);
      this.#freeSlots.push(slot);
      return;
    }
    // Nobody waits for what still runs: it is told to stop, and the slot must not say otherwise before it has.
    Atomics.store(this.#flags, slot, 1);
    this.#orphaned.add(slot);
  }

  /** Runs a task for a task of another worker, under the same slot. */
  async #ask(task: string, payload: unknown, slot: number): Promise<unknown> {
    this.#asked[slot] = (this.#asked[slot] ?? 0) + 1;
    try {
      return await this.#dispatch(task, payload, slot, undefined, []);
    } finally {
      const left = (this.#asked[slot] ?? 0) - 1;
      this.#asked[slot] = left;
      if (left === 0 && this.#orphaned.delete(slot)) this.#releaseSlot(slot);
    }
  }

  #dispatch(
    task: string,
    payload: unknown,
    slot: number,
    name: string | undefined,
    transfer: readonly ArrayBuffer[],
  ): Promise<unknown> {
    if (this.#closed) throw new CodedError('canceled', 'the process is stopping');
    const worker = name === undefined ? this.#leastBusy() : this.#dedicated.get(name);
    if (worker === undefined) throw new CodedError('unavailable', `worker ${name} is not running`);
    const id = this.#nextId++;
    return worker.run({ kind: 'run', id, task, payload, slot }, transfer);
  }

  #leastBusy(): PoolWorker {
    let best: PoolWorker | undefined;
    for (const worker of this.#shared) {
      if (best === undefined || worker.running < best.running) best = worker;
    }
    if (best !== undefined && (best.running === 0 || this.#shared.length >= this.#size))
      return best;
    const fresh = this.#start(`compute-${this.#shared.length}`, (reason) => {
      this.#options.log.error('compute worker died, its queries failed', { reason });
      const at = this.#shared.indexOf(fresh);
      if (at >= 0) this.#shared.splice(at, 1);
    });
    this.#shared.push(fresh);
    return fresh;
  }

  #start(name: string, onDeath: (reason: string) => void): PoolWorker {
    this.#started++;
    const init: WorkerInit = { name, cancelFlags: this.#cancelFlags, data: this.#options.data() };
    return new PoolWorker(this.#options.workerUrl, init, {
      log: this.#options.log,
      ask: (task, payload, slot) => this.#ask(task, payload, slot),
      died: (reason) => {
        if (this.#closed) return;
        this.#died++;
        onDeath(reason);
      },
    });
  }
}

/** What a worker needs of its pool. */
interface PoolCallbacks {
  readonly log: Logger;
  ask(task: string, payload: unknown, slot: number): Promise<unknown>;
  died(reason: string): void;
}

class PoolWorker {
  readonly #worker: Worker;
  readonly #callbacks: PoolCallbacks;
  readonly #pending = new Map<
    number,
    { resolve(value: unknown): void; reject(error: Error): void }
  >();
  #problem = '';

  constructor(url: URL, init: WorkerInit, callbacks: PoolCallbacks) {
    this.#callbacks = callbacks;
    this.#worker = new Worker(url, { workerData: init, name: init.name });
    this.#worker.on('message', (message: WorkerMessage) => this.#onMessage(message));
    this.#worker.on('error', (error) => {
      this.#problem = errorText(error);
    });
    this.#worker.on('exit', (code) => this.#onExit(init.name, code));
  }

  /** How many tasks it has not answered. */
  get running(): number {
    return this.#pending.size;
  }

  run(message: RunMessage, transfer: readonly ArrayBuffer[]): Promise<unknown> {
    return new Promise((resolve, reject) => {
      this.#pending.set(message.id, { resolve, reject });
      try {
        this.#worker.postMessage(message, [...transfer]);
      } catch (thrown) {
        this.#pending.delete(message.id);
        reject(thrown instanceof Error ? thrown : new Error(String(thrown)));
      }
    });
  }

  async terminate(): Promise<void> {
    await this.#worker.terminate();
  }

  #onMessage(message: WorkerMessage): void {
    if (message.kind === 'log') {
      this.#callbacks.log[message.level](message.msg, message.fields);
    } else if (message.kind === 'ask') {
      void this.#answer(message.id, message.task, message.payload, message.slot);
    } else {
      const task = this.#pending.get(message.id);
      this.#pending.delete(message.id);
      if (message.kind === 'done') task?.resolve(message.value);
      else task?.reject(fromWireError(message.error));
    }
  }

  /** Runs a task for a task of this worker and hands the outcome back. */
  async #answer(id: number, task: string, payload: unknown, slot: number): Promise<void> {
    try {
      const value = await this.#callbacks.ask(task, payload, slot);
      post(this.#worker, { kind: 'answer', id, value }, new Transfer(value, buffersOf(value)));
    } catch (thrown) {
      this.#worker.postMessage({ kind: 'refused', id, error: toWireError(thrown) });
    }
  }

  #onExit(name: string, code: number): void {
    const reason = this.#problem === '' ? `worker ${name} exited with code ${code}` : this.#problem;
    for (const task of this.#pending.values()) {
      task.reject(new CodedError('internal', `worker ${name} died: ${reason}`));
    }
    this.#pending.clear();
    this.#callbacks.died(reason);
  }
}

/** The unshared buffers at the top of a value, which can move on instead of being copied again. */
function buffersOf(value: unknown): ArrayBuffer[] {
  const found = new Set<ArrayBuffer>();
  for (const item of Object.values(typeof value === 'object' && value !== null ? value : {})) {
    if (ArrayBuffer.isView(item) && item.buffer instanceof ArrayBuffer) found.add(item.buffer);
  }
  return [...found];
}
