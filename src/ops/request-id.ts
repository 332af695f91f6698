/** The id by which the log lines of one request are found. Behaviour: thanos pkg/server/http/middleware. */
import type { FastifyRequest } from 'fastify';
import { monotonicFactory } from 'ulid';

const makeUlid = monotonicFactory();
/** An id for a request that came with none. */
export const makeRequestId = (): string => makeUlid();

const madeIds = new WeakMap<FastifyRequest, string>();

/** The request's X-Request-ID, or a ULID made at the first call: making one costs as much as serving a request. */
export function requestId(request: FastifyRequest): string {
  const given = request.headers['x-request-id'];
  if (typeof given === 'string' && given !== '') return given;
  let id = madeIds.get(request);
  if (id === undefined) {
    id = makeRequestId();
    madeIds.set(request, id);
  }
  return id;
}
