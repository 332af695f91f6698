/** Makes the tracer of a process from `--tracing.config`. The SDK is loaded only when there is one. */
import { type Clock, systemClock } from '../../lib/clock.ts';
import { CodedError } from '../../lib/errors.ts';
import type { Logger } from '../../lib/log.ts';
import type { YamlSource } from '../../lib/strict-yaml.ts';
import { type Tracer, nopTracer } from '../../lib/tracing.ts';
import { ClientTls } from '../tls-files.ts';
import {
  type Environment,
  batchEnvironment,
  otlpEnvironment,
  propagatorsOf,
  resourceEnvironment,
} from './otlp-environment.ts';
import type { OtlpTransport } from './otlp-sink.ts';
import type { BatchLimits, SpanSink } from './span-batcher.ts';
import { type JaegerConfig, type OtlpConfig, parseTracingConfig } from './tracing-config.ts';

/** Where tracing gets what it needs. */
export interface TracingOptions {
  readonly log: Logger;
  readonly env: Environment;
  readonly clock?: Clock;
}

/** The tracer, and its end. */
export interface Tracing {
  readonly tracer: Tracer;
  /** Sends what has ended; waits five seconds at most. */
  close(): Promise<void>;
}

/**
 * The tracer that a configuration describes; one that does nothing when there is none.
 * @throws CodedError bad_data with file, line and field; not_implemented for what is not here yet.
 */
export async function openTracing(
  source: YamlSource | undefined,
  options: TracingOptions,
): Promise<Tracing> {
  if (source === undefined) return { tracer: nopTracer, close: () => Promise.resolve() };
  options.log.info('loading tracing configuration');
  const config = await parseTracingConfig(source);
  return config.type === 'OTLP' ? openOtlp(config, options) : openJaeger(config, options);
}

async function openOtlp(config: OtlpConfig, options: TracingOptions): Promise<Tracing> {
  const [{ OtlpSink, DEFAULT_RETRY }, { otlpSampler }, transport] = await Promise.all([
    import('./otlp-sink.ts'),
    import('./samplers.ts'),
    otlpTransport(config, options),
  ]);
  const retry = {
    initialMs: config.retry.initialMs || DEFAULT_RETRY.initialMs,
    maxMs: config.retry.maxMs || DEFAULT_RETRY.maxMs,
    elapsedMs: config.retry.elapsedMs || DEFAULT_RETRY.elapsedMs,
  };
  const { serviceName, resourceAttributes } = config;
  return openTracer(new OtlpSink(transport, retry, options.log), batchEnvironment(options.env), {
    ...options,
    sampler: otlpSampler(config, options.log),
    resource: {
      ...(serviceName !== '' && { 'service.name': serviceName }),
      ...resourceAttributes,
    },
  });
}

async function otlpTransport(config: OtlpConfig, options: TracingOptions): Promise<OtlpTransport> {
  const env = otlpEnvironment(options.env);
  const insecure = config.insecure || env.insecure;
  const tls = insecure
    ? undefined
    : await ClientTls.open({
        caFile: config.tls.caFile || env.caFile,
        certFile: config.tls.certFile || env.certFile,
        keyFile: config.tls.keyFile || env.keyFile,
        serverName: config.tls.serverName,
        skipVerify: config.tls.skipVerify,
      });
  const common = {
    headers: { ...env.headers, ...config.headers },
    timeoutMs: config.timeoutMs || env.timeoutMs,
    gzip: config.gzip || env.gzip,
  };
  if (config.clientType === 'grpc') {
    const address = config.endpoint || env.endpoint?.host || 'localhost:4317';
    const { reconnectionPeriodMs } = config;
    const { OtlpGrpc } = await import('./otlp-grpc.ts');
    return new OtlpGrpc({ address, tls, reconnectionPeriodMs, ...common });
  }
  const host = config.endpoint || env.endpoint?.host || 'localhost:4318';
  const path = config.urlPath || env.endpoint?.pathname || '/v1/traces';
  const { OtlpHttp } = await import('./otlp-http.ts');
  return new OtlpHttp({
    url: endpointUrl(insecure ? 'http' : 'https', host, path),
    ...(tls && { tls: () => tls.connectOptions() }),
    ...common,
  });
}

function endpointUrl(scheme: string, host: string, path: string): URL {
  const url = URL.parse(`${scheme}://${host}${path.startsWith('/') ? '' : '/'}${path}`);
  if (url !== null && !host.includes('/')) return url;
  const message = `tracing: expected an endpoint such as collector:4318, is ${JSON.stringify(host)}`;
  throw new CodedError('bad_data', message);
}

async function openJaeger(config: JaegerConfig, options: TracingOptions): Promise<Tracing> {
  const { log, env, clock = systemClock } = options;
  for (const field of config.idle) log.warn('has no effect', { type: 'JAEGER', field });
  const endpoint = config.endpoint || env['OTEL_EXPORTER_JAEGER_ENDPOINT'] || '';
  if (endpoint === '') {
    const message =
      'tracing: sending spans to a Jaeger agent is not implemented yet; expected endpoint, the URL of a collector such as http://jaeger:14268/api/traces';
    throw new CodedError('not_implemented', message);
  }
  const url = URL.parse(endpoint);
  if (url === null || !/^https?:$/.test(url.protocol)) {
    const message = `tracing: endpoint: expected a URL such as http://jaeger:14268/api/traces, is ${JSON.stringify(endpoint)}`;
    throw new CodedError('bad_data', message);
  }
  const [{ JaegerSink, parseTags }, { jaegerSampler }] = await Promise.all([
    import('./jaeger-sink.ts'),
    import('./samplers.ts'),
  ]);
  const sink = new JaegerSink({
    url,
    user: config.user || env['OTEL_EXPORTER_JAEGER_USER'] || '',
    password: config.password || env['OTEL_EXPORTER_JAEGER_PASSWORD'] || '',
  });
  const batch = batchEnvironment(env);
  const queueMax = config.queueMax || batch.queueMax;
  const limits = {
    queueMax,
    batchMax: Math.min(batch.batchMax, queueMax),
    delayMs: config.flushIntervalMs || batch.delayMs,
  };
  return openTracer(sink, limits, {
    ...options,
    sampler: jaegerSampler(config, clock),
    resource: { 'service.name': config.serviceName, ...parseTags(config.tags, env) },
  });
}

async function openTracer(
  sink: SpanSink,
  limits: BatchLimits,
  options: TracingOptions & {
    readonly sampler: ReturnType<typeof import('./samplers.ts').otlpSampler>;
    readonly resource: Readonly<Record<string, string>>;
  },
): Promise<Tracing> {
  const [{ OtelTracer }, { SpanBatcher }] = await Promise.all([
    import('./otel-tracer.ts'),
    import('./span-batcher.ts'),
  ]);
  const { log, env, clock = systemClock, sampler, resource } = options;
  const tracer = new OtelTracer({
    sampler,
    processor: new SpanBatcher(sink, limits, clock, log),
    resource: { ...resourceEnvironment(env), ...resource },
    propagators: propagatorsOf(env, log),
  });
  return { tracer, close: () => tracer.close() };
}
