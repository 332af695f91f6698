/**
 * One connection to a memcached server. Requests are written as they come and answered in order. Whatever goes wrong
 * ends the connection and fails all that wait on it: there is no way to find one's place in the answers again.
 */
import { type Socket, connect } from 'node:net';
import { errorText } from '../../lib/errors.ts';
import { RemoteCacheError } from '../remote-error.ts';
import { AnswerParser, garbage } from './answer-parser.ts';
import type { MemcachedRequest } from './requests.ts';

/** What is told of a connection. */
export interface ConnectionEvents {
  /** A whole answer came. */
  readonly onAnswer: () => void;
  /** It is over, because of an error or because it was ended. */
  readonly onEnd: (error: RemoteCacheError) => void;
}

/** Connects at once; requests may be sent before it is connected. */
export class MemcachedConnection {
  readonly #server: string;
  readonly #timeoutMs: number;
  readonly #events: ConnectionEvents;
  readonly #socket: Socket;
  readonly #parser: AnswerParser;
  #waiting: MemcachedRequest[] = [];
  #timers = new Map<MemcachedRequest, NodeJS.Timeout>();
  #ended = false;

  constructor(server: string, timeoutMs: number, events: ConnectionEvents) {
    this.#server = server;
    this.#timeoutMs = timeoutMs;
    this.#events = events;
    this.#parser = new AnswerParser({
      onLine: (line) => this.#onLine(line),
      onBlock: (block) => this.#onBlock(block),
    });
    this.#socket = openSocket(server);
    this.#socket.setNoDelay(true);
    this.#socket.on('data', (chunk: Buffer) => this.#onData(chunk));
    this.#socket.on('error', (error) => this.#end(this.#networkError(errorText(error))));
    this.#socket.on('close', () => this.#end(this.#networkError('the connection was closed')));
  }

  /** How many requests wait for their answers. */
  get pending(): number {
    return this.#waiting.length;
  }

  /** Sends a request, which is settled in every case. */
  send(request: MemcachedRequest): void {
    if (this.#ended) {
      request.settle(this.#networkError('the connection was closed'));
      return;
    }
    this.#waiting.push(request);
    if (this.#timeoutMs > 0) {
      const late = (): void => this.#end(this.#timeoutError());
      this.#timers.set(request, setTimeout(late, this.#timeoutMs));
    }
    this.#socket.cork();
    for (const bytes of request.wire) this.#socket.write(bytes);
    this.#socket.uncork();
  }

  /** Ends it; what waits fails. */
  destroy(): void {
    this.#end(this.#networkError('the client was closed'));
  }

  #onData(chunk: Buffer): void {
    try {
      this.#parser.push(chunk);
    } catch (thrown) {
      this.#end(thrown instanceof RemoteCacheError ? thrown : garbage(errorText(thrown)));
    }
  }

  #onLine(line: string): number {
    const request = this.#waiting[0];
    if (request === undefined) throw garbage('an answer to nothing');
    const size = request.onLine(line);
    if (request.done) this.#settleFirst(request);
    return size;
  }

  #onBlock(block: Uint8Array): void {
    this.#waiting[0]?.onBlock(block);
  }

  #settleFirst(request: MemcachedRequest): void {
    this.#waiting.shift();
    clearTimeout(this.#timers.get(request));
    this.#timers.delete(request);
    this.#events.onAnswer();
    request.settle(undefined);
  }

  #end(error: RemoteCacheError): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#socket.destroy();
    for (const timer of this.#timers.values()) clearTimeout(timer);
    this.#timers = new Map();
    const waiting = this.#waiting;
    this.#waiting = [];
    this.#events.onEnd(error);
    for (const request of waiting) request.settle(error);
  }

  #networkError(what: string): RemoteCacheError {
    return new RemoteCacheError('network-error', `memcached ${this.#server}: ${what}`);
  }

  #timeoutError(): RemoteCacheError {
    const what = `no answer within ${this.#timeoutMs} ms`;
    return new RemoteCacheError('timeout', `memcached ${this.#server}: ${what}`);
  }
}

function openSocket(server: string): Socket {
  if (server.includes('/')) return connect({ path: server });
  const colon = server.lastIndexOf(':');
  const host = server.slice(0, colon).replace(/^\[(.*)\]$/, '$1');
  const port = Number(server.slice(colon + 1));
  // What a resolver made up, too, must end as an error event, not as an exception.
  return connect({ host, port: port <= 65_535 ? port : 0 });
}
