/**
 * A memcached in this process: get, gets, set, version and `config get cluster` of the text protocol (protocol.txt of
 * memcached). The same tests run against the real one in test/e2e/caches.test.ts.
 */
import type { Clock } from '../../src/lib/clock.ts';
import { FakeServer } from './fake-server.ts';

/** limit: of the real one, unless it is started with -I. */
const ITEM_BYTES_MAX = 1024 * 1024;
/** Larger numbers are times, not durations. */
const RELATIVE_SECONDS_MAX = 60 * 60 * 24 * 30;

interface Item {
  readonly flags: string;
  readonly value: Buffer;
  /** ms since the epoch. */
  readonly expires: number;
}

/** One server with an empty memory. */
export class MemcachedTestServer extends FakeServer {
  /** What `config get cluster` answers. */
  cluster = '';
  readonly items: Map<string, Item>;

  constructor(clock: Clock) {
    const items = new Map<string, Item>();
    super(() => {
      const session = new Session(items, clock, () => this.cluster);
      return (chunk) => session.take(chunk);
    });
    this.items = items;
  }
}

class Session {
  readonly #items: Map<string, Item>;
  readonly #clock: Clock;
  readonly #cluster: () => string;
  #rest: Buffer = Buffer.alloc(0);

  constructor(items: Map<string, Item>, clock: Clock, cluster: () => string) {
    this.#items = items;
    this.#clock = clock;
    this.#cluster = cluster;
  }

  take(chunk: Buffer): Buffer {
    this.#rest = Buffer.concat([this.#rest, chunk]);
    const answers: Buffer[] = [];
    for (;;) {
      const answer = this.#next();
      if (answer === undefined) return Buffer.concat(answers);
      answers.push(answer);
    }
  }

  #next(): Buffer | undefined {
    const end = this.#rest.indexOf('\n');
    if (end < 0) return undefined;
    const line = this.#rest.toString('latin1', 0, end).replace(/\r$/, '');
    const [command = '', ...args] = line.split(' ').filter((word) => word !== '');
    if (command === 'set') return this.#set(args, end + 1);
    this.#rest = this.#rest.subarray(end + 1);
    if (line === 'config get cluster') {
      const text = this.#cluster();
      return Buffer.from(`CONFIG cluster 0 ${Buffer.byteLength(text)}\r\n${text}\r\nEND\r\n`);
    }
    if (command === 'version') return Buffer.from('VERSION test\r\n');
    if (command !== 'get' && command !== 'gets') return Buffer.from('ERROR\r\n');
    if (args.length === 0) return Buffer.from('ERROR\r\n');
    if (args.some((key) => key.length > 250)) {
      return Buffer.from('CLIENT_ERROR bad command line format\r\n');
    }
    const found = args.map((key) => this.#get(key, command === 'gets'));
    return Buffer.concat([...found, Buffer.from('END\r\n')]);
  }

  #get(key: string, withCas: boolean): Buffer {
    const item = this.#items.get(key);
    if (item === undefined || item.expires <= this.#clock.now()) return Buffer.alloc(0);
    const cas = withCas ? ' 1' : '';
    const head = Buffer.from(`VALUE ${key} ${item.flags} ${item.value.length}${cas}\r\n`, 'latin1');
    return Buffer.concat([head, item.value, Buffer.from('\r\n')]);
  }

  #set(args: readonly string[], at: number): Buffer | undefined {
    const [key = '', flags = '', exptime = '', bytes = ''] = args;
    const size = Number(bytes);
    if (key.length === 0 || key.length > 250 || !/^\d+$/.test(bytes)) {
      this.#rest = this.#rest.subarray(at);
      return Buffer.from('CLIENT_ERROR bad command line format\r\n');
    }
    if (this.#rest.length < at + size + 2) return undefined;
    const value = Buffer.from(this.#rest.subarray(at, at + size));
    const tail = this.#rest.toString('latin1', at + size, at + size + 2);
    this.#rest = this.#rest.subarray(at + size + 2);
    if (tail !== '\r\n') return Buffer.from('CLIENT_ERROR bad data chunk\r\n');
    // An item has some 50 bytes besides its value.
    if (size > ITEM_BYTES_MAX - 64) {
      return Buffer.from('SERVER_ERROR object too large for cache\r\n');
    }
    this.#items.set(key, { flags, value, expires: this.#expires(Number(exptime)) });
    return Buffer.from('STORED\r\n');
  }

  #expires(exptime: number): number {
    if (exptime === 0) return Infinity;
    return exptime <= RELATIVE_SECONDS_MAX ? this.#clock.now() + exptime * 1000 : exptime * 1000;
  }
}
