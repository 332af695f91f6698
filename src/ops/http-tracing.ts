/**
 * A span for each request of a route that has a handler name. Behaviour: thanos pkg/tracing/http.go (names, headers,
 * tags).
 */
import type { FastifyReply, FastifyRequest, RouteOptions } from 'fastify';
import {
  FORCE_TRACING,
  type ServerSpan,
  type SpanAttributes,
  type Tracer,
} from '../lib/tracing.ts';
import { requestId } from './request-id.ts';

const FORCE_HEADER = 'x-thanos-force-tracing';
const TRACE_ID_HEADER = 'x-thanos-trace-id';

/** Adds the hooks to a route that is being registered; for fastify's onRoute. */
export function traceRoute(route: RouteOptions, tracer: Tracer): void {
  const handler = route.config?.handler;
  if (handler === undefined) return;
  const spans = new WeakMap<FastifyRequest, ServerSpan>();
  const begin = (request: FastifyRequest, reply: FastifyReply, done: () => void): void => {
    const header = (name: string): string | undefined => request.headers[name]?.toString();
    const span = tracer.startServerSpan(`/${handler} HTTP[server]`, header, tags(request));
    spans.set(request, span);
    if (span.traceId !== undefined) reply.header(TRACE_ID_HEADER, span.traceId);
    const { raw } = reply;
    raw.once('close', () => end(span, raw.headersSent ? raw.statusCode : undefined));
    tracer.within(span, done);
  };
  // A body's end comes from the socket, whose context is another one.
  const resume = (request: FastifyRequest, _reply: FastifyReply, done: () => void): void => {
    const span = spans.get(request);
    if (span === undefined) done();
    else tracer.within(span, done);
  };
  route.onRequest = [begin, route.onRequest ?? []].flat();
  route.preValidation = [resume, route.preValidation ?? []].flat();
}

function tags(request: FastifyRequest): SpanAttributes {
  return {
    'http.method': request.method,
    'http.url': request.raw.url ?? '',
    request_id: requestId(request),
    ...(request.headers[FORCE_HEADER] && { [FORCE_TRACING]: 'true' }),
  };
}

function end(span: ServerSpan, status: number | undefined): void {
  if (status !== undefined) span.set({ 'http.status_code': status });
  if (status === undefined) span.end(new Error('the client went away'));
  else span.end(status >= 500 ? new Error(`answered ${status}`) : undefined);
}
