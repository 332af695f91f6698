/** `POST /api/v1/read`: remote read. Statuses and texts: prometheus storage/remote/read_handler.go. */
import type { OutgoingHttpHeaders } from 'node:http';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { CodedError, errorText } from '../lib/errors.ts';
import { Gate } from '../lib/gate.ts';
import type { Logger } from '../lib/log.ts';
import type { Gauge, MetricsRegistry } from '../lib/metrics.ts';
import { clientSignal, sendTextError } from '../ops/http-body.ts';
import { requestId } from '../ops/request-id.ts';
import { FIRST_PAGE } from './remote-read.ts';
import type { ReadPage } from './remote-read.ts';
import { READ_REQUEST_BYTES_MAX } from './remote-read-request.ts';
import type { ReadCursor } from './remote-read-select.ts';
import { readBody } from './remote-write-body.ts';
import { writePieces } from './stream-body.ts';

/** Answers pages of remote read requests: {@link readPage} in whichever thread has the storage. */
export interface ReadService {
  /**
   * A page of the answer to a request, which is snappy-compressed and stays the caller's. Rejects with CodedError;
   * `bad_data` is what is wrong with the request.
   */
  read(body: Uint8Array, cursor: ReadCursor, signal: AbortSignal): Promise<ReadPage>;
}

/** What the endpoint is made of. */
export interface RemoteReadOptions {
  readonly service: ReadService;
  readonly log: Logger;
  readonly metrics: MetricsRegistry;
  /** limit: requests answered at once; further ones wait. `--storage.remote.read-concurrent-limit`. */
  readonly maxConcurrent: number;
}

/** Registers the endpoint at `/read` of a scope that is under `/api/v1` and has no content type parsers of its own. */
export function registerRemoteRead(scope: FastifyInstance, options: RemoteReadOptions): void {
  const gate = new Gate(options.maxConcurrent);
  const queries = options.metrics.gauge(
    'prometheus_remote_read_handler_queries',
    'Remote read requests that are being answered or wait for their turn.',
  );
  scope.removeAllContentTypeParsers();
  // compat: an empty header counts as none in Go; fastify would call it malformed.
  scope.addHook('onRequest', (request, _reply, done) => {
    const { headers } = request.raw;
    if (headers['content-type'] === '') delete headers['content-type'];
    done();
  });
  // The handler reads the stream itself; Prometheus looks at no header.
  scope.addContentTypeParser('*', (_request, _payload, done) => done(null, undefined));
  scope.post(
    '/read',
    { config: { handler: 'read' }, bodyLimit: Number.MAX_SAFE_INTEGER },
    (request, reply) => handle({ options, gate, queries }, request, reply),
  );
}

interface State {
  readonly options: RemoteReadOptions;
  readonly gate: Gate;
  readonly queries: Gauge;
}

async function handle(
  { options, gate, queries }: State,
  request: FastifyRequest,
  reply: FastifyReply,
): Promise<void> {
  const signal = clientSignal(reply);
  queries.inc();
  try {
    await gate.run(signal, () => answer(options, request, reply, signal));
  } catch (thrown) {
    fail(options.log, request, reply, signal, thrown);
  } finally {
    queries.dec();
  }
}

async function answer(
  { service }: RemoteReadOptions,
  request: FastifyRequest,
  reply: FastifyReply,
  signal: AbortSignal,
): Promise<void> {
  const body = await readBody(request.raw, READ_REQUEST_BYTES_MAX, () => undefined);
  if (body === 'too large') {
    reply.header('connection', 'close');
    throw new CodedError('too_large', 'read request too large');
  }
  if (body === 'aborted') throw new CodedError('bad_data', 'request body ended early');
  // What goes wrong before the first page has a status; what goes wrong later breaks the connection.
  let page = await service.read(body, FIRST_PAGE, signal);
  sendHead(reply, page);
  while (await writePieces(reply, page.pieces, signal)) {
    if (page.next === undefined) {
      reply.raw.end();
      return;
    }
    page = await service.read(body, page.next, signal);
  }
}

function sendHead(reply: FastifyReply, { contentType, contentEncoding }: ReadPage): void {
  reply.hijack();
  const headers: OutgoingHttpHeaders = {
    ...(reply.getHeaders() as OutgoingHttpHeaders),
    'content-type': contentType,
  };
  if (contentEncoding !== '') headers['content-encoding'] = contentEncoding;
  reply.raw.writeHead(200, headers);
}

function fail(
  log: Logger,
  request: FastifyRequest,
  reply: FastifyReply,
  signal: AbortSignal,
  thrown: unknown,
): void {
  if (signal.aborted) {
    reply.raw.destroy();
    return;
  }
  const status = statusOf(thrown);
  if (status === 500) {
    log.error('remote read failed', { request_id: requestId(request), err: errorText(thrown) });
  }
  // A frame that is cut off is how a client learns of it: the status has gone out.
  if (reply.raw.headersSent) reply.raw.destroy();
  else sendTextError(reply, status, errorText(thrown));
}

function statusOf(thrown: unknown): number {
  const code = thrown instanceof CodedError ? thrown.code : 'internal';
  if (code === 'bad_data') return 400;
  if (code === 'too_large') return 413;
  return code === 'unavailable' || code === 'timeout' || code === 'canceled' ? 503 : 500;
}
