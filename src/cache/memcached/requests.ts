/** Requests to memcached and how their answers are read. Wire form: protocol.txt of memcached. */
import { RemoteCacheError } from '../remote-error.ts';
import { garbage } from './answer-parser.ts';

/** A request on a connection. Answers come in the order of requests. */
export interface MemcachedRequest {
  /** What is sent. */
  readonly wire: readonly Buffer[];
  /** As AnswerHandler has it. */
  onLine(line: string): number;
  onBlock(block: Uint8Array): void;
  /** Whether the answer is complete. */
  readonly done: boolean;
  /** The end, good or bad; called once. */
  settle(error: RemoteCacheError | undefined): void;
}

/** limit: of the protocol. */
const KEY_BYTES_MAX = 250;

/** A key as the protocol has it, a character a byte; undefined for one that it cannot carry. */
export function wireKey(key: string): string | undefined {
  let wire = key;
  if (Buffer.byteLength(key) !== key.length) {
    if (!key.isWellFormed()) return undefined;
    wire = Buffer.from(key).toString('latin1');
  }
  // Neither spaces nor control characters.
  return wire.length <= KEY_BYTES_MAX && /^[!-~\u0080-\u00ff]+$/.test(wire) ? wire : undefined;
}

/** limit: keys of one `get` line: servers put the whole line into a buffer. */
const KEYS_A_LINE = 256;

/** `get KEY…`: values by key, those that are there. */
export class GetRequest implements MemcachedRequest {
  readonly wire: readonly Buffer[];
  readonly result: Promise<Map<string, Uint8Array>>;
  readonly #found = new Map<string, Uint8Array>();
  /** Keys by what stands for them on the wire. */
  readonly #keys: ReadonlyMap<string, string>;
  readonly #outcome = Promise.withResolvers<Map<string, Uint8Array>>();
  #linesLeft: number;
  #key = '';

  /** Keys by their {@link wireKey}; one at least. */
  constructor(keys: ReadonlyMap<string, string>) {
    this.#keys = keys;
    this.result = this.#outcome.promise;
    const names = [...keys.keys()];
    const lines: string[] = [];
    for (let at = 0; at < names.length; at += KEYS_A_LINE) {
      lines.push(`get ${names.slice(at, at + KEYS_A_LINE).join(' ')}\r\n`);
    }
    this.wire = [Buffer.from(lines.join(''), 'latin1')];
    this.#linesLeft = lines.length;
  }

  get done(): boolean {
    return this.#linesLeft === 0;
  }

  onLine(line: string): number {
    if (line === 'END') {
      this.#linesLeft--;
      return -1;
    }
    const match = /^VALUE (\S+) \d+ (\d{1,10})(?: \d+)?$/.exec(line);
    if (match === null) throw errorLine(line);
    const key = this.#keys.get(match[1] ?? '');
    if (key === undefined) throw garbage('a value of a key that was not asked for');
    this.#key = key;
    return Number(match[2]);
  }

  onBlock(block: Uint8Array): void {
    this.#found.set(this.#key, block);
  }

  settle(error: RemoteCacheError | undefined): void {
    if (error === undefined) this.#outcome.resolve(this.#found);
    else this.#outcome.reject(error);
  }
}

/** What is stored. */
export interface StoredItem {
  /** As {@link wireKey} has it. */
  readonly wireKey: string;
  readonly value: Uint8Array;
  /** Seconds since the epoch. */
  readonly expiration: number;
}

const LINE_END = Buffer.from('\r\n');

/** `set KEY flags exptime bytes`. */
export class SetRequest implements MemcachedRequest {
  readonly wire: readonly Buffer[];
  readonly result: Promise<void>;
  readonly #outcome = Promise.withResolvers<void>();
  #refusal: RemoteCacheError | undefined;
  #done = false;

  constructor({ wireKey: key, value, expiration }: StoredItem) {
    this.result = this.#outcome.promise;
    this.wire = [
      Buffer.from(`set ${key} 0 ${expiration} ${value.length}\r\n`, 'latin1'),
      Buffer.from(value.buffer, value.byteOffset, value.byteLength),
      LINE_END,
    ];
  }

  get done(): boolean {
    return this.#done;
  }

  onLine(line: string): number {
    if (line.startsWith('SERVER_ERROR ')) {
      // The server has read the value and goes on: too large an item, no memory.
      this.#refusal = serverError(line);
    } else if (line !== 'STORED') throw errorLine(line);
    this.#done = true;
    return -1;
  }

  onBlock(): void {
    throw garbage('a value where none was asked for');
  }

  settle(error: RemoteCacheError | undefined): void {
    const problem = error ?? this.#refusal;
    if (problem === undefined) this.#outcome.resolve();
    else this.#outcome.reject(problem);
  }
}

function errorLine(line: string): RemoteCacheError {
  return line.startsWith('SERVER_ERROR')
    ? serverError(line)
    : garbage(`unexpected line ${JSON.stringify(line.slice(0, 100))}`);
}

function serverError(line: string): RemoteCacheError {
  return new RemoteCacheError('server-error', `memcached answers ${line.slice(0, 200)}`);
}
