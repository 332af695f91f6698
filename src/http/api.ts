/**
 * The Prometheus HTTP API under `/api/v1`: the table of endpoints, CORS, and what is not there. The endpoints that
 * exist in Prometheus or Thanos and not yet here answer 501, so that a client can tell them from a typo.
 */
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { CodedError } from '../lib/errors.ts';
import { clientSignal, sendTextError } from '../ops/http-body.ts';
import { cleanTombstones, deleteSeries, snapshot } from './api-admin.ts';
import type { ApiCall, ApiOptions } from './api-call.ts';
import { formatQuery, parseQuery } from './api-language.ts';
import { labelNames, labelValues, series } from './api-metadata.ts';
import { explainInstant, explainRange, instantQuery, rangeQuery } from './api-query.ts';
import { runtimeInfo } from './api-status.ts';
import { exemplars, metadata, tsdbBlocks, tsdbStatus, walReplay } from './api-tsdb.ts';
import type { TsdbEndpoint } from './api-tsdb.ts';
import { AnswerError, sendAnswer, sendData, sendError, sendNotImplemented } from './envelope.ts';
import { acceptForms, Form } from './form.ts';
import type { QueryAnswer, QueryOrigin } from './query-service.ts';
import { registerRemoteRead } from './remote-read-handler.ts';

type Endpoint = (call: ApiCall) => Promise<QueryAnswer>;

const GET: readonly string[] = ['GET'];
const GET_POST: readonly string[] = ['GET', 'POST'];
const POST_PUT: readonly string[] = ['POST', 'PUT'];

/** Path, methods, `handler` label as Thanos has it, and the endpoint. */
const ENDPOINTS: readonly (readonly [string, readonly string[], string, Endpoint])[] = [
  ['/query', GET_POST, 'query', instantQuery],
  ['/query_range', GET_POST, 'query_range', rangeQuery],
  ['/query_explain', GET_POST, 'query', explainInstant],
  ['/query_range_explain', GET_POST, 'query', explainRange],
  ['/format_query', GET_POST, 'format_query', formatQuery],
  ['/parse_query', GET_POST, 'parse_query', parseQuery],
  ['/series', GET_POST, 'series', series],
  ['/labels', GET_POST, 'label_names', labelNames],
  ['/label/:name/values', GET, 'label_values', labelValues],
];

/** The same for those that ask the TSDB. */
const TSDB_ENDPOINTS: readonly (readonly [string, readonly string[], string, TsdbEndpoint])[] = [
  ['/metadata', GET, 'metadata', metadata],
  ['/query_exemplars', GET_POST, 'exemplars', exemplars],
  ['/status/tsdb', GET, 'status_tsdb', tsdbStatus],
  ['/status/tsdb/blocks', GET, 'status_tsdb_blocks', tsdbBlocks],
  ['/status/walreplay', GET, 'status_walreplay', walReplay],
  ['/admin/tsdb/delete_series', POST_PUT, 'delete_series', deleteSeries],
  ['/admin/tsdb/clean_tombstones', POST_PUT, 'clean_tombstones', cleanTombstones],
  ['/admin/tsdb/snapshot', POST_PUT, 'snapshot', snapshot],
];

/** What Prometheus 3.14 and Thanos 0.43 have and this version does not. */
const NOT_IMPLEMENTED: readonly string[] = [
  '/scrape_pools',
  '/scrape_pools/config',
  '/targets',
  '/targets/metadata',
  '/targets/relabel_steps',
  '/alertmanagers',
  '/status/config',
  '/status/self_metrics',
  '/features',
  '/notifications',
  '/notifications/live',
  '/otlp',
  '/otlp/v1/metrics',
  '/search/metric_names',
  '/search/label_names',
  '/search/label_values',
  '/alerts',
  '/rules',
  '/stores',
  '/blocks',
  '/blocks/mark',
  '/openapi.yaml',
];

const CORS_HEADERS = {
  'access-control-allow-headers': 'Accept, Accept-Encoding, Authorization, Content-Type, Origin',
  'access-control-allow-methods': 'GET, POST, OPTIONS',
  'access-control-allow-origin': '*',
  'access-control-expose-headers': 'Date',
};

/** Every method but OPTIONS, which has an answer of its own. */
const METHODS: readonly string[] = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE'];

/** Registers the API; before the server listens. */
export function registerApi(app: FastifyInstance, options: ApiOptions): void {
  app.register(
    (api, _options, done) => {
      acceptForms(api);
      api.setErrorHandler((error, request, reply) => answerRefused(options, error, request, reply));
      if (!options.disableCors) {
        api.addHook('onRequest', (_request, reply, next) => {
          reply.headers(CORS_HEADERS);
          next();
        });
      }
      for (const [path, methods, handler, endpoint] of ENDPOINTS) {
        route(api, path, methods, handler, (request, reply) =>
          answer(options, endpoint, request, reply),
        );
      }
      registerTsdb(api, options);
      registerStatus(api, options);
      registerRead(api, options);
      for (const url of NOT_IMPLEMENTED) {
        api.route({ method: [...METHODS], url, handler: sendNotImplemented });
      }
      api.options('/*', (_request, reply) => reply.code(204).send());
      done();
    },
    { prefix: '/api/v1' },
  );
}

type Handler = (request: FastifyRequest, reply: FastifyReply) => Promise<void>;

/** Registers a handler for its methods, and Go's 405 for the others. */
function route(
  api: FastifyInstance,
  url: string,
  methods: readonly string[],
  handler: string,
  run: Handler,
): void {
  api.route({ method: [...methods], url, config: { handler }, handler: run });
  refuseOthers(api, url, methods);
}

/** Answers the methods that an endpoint does not have. */
function refuseOthers(api: FastifyInstance, url: string, methods: readonly string[]): void {
  const others = METHODS.filter((method) => !methods.includes(method));
  api.route({
    method: others,
    url,
    handler: (_request, reply) =>
      sendTextError(
        reply.header('allow', [...methods, 'OPTIONS'].join(', ')),
        405,
        'Method Not Allowed',
      ),
  });
}

function registerTsdb(api: FastifyInstance, options: ApiOptions): void {
  const { tsdb } = options;
  for (const [path, methods, handler, endpoint] of TSDB_ENDPOINTS) {
    if (tsdb === undefined) {
      api.route({ method: [...METHODS], url: path, handler: sendNotImplemented });
      continue;
    }
    route(api, path, methods, handler, (request, reply) =>
      answer(options, (call) => endpoint(call, tsdb), request, reply),
    );
  }
}

/** Remote read has bodies that are no forms, so a scope of its own. */
function registerRead(api: FastifyInstance, { read }: ApiOptions): void {
  if (read === undefined) {
    api.route({ method: [...METHODS], url: '/read', handler: sendNotImplemented });
    return;
  }
  api.register((scope, _options, done) => {
    registerRemoteRead(scope, read);
    done();
  });
  refuseOthers(api, '/read', ['POST']);
}

function registerStatus(api: FastifyInstance, options: ApiOptions): void {
  const { status, dialect, clock } = options;
  const add = (name: string, data: () => unknown) =>
    route(api, `/status/${name}`, GET, `status_${name}`, (request, reply) =>
      sendData(request, reply, dialect, data()),
    );
  add('buildinfo', () => status.build);
  add('runtimeinfo', () => runtimeInfo(status, clock));
  add('flags', () => status.flags);
}

async function answer(
  options: ApiOptions,
  endpoint: Endpoint,
  request: FastifyRequest,
  reply: FastifyReply,
): Promise<void> {
  const signal = clientSignal(reply);
  const { name = '' } = request.params as { name?: string };
  let result: QueryAnswer;
  try {
    const call = { options, form: Form.of(request), name, origin: originOf(request), signal };
    result = await endpoint(call);
  } catch (thrown) {
    // Whoever went away reads no answer, and what his going broke is no failure.
    const gone = signal.aborted && !(thrown instanceof CodedError);
    const error = gone
      ? new CodedError('canceled', 'the client went away', { cause: thrown })
      : thrown;
    await sendError(request, reply, options.dialect, options.log, error);
    return;
  }
  await sendAnswer(request, reply, options.dialect, result);
}

/** What fastify refuses before an endpoint sees it. A body that is too large has an answer that the client can read. */
async function answerRefused(
  options: ApiOptions,
  error: unknown,
  request: FastifyRequest,
  reply: FastifyReply,
): Promise<void> {
  if (!isTooLarge(error)) throw error;
  // The connection stays, and Node reads what is left of the body: a client that still sends would see it reset.
  reply.removeHeader('connection');
  const refused = new AnswerError('bad_data', 413, 'http: POST too large');
  await sendError(request, reply, options.dialect, options.log, refused);
}

function isTooLarge(error: unknown): boolean {
  return error instanceof Error && 'statusCode' in error && error.statusCode === 413;
}

/** As Go shows it: an IPv4 address without the prefix that it has on a socket for both versions. */
function originOf(request: FastifyRequest): QueryOrigin {
  const clientIP = (request.socket.remoteAddress ?? '').replace(/^::ffff:/, '');
  return { clientIP, method: request.method, path: request.url.split('?', 1)[0] ?? '' };
}
