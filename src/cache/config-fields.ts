/** Fields of cache configurations. A field that is left out has Go's default. */
import type { ZodType } from 'zod';
import type { StrictYaml, YamlPath, Zod } from '../lib/strict-yaml.ts';
import { booleanScalar, durationScalar, integerScalar, numberScalar } from '../lib/yaml-scalars.ts';
import type { CircuitBreakerConfig } from './circuit-breaker.ts';

/** Schemas of fields with their defaults. */
export interface CacheFields {
  readonly z: Zod;
  readonly text: () => ZodType<string>;
  readonly flag: () => ZodType<boolean>;
  /** A whole number, 0 or more. */
  readonly count: (byDefault: number) => ZodType<number>;
  /** A whole number of either sign. */
  readonly integer: (byDefault: number) => ZodType<number>;
  readonly number: (byDefault: number) => ZodType<number>;
  /** Milliseconds, 0 or more. */
  readonly duration: (byDefaultMs: number) => ZodType<number>;
  /** Bytes of a size such as `250MB`. */
  readonly size: (byDefault: number) => ZodType<number>;
  /** `set_async_circuit_breaker_config`. */
  readonly circuitBreaker: () => ZodType<CircuitBreakerConfig>;
}

/** compat: `KB` and `KiB` are both 1024 bytes; a number needs its unit. Several parts add up: `1GiB512MiB`. */
const SIZE_PART = /(\d+\.?\d*|\.\d+)([KMGTPE]?)(i?)B/gy;
const UNITS = 'KMGTPE';

/** Binds the schemas to the builder that {@link StrictYaml.read} hands out. */
export function cacheFields(z: Zod): CacheFields {
  const atLeast0 = (type: ZodType<number>): ZodType<number> =>
    type.refine((value) => value >= 0, { message: 'is negative, expected 0 or more' });
  const withDefault = <T>(type: ZodType<T>, byDefault: T): ZodType<T> =>
    type.optional().transform((value) => value ?? byDefault);
  const fields: CacheFields = {
    z,
    text: () => withDefault(z.string(), ''),
    flag: () => withDefault(booleanScalar(z), false),
    count: (byDefault) => withDefault(atLeast0(integerScalar(z)), byDefault),
    integer: (byDefault) => withDefault(integerScalar(z), byDefault),
    number: (byDefault) => withDefault(numberScalar(z), byDefault),
    duration: (byDefault) => withDefault(atLeast0(durationScalar(z)), byDefault),
    size: (byDefault) => withDefault(sizeScalar(z), byDefault),
    circuitBreaker: () => circuitBreaker(fields),
  };
  return fields;
}

function sizeScalar(z: Zod): ZodType<number> {
  return z.string().transform((text, context) => {
    const bytes = parseSize(text);
    if (bytes !== undefined) return bytes;
    const message = `expected a size such as 250MB or 1GiB, is ${JSON.stringify(text.slice(0, 100))}`;
    context.addIssue({ code: 'custom', message });
    return z.NEVER;
  });
}

function parseSize(text: string): number | undefined {
  if (text === '0') return 0;
  let [total, end] = [0, 0];
  for (const match of text.matchAll(SIZE_PART)) {
    const [all, number, unit = '', binary] = match;
    if (unit === '' && binary !== '') return undefined;
    total += Number(number) * 1024 ** (unit === '' ? 0 : UNITS.indexOf(unit) + 1);
    end = match.index + all.length;
  }
  const bytes = Math.floor(total);
  return end > 0 && end === text.length && Number.isSafeInteger(bytes) ? bytes : undefined;
}

function circuitBreaker(fields: CacheFields): ZodType<CircuitBreakerConfig> {
  const shape = fields.z.strictObject({
    enabled: fields.flag(),
    half_open_max_requests: fields.count(10),
    open_duration: fields.duration(5000),
    min_requests: fields.count(50),
    consecutive_failures: fields.count(5),
    failure_percent: fields.number(0.05),
  });
  return shape.optional().transform((given) => ({
    enabled: given?.enabled ?? false,
    halfOpenMaxRequests: given?.half_open_max_requests ?? 10,
    openDurationMs: given?.open_duration ?? 5000,
    minRequests: given?.min_requests ?? 50,
    consecutiveFailures: given?.consecutive_failures ?? 5,
    failurePercent: given?.failure_percent ?? 0.05,
  }));
}

/** What a circuit breaker that is on needs. @throws CodedError bad_data with Go's text. */
export function checkCircuitBreaker(
  yaml: StrictYaml,
  path: YamlPath,
  config: CircuitBreakerConfig,
): void {
  if (!config.enabled) return;
  const at = [...path, 'set_async_circuit_breaker_config'];
  if (config.consecutiveFailures === 0) {
    const what = 'circuit breaker: consecutive failures must be greater than 0';
    throw yaml.errorAt([...at, 'consecutive_failures'], what);
  }
  if (config.failurePercent <= 0 || config.failurePercent > 1) {
    const what = 'circuit breaker: failure percent must be in range (0,1]';
    throw yaml.errorAt([...at, 'failure_percent'], what);
  }
}
