/**
 * What the environment says about tracing. The configuration goes first where it has the same. Names: the OpenTelemetry
 * specification, "Environment Variable Specification" and "OTLP Exporter Configuration".
 */
import { CodedError } from '../../lib/errors.ts';
import type { Logger } from '../../lib/log.ts';
import { type BatchLimits, DEFAULT_BATCH } from './span-batcher.ts';

/** Variables by name. */
export type Environment = Readonly<Record<string, string | undefined>>;

/** Where an OTLP exporter sends to, as far as the environment knows. */
export interface OtlpEnvironment {
  readonly endpoint: URL | undefined;
  readonly insecure: boolean;
  readonly headers: Readonly<Record<string, string>>;
  readonly timeoutMs: number;
  readonly gzip: boolean;
  readonly caFile: string;
  readonly certFile: string;
  readonly keyFile: string;
}

/** @throws CodedError bad_data for an endpoint that is no URL, or a number that is none. */
export function otlpEnvironment(env: Environment): OtlpEnvironment {
  const of = (name: string): string =>
    (env[`OTEL_EXPORTER_OTLP_TRACES_${name}`] || env[`OTEL_EXPORTER_OTLP_${name}`]) ?? '';
  const endpoint = endpointOf(env);
  return {
    endpoint,
    insecure: endpoint === undefined ? of('INSECURE') === 'true' : endpoint.protocol === 'http:',
    headers: pairs(of('HEADERS')),
    timeoutMs: number(of('TIMEOUT'), 'OTEL_EXPORTER_OTLP_TIMEOUT', 10_000),
    gzip: of('COMPRESSION') === 'gzip',
    caFile: of('CERTIFICATE'),
    certFile: of('CLIENT_CERTIFICATE'),
    keyFile: of('CLIENT_KEY'),
  };
}

/** The variable for traces is the whole URL, the one for all signals the part before `/v1/traces`. */
function endpointOf(env: Environment): URL | undefined {
  const whole = env['OTEL_EXPORTER_OTLP_TRACES_ENDPOINT'] ?? '';
  if (whole !== '') return url('OTEL_EXPORTER_OTLP_TRACES_ENDPOINT', whole);
  const base = env['OTEL_EXPORTER_OTLP_ENDPOINT'] ?? '';
  if (base === '') return undefined;
  const found = url('OTEL_EXPORTER_OTLP_ENDPOINT', base);
  found.pathname = `${found.pathname.replace(/\/$/, '')}/v1/traces`;
  return found;
}

function url(name: string, text: string): URL {
  const found = URL.parse(text);
  if (found !== null && /^https?:$/.test(found.protocol)) return found;
  const message = `${name}: expected a URL such as http://collector:4318, is ${JSON.stringify(text)}`;
  throw new CodedError('bad_data', message);
}

/** Attributes of the process from OTEL_RESOURCE_ATTRIBUTES and OTEL_SERVICE_NAME. */
export function resourceEnvironment(env: Environment): Record<string, string> {
  const attributes = pairs(env['OTEL_RESOURCE_ATTRIBUTES'] ?? '');
  const name = env['OTEL_SERVICE_NAME'] ?? '';
  return name === '' ? attributes : { ...attributes, 'service.name': name };
}

/** Which headers carry the context; those that are not here are named in the log. */
export function propagatorsOf(env: Environment, log: Logger): ('tracecontext' | 'baggage')[] {
  const names = (env['OTEL_PROPAGATORS'] || 'tracecontext,baggage').split(',').map((n) => n.trim());
  const known: ('tracecontext' | 'baggage')[] = [];
  for (const name of new Set(names)) {
    if (name === 'tracecontext' || name === 'baggage') known.push(name);
    else if (name !== 'none') log.warn('propagator is not implemented yet', { propagator: name });
  }
  return known;
}

/** Sizes and times of batches. @throws CodedError bad_data for a number that is none. */
export function batchEnvironment(env: Environment): BatchLimits {
  const of = (name: string, fallback: number): number => number(env[name] ?? '', name, fallback);
  const queueMax = of('OTEL_BSP_MAX_QUEUE_SIZE', DEFAULT_BATCH.queueMax);
  return {
    queueMax,
    batchMax: Math.min(of('OTEL_BSP_MAX_EXPORT_BATCH_SIZE', DEFAULT_BATCH.batchMax), queueMax),
    delayMs: of('OTEL_BSP_SCHEDULE_DELAY', DEFAULT_BATCH.delayMs),
  };
}

function number(text: string, name: string, fallback: number): number {
  if (text === '') return fallback;
  const value = /^\d+$/.test(text) ? Number(text) : 0;
  if (value > 0 && value < 2 ** 31) return value;
  const message = `${name}: expected a whole number above 0, is ${JSON.stringify(text)}`;
  throw new CodedError('bad_data', message);
}

/** `key=value,…`, percent-encoded. */
function pairs(text: string): Record<string, string> {
  const found: Record<string, string> = {};
  for (const part of text.split(',')) {
    const at = part.indexOf('=');
    if (at > 0) found[decode(part.slice(0, at).trim())] = decode(part.slice(at + 1).trim());
  }
  return found;
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
