/**
 * The worker's end of the compute pool: runs registered tasks, several at a time where they await, reports results,
 * errors and log lines. cmd/worker.ts registers the tasks.
 */
import { parentPort, workerData } from 'node:worker_threads';
import { must } from '../lib/assert.ts';
import { CodedError } from '../lib/errors.ts';
import type { LogValue, Logger } from '../lib/log.ts';
import { installShield } from '../lib/shield.ts';
import { CONTROL, Transfer, fromWireError, post, toWireError } from './worker-protocol.ts';
import type { AnswerMessage, RunMessage, WorkerInit } from './worker-protocol.ts';

/** What a running task may use. */
export interface TaskContext {
  /** Aborted when the caller gave up. Polling `aborted` works inside long synchronous loops too. */
  readonly signal: AbortSignal;
  /** Runs a task on whichever worker of the pool is least busy, perhaps this one; cancelled with this task. */
  run(task: string, payload: unknown): Promise<unknown>;
  /** The same, on another worker unless there can be none: for who goes on computing meanwhile. */
  runElsewhere(task: string, payload: unknown): Promise<unknown>;
}

/** A task: takes a payload and answers a value that can be cloned, or a {@link Transfer}. */
export type Task = (payload: never, context: TaskContext) => unknown;

/** Starts serving. Returns what the pool started this worker with, and its logger. */
export function serveTasks(
  makeTasks: (init: WorkerInit, log: Logger) => Record<string, Task>,
): void {
  const port = must(parentPort, 'serveTasks outside a worker');
  const init = workerData as WorkerInit;
  new WorkerRuntime(port, init).serve(makeTasks);
}

class WorkerRuntime {
  readonly #port: NonNullable<typeof parentPort>;
  readonly #init: WorkerInit;
  readonly #cancelFlags: Int32Array;
  readonly #control: Int32Array;
  readonly #asked = new Map<
    number,
    { readonly slot: number; resolve(value: unknown): void; reject(error: unknown): void }
  >();
  #nextAsk = 1;

  constructor(port: NonNullable<typeof parentPort>, init: WorkerInit) {
    this.#port = port;
    this.#init = init;
    this.#cancelFlags = new Int32Array(init.cancelFlags);
    this.#control = new Int32Array(init.control);
    installShield(this.#control);
  }

  serve(makeTasks: (init: WorkerInit, log: Logger) => Record<string, Task>): void {
    const tasks = makeTasks(this.#init, this.#logger({ worker: this.#init.name }));
    this.#port.on('message', (message: RunMessage | AnswerMessage) => {
      if (message.kind === 'run') void this.#run(tasks, message);
      else this.#settle(message);
    });
  }

  async #run(tasks: Record<string, Task>, message: RunMessage): Promise<void> {
    const { id, slot } = message;
    this.#isAt(slot);
    try {
      const task = tasks[message.task];
      if (task === undefined) throw new CodedError('internal', `BUG: no task ${message.task}`);
      const context = {
        signal: this.#signal(slot),
        run: (name: string, payload: unknown) => this.#ask(name, payload, slot, false),
        runElsewhere: (name: string, payload: unknown) => this.#ask(name, payload, slot, true),
      };
      const value = await task(message.payload as never, context);
      const plain = value instanceof Transfer ? value.value : value;
      post(this.#port, { kind: 'done', id, value: plain }, value);
    } catch (thrown) {
      this.#port.postMessage({ kind: 'failed', id, error: toWireError(thrown) });
    } finally {
      this.#isAt(0);
    }
  }

  /** Lets the pool know which task keeps this thread busy: the last one that began, went on or looked at its flag. */
  #isAt(slot: number): void {
    Atomics.store(this.#control, CONTROL.atWork, slot);
  }

  /**
   * A signal over a word of shared memory: a message could not interrupt a synchronous loop, so `aborted` looks at
   * the word itself.
   */
  #signal(slot: number): AbortSignal {
    const { signal } = new AbortController();
    const flags = this.#cancelFlags;
    const aborted = (): boolean => {
      this.#isAt(slot);
      return Atomics.load(flags, slot) !== 0;
    };
    Object.defineProperty(signal, 'aborted', { get: aborted });
    Object.defineProperty(signal, 'throwIfAborted', {
      value: () => {
        if (aborted()) throw new CodedError('canceled', 'context canceled');
      },
    });
    return signal;
  }

  #ask(task: string, payload: unknown, slot: number, elsewhere: boolean): Promise<unknown> {
    const id = this.#nextAsk++;
    const plain = payload instanceof Transfer ? payload.value : payload;
    post(this.#port, { kind: 'ask', id, task, payload: plain, slot, elsewhere }, payload);
    // Whoever asks waits next, and keeps nobody busy.
    this.#isAt(0);
    return new Promise((resolve, reject) => {
      this.#asked.set(id, { slot, resolve, reject });
    });
  }

  #settle(message: AnswerMessage): void {
    const waiting = this.#asked.get(message.id);
    this.#asked.delete(message.id);
    if (waiting !== undefined) this.#isAt(waiting.slot);
    if (message.kind === 'answer') waiting?.resolve(message.value);
    else waiting?.reject(fromWireError(message.error));
  }

  #logger(bound: Record<string, LogValue>): Logger {
    const line =
      (level: 'debug' | 'info' | 'warn' | 'error') =>
      (msg: string, fields: Record<string, LogValue> = {}): void => {
        const plain = Object.fromEntries(
          Object.entries({ ...bound, ...fields }).map(([key, value]) => [
            key,
            value instanceof Error ? value.message : value,
          ]),
        );
        this.#port.postMessage({ kind: 'log', level, msg, fields: plain });
      };
    return {
      debug: line('debug'),
      info: line('info'),
      warn: line('warn'),
      error: line('error'),
      with: (fields) => this.#logger({ ...bound, ...fields }),
    };
  }
}
