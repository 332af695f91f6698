/**
 * gRPC servers on node:http2, in plain text (h2c) or with TLS. Behaviour and texts: grpc-go server.go, and Thanos'
 * pkg/server/grpc for its settings.
 */
import {
  type Http2SecureServer,
  type Http2Server,
  type IncomingHttpHeaders,
  type ServerHttp2Session,
  type ServerHttp2Stream,
  createSecureServer,
  createServer,
} from 'node:http2';
import type { AddressInfo, Socket } from 'node:net';
import { assert, must } from '../../lib/assert.ts';
import { errorText } from '../../lib/errors.ts';
import type { Logger } from '../../lib/log.ts';
import { anyHost, listenError, parseListenAddress } from '../http-address.ts';
import { type Tracer, nopTracer } from '../../lib/tracing.ts';
import type { GrpcRequestLog } from '../grpc-request-log.ts';
import type { ServerTls } from '../tls-files.ts';
import { type CallObserver, callObserver } from './call-observer.ts';
import { ACCEPTED_ENCODINGS, type GrpcCompression, compressionOf } from './compression.ts';
import { CONTENT_TYPE, SESSION_OPTIONS, isGrpcContentType } from './http2-settings.ts';
import type { GrpcKind, GrpcServerMetrics, MethodMetrics } from './metrics.ts';
import { splitPath } from './metrics.ts';
import {
  ActiveCall,
  type GrpcHandler,
  type GrpcHandlers,
  closeLater,
  statusHeaders,
} from './server-call.ts';
import { ServerSession, type SessionLimits } from './server-session.ts';
import { GrpcError } from './status.ts';
import { parseTimeout } from './timeout.ts';

/** What a server is made of. All but the first two have Thanos' or grpc-go's defaults. */
export interface GrpcServerOptions extends Partial<SessionLimits> {
  readonly log: Logger;
  readonly metrics: GrpcServerMetrics;
  /** How long {@link GrpcServer.close} waits for calls at hand. */
  readonly gracePeriodMs?: number;
  readonly tls?: ServerTls | undefined;
  /** Records a span of each call. */
  readonly tracer?: Tracer | undefined;
  /** Logs calls. */
  readonly requestLog?: GrpcRequestLog | undefined;
  /** limit: bytes of a request message. */
  readonly messageBytesMax?: number;
  /** limit: calls of a connection at the same time. */
  readonly maxConcurrentStreams?: number;
}

const DEFAULTS: SessionLimits = {
  maxConnectionAgeMs: Infinity,
  maxConnectionAgeGraceMs: Infinity,
  keepaliveMs: 2 * 60 * 60 * 1000,
  keepaliveTimeoutMs: 20_000,
  minPingIntervalMs: 10_000,
};

/** limit: Go's math.MaxInt32. */
const MESSAGE_BYTES_MAX = 2 ** 31 - 1;

interface Method {
  readonly handler: GrpcHandler;
  readonly metrics: MethodMetrics;
}

/** A server: methods are added before {@link listen}. */
export class GrpcServer {
  readonly #options: GrpcServerOptions;
  readonly #limits: SessionLimits;
  readonly #observer: CallObserver | undefined;
  readonly #methods = new Map<string, Method>();
  readonly #services = new Set<string>();
  readonly #server: Http2Server | Http2SecureServer;
  readonly #sessions = new Set<ServerSession>();
  /** What the session runs on that begins next. */
  #accepted: Socket | undefined;
  readonly #sockets = new Set<Socket>();
  readonly #stop = new AbortController();
  #closing: Promise<void> | undefined;

  constructor(options: GrpcServerOptions) {
    this.#options = options;
    this.#limits = { ...DEFAULTS, ...definedOnly(options) };
    this.#observer = callObserver(options.tracer ?? nopTracer, options.requestLog);
    const { tls, maxConcurrentStreams = 2 ** 32 - 1 } = options;
    const settings = { ...SESSION_OPTIONS.settings, maxConcurrentStreams };
    const http2 = { ...SESSION_OPTIONS, settings };
    if (tls === undefined) this.#server = createServer(http2);
    else {
      const server = createSecureServer({ ...http2, ...tls.options });
      tls.follow(server);
      this.#server = server;
    }
    this.#attach();
  }

  /** The names of the services, for reflection. */
  get services(): readonly string[] {
    return [...this.#services];
  }

  /** Fires when the server begins to close: calls that would never end by themselves should. */
  get closing(): AbortSignal {
    return this.#stop.signal;
  }

  /** Adds a method by its path `/service/method`. */
  add<K extends GrpcKind>(path: string, kind: K, handle: GrpcHandlers[K]): void {
    assert(/^\/[^/]+\/[^/]+$/.test(path), 'the path of a method is /service/method');
    assert(!this.#methods.has(path), 'a method has one handler');
    // TypeScript does not see that kind and handler of one K fit together.
    const handler = { kind, handle } as unknown as GrpcHandler;
    this.#methods.set(path, { handler, metrics: this.#options.metrics.method(path, kind) });
    this.#services.add(splitPath(path).service);
  }

  /**
   * Listens on `host:port` and returns the address it got, with the real port where 0 was asked for.
   * @throws CodedError bad_data for a bad address, unavailable when it cannot be had.
   */
  async listen(address: string): Promise<string> {
    const { host, port } = parseListenAddress(address);
    const server = this.#server;
    try {
      await new Promise<void>((resolve, reject) => {
        server.once('error', reject);
        server.listen({ port, host: host ?? anyHost() }, () => {
          server.off('error', reject);
          resolve();
        });
      });
    } catch (thrown) {
      throw listenError(address, thrown);
    }
    const bound = server.address() as AddressInfo;
    const shown = bound.family === 'IPv6' ? `[${bound.address}]` : bound.address;
    this.#options.log.info('listening for serving gRPC', { address: `${shown}:${bound.port}` });
    return `${shown}:${bound.port}`;
  }

  /**
   * Stops accepting, tells all clients to go away, waits for the calls at hand, and cuts them off after the grace
   * period. Calls after the first wait for the same end.
   */
  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    const { log, gracePeriodMs = 0 } = this.#options;
    const closed = new Promise<void>((resolve) => {
      if (this.#server.listening) this.#server.close(() => resolve());
      else resolve();
    });
    for (const session of this.#sessions) session.close();
    this.#stop.abort();
    const cut = (): void => {
      for (const socket of this.#sockets) socket.destroy();
    };
    if (gracePeriodMs <= 0) cut();
    const timer = setTimeout(() => {
      log.info('grace period exceeded enforcing shutdown', { grace: gracePeriodMs });
      cut();
    }, gracePeriodMs);
    await closed;
    clearTimeout(timer);
  }

  #attach(): void {
    const { log } = this.#options;
    const server = this.#server;
    const secure = this.#options.tls !== undefined;
    server.prependListener(secure ? 'secureConnection' : 'connection', (socket: Socket) => {
      this.#accepted = socket;
    });
    server.on('connection', (socket: Socket) => {
      this.#sockets.add(socket);
      socket.once('close', () => this.#sockets.delete(socket));
    });
    const debug = (msg: string) => (error: Error) => log.debug(msg, { err: errorText(error) });
    server.on('sessionError', debug('gRPC connection failed'));
    server.on('tlsClientError', debug('TLS handshake failed'));
    server.on('session', (session: ServerHttp2Session) => this.#onSession(session));
  }

  #onSession(session: ServerHttp2Session): void {
    const state = new ServerSession(session, must(this.#accepted, 'a socket'), this.#limits);
    this.#sessions.add(state);
    session.on('close', () => this.#sessions.delete(state));
    session.on('error', () => undefined); // the server logs it
    session.on(
      'stream',
      (stream: ServerHttp2Stream, headers: IncomingHttpHeaders, _flags: number, raw: string[]) => {
        this.#onStream(state, stream, headers, raw);
      },
    );
    // A connection that was accepted while the server began to close.
    if (this.#closing !== undefined) session.close();
  }

  #onStream(
    session: ServerSession,
    stream: ServerHttp2Stream,
    headers: IncomingHttpHeaders,
    rawHeaders: readonly string[],
  ): void {
    session.enter();
    stream.once('close', () => session.leave());
    const request = this.#check(headers);
    if (request instanceof Refusal) {
      refuse(stream, request);
      return;
    }
    const { log, metrics, messageBytesMax = MESSAGE_BYTES_MAX } = this.#options;
    const { method, path, timeoutMs, compression } = request;
    const call = new ActiveCall({
      stream,
      path,
      rawHeaders,
      peer: session.peer,
      timeoutMs,
      handler: method.handler,
      metrics: method.metrics,
      messageBytesMax,
      received: compression,
      // As grpc-go: the answer comes in the encoding of the request.
      sent: compression,
      onSend: () => session.sent(),
      observer: this.#observer,
      onPanic: (thrown) => {
        metrics.panics.inc();
        const stack = thrown instanceof Error ? thrown.stack : undefined;
        log.error('recovered from panic', { method: path, panic: errorText(thrown), stack });
      },
    });
    void call.run();
  }

  #check(headers: IncomingHttpHeaders): Request | Refusal {
    const type = headers['content-type'];
    if (!isGrpcContentType(type)) {
      const text = `invalid gRPC request content-type ${JSON.stringify(type ?? '')}`;
      return new Refusal(415, new GrpcError('InvalidArgument', text));
    }
    let timeoutMs: number | undefined;
    const timeout = headers['grpc-timeout'];
    try {
      if (timeout !== undefined) timeoutMs = parseTimeout(String(timeout));
    } catch (thrown) {
      if (thrown instanceof GrpcError) return new Refusal(400, thrown);
      throw thrown;
    }
    if (headers[':method'] !== 'POST') {
      const method = JSON.stringify(headers[':method'] ?? '');
      const text = `Received a HEADERS frame with :method ${method} which should be POST`;
      return new Refusal(405, new GrpcError('Internal', text));
    }
    const path = headers[':path'] ?? '';
    const method = this.#methods.get(path);
    if (method === undefined) return new Refusal(200, this.#unknown(path));
    const encoding = String(headers['grpc-encoding'] ?? '');
    const compression = compressionOf(encoding);
    if (compression === undefined) {
      const name = JSON.stringify(encoding);
      const text = `grpc: Decompressor is not installed for grpc-encoding ${name}`;
      return new Refusal(200, new GrpcError('Unimplemented', text));
    }
    return { method, path, timeoutMs, compression };
  }

  #unknown(path: string): GrpcError {
    if (!/^\/.*\//.test(path)) {
      return new GrpcError('Unimplemented', `malformed method name: ${JSON.stringify(path)}`);
    }
    const { service, method } = splitPath(path);
    const text = this.#services.has(service)
      ? `unknown method ${method} for service ${service}`
      : `unknown service ${service}`;
    return new GrpcError('Unimplemented', text);
  }
}

interface Request {
  readonly method: Method;
  readonly path: string;
  readonly timeoutMs: number | undefined;
  readonly compression: GrpcCompression;
}

/** A request that gets no handler. */
class Refusal {
  readonly httpStatus: number;
  readonly error: GrpcError;

  constructor(httpStatus: number, error: GrpcError) {
    this.httpStatus = httpStatus;
    this.error = error;
  }
}

/** Answers without reading: by headers alone, and a reset for clients that are still sending. */
function refuse(stream: ServerHttp2Stream, { httpStatus, error }: Refusal): void {
  stream.on('error', () => undefined);
  stream.respond(
    {
      ':status': httpStatus,
      'content-type': CONTENT_TYPE,
      'grpc-accept-encoding': ACCEPTED_ENCODINGS,
      ...statusHeaders(error),
    },
    { endStream: true },
  );
  stream.resume();
  closeLater(stream);
}

/** Without keys whose value is undefined, which would hide defaults. */
function definedOnly(options: GrpcServerOptions): Partial<SessionLimits> {
  return Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined));
}
