/**
 * A redis in this process: what our client says to one (GET, MGET, SET with EX, AUTH, SELECT, INFO), in RESP 2. The
 * same tests run against the real one in test/e2e/caches.test.ts.
 */
import type { Clock } from '../../src/lib/clock.ts';
import { FakeServer } from './fake-server.ts';

interface Item {
  readonly value: Buffer;
  /** ms since the epoch. */
  readonly expires: number;
}

/** One server with an empty memory. */
export class RedisTestServer extends FakeServer {
  /** When set, commands before AUTH with it are refused. */
  password = '';
  /** Items by database and key, both in one text. */
  readonly items: Map<string, Item>;
  /** Names of the commands so far. */
  readonly commands: string[];

  constructor(clock: Clock) {
    const items = new Map<string, Item>();
    const commands: string[] = [];
    super(() => {
      const session = new Session(items, clock, commands, () => this.password);
      return (chunk) => session.take(chunk);
    });
    this.items = items;
    this.commands = commands;
  }
}

class Session {
  readonly #items: Map<string, Item>;
  readonly #clock: Clock;
  readonly #commands: string[];
  readonly #password: () => string;
  #known = false;
  #database = '0';
  #rest: Buffer = Buffer.alloc(0);
  #chunks: Buffer[] = [];
  /** Bytes that the next command has at least. */
  #wanted = 1;

  constructor(items: Map<string, Item>, clock: Clock, commands: string[], password: () => string) {
    this.#items = items;
    this.#clock = clock;
    this.#commands = commands;
    this.#password = password;
  }

  take(chunk: Buffer): Buffer {
    this.#chunks.push(chunk);
    const bytes = this.#chunks.reduce((sum, one) => sum + one.length, this.#rest.length);
    if (bytes < this.#wanted) return Buffer.alloc(0);
    this.#rest = Buffer.concat([this.#rest, ...this.#chunks]);
    this.#chunks = [];
    this.#wanted = 1;
    const answers: Buffer[] = [];
    for (;;) {
      const args = this.#nextCommand();
      if (args === undefined) return Buffer.concat(answers);
      answers.push(this.#answer(args));
    }
  }

  /** `*N` and then N times `$SIZE` and bytes. */
  #nextCommand(): Buffer[] | undefined {
    let at = 0;
    const number = (mark: string): number | undefined => {
      const end = this.#rest.indexOf('\r\n', at);
      if (end < 0 || this.#rest.toString('latin1', at, at + 1) !== mark) return undefined;
      const value = Number(this.#rest.toString('latin1', at + 1, end));
      at = end + 2;
      return value;
    };
    const count = number('*');
    if (count === undefined) return undefined;
    const args: Buffer[] = [];
    while (args.length < count) {
      const size = number('$');
      if (size === undefined) return undefined;
      if (this.#rest.length < at + size + 2) {
        this.#wanted = at + size + 2;
        return undefined;
      }
      args.push(Buffer.from(this.#rest.subarray(at, at + size)));
      at += size + 2;
    }
    this.#rest = this.#rest.subarray(at);
    return args;
  }

  #answer([name = Buffer.alloc(0), ...args]: readonly Buffer[]): Buffer {
    const command = name.toString().toUpperCase();
    this.#commands.push(command);
    if (command === 'AUTH') return this.#authenticate(args);
    if (this.#password() !== '' && !this.#known)
      return Buffer.from('-NOAUTH Authentication required.\r\n');
    if (command === 'MGET') {
      return Buffer.concat([
        Buffer.from(`*${args.length}\r\n`),
        ...args.map((key) => this.#get(key)),
      ]);
    }
    if (command === 'GET') return this.#get(args[0] ?? Buffer.alloc(0));
    if (command === 'SET') return this.#set(args);
    if (command === 'PING') return Buffer.from('+PONG\r\n');
    if (command === 'SELECT') {
      this.#database = String(args[0]);
      return Buffer.from('+OK\r\n');
    }
    if (command === 'INFO') return bulk(Buffer.from('# Cluster\r\ncluster_enabled:0\r\n'));
    return Buffer.from(`-ERR unknown command '${command}'\r\n`);
  }

  #authenticate(args: readonly Buffer[]): Buffer {
    this.#known = String(args.at(-1)) === this.#password();
    if (this.#known) return Buffer.from('+OK\r\n');
    return Buffer.from('-WRONGPASS invalid username-password pair or user is disabled.\r\n');
  }

  #get(key: Buffer): Buffer {
    const item = this.#items.get(this.#name(key));
    const isThere = item !== undefined && item.expires > this.#clock.now();
    return isThere ? bulk(item.value) : Buffer.from('$-1\r\n');
  }

  #set([
    key = Buffer.alloc(0),
    value = Buffer.alloc(0),
    option,
    seconds,
  ]: readonly Buffer[]): Buffer {
    const ttl = Number(seconds);
    if (String(option) !== 'EX' || !(ttl > 0)) {
      return Buffer.from("-ERR invalid expire time in 'set' command\r\n");
    }
    const expires = this.#clock.now() + ttl * 1000;
    this.#items.set(this.#name(key), { value, expires });
    return Buffer.from('+OK\r\n');
  }

  #name(key: Buffer): string {
    return `${this.#database} ${key.toString('latin1')}`;
  }
}

function bulk(value: Buffer): Buffer {
  return Buffer.concat([Buffer.from(`$${value.length}\r\n`), value, Buffer.from('\r\n')]);
}
