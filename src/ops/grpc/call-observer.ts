/**
 * What is told about calls while they run: a span of each, and a line of the request log. Behaviour: thanos
 * pkg/server/grpc/grpc.go, pkg/tracing/grpc.go (the name of a span is the path), pkg/server/grpc/request_id.go.
 */
import { type Tracer, nopTracer } from '../../lib/tracing.ts';
import type { GrpcRequestLog } from '../grpc-request-log.ts';
import { makeRequestId } from '../request-id.ts';
import type { GrpcMetadata } from './metadata.ts';
import { type GrpcKind, METHOD_TYPES } from './metrics.ts';
import type { GrpcError } from './status.ts';

/** The key of metadata by which a caller tells what its request is called. */
const REQUEST_ID = 'request-id';

/** What is known of a call when it begins. */
export interface ObservedCall {
  readonly path: string;
  readonly kind: GrpcKind;
  readonly peer: string;
  readonly metadata: GrpcMetadata;
  readonly deadline: number | undefined;
}

/** One call that is watched. */
export interface CallWatch {
  /** Runs its handler: spans that it starts are below the call's. */
  within<T>(work: () => T): T;
  /** It has ended, well without an error. */
  end(error: GrpcError | undefined, durationMs: number): void;
}

/** Begins to watch a call. */
export type CallObserver = (call: ObservedCall) => CallWatch;

/** Undefined where nobody wants to know. */
export function callObserver(
  tracer: Tracer,
  requestLog: GrpcRequestLog | undefined,
): CallObserver | undefined {
  if (tracer === nopTracer && requestLog === undefined) return undefined;
  return ({ path, kind, peer, metadata, deadline }) => {
    const requestId = metadata.get(REQUEST_ID) ?? makeRequestId();
    const span = tracer.startServerSpan(path, (name) => metadata.get(name), {
      component: 'gRPC',
      request_id: requestId,
    });
    const { traceId } = span;
    const type = METHOD_TYPES[kind];
    const logged = requestLog?.started({ path, type, peer, requestId, traceId, deadline });
    return {
      within: (work) => tracer.within(span, work),
      end: (error, durationMs) => {
        span.end(error);
        logged?.({ code: error?.grpcCode ?? 'OK', message: error?.message, durationMs });
      },
    };
  };
}
