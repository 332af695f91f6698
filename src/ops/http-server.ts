/**
 * HTTP servers on fastify with what every component has: probes, `/metrics`, instrumentation, Go's texts for what is
 * not found or malformed, limits, and a shutdown that finishes the requests at hand.
 */
import { type RequestListener, STATUS_CODES, type Server, createServer } from 'node:http';
import type { Socket } from 'node:net';
import fastify, {
  type FastifyInstance,
  type FastifyReply,
  type FastifyRequest,
  type RouteOptions,
} from 'fastify';
import { must } from '../lib/assert.ts';
import { errorText } from '../lib/errors.ts';
import type { Logger } from '../lib/log.ts';
import { type Tracer, nopTracer } from '../lib/tracing.ts';
import { EXPOSITION_CONTENT_TYPE, expose, negotiateExposition } from './exposition.ts';
import { anyHost, listenError, parseListenAddress } from './http-address.ts';
import { sendPieces, sendTextError } from './http-body.ts';
import type { HttpMetrics } from './http-metrics.ts';
import type { HttpRequestLog } from './http-request-log.ts';
import { traceRoute } from './http-tracing.ts';
import type { ProcessMetrics } from './metrics.ts';
import type { Probe } from './probe.ts';
import { registerPprof } from './pprof/pprof-routes.ts';
import type { Profiler } from './pprof/profiler.ts';
import { requestId } from './request-id.ts';
import type { SecuredServer } from './secured-server.ts';
import type { WebConfig } from './web-config.ts';

/** Longer than senders keep an idle connection (Go's transport: 90 s), so that it is never us who closes under them. */
const KEEP_ALIVE_MS = 300_000;

/** limit: as Go's http.DefaultMaxHeaderBytes; query URLs are longer than Node's 16 KiB. */
const HEADER_BYTES_MAX = 1024 * 1024;

/** limit: as Go's limit for a form body. */
const FORM_BYTES_MAX = 10 * 1024 * 1024;

/** What a server is made of. */
export interface HttpServerOptions {
  readonly log: Logger;
  /** Counts requests of routes whose config has a handler name. */
  readonly httpMetrics: HttpMetrics;
  /** How long a shutdown waits for requests at hand. */
  readonly gracePeriodMs: number;
  /** Serves `/-/healthy` and `/-/ready` from this. */
  readonly probe?: Probe;
  /** Serves `/metrics` from this. */
  readonly metrics?: ProcessMetrics;
  /** Who may come in, and whether there is TLS: `--http.config`. */
  readonly web?: WebConfig | undefined;
  /** Serves `/debug/pprof/` and `/debug/fgprof` from this. */
  readonly profiler?: Profiler | undefined;
  /** Records requests of routes whose config has a handler name. */
  readonly tracer?: Tracer | undefined;
  /** Logs them: `--request.logging-config`. */
  readonly requestLog?: HttpRequestLog | undefined;
}

/** A server: routes go on `app` before {@link listen}. */
export class HttpServer {
  readonly app: FastifyInstance;
  readonly #log: Logger;
  readonly #gracePeriodMs: number;
  readonly #web: WebConfig | undefined;
  /** One for each address that the host name has. */
  readonly #secured: SecuredServer[] = [];
  #closing = false;

  constructor(options: HttpServerOptions) {
    this.#log = options.log;
    this.#gracePeriodMs = options.gracePeriodMs;
    this.#web = options.web;
    this.app = createApp(options.log, options.web && ((handler) => this.#guarded(handler)));
    this.app.decorateReply('sentBytes', 0);
    this.app.addHook('onRoute', (route) => instrument(route, options));
    this.app.addHook('onResponse', (_request, _reply, done) => {
      // A kept-alive connection whose last request ends during shutdown would hold the server open for minutes.
      if (this.#closing) setImmediate(() => this.#server.closeIdleConnections());
      done();
    });
    if (options.probe !== undefined) addProbes(this.app, options.probe);
    if (options.metrics !== undefined) addMetrics(this.app, options.metrics);
    if (options.profiler !== undefined) registerPprof(this.app, options.profiler);
  }

  get #server(): Server {
    return this.app.server;
  }

  /**
   * Listens on `host:port` and returns the address it got, with the real port where 0 was asked for.
   * @throws CodedError bad_data for a bad address, unavailable when it cannot be had.
   */
  async listen(address: string): Promise<string> {
    const { host, port } = parseListenAddress(address);
    try {
      await this.app.listen({ port, host: host ?? anyHost() });
    } catch (thrown) {
      throw listenError(address, thrown);
    }
    const bound = this.#server.address();
    if (bound === null || typeof bound === 'string') return address;
    const shown = bound.family === 'IPv6' ? `[${bound.address}]` : bound.address;
    this.#log.info('listening for requests and metrics', { address: `${shown}:${bound.port}` });
    const tls = this.#web?.tls;
    this.#log.info(tls === undefined ? 'TLS is disabled.' : 'TLS is enabled.', {
      http2: tls?.http2 ?? false,
      address: `${shown}:${bound.port}`,
    });
    return `${shown}:${bound.port}`;
  }

  /** Stops accepting, waits for the requests at hand, and after the grace period cuts them off. */
  async close(): Promise<void> {
    this.#closing = true;
    const timer = setTimeout(() => {
      this.#log.warn('grace period is over, closing connections', { grace: this.#gracePeriodMs });
      for (const secured of this.#secured) secured.closeAll();
      this.#server.closeAllConnections();
    }, this.#gracePeriodMs);
    for (const secured of this.#secured) secured.closeIdle();
    try {
      await this.app.close();
    } finally {
      clearTimeout(timer);
    }
  }

  /** A server whose requests and connections the web configuration judges. */
  #guarded(handler: RequestListener): Server {
    const web = must(this.#web, 'asked for by its presence');
    const guarded = web.guard(handler);
    const server = createServer(HTTP_OPTIONS, guarded);
    server.keepAliveTimeout = KEEP_ALIVE_MS;
    const secured = web.secure(server, guarded);
    if (secured !== undefined) this.#secured.push(secured);
    return server;
  }
}

const HTTP_OPTIONS = {
  maxHeaderSize: HEADER_BYTES_MAX,
  // Node refuses a header timeout above the request timeout.
  headersTimeout: KEEP_ALIVE_MS + 10_000,
  requestTimeout: KEEP_ALIVE_MS + 20_000,
};

/** `makeServer` stands in for fastify's own way to make one. */
function createApp(
  log: Logger,
  makeServer: ((handler: RequestListener) => Server) | undefined,
): FastifyInstance {
  const app = fastify({
    ...(makeServer && { serverFactory: makeServer }),
    http: HTTP_OPTIONS,
    requestTimeout: KEEP_ALIVE_MS + 20_000,
    keepAliveTimeout: KEEP_ALIVE_MS,
    bodyLimit: FORM_BYTES_MAX,
    exposeHeadRoutes: false,
    forceCloseConnections: 'idle',
    genReqId: () => '',
    routerOptions: {
      maxParamLength: HEADER_BYTES_MAX,
      onBadUrl: (_path, _request, response) => {
        response.writeHead(400, { 'content-type': 'text/plain; charset=utf-8' });
        response.end('400 Bad Request');
      },
    },
    clientErrorHandler: answerMalformed,
  });
  app.removeAllContentTypeParsers();
  app.setNotFoundHandler((_request, reply) => sendTextError(reply, 404, '404 page not found'));
  app.setErrorHandler((error, request, reply) => answerError(log, error, request, reply));
  return app;
}

/** What fastify itself refuses keeps its status; what a handler lets escape is ours and is logged. */
function answerError(
  log: Logger,
  error: unknown,
  request: FastifyRequest,
  reply: FastifyReply,
): FastifyReply {
  const status = error instanceof Error && 'statusCode' in error ? Number(error.statusCode) : 500;
  if (status >= 400 && status < 500) return sendTextError(reply, status, errorText(error));
  if (status === 503) return sendTextError(reply, 503, 'Service Unavailable');
  log.error('internal server error', {
    path: request.url.split('?', 1)[0],
    request_id: requestId(request),
    err: errorText(error),
  });
  return sendTextError(reply, 500, 'Internal Server Error');
}

/** Bytes that are no HTTP request get Go's short answer. */
function answerMalformed(error: Error & { code: string }, socket: Socket): void {
  if (error.code === 'ECONNRESET' || !socket.writable) {
    socket.destroy();
    return;
  }
  const status = error.code === 'HPE_HEADER_OVERFLOW' ? 431 : 400;
  const text = `${status} ${STATUS_CODES[status]}`;
  socket.end(
    `HTTP/1.1 ${text}\r\nContent-Type: text/plain; charset=utf-8\r\nConnection: close\r\n\r\n${text}`,
  );
}

/** The first hook that is added runs last: a request is in its span when it is counted and logged. */
function instrument(route: RouteOptions, options: HttpServerOptions): void {
  const { httpMetrics, requestLog, tracer = nopTracer } = options;
  requestLog?.instrument(route);
  httpMetrics.instrument(route);
  if (tracer !== nopTracer) traceRoute(route, tracer);
}

function addProbes(app: FastifyInstance, probe: Probe): void {
  const answer = (reply: FastifyReply, good: boolean) =>
    good
      ? reply.header('content-type', 'text/plain; charset=utf-8').send('OK')
      : sendTextError(reply, 503, 'NOT OK');
  const method = ['GET', 'HEAD'];
  app.route({ method, url: '/-/healthy', handler: (_, reply) => answer(reply, probe.isHealthy) });
  app.route({ method, url: '/-/ready', handler: (_, reply) => answer(reply, probe.isReady) });
}

function addMetrics(app: FastifyInstance, metrics: ProcessMetrics): void {
  app.get('/metrics', async (request, reply) => {
    const format = negotiateExposition(request.headers.accept);
    const text = expose(await metrics.collect(), format);
    const type = EXPOSITION_CONTENT_TYPE[format];
    await sendPieces(request, reply, 200, type, [Buffer.from(text, 'utf8')]);
  });
}
