/**
 * The Prometheus HTTP API under `/api/v1`: the table of endpoints, and what is not there. The endpoints that
 * exist in Prometheus or Thanos and not yet here answer 501, so that a client can tell them from a typo.
 */
import type { FastifyInstance } from 'fastify';
import { cleanTombstones, deleteSeries, snapshot } from './api-admin.ts';
import type { ApiCall, ApiOptions } from './api-call.ts';
import { formatQuery, parseQuery } from './api-language.ts';
import { labelNames, labelValues, series } from './api-metadata.ts';
import { explainInstant, explainRange, instantQuery, rangeQuery } from './api-query.ts';
import { answer, GET, METHODS, refuseOthers, registerScope, route } from './api-scope.ts';
import { exemplars, metadata, tsdbBlocks, tsdbStatus, walReplay } from './api-tsdb.ts';
import type { TsdbEndpoint } from './api-tsdb.ts';
import { sendNotImplemented } from './envelope.ts';
import type { QueryAnswer } from './query-service.ts';
import { registerRemoteRead } from './remote-read-handler.ts';

type Endpoint = (call: ApiCall) => Promise<QueryAnswer>;

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

/** Registers the API; before the server listens. */
export function registerApi(app: FastifyInstance, options: ApiOptions): void {
  registerScope(app, options, (api) => {
    for (const [path, methods, handler, endpoint] of ENDPOINTS) {
      route(api, path, methods, handler, (request, reply) =>
        answer(options, (asked) => endpoint({ options, ...asked }), request, reply),
      );
    }
    registerTsdb(api, options);
    registerRead(api, options);
    for (const url of NOT_IMPLEMENTED) {
      api.route({ method: [...METHODS], url, handler: sendNotImplemented });
    }
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
      answer(options, (asked) => endpoint({ options, ...asked }, tsdb), request, reply),
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
