/** Log lines about HTTP requests. Behaviour: thanos pkg/logging/http.go, whose fields these are. */
import type { FastifyReply, FastifyRequest, RouteOptions } from 'fastify';
import type { LogLevel, LogValue, Logger } from '../lib/log.ts';
import type { ProtocolLog } from './request-log-config.ts';
import { requestId } from './request-id.ts';

/** Logs the requests of routes that have a handler name. */
export class HttpRequestLog {
  readonly #config: ProtocolLog;
  readonly #log: Logger;

  constructor(config: ProtocolLog, log: Logger) {
    this.#config = config;
    this.#log = log.with({ protocol: 'http', 'http.component': 'server' });
  }

  /** Adds the hook to a route that is being registered; for fastify's onRoute. */
  instrument(route: RouteOptions): void {
    const handler = route.config?.handler;
    if (handler === undefined) return;
    route.onRequest = [
      (request: FastifyRequest, reply: FastifyReply, done: () => void) => {
        if (this.#isWanted(request)) this.#watch(handler, request, reply);
        done();
      },
      route.onRequest ?? [],
    ].flat();
  }

  /** Go compares the whole URL; here the path alone is enough, and a port that the client need not name. */
  #isWanted(request: FastifyRequest): boolean {
    const { only } = this.#config;
    if (only === undefined) return true;
    const { url } = request.raw;
    const path = url?.split('?', 1)[0] ?? '';
    const named = /:(\d+)$/.exec(hostOf(request))?.[1];
    const port = named ?? String(request.socket.localPort ?? 0);
    return only.has(`${path}:${port}`) || only.has(`${url}:${port}`);
  }

  #watch(handler: string, request: FastifyRequest, reply: FastifyReply): void {
    const startedAt = new Date();
    const from = performance.now();
    const common: Record<string, LogValue> = {
      'http.method': `${request.method} ${request.raw.url}`,
      'http.request_id': requestId(request),
      'http.user_agent': request.headers['user-agent'] ?? '',
    };
    if (this.#config.start) {
      const fields = { 'http.start_time': goTime(startedAt), ...common };
      this.#write('debug', 'started call', { ...fields, 'thanos.method_name': handler });
    }
    const forwarded = request.headers['x-forwarded-for'];
    const remote = `${request.socket.remoteAddress}:${request.socket.remotePort}`;
    reply.raw.once('close', () => {
      const { statusCode } = reply.raw;
      this.#write(statusCode >= 200 && statusCode < 500 ? 'debug' : 'error', 'finished call', {
        ...common,
        'http.status_code': String(statusCode),
        'http.time_ms': String(milliseconds(performance.now() - from)),
        'http.remote_addr': String(forwarded ?? remote),
        'thanos.method_name': handler,
      });
    });
  }

  #write(level: LogLevel, msg: string, fields: Record<string, LogValue>): void {
    if (this.#config.levels.has(level)) this.#log.with(fields)[level](msg);
  }
}

function hostOf(request: FastifyRequest): string {
  return String(request.headers[':authority'] ?? request.headers.host ?? '');
}

/** Whole microseconds, in milliseconds. */
function milliseconds(ms: number): number {
  return Math.floor(ms * 1000) / 1000;
}

/** As Go's time.Time prints itself, to the millisecond. */
function goTime(time: Date): string {
  return `${time.toISOString().replace('T', ' ').replace('Z', '')} +0000 UTC`;
}
