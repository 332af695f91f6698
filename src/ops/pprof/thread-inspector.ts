/**
 * Commands of the Chrome DevTools protocol for every thread of the process: the main one, and through it the workers,
 * also while they compute. No port is opened.
 */
import type { Session } from 'node:inspector/promises';
import { errorText } from '../../lib/errors.ts';

/** limit: how long a worker may take to answer; one that waits for a lock may never. */
const WORKER_ANSWER_MS = 2000;

/** What one thread answered. */
export interface ThreadAnswer {
  readonly thread: string;
  readonly result: unknown;
}

interface Worker {
  readonly name: string;
  nextId: number;
  readonly waiting: Map<number, PromiseWithResolvers<unknown>>;
}

/** What comes from a worker, in JSON. */
interface WorkerMessage {
  readonly id?: number;
  readonly result?: unknown;
  readonly error?: { readonly message: string };
}

/** A connection to all threads. Only the main thread can have one. */
export class ThreadInspector implements Disposable {
  readonly #session: Session;
  readonly #workers = new Map<string, Worker>();
  /** What went wrong with which worker. */
  readonly problems: string[] = [];

  private constructor(session: Session) {
    this.#session = session;
  }

  /** Connects to the threads that there are; `attached` hears of workers that come later. */
  static async open(
    attached: (inspector: ThreadInspector) => void = () => undefined,
  ): Promise<ThreadInspector> {
    const { Session } = await import('node:inspector/promises');
    const session = new Session();
    session.connect();
    const inspector = new ThreadInspector(session);
    let opened = false;
    session.on('NodeWorker.attachedToWorker', ({ params }) => {
      const { title } = params.workerInfo;
      inspector.#workers.set(params.sessionId, { name: title, nextId: 1, waiting: new Map() });
      if (opened) attached(inspector);
    });
    session.on('NodeWorker.detachedFromWorker', ({ params }) => {
      const worker = inspector.#workers.get(params.sessionId);
      inspector.#workers.delete(params.sessionId);
      for (const answer of worker?.waiting.values() ?? []) answer.reject(new Error('has ended'));
    });
    session.on('NodeWorker.receivedMessageFromWorker', ({ params }) => {
      inspector.#receive(params.sessionId, JSON.parse(params.message) as WorkerMessage);
    });
    await session.post('NodeWorker.enable', { waitForDebuggerOnStart: false });
    opened = true;
    return inspector;
  }

  /** Sends a command to every thread; answers those that could be had. */
  async post(method: string, params: object = {}): Promise<ThreadAnswer[]> {
    const workers = [...this.#workers].map(
      async ([id, worker]): Promise<ThreadAnswer | undefined> => {
        try {
          const result = await this.#postTo(id, worker, method, params);
          return { thread: worker.name, result };
        } catch (thrown) {
          this.problems.push(`${worker.name}: ${method}: ${errorText(thrown)}`);
          return undefined;
        }
      },
    );
    const main = { thread: 'main', result: await this.#session.post(method, params) };
    const answers = await Promise.all(workers);
    return [main, ...answers.filter((answer) => answer !== undefined)];
  }

  [Symbol.dispose](): void {
    this.#session.disconnect();
  }

  #postTo(sessionId: string, worker: Worker, method: string, params: object): Promise<unknown> {
    const id = worker.nextId++;
    const answer = Promise.withResolvers<unknown>();
    worker.waiting.set(id, answer);
    const timer = setTimeout(() => {
      answer.reject(new Error(`no answer in ${WORKER_ANSWER_MS} ms`));
    }, WORKER_ANSWER_MS);
    const message = JSON.stringify({ id, method, params });
    this.#session
      .post('NodeWorker.sendMessageToWorker', { sessionId, message })
      .catch((thrown: unknown) => answer.reject(thrown));
    return answer.promise.finally(() => {
      clearTimeout(timer);
      worker.waiting.delete(id);
    });
  }

  #receive(sessionId: string, { id, result, error }: WorkerMessage): void {
    const answer = id === undefined ? undefined : this.#workers.get(sessionId)?.waiting.get(id);
    if (error === undefined) answer?.resolve(result);
    else answer?.reject(new Error(error.message));
  }
}
