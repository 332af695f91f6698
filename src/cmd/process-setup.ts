/** What every command makes of the global flags before anything else: its logger, its memory, its tracer. */
import type { LogLevel, Logger } from '../lib/log.ts';
import { readPathOrContent } from '../lib/path-or-content.ts';
import type { PasswordCheck } from '../ops/basic-auth.ts';
import type { FlagValues } from '../ops/flag-spec.ts';
import { type GrpcRequestLog, grpcRequestLog } from '../ops/grpc-request-log.ts';
import { HttpRequestLog } from '../ops/http-request-log.ts';
import type { LogFormat } from '../ops/log.ts';
import { createLogger } from '../ops/log.ts';
import { limitWorkerHeaps, memoryLimitBytes } from '../ops/memory-limit.ts';
import { parseRequestLogConfig } from '../ops/request-log-config.ts';
import { ServerTls } from '../ops/tls-files.ts';
import { type Tracing, openTracing } from '../ops/tracing/open-tracing.ts';
import type { WebConfig } from '../ops/web-config.ts';
import { CodedError, errorText } from '../lib/errors.ts';
import { configOf } from './config-flags.ts';

/** The logger of `--log.level`, `--log.format` and, where a program has it, `--debug.name`. */
export function commandLogger(values: FlagValues, hasName = true): Logger {
  const log = createLogger({
    level: values.string('log.level') as LogLevel,
    format: values.string('log.format') as LogFormat,
  });
  const name = hasName ? values.string('debug.name') : '';
  return name === '' ? log : log.with({ name });
}

/**
 * The bytes that this process may take, by `--enable-auto-gomemlimit` and `--auto-gomemlimit.ratio`; undefined without
 * the former. Before any worker starts: their heaps are kept below it.
 * @throws CodedError bad_data for a ratio that is none, whether or not the limit is on.
 */
export function memoryBudget(values: FlagValues, log: Logger): number | undefined {
  const ratio = values.number('auto-gomemlimit.ratio');
  const bytes = memoryLimitBytes({ ratio });
  if (!values.bool('enable-auto-gomemlimit')) return undefined;
  limitWorkerHeaps(bytes);
  const share = `${Math.round(ratio * 100)}%`;
  log.debug('memory limit set', { bytes, ratio: `${share} of detected memory` });
  return bytes;
}

/**
 * The tracer of `--tracing.config`. Close it when everything else has stopped.
 * @throws CodedError bad_data with file, line and field.
 */
export async function commandTracing(values: FlagValues, log: Logger): Promise<Tracing> {
  const source = await readPathOrContent(configOf(values, 'tracing.config'));
  return openTracing(source, { log, env: process.env });
}

/** The web configuration of `--http.config`. @throws CodedError bad_data with file, line and field. */
export async function commandWeb(
  values: FlagValues,
  log: Logger,
  checkPassword?: PasswordCheck,
): Promise<WebConfig | undefined> {
  const path = values.string('http.config');
  if (path === '') return undefined;
  // Brings HTTP/2 along, which most processes do without.
  const { WebConfig: Config } = await import('../ops/web-config.ts');
  return Config.open(path, { log, ...(checkPassword && { checkPassword }) });
}

/** How a component serves gRPC. */
export interface GrpcListener {
  readonly address: string;
  readonly gracePeriodMs: number;
  readonly maxConnectionAgeMs: number;
  /** Undefined where there is no TLS. */
  readonly tls: ServerTls | undefined;
}

/** What the flags of grpc-flags.ts say of the server. @throws CodedError bad_data for files and names of TLS. */
export async function commandGrpc(values: FlagValues, log: Logger): Promise<GrpcListener> {
  const tls = await ServerTls.open(
    {
      certFile: values.string('grpc-server-tls-cert'),
      keyFile: values.string('grpc-server-tls-key'),
      caFile: values.string('grpc-server-tls-client-ca'),
      minVersion: values.string('grpc-server-tls-min-version'),
      cipherSuites: values.strings('grpc-server-tls-ciphers'),
      curves: values.strings('grpc-server-tls-curves'),
    },
    log.with({ protocol: 'gRPC' }),
  );
  return {
    address: values.string('grpc-address'),
    gracePeriodMs: values.number('grpc-grace-period'),
    maxConnectionAgeMs: values.number('grpc-server-max-connection-age'),
    tls,
  };
}

/** What logs the requests of a component; undefined where nothing does. */
export interface RequestLogs {
  readonly http: HttpRequestLog | undefined;
  readonly grpc: GrpcRequestLog | undefined;
}

/** The logs of `--request.logging-config`. @throws CodedError bad_data with Thanos' text, file, line and field. */
export async function commandRequestLogs(values: FlagValues, log: Logger): Promise<RequestLogs> {
  try {
    const source = await readPathOrContent(configOf(values, 'request.logging-config'));
    const { http, grpc } = await parseRequestLogConfig(source);
    return { http: http && new HttpRequestLog(http, log), grpc: grpcRequestLog(grpc, log) };
  } catch (thrown) {
    const message = `error while parsing config for request logging: ${errorText(thrown)}`;
    throw new CodedError('bad_data', message, { cause: thrown });
  }
}
