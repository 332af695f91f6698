/**
 * What all APIs under `/api/v1` have in common, whichever component they belong to: forms, CORS, envelope, OPTIONS, 405 for
 * other methods, and `/status/{buildinfo,runtimeinfo,flags}`. Behaviour: thanos pkg/api/api.go (BaseAPI).
 */
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { CodedError } from '../lib/errors.ts';
import { clientSignal, sendTextError } from '../ops/http-body.ts';
import type { ApiCall, ApiOptions } from './api-call.ts';
import { runtimeInfo } from './api-status.ts';
import { AnswerError, sendAnswer, sendData, sendError } from './envelope.ts';
import { acceptForms, Form } from './form.ts';
import type { QueryAnswer, QueryOrigin } from './query-service.ts';

/** What every API is made of. */
export type ApiBase = Pick<ApiOptions, 'status' | 'dialect' | 'clock' | 'log' | 'disableCors'>;

/** One request, before an endpoint gets it. */
export type ApiRequest = Required<Omit<ApiCall, 'options'>>;

/** Sends an answer to a request. */
export type Handler = (request: FastifyRequest, reply: FastifyReply) => Promise<void>;

/** The methods of endpoints that only tell something. */
export const GET: readonly string[] = ['GET'];

/** Every method but OPTIONS, which has an answer of its own. */
export const METHODS: readonly string[] = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE'];

const CORS_HEADERS = {
  'access-control-allow-headers': 'Accept, Accept-Encoding, Authorization, Content-Type, Origin',
  'access-control-allow-methods': 'GET, POST, OPTIONS',
  'access-control-allow-origin': '*',
  'access-control-expose-headers': 'Date',
};

/** Registers an API that `fill` gives its endpoints; before the server listens, and once a server. */
export function registerScope(
  app: FastifyInstance,
  base: ApiBase,
  fill: (api: FastifyInstance) => void,
): void {
  app.register(
    (api, _options, done) => {
      acceptForms(api);
      api.setErrorHandler((error, request, reply) => answerRefused(base, error, request, reply));
      if (!base.disableCors) {
        api.addHook('onRequest', (_request, reply, next) => {
          reply.headers(CORS_HEADERS);
          next();
        });
      }
      registerStatus(api, base);
      fill(api);
      api.options('/*', (_request, reply) => reply.code(204).send());
      done();
    },
    { prefix: '/api/v1' },
  );
}

/** Registers a handler for its methods, and Go's 405 for the others. */
export function route(
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
export function refuseOthers(api: FastifyInstance, url: string, methods: readonly string[]): void {
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

function registerStatus(api: FastifyInstance, base: ApiBase): void {
  const { status, dialect, clock } = base;
  const add = (name: string, data: () => unknown) =>
    route(api, `/status/${name}`, GET, `status_${name}`, (request, reply) =>
      sendData(request, reply, dialect, data()),
    );
  add('buildinfo', () => status.build);
  add('runtimeinfo', () => runtimeInfo(status, clock));
  add('flags', () => status.flags);
}

/** Sends what an endpoint answers, or its error. */
export async function answer(
  base: ApiBase,
  endpoint: (asked: ApiRequest) => Promise<QueryAnswer>,
  request: FastifyRequest,
  reply: FastifyReply,
): Promise<void> {
  const signal = clientSignal(reply);
  const { name = '' } = request.params as { name?: string };
  let result: QueryAnswer;
  try {
    result = await endpoint({ form: Form.of(request), name, origin: originOf(request), signal });
  } catch (thrown) {
    // Whoever went away reads no answer, and what his going broke is no failure.
    const gone = signal.aborted && !(thrown instanceof CodedError);
    const error = gone
      ? new CodedError('canceled', 'the client went away', { cause: thrown })
      : thrown;
    await sendError(request, reply, base.dialect, base.log, error);
    return;
  }
  await sendAnswer(request, reply, base.dialect, result);
}

/** What fastify refuses before an endpoint sees it. A body that is too large has an answer that the client can read. */
async function answerRefused(
  base: ApiBase,
  error: unknown,
  request: FastifyRequest,
  reply: FastifyReply,
): Promise<void> {
  if (!isTooLarge(error)) throw error;
  // The connection stays, and Node reads what is left of the body: a client that still sends would see it reset.
  reply.removeHeader('connection');
  const refused = new AnswerError('bad_data', 413, 'http: POST too large');
  await sendError(request, reply, base.dialect, base.log, refused);
}

function isTooLarge(error: unknown): boolean {
  return error instanceof Error && 'statusCode' in error && error.statusCode === 413;
}

/** As Go shows it: an IPv4 address without the prefix that it has on a socket for both versions. */
function originOf(request: FastifyRequest): QueryOrigin {
  const clientIP = (request.socket.remoteAddress ?? '').replace(/^::ffff:/, '');
  return { clientIP, method: request.method, path: request.url.split('?', 1)[0] ?? '' };
}
