/** A TCP server of a test that can be made to fail: the part that servers of different protocols share. */
import { once } from 'node:events';
import { type AddressInfo, type Server, type Socket, createServer } from 'node:net';

/** How a server treats what comes. */
export type ServerMood =
  /** As it should. */
  | 'well'
  /** Reads and never answers. */
  | 'hanging'
  /** Answers with bytes of no protocol. */
  | 'babbling'
  /** Ends the connection in the middle of an answer. */
  | 'cutting';

/** Answers what a connection sends. */
export type Respond = (chunk: Buffer) => Buffer;

/** One server on a port of its own of the loopback interface. */
export class FakeServer implements AsyncDisposable {
  mood: ServerMood = 'well';
  /** Connections so far. */
  connections = 0;
  readonly #open: () => Respond;
  readonly #sockets = new Set<Socket>();
  #server: Server | undefined;
  #port = 0;

  /** `open` is asked at each connection for what answers it. */
  constructor(open: () => Respond) {
    this.#open = open;
  }

  /** `host:port`. */
  get address(): string {
    return `127.0.0.1:${this.#port}`;
  }

  /** Begins to listen, on the same port when it did before. */
  async start(): Promise<void> {
    const server = createServer((socket) => this.#accept(socket));
    server.listen(this.#port, '127.0.0.1');
    await once(server, 'listening');
    this.#port = (server.address() as AddressInfo).port;
    this.#server = server;
  }

  /** Ends all connections and refuses new ones. */
  async stop(): Promise<void> {
    const server = this.#server;
    if (server === undefined) return;
    this.#server = undefined;
    for (const socket of this.#sockets) socket.destroy();
    server.close();
    await once(server, 'close');
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }

  #accept(socket: Socket): void {
    this.connections++;
    this.#sockets.add(socket);
    socket.on('close', () => this.#sockets.delete(socket));
    socket.on('error', () => undefined);
    const respond = this.#open();
    socket.on('data', (chunk: Buffer) => {
      if (this.mood === 'hanging') return;
      const answer = respond(chunk);
      if (this.mood === 'babbling')
        socket.write(Buffer.from('\x16\x03\x01 what?\r\n\r\n$%&/\0\r\n'));
      else if (this.mood === 'cutting') socket.end(answer.subarray(0, answer.length >> 1));
      else if (answer.length > 0) socket.write(answer);
    });
  }
}
