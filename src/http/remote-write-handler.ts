/**
 * Remote write endpoints, 1.0 and 2.0: `POST /api/v1/receive` as Thanos (200) and `POST /api/v1/write` as Prometheus
 * (204). The body goes to the service as it came, compressed; nothing here looks into it.
 */
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { CodedError, errorText } from '../lib/errors.ts';
import type { Logger } from '../lib/log.ts';
import type { Family, Gauge, Histogram, MetricsRegistry } from '../lib/metrics.ts';
import { sendTextError } from '../ops/http-body.ts';
import { requestId } from '../ops/request-id.ts';
import { readBody } from './remote-write-body.ts';
import { judgeContent } from './remote-write-content.ts';
import type { WriteOptions, WriteOutcome, WriteService, WrittenCounts } from './write-service.ts';

/** What the endpoints are made of. */
export interface RemoteWriteOptions {
  readonly service: WriteService;
  readonly log: Logger;
  readonly metrics: MetricsRegistry;
  /** The tenant that all samples belong to, as metrics name it. */
  readonly tenant: string;
  /** The largest request, compressed and decompressed. */
  readonly maxDecodedBytes: number;
  /** limit: requests between their first byte and their answer; the next one gets 503. */
  readonly maxInflightRequests: number;
  /** limit: bytes of their bodies; what would go above gets 503. */
  readonly maxInflightBytes: number;
}

/** Seconds after which a sender that got a 503 should come back. */
const RETRY_AFTER_SECONDS = '1';

/** Thanos' buckets for series and samples of one request. */
const COUNT_BUCKETS = [10, 50, 100, 500, 1000, 5000, 10_000];

/** Names the tenant of a request, as Thanos' receive has it by default. */
const TENANT_HEADER = 'thanos-tenant';

/** Tells a 2.0 sender what is stored, whatever the status. */
const WRITTEN_HEADERS = {
  samples: 'x-prometheus-remote-write-samples-written',
  histograms: 'x-prometheus-remote-write-histograms-written',
  exemplars: 'x-prometheus-remote-write-exemplars-written',
} as const;

const NOTHING_WRITTEN: WrittenCounts = { samples: 0, histograms: 0, exemplars: 0 };

const BUSY = 'too many write requests in flight, retry later';

/** How the two endpoints answer. */
interface Flavor {
  readonly path: string;
  readonly handler: string;
  readonly stored: 200 | 204;
}

const FLAVORS: readonly Flavor[] = [
  { path: '/api/v1/receive', handler: 'receive', stored: 200 },
  { path: '/api/v1/write', handler: 'write', stored: 204 },
];

/** Registers the endpoints; before the server listens. */
export function registerRemoteWrite(app: FastifyInstance, options: RemoteWriteOptions): void {
  const state = new WriteState(options);
  app.register((scope, _options, done) => {
    scope.removeAllContentTypeParsers();
    // compat: an empty header counts as none in Go; fastify would call it malformed.
    scope.addHook('onRequest', (request, _reply, next) => {
      const { headers } = request.raw;
      if (headers['content-type'] === '') delete headers['content-type'];
      next();
    });
    // The handler reads the stream itself.
    scope.addContentTypeParser('*', (_request, _payload, next) => next(null, undefined));
    for (const flavor of FLAVORS) {
      scope.post(
        flavor.path,
        { config: { handler: flavor.handler }, bodyLimit: Number.MAX_SAFE_INTEGER },
        (request, reply) => handle(state, flavor, request, reply),
      );
    }
    done();
  });
}

/** What is in flight, and the metrics with their children bound. */
class WriteState {
  readonly options: RemoteWriteOptions;
  readonly #pending: Gauge;
  readonly #series: Family<Histogram>;
  readonly #samples: Family<Histogram>;
  readonly #byCode = new Map<number, { series: Histogram; samples: Histogram }>();
  #requests = 0;
  #bytes = 0;

  constructor(options: RemoteWriteOptions) {
    this.options = options;
    const { metrics } = options;
    this.#pending = metrics.gauge(
      'thanos_receive_pending_write_requests',
      'The number of pending write requests.',
    );
    this.#series = metrics.histogramFamily(
      'thanos_receive_write_timeseries',
      'The number of timeseries received in the incoming write requests.',
      COUNT_BUCKETS,
      ['code', 'tenant'],
    );
    this.#samples = metrics.histogramFamily(
      'thanos_receive_write_samples',
      'The number of sampled received in the incoming write requests.',
      COUNT_BUCKETS,
      ['code', 'tenant'],
    );
  }

  get isFull(): boolean {
    const { maxInflightRequests, maxInflightBytes } = this.options;
    return this.#requests >= maxInflightRequests || this.#bytes >= maxInflightBytes;
  }

  enter(): void {
    this.#pending.set(++this.#requests);
  }

  addBytes(count: number): void {
    this.#bytes += count;
  }

  leave(bytes: number): void {
    this.#bytes -= bytes;
    this.#pending.set(--this.#requests);
  }

  observe(status: number, outcome: WriteOutcome): void {
    let cells = this.#byCode.get(status);
    if (cells === undefined) {
      const code = String(status);
      const { tenant } = this.options;
      cells = {
        series: this.#series.with(code, tenant),
        samples: this.#samples.with(code, tenant),
      };
      this.#byCode.set(status, cells);
    }
    cells.series.observe(outcome.series);
    cells.samples.observe(outcome.samples);
  }
}

async function handle(
  state: WriteState,
  flavor: Flavor,
  request: FastifyRequest,
  reply: FastifyReply,
): Promise<FastifyReply> {
  const { headers } = request;
  const content = judgeContent(headers['content-type'], headers['content-encoding']);
  if (content.refusal !== undefined) return sendTextError(reply, 415, content.refusal);
  const { version } = content;
  const tenant = request.headers[TENANT_HEADER];
  if (tenant !== undefined && tenant !== '' && tenant !== state.options.tenant) {
    // Mixing tenants without a word would be worse than refusing: their series can have equal labels.
    const text = `tenant ${JSON.stringify(tenant)} is not served: several tenants are not implemented yet`;
    return sendTextError(reply, 400, text);
  }
  if (state.isFull) return sendUnavailable(reply, BUSY);
  let bytes = 0;
  const onBytes = (count: number) => {
    bytes += count;
    state.addBytes(count);
  };
  state.enter();
  try {
    const { maxDecodedBytes } = state.options;
    const body = await readBody(request.raw, maxDecodedBytes, onBytes);
    if (body === 'too large') return await sendTooLarge(reply);
    // Whoever broke off reads no answer; the status is for the metrics.
    if (body === 'aborted') return await sendTextError(reply, 400, 'request body ended early');
    const outcome = await write(state, request, body, { maxDecodedBytes, version });
    if (version === 2) setWritten(reply, outcome.written ?? NOTHING_WRITTEN);
    return await sendOutcome(state, flavor, reply, outcome);
  } finally {
    state.leave(bytes);
  }
}

async function write(
  state: WriteState,
  request: FastifyRequest,
  body: Uint8Array<ArrayBuffer>,
  options: WriteOptions,
): Promise<WriteOutcome> {
  const { service, log } = state.options;
  try {
    return await service.write(body, options);
  } catch (thrown) {
    const refused =
      thrown instanceof CodedError && ['unavailable', 'canceled', 'timeout'].includes(thrown.code);
    if (refused) return { status: 503, message: thrown.message, series: 0, samples: 0 };
    log.error('write request failed', { request_id: requestId(request), err: errorText(thrown) });
    return { status: 500, message: 'internal server error', series: 0, samples: 0 };
  }
}

function setWritten(reply: FastifyReply, written: WrittenCounts): void {
  reply.header(WRITTEN_HEADERS.samples, written.samples);
  reply.header(WRITTEN_HEADERS.histograms, written.histograms);
  reply.header(WRITTEN_HEADERS.exemplars, written.exemplars);
}

function sendOutcome(
  state: WriteState,
  flavor: Flavor,
  reply: FastifyReply,
  outcome: WriteOutcome,
): FastifyReply {
  const { status, message } = outcome;
  if (status === 200) {
    state.observe(flavor.stored, outcome);
    return reply.code(flavor.stored).send();
  }
  // compat: Prometheus' own receiver says 400 where Thanos' says 409; senders drop the samples on either.
  state.observe(status, outcome);
  return status === 503 ? sendUnavailable(reply, message) : sendTextError(reply, status, message);
}

function sendUnavailable(reply: FastifyReply, message: string): FastifyReply {
  return sendTextError(reply.header('retry-after', RETRY_AFTER_SECONDS), 503, message);
}

/** The rest of the body is not worth reading: the connection ends with the answer. */
function sendTooLarge(reply: FastifyReply): FastifyReply {
  return sendTextError(reply.header('connection', 'close'), 413, 'write request too large');
}
