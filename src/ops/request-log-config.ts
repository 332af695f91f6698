/**
 * `--request.logging-config`: which requests are logged. Behaviour and error texts: thanos pkg/logging (http.go,
 * grpc.go, yaml_parser.go).
 */
import type { LogLevel } from '../lib/log.ts';
import { type StrictYaml, type YamlSource, parseStrictYaml } from '../lib/strict-yaml.ts';
import { booleanScalar, integerScalar } from '../lib/yaml-scalars.ts';

/** What is logged of the requests of one protocol. */
export interface ProtocolLog {
  /** Lines of other levels are left out. */
  readonly levels: ReadonlySet<LogLevel>;
  /** Whether a line says that a request begins. */
  readonly start: boolean;
  /** Whether a line says how a request ended. */
  readonly end: boolean;
  /** The requests that are logged, as {@link RequestLogConfig} names them; undefined for all of them. */
  readonly only: ReadonlySet<string> | undefined;
}

/** What is logged; undefined where a protocol logs nothing. */
export interface RequestLogConfig {
  /** `only` holds `path:port`. */
  readonly http: ProtocolLog | undefined;
  /** `only` holds `/service/method`. */
  readonly grpc: ProtocolLog | undefined;
}

/** compat: the level is called WARNING, and logs everything. */
const LEVELS: ReadonlyMap<string, readonly LogLevel[]> = new Map([
  ['INFO', ['info', 'warn', 'error']],
  ['DEBUG', ['debug', 'info', 'warn', 'error']],
  ['ERROR', ['error']],
  ['WARNING', ['debug', 'info', 'warn', 'error']],
]);

interface RawOptions {
  readonly level?: string | undefined;
  readonly decision?:
    | { readonly log_start?: boolean | undefined; readonly log_end?: boolean | undefined }
    | undefined;
}

/** Options that are complete. */
interface Choice {
  readonly level: string;
  readonly start: boolean;
  readonly end: boolean;
  /** Where they stand, for messages. */
  readonly at: readonly string[];
}

const NONE: Choice = { level: 'ERROR', start: false, end: false, at: ['options'] };

/** Without a configuration nothing is logged. @throws CodedError bad_data with file, line and field. */
export async function parseRequestLogConfig(
  source: YamlSource | undefined,
): Promise<RequestLogConfig> {
  if (source === undefined) return { http: undefined, grpc: undefined };
  const yaml = await parseStrictYaml(source);
  const raw = readRaw(yaml) ?? {};
  const common = choiceOf(yaml, raw.options, ['options']) ?? NONE;
  const http = choiceOf(yaml, raw.http?.options, ['http', 'options']) ?? common;
  const grpc = choiceOf(yaml, raw.grpc?.options, ['grpc', 'options']) ?? common;
  return {
    http: protocolOf(
      yaml,
      http,
      raw.http?.config?.map(({ path = '', port = 0 }) => `${path}:${port}`),
      {
        always: true,
        refusal: 'log start call is not supported',
      },
    ),
    grpc: protocolOf(
      yaml,
      grpc,
      raw.grpc?.config?.map(({ service = '', method = '' }) => `/${service}/${method}`),
      { always: false, refusal: 'log decision combination is not supported' },
    ),
  };
}

function readRaw(yaml: StrictYaml) {
  return yaml.read([], (z) => {
    const text = z.string().optional();
    const flag = booleanScalar(z).optional();
    const options = z
      .strictObject({
        level: text,
        decision: z.strictObject({ log_start: flag, log_end: flag }).optional(),
      })
      .optional();
    const path = z.strictObject({ path: text, port: integerScalar(z).optional() });
    const call = z.strictObject({ service: text, method: text });
    return z
      .strictObject({
        options,
        http: z.strictObject({ options, config: z.array(path).optional() }).optional(),
        grpc: z.strictObject({ options, config: z.array(call).optional() }).optional(),
      })
      .optional();
  });
}

/** Undefined where nothing is set, so that the options above hold. */
function choiceOf(
  yaml: StrictYaml,
  raw: RawOptions | undefined,
  at: readonly string[],
): Choice | undefined {
  const { level = '', decision } = raw ?? {};
  const { log_start: start = false, log_end: end = false } = decision ?? {};
  if (level === '' && !start && !end) return undefined;
  if (level === '') throw yaml.errorAt([...at, 'level'], 'level field is empty');
  return { level, start, end, at };
}

function protocolOf(
  yaml: StrictYaml,
  choice: Choice,
  only: readonly string[] = [],
  rules: { readonly always: boolean; readonly refusal: string },
): ProtocolLog | undefined {
  const { level, start, end, at } = choice;
  // compat: of gRPC, a level is looked at only where something is logged.
  if (!start && !end && !rules.always) return undefined;
  const levels = LEVELS.get(level);
  if (levels === undefined) {
    const what = `the format of level is invalid. Expected INFO/DEBUG/ERROR/WARNING, got this ${level.slice(0, 100)}`;
    throw yaml.errorAt([...at, 'level'], what);
  }
  if (!start && !end) return undefined;
  if (!end) throw yaml.errorAt([...at, 'decision'], rules.refusal);
  return {
    levels: new Set(levels),
    start,
    end,
    only: only.length === 0 ? undefined : new Set(only),
  };
}
