/**
 * `--tracing.config`: `{type, config}`. Behaviour and error texts: thanos pkg/tracing/client/factory.go,
 * pkg/tracing/otlp, pkg/tracing/jaeger; docs/tracing.md describes it. Unlike there, unknown fields of `config` are
 * errors, too.
 */
import { CodedError } from '../../lib/errors.ts';
import { type StrictYaml, type YamlSource, parseStrictYaml } from '../../lib/strict-yaml.ts';
import {
  booleanScalar,
  durationScalar,
  integerScalar,
  numberScalar,
} from '../../lib/yaml-scalars.ts';

/** The part of type OTLP; 0, '' and false where a field is absent. */
export interface OtlpConfig {
  readonly type: 'OTLP';
  readonly clientType: 'http' | 'grpc';
  readonly serviceName: string;
  readonly resourceAttributes: Readonly<Record<string, string>>;
  readonly reconnectionPeriodMs: number;
  readonly gzip: boolean;
  readonly insecure: boolean;
  /** `host:port`. */
  readonly endpoint: string;
  readonly urlPath: string;
  readonly timeoutMs: number;
  readonly retry: {
    readonly initialMs: number;
    readonly maxMs: number;
    readonly elapsedMs: number;
  };
  readonly headers: Readonly<Record<string, string>>;
  readonly tls: OtlpTlsConfig;
  /** In lower case. */
  readonly samplerType: string;
  readonly samplerParam: string;
}

/** Files of a client's TLS. */
export interface OtlpTlsConfig {
  readonly caFile: string;
  readonly certFile: string;
  readonly keyFile: string;
  readonly serverName: string;
  readonly skipVerify: boolean;
}

/** The part of type JAEGER that has an effect. */
export interface JaegerConfig {
  readonly type: 'JAEGER';
  readonly serviceName: string;
  /** `key=value,…`, as it was written. */
  readonly tags: string;
  readonly samplerType: string;
  readonly samplerParam: number;
  readonly initialSamplerRate: number;
  readonly localParentSampled: boolean;
  readonly remoteParentSampled: boolean;
  readonly queueMax: number;
  readonly flushIntervalMs: number;
  /** The URL of a collector that takes Thrift; '' means an agent. */
  readonly endpoint: string;
  readonly user: string;
  readonly password: string;
  /** Fields that are there and do nothing. */
  readonly idle: readonly string[];
}

/** A configuration of either type. */
export type TracingConfig = OtlpConfig | JaegerConfig;

/** Types that Thanos has and this version does not. */
const NOT_YET: readonly string[] = ['STACKDRIVER', 'GOOGLE_CLOUD', 'ELASTIC_APM', 'LIGHTSTEP'];

/** @throws CodedError bad_data with file, line and field; not_implemented for a type that is not here yet. */
export async function parseTracingConfig(source: YamlSource): Promise<TracingConfig> {
  const yaml = await parseStrictYaml(source);
  const { type = '' } = yaml.read([], (z) =>
    z.strictObject({ type: z.string().optional(), config: z.unknown().optional() }),
  );
  const upper = type.toUpperCase();
  if (upper === 'OTLP') return readOtlp(yaml);
  if (upper === 'JAEGER') return readJaeger(yaml);
  if (NOT_YET.includes(upper)) {
    const what = `tracing with type ${upper} is not implemented yet, expected OTLP or JAEGER`;
    throw new CodedError('not_implemented', yaml.errorAt(['type'], what).message);
  }
  const what = `tracing with type ${type.slice(0, 100)} is not supported, expected OTLP or JAEGER`;
  throw yaml.errorAt(['type'], what);
}

function readOtlp(yaml: StrictYaml): OtlpConfig {
  const raw =
    yaml.read(['config'], (z) => {
      const text = z.string().optional();
      const duration = durationScalar(z).optional();
      const flag = booleanScalar(z).optional();
      return z
        .strictObject({
          client_type: text,
          service_name: text,
          resource_attributes: z.record(z.string(), z.string().optional()).optional(),
          reconnection_period: duration,
          compression: text,
          insecure: flag,
          endpoint: text,
          url_path: text,
          timeout: duration,
          retry_config: z
            .strictObject({
              retry_enabled: flag,
              retry_initial_interval: duration,
              retry_max_interval: duration,
              retry_max_elapsed_time: duration,
            })
            .optional(),
          headers: z.record(z.string(), z.string().optional()).optional(),
          tls_config: z
            .strictObject({
              ca_file: text,
              cert_file: text,
              key_file: text,
              server_name: text,
              insecure_skip_verify: flag,
            })
            .optional(),
          sampler_type: text,
          sampler_param: text,
        })
        .optional();
    }) ?? {};
  const clientType = raw.client_type;
  if (clientType !== 'http' && clientType !== 'grpc') {
    throw yaml.errorAt(
      ['config', 'client_type'],
      "otlp: invalid client type. Only 'http' and 'grpc' are accepted",
    );
  }
  const retry = raw.retry_config ?? {};
  const tls = raw.tls_config ?? {};
  return {
    type: 'OTLP',
    clientType,
    serviceName: raw.service_name ?? '',
    resourceAttributes: texts(raw.resource_attributes),
    reconnectionPeriodMs: raw.reconnection_period ?? 0,
    gzip: raw.compression === 'gzip',
    insecure: raw.insecure ?? false,
    endpoint: raw.endpoint ?? '',
    urlPath: raw.url_path ?? '',
    timeoutMs: raw.timeout ?? 0,
    retry: {
      initialMs: retry.retry_initial_interval ?? 0,
      maxMs: retry.retry_max_interval ?? 0,
      elapsedMs: retry.retry_max_elapsed_time ?? 0,
    },
    headers: texts(raw.headers),
    tls: {
      caFile: tls.ca_file ?? '',
      certFile: tls.cert_file ?? '',
      keyFile: tls.key_file ?? '',
      serverName: tls.server_name ?? '',
      skipVerify: tls.insecure_skip_verify ?? false,
    },
    samplerType: (raw.sampler_type ?? '').toLowerCase(),
    samplerParam: raw.sampler_param ?? '',
  };
}

function texts(record: Readonly<Record<string, string | undefined>> = {}): Record<string, string> {
  return Object.fromEntries(Object.entries(record).map(([key, value = '']) => [key, value]));
}

/** Fields of Jaeger's configuration that nothing here reads: remote sampling, its agent, and what Go ignores too. */
const IDLE = [
  'disabled',
  'rpc_metrics',
  'traceid_128bit',
  'sampler_manager_host_port',
  'sampler_max_operations',
  'sampler_refresh_interval',
  'sampling_server_url',
  'operation_name_late_binding',
  'reporter_log_spans',
  'reporter_disable_attempt_reconnecting',
  'reporter_attempt_reconnect_interval',
] as const;

function readJaeger(yaml: StrictYaml): JaegerConfig {
  const raw =
    yaml.read(['config'], (z) => {
      const text = z.string().optional();
      const flag = booleanScalar(z).optional();
      const integer = integerScalar(z).optional();
      const duration = durationScalar(z).optional();
      return z
        .strictObject({
          service_name: text,
          disabled: flag,
          rpc_metrics: flag,
          tags: text,
          sampler_type: text,
          sampler_param: numberScalar(z).optional(),
          sampler_manager_host_port: text,
          sampler_max_operations: integer,
          sampler_refresh_interval: duration,
          sampler_parent_config: z
            .strictObject({ local_parent_sampled: flag, remote_parent_sampled: flag })
            .optional(),
          sampling_server_url: text,
          operation_name_late_binding: flag,
          initial_sampler_rate: numberScalar(z).optional(),
          reporter_max_queue_size: integer,
          reporter_flush_interval: duration,
          reporter_log_spans: flag,
          reporter_disable_attempt_reconnecting: flag,
          reporter_attempt_reconnect_interval: duration,
          endpoint: text,
          user: text,
          password: text,
          agent_host: text,
          agent_port: integer,
          traceid_128bit: flag,
        })
        .optional();
    }) ?? {};
  return {
    type: 'JAEGER',
    serviceName: raw.service_name ?? '',
    tags: raw.tags ?? '',
    samplerType: raw.sampler_type ?? '',
    samplerParam: raw.sampler_param ?? 0,
    initialSamplerRate: raw.initial_sampler_rate ?? 0,
    localParentSampled: raw.sampler_parent_config?.local_parent_sampled ?? false,
    remoteParentSampled: raw.sampler_parent_config?.remote_parent_sampled ?? false,
    queueMax: raw.reporter_max_queue_size ?? 0,
    flushIntervalMs: raw.reporter_flush_interval ?? 0,
    endpoint: raw.endpoint ?? '',
    user: raw.user ?? '',
    password: raw.password ?? '',
    idle: IDLE.filter((name) => Boolean(raw[name])),
  };
}
