/**
 * grpc_server_* and grpc_client_*: names, labels and buckets as Thanos has them (go-grpc-middleware). One of each a
 * process; all servers and channels of the process count into them.
 */
import type { Counter, Family, Histogram, MetricsRegistry } from '../../lib/metrics.ts';
import { GRPC_CODES, type GrpcCode } from './status.ts';

/** How many messages go each way. */
export type GrpcKind = 'unary' | 'server-stream' | 'client-stream' | 'bidi';

const SERVER_BUCKETS = [0.001, 0.01, 0.1, 0.3, 0.6, 1, 3, 6, 9, 20, 30, 60, 90, 120];
const CLIENT_BUCKETS = [...SERVER_BUCKETS, 240, 360, 720];

/** The kinds as metrics and logs name them. */
export const METHOD_TYPES = {
  unary: 'unary',
  'server-stream': 'server_stream',
  'client-stream': 'client_stream',
  bidi: 'bidi_stream',
} as const satisfies Record<GrpcKind, string>;

/** The service and the method of a path `/service/method`. */
export function splitPath(path: string): { readonly service: string; readonly method: string } {
  const at = path.lastIndexOf('/');
  return { service: path.slice(1, at), method: path.slice(at + 1) };
}

/** The metrics of one method. */
export interface MethodMetrics {
  readonly started: Counter;
  readonly received: Counter;
  readonly sent: Counter;
  /** Counts the end of a call that took so many seconds. */
  handled(code: GrpcCode, seconds: number): void;
}

/** One side's families. */
class SideMetrics {
  readonly #started: Family<Counter>;
  readonly #handled: Family<Counter>;
  readonly #received: Family<Counter>;
  readonly #sent: Family<Counter>;
  readonly #seconds: Family<Histogram>;
  readonly #methods = new Map<string, MethodMetrics>();

  constructor(metrics: MetricsRegistry, side: 'server' | 'client', buckets: number[]) {
    const labels = ['grpc_method', 'grpc_service', 'grpc_type'];
    const counter = (what: string, help: string, names = labels) =>
      metrics.counterFamily(`grpc_${side}_${what}_total`, `${help} on the ${side}.`, names);
    this.#started = counter('started', 'Calls that have begun');
    this.#handled = counter('handled', 'Calls that have ended, by their status,', [
      'grpc_code',
      ...labels,
    ]);
    this.#received = counter('msg_received', 'Messages that were received');
    this.#sent = counter('msg_sent', 'Messages that were sent');
    this.#seconds = metrics.histogramFamily(
      `grpc_${side}_handling_seconds`,
      `Time from the beginning of a call to its end on the ${side}.`,
      buckets,
      labels,
    );
  }

  /** The metrics of a method; all its cells exist from the first call on. */
  method(path: string, kind: GrpcKind): MethodMetrics {
    const key = `${kind} ${path}`;
    let found = this.#methods.get(key);
    if (found === undefined) {
      found = this.#bind(path, kind);
      this.#methods.set(key, found);
    }
    return found;
  }

  #bind(path: string, kind: GrpcKind): MethodMetrics {
    const { service, method } = splitPath(path);
    const type = METHOD_TYPES[kind];
    const handled = new Map(
      GRPC_CODES.map((code) => [code, this.#handled.with(code, method, service, type)]),
    );
    const seconds = this.#seconds.with(method, service, type);
    return {
      started: this.#started.with(method, service, type),
      received: this.#received.with(method, service, type),
      sent: this.#sent.with(method, service, type),
      handled: (code, took) => {
        handled.get(code)?.inc();
        seconds.observe(took);
      },
    };
  }
}

/** grpc_server_* and grpc_req_panics_recovered_total. */
export class GrpcServerMetrics extends SideMetrics {
  /** Handlers that threw what no handler throws on purpose. */
  readonly panics: Counter;

  constructor(metrics: MetricsRegistry) {
    super(metrics, 'server', SERVER_BUCKETS);
    this.panics = metrics.counter(
      'grpc_req_panics_recovered_total',
      'Calls whose handler failed by a bug.',
    );
  }
}

/** grpc_client_*. */
export class GrpcClientMetrics extends SideMetrics {
  constructor(metrics: MetricsRegistry) {
    super(metrics, 'client', CLIENT_BUCKETS);
  }
}
