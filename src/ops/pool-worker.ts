/** One worker thread of the compute pool, seen from the main thread: tasks it has not answered, its end. */
import { Worker } from 'node:worker_threads';
import { CodedError, errorText } from '../lib/errors.ts';
import type { Logger } from '../lib/log.ts';
import { condemn } from '../lib/shield.ts';
import { CONTROL, Transfer, fromWireError, post, toWireError } from './worker-protocol.ts';
import type { AskMessage, RunMessage, WorkerInit, WorkerMessage } from './worker-protocol.ts';

/** What a worker needs of its pool. */
export interface PoolCallbacks {
  readonly log: Logger;
  ask(message: AskMessage): Promise<unknown>;
  /** The thread has ended, and nobody asked it to. */
  died(reason: string): void;
}

/** How a task fails whose worker ended because of another task: it may be run again. */
export class BystanderError extends CodedError {
  constructor(reason: string) {
    super('internal', reason);
    this.name = 'BystanderError';
  }
}

/** How a task fails that needed more memory than its thread may have. */
export class WorkerMemoryError extends CodedError {
  constructor(reason: string) {
    super('too_large', reason);
    this.name = 'WorkerMemoryError';
  }
}

interface Pending {
  readonly slot: number;
  resolve(value: unknown): void;
  reject(error: Error): void;
}

/** A thread and its unanswered tasks. */
export class PoolWorker {
  readonly #name: string;
  readonly #worker: Worker;
  readonly #control: Int32Array;
  readonly #callbacks: PoolCallbacks;
  readonly #pending = new Map<number, Pending>();
  #problem = '';
  #outOfMemory = false;
  /** The slot of the task that the thread is ended for. */
  #endedFor = 0;

  constructor(url: URL, init: WorkerInit, callbacks: PoolCallbacks) {
    this.#name = init.name;
    this.#control = new Int32Array(init.control);
    this.#callbacks = callbacks;
    this.#worker = new Worker(url, { workerData: init, name: init.name });
    this.#worker.on('message', (message: WorkerMessage) => this.#onMessage(message));
    this.#worker.on('error', (error) => {
      this.#problem = errorText(error);
      this.#outOfMemory = (error as NodeJS.ErrnoException).code === 'ERR_WORKER_OUT_OF_MEMORY';
    });
    this.#worker.on('exit', (code) => this.#onExit(code));
  }

  get name(): string {
    return this.#name;
  }

  /** How many tasks it has not answered. */
  get running(): number {
    return this.#pending.size;
  }

  /** Whether it has a task of a slot unanswered. */
  has(slot: number): boolean {
    for (const task of this.#pending.values()) if (task.slot === slot) return true;
    return false;
  }

  run(message: RunMessage, transfer: readonly ArrayBuffer[]): Promise<unknown> {
    return new Promise((resolve, reject) => {
      this.#pending.set(message.id, { slot: message.slot, resolve, reject });
      try {
        this.#worker.postMessage(message, [...transfer]);
      } catch (thrown) {
        this.#pending.delete(message.id);
        reject(thrown instanceof Error ? thrown : new Error(String(thrown)));
      }
    });
  }

  /**
   * Ends the thread if it is at work on a cancelled task of the slot and may be ended now. Its other tasks fail with
   * {@link BystanderError}.
   * @returns whether it is being ended; no task may be given to it then.
   */
  endIfStuck(slot: number): boolean {
    if (Atomics.load(this.#control, CONTROL.atWork) !== slot) return false;
    if (!condemn(this.#control)) return false;
    this.#endedFor = slot;
    void this.#worker.terminate();
    return true;
  }

  async terminate(): Promise<void> {
    await this.#worker.terminate();
  }

  #onMessage(message: WorkerMessage): void {
    if (message.kind === 'log') {
      this.#callbacks.log[message.level](message.msg, message.fields);
    } else if (message.kind === 'ask') {
      void this.#answer(message);
    } else {
      const task = this.#pending.get(message.id);
      this.#pending.delete(message.id);
      if (message.kind === 'done') task?.resolve(message.value);
      else task?.reject(fromWireError(message.error));
    }
  }

  /** Runs a task for a task of this worker and hands the outcome back. */
  async #answer(message: AskMessage): Promise<void> {
    const { id } = message;
    try {
      const value = await this.#callbacks.ask(message);
      post(this.#worker, { kind: 'answer', id, value }, new Transfer(value, buffersOf(value)));
    } catch (thrown) {
      this.#worker.postMessage({ kind: 'refused', id, error: toWireError(thrown) });
    }
  }

  #onExit(code: number): void {
    const name = this.#name;
    const reason = this.#problem === '' ? `worker ${name} exited with code ${code}` : this.#problem;
    const ended = this.#endedFor !== 0;
    const guilty = ended ? this.#endedFor : Atomics.load(this.#control, CONTROL.atWork);
    for (const task of this.#pending.values()) {
      // Where nobody knows whose fault it is, it may be anybody's.
      const bystander = guilty !== 0 && task.slot !== guilty;
      task.reject(
        bystander ? new BystanderError(`worker ${name} died: ${reason}`) : this.#fault(reason),
      );
    }
    this.#pending.clear();
    if (!ended) this.#callbacks.died(reason);
  }

  /** How the task fails that the thread ended for. */
  #fault(reason: string): CodedError {
    if (this.#endedFor !== 0) return new CodedError('canceled', 'context canceled');
    const text = `worker ${this.#name} died: ${reason}`;
    return this.#outOfMemory ? new WorkerMemoryError(text) : new CodedError('internal', text);
  }
}

/** The unshared buffers of a value and of the records in it, which can move on instead of being copied again. */
function buffersOf(value: unknown): ArrayBuffer[] {
  const found = new Set<ArrayBuffer>();
  const add = (item: unknown): void => {
    if (ArrayBuffer.isView(item) && item.buffer instanceof ArrayBuffer) found.add(item.buffer);
  };
  for (const item of membersOf(value)) {
    add(item);
    // Lists are not searched: theirs are objects by the thousand, not columns.
    if (!ArrayBuffer.isView(item) && !Array.isArray(item)) membersOf(item).forEach(add);
  }
  return [...found];
}

function membersOf(value: unknown): unknown[] {
  return typeof value === 'object' && value !== null ? Object.values(value) : [];
}
