/**
 * The http_* families of Thanos: requests, durations, sizes and requests in flight by handler, method, code and
 * tenant. One per process; every server of the process reports into it.
 */
import type { FastifyReply, FastifyRequest, RouteOptions } from 'fastify';
import type { Counter, Family, Gauge, Histogram, MetricsRegistry } from '../lib/metrics.ts';

declare module 'fastify' {
  interface FastifyContextConfig {
    /** The `handler` label of the route in http_* metrics; routes without one are not counted. */
    handler?: string;
  }
  interface FastifyReply {
    /** Bytes of a body that was written past fastify, for http_response_size_bytes. */
    sentBytes: number;
  }
}

/** Thanos' buckets for API latencies, in seconds. */
const DURATION_BUCKETS = [
  0.001, 0.01, 0.1, 0.3, 0.6, 1, 3, 6, 9, 20, 30, 60, 90, 120, 240, 360, 720,
];

/** Powers of two from 64 bytes to 32 KiB. */
const SIZE_BUCKETS = Array.from({ length: 10 }, (_, i) => 64 * 2 ** i);

/** What a request is counted as whose client went away before there was an answer; nginx's number. */
const GONE_STATUS = 499;

interface Cells {
  readonly requests: Counter;
  readonly duration: Histogram;
  readonly requestSize: Histogram;
  readonly responseSize: Histogram;
}

/** Counts the requests of routes that have a handler name. */
export class HttpMetrics {
  /** The values of the label `tenant`: one, or none where a component has no tenants. */
  readonly #tenant: readonly string[];
  readonly #requests: Family<Counter>;
  readonly #duration: Family<Histogram>;
  readonly #requestSize: Family<Histogram>;
  readonly #responseSize: Family<Histogram>;
  readonly #inflight: Family<Gauge>;

  /** Components without tenants have no label of that name. */
  constructor(metrics: MetricsRegistry, tenant?: string) {
    this.#tenant = tenant === undefined ? [] : [tenant];
    const tenantLabel = tenant === undefined ? [] : ['tenant'];
    const labels = ['code', 'handler', 'method', ...tenantLabel];
    this.#requests = metrics.counterFamily(
      'http_requests_total',
      'Tracks the number of HTTP requests.',
      labels,
    );
    this.#duration = metrics.histogramFamily(
      'http_request_duration_seconds',
      'Tracks the latencies for HTTP requests.',
      DURATION_BUCKETS,
      labels,
    );
    this.#requestSize = metrics.histogramFamily(
      'http_request_size_bytes',
      'Tracks the size of HTTP requests.',
      SIZE_BUCKETS,
      labels,
    );
    this.#responseSize = metrics.histogramFamily(
      'http_response_size_bytes',
      'Tracks the size of HTTP responses.',
      SIZE_BUCKETS,
      labels,
    );
    this.#inflight = metrics.gaugeFamily(
      'http_inflight_requests',
      'Current number of HTTP requests the handler is responding to.',
      ['handler', 'method', ...tenantLabel],
    );
  }

  /** Adds the hooks to a route that is being registered; for fastify's onRoute. */
  instrument(route: RouteOptions): void {
    const handler = route.config?.handler;
    if (handler === undefined) return;
    const byMethod = new Map<string, MethodCells>();
    const cellsOf = (method: string) => {
      let cells = byMethod.get(method);
      if (cells === undefined) {
        cells = this.#methodCells(handler, method.toLowerCase());
        byMethod.set(method, cells);
      }
      return cells;
    };
    route.onRequest = [
      (request: FastifyRequest, reply: FastifyReply, done: () => void) => {
        observe(cellsOf(request.method), request, reply);
        done();
      },
      route.onRequest ?? [],
    ].flat();
  }

  #methodCells(handler: string, method: string): MethodCells {
    const tenant = this.#tenant;
    return new MethodCells(this.#inflight.with(handler, method, ...tenant), (code) => ({
      requests: this.#requests.with(code, handler, method, ...tenant),
      duration: this.#duration.with(code, handler, method, ...tenant),
      requestSize: this.#requestSize.with(code, handler, method, ...tenant),
      responseSize: this.#responseSize.with(code, handler, method, ...tenant),
    }));
  }
}

/** Counts a request when its response closes, which unlike fastify's onResponse also happens when the client goes. */
function observe(cells: MethodCells, request: FastifyRequest, reply: FastifyReply): void {
  const { raw } = reply;
  const from = performance.now();
  cells.inflight.inc();
  raw.once('close', () => {
    cells.inflight.dec();
    cells.observe(
      raw.headersSent ? raw.statusCode : GONE_STATUS,
      (performance.now() - from) / 1000,
      Number(request.headers['content-length'] ?? 0),
      reply.sentBytes > 0 ? reply.sentBytes : Number(reply.getHeader('content-length') ?? 0),
    );
  });
}

/** The bound cells of one handler and method, by status. */
class MethodCells {
  readonly inflight: Gauge;
  readonly #bind: (code: string) => Cells;
  readonly #byCode = new Map<number, Cells>();

  constructor(inflight: Gauge, bind: (code: string) => Cells) {
    this.inflight = inflight;
    this.#bind = bind;
  }

  observe(code: number, seconds: number, requestBytes: number, responseBytes: number): void {
    let cells = this.#byCode.get(code);
    if (cells === undefined) {
      cells = this.#bind(String(code));
      this.#byCode.set(code, cells);
    }
    cells.requests.inc();
    cells.duration.observe(seconds);
    cells.requestSize.observe(requestBytes);
    cells.responseSize.observe(responseBytes);
  }
}
