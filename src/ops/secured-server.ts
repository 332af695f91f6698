/**
 * TLS and HTTP/2 for a plain HTTP server, whose certificates and rules may change with every connection.
 *
 * ```
 * http.Server ── connection ──► tls.Server of the present state ── secureConnection ──► HTTP/1.1: the http.Server
 *                               (listens nowhere, made anew at each change)          └► HTTP/2: an http2.Server
 * ```
 * Both HTTP servers have the same handler.
 */
import type { RequestListener, Server } from 'node:http';
import { type ServerHttp2Session, createServer as createHttp2 } from 'node:http2';
import type { Socket } from 'node:net';
import { type TLSSocket, type Server as TlsServer, createServer as createTls } from 'node:tls';
import { errorText } from '../lib/errors.ts';
import type { Logger } from '../lib/log.ts';
import type { TlsState, WebTls } from './web-tls.ts';

/** limit: how long a client may take for its handshake. */
const HANDSHAKE_MS = 30_000;

/** One server's connections between the socket and HTTP. */
export class SecuredServer {
  readonly #tls: WebTls;
  readonly #log: Logger;
  readonly #http2: ReturnType<typeof createHttp2>;
  readonly #sessions = new Set<ServerHttp2Session>();
  readonly #sockets = new Set<Socket>();
  /** Sockets whose handshake is under way, by their peer. */
  readonly #shaking = new Map<string, Socket>();
  readonly #toHttp1: (secure: TLSSocket) => void;
  #present: { readonly state: TlsState; readonly server: TlsServer } | undefined;

  /** Takes over a server that does not listen yet. */
  constructor(server: Server, handler: RequestListener, tls: WebTls, log: Logger) {
    this.#tls = tls;
    this.#log = log;
    // The compatible interface of node:http2 hands over objects that behave like those of node:http.
    this.#http2 = createHttp2((request, response) => {
      Reflect.apply(handler, undefined, [request, response]);
    });
    this.#http2.on('session', (session) => {
      this.#sessions.add(session);
      session.once('close', () => this.#sessions.delete(session));
    });
    this.#http2.on('sessionError', (error) => log.debug('HTTP/2 failed', { err: error.message }));
    const listeners = server.listeners('connection');
    server.removeAllListeners('connection');
    this.#toHttp1 = (secure) => {
      for (const listener of listeners) Reflect.apply(listener, server, [secure]);
    };
    server.on('connection', (socket: Socket) => void this.#shake(socket));
  }

  /** Ends what waits for nothing: handshakes, and HTTP/2 connections once their requests are answered. */
  closeIdle(): void {
    for (const socket of this.#shaking.values()) socket.destroy();
    for (const session of this.#sessions) session.close();
  }

  /** Cuts everything off: the sockets themselves, because a session that is destroyed may leave its own open. */
  closeAll(): void {
    for (const socket of this.#sockets) socket.destroy();
  }

  async #shake(socket: Socket): Promise<void> {
    const peer = peerOf(socket);
    this.#sockets.add(socket);
    this.#shaking.set(peer, socket);
    socket.once('close', () => {
      this.#sockets.delete(socket);
      this.#shaking.delete(peer);
    });
    // Nobody else listens while the files are looked at.
    socket.on('error', () => undefined);
    try {
      const state = await this.#tls.current();
      if (!socket.destroyed) this.#serverOf(state).emit('connection', socket);
    } catch (thrown) {
      this.#log.error('TLS handshake is not possible', { err: errorText(thrown) });
      socket.destroy();
    }
  }

  #serverOf(state: TlsState): TlsServer {
    if (this.#present?.state === state) return this.#present.server;
    const server = createTls({ ...state.options, handshakeTimeout: HANDSHAKE_MS });
    server.on('secureConnection', (secure) => this.#admit(secure, state));
    server.on('tlsClientError', (error, secure) => {
      this.#log.debug('TLS handshake failed', { err: error.message });
      secure.destroy();
    });
    if (this.#present !== undefined) this.#log.info('TLS configuration reloaded');
    this.#present = { state, server };
    return server;
  }

  #admit(secure: TLSSocket, state: TlsState): void {
    this.#shaking.delete(peerOf(secure));
    const refusal = state.refusal(secure);
    if (refusal !== undefined) {
      this.#log.debug('TLS client refused', { err: refusal });
      secure.destroy();
      return;
    }
    if (secure.alpnProtocol === 'h2') this.#http2.emit('connection', secure);
    else this.#toHttp1(secure);
  }
}

function peerOf(socket: Socket): string {
  return `${socket.remoteAddress} ${socket.remotePort}`;
}
