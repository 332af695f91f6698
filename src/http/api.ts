/**
 * The Prometheus HTTP API under `/api/v1`: the table of endpoints, CORS, and what is not there. The endpoints that
 * exist in Prometheus or Thanos and not yet here answer 501, so that a client can tell them from a typo.
 */
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { CodedError } from '../lib/errors.ts';
import { clientSignal, sendTextError } from '../ops/http-body.ts';
import type { ApiCall, ApiOptions } from './api-call.ts';
import { labelNames, labelValues, series } from './api-metadata.ts';
import { instantQuery, rangeQuery } from './api-query.ts';
import { runtimeInfo } from './api-status.ts';
import { sendAnswer, sendData, sendError, sendNotImplemented } from './envelope.ts';
import { acceptForms, Form } from './form.ts';
import type { QueryAnswer } from './query-service.ts';

type Endpoint = (call: ApiCall) => Promise<QueryAnswer>;

const GET: readonly string[] = ['GET'];
const GET_POST: readonly string[] = ['GET', 'POST'];

/** Path, methods, `handler` label as Thanos has it, and the endpoint. */
const ENDPOINTS: readonly (readonly [string, readonly string[], string, Endpoint])[] = [
  ['/query', GET_POST, 'query', instantQuery],
  ['/query_range', GET_POST, 'query_range', rangeQuery],
  ['/series', GET_POST, 'series', series],
  ['/labels', GET_POST, 'label_names', labelNames],
  ['/label/:name/values', GET, 'label_values', labelValues],
];

/** What Prometheus 3.14 and Thanos 0.43 have and this version does not. */
const NOT_IMPLEMENTED: readonly string[] = [
  '/query_explain',
  '/query_range_explain',
  '/query_exemplars',
  '/format_query',
  '/parse_query',
  '/scrape_pools',
  '/scrape_pools/config',
  '/targets',
  '/targets/metadata',
  '/targets/relabel_steps',
  '/alertmanagers',
  '/metadata',
  '/status/config',
  '/status/tsdb',
  '/status/tsdb/blocks',
  '/status/self_metrics',
  '/status/walreplay',
  '/features',
  '/notifications',
  '/notifications/live',
  '/read',
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
  '/admin/tsdb/delete_series',
  '/admin/tsdb/clean_tombstones',
  '/admin/tsdb/snapshot',
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
      registerStatus(api, options);
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
    result = await endpoint({ options, form: Form.of(request), name, signal });
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
