/**
 * Log lines about gRPC calls. Behaviour: thanos pkg/logging/grpc.go over go-grpc-middleware's interceptors/logging,
 * whose fields these are.
 */
import type { LogLevel, LogValue, Logger } from '../lib/log.ts';
import type { ProtocolLog } from './request-log-config.ts';

/** What is known of a call when it begins. */
export interface LoggedCall {
  /** `/service/method`. */
  readonly path: string;
  readonly type: 'unary' | 'client_stream' | 'server_stream' | 'bidi_stream';
  /** The client's address and port. */
  readonly peer: string;
  /** Of the call's metadata, or made for it. */
  readonly requestId: string;
  /** Of the trace that is recorded, if one is. */
  readonly traceId?: string | undefined;
  /** When the client stops waiting, in ms since the epoch. */
  readonly deadline?: number | undefined;
}

/** How a call ended. */
export interface CallOutcome {
  /** The name of the status: `OK`, `NotFound`. */
  readonly code: string;
  /** The text of a status that is not OK. */
  readonly message?: string | undefined;
  readonly durationMs: number;
}

/** The hooks of a gRPC server. */
export interface GrpcRequestLog {
  /** A call begins; what it returns is told how it ended. */
  started(call: LoggedCall): (outcome: CallOutcome) => void;
}

/** The statuses that are the server's fault. */
const ERRORS: ReadonlySet<string> = new Set(['Unknown', 'Unimplemented', 'Internal', 'DataLoss']);

const NOTHING = (): void => undefined;

/** Undefined where no call is logged. */
export function grpcRequestLog(
  config: ProtocolLog | undefined,
  log: Logger,
): GrpcRequestLog | undefined {
  if (config === undefined) return undefined;
  // compat: the levels of the configuration are checked and, unlike those of HTTP, have no effect.
  const write = (level: LogLevel, msg: string, fields: Record<string, LogValue>): void =>
    log[level](msg, fields);
  return {
    started: (call) => {
      if (config.only?.has(call.path) === false) return NOTHING;
      const fields = fieldsOf(call, new Date());
      if (config.start) write('debug', 'started call', { ...fields, 'grpc.time_ms': '0' });
      return ({ code, message, durationMs }) => {
        write(ERRORS.has(code) ? 'error' : 'debug', 'finished call', {
          ...fields,
          'grpc.code': code,
          'grpc.error':
            code === 'OK' ? undefined : `rpc error: code = ${code} desc = ${message ?? ''}`,
          'grpc.time_ms': String(Math.floor(durationMs * 1000) / 1000),
        });
      };
    },
  };
}

function fieldsOf(call: LoggedCall, now: Date): Record<string, LogValue> {
  const [, service = '', method = ''] = call.path.split('/');
  return {
    traceID: call.traceId,
    requestID: call.requestId,
    protocol: 'grpc',
    'grpc.component': 'server',
    'grpc.service': service,
    'grpc.method': method,
    'grpc.method_type': call.type,
    'peer.address': call.peer,
    'grpc.start_time': seconds(now),
    'grpc.request.deadline':
      call.deadline === undefined ? undefined : seconds(new Date(call.deadline)),
  };
}

/** RFC 3339, as Go writes it. */
function seconds(time: Date): string {
  return time.toISOString().replace(/\.\d+Z$/, 'Z');
}
