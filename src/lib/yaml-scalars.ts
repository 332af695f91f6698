/**
 * Scalars of a strict YAML document as values: schemas that take the text that was written, since strict-yaml.ts keeps
 * all of it. Behaviour: gopkg.in/yaml.v2 into Go's bool, int, float64 and time.Duration.
 */
import type { ZodType } from 'zod';
import { errorText } from './errors.ts';
import { parseGoDuration } from './go-duration.ts';
import type { Zod } from './strict-yaml.ts';

const TRUE: ReadonlySet<string> = new Set(['y', 'yes', 'true', 'on']);
const FALSE: ReadonlySet<string> = new Set(['n', 'no', 'false', 'off']);

/** `true`, `yes`, `on`, `y` and their opposites, in one case or capitalized; undefined for all else. */
export function parseYamlBoolean(text: string): boolean | undefined {
  const lower = text.toLowerCase();
  const capital = lower.slice(0, 1).toUpperCase() + lower.slice(1);
  if (![lower, lower.toUpperCase(), capital].includes(text)) return undefined;
  if (TRUE.has(lower)) return true;
  return FALSE.has(lower) ? false : undefined;
}

/** What {@link parseYamlBoolean} takes. */
export function booleanScalar(z: Zod): ZodType<boolean> {
  return scalar(z, 'true or false', parseYamlBoolean);
}

/** A decimal whole number that a double holds. */
export function integerScalar(z: Zod): ZodType<number> {
  return scalar(z, 'a whole number', (text) => {
    const value = /^[+-]?\d+$/.test(text) ? Number(text) : NaN;
    return Number.isSafeInteger(value) ? value : undefined;
  });
}

/** A decimal number. */
export function numberScalar(z: Zod): ZodType<number> {
  return scalar(z, 'a number', (text) => {
    const value = /^[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?$/.test(text) ? Number(text) : NaN;
    return Number.isFinite(value) ? value : undefined;
  });
}

/** A duration of Go (`1m30s`), in milliseconds. */
export function durationScalar(z: Zod): ZodType<number> {
  return z.string().transform((text, context) => {
    try {
      return parseGoDuration(text);
    } catch (thrown) {
      const message = `expected a duration such as 30s or 1m30s: ${errorText(thrown)}`;
      context.addIssue({ code: 'custom', message });
      return z.NEVER;
    }
  });
}

function scalar<T>(z: Zod, what: string, parse: (text: string) => T | undefined): ZodType<T> {
  return z.string().transform((text, context) => {
    const value = parse(text);
    if (value !== undefined) return value;
    const message = `expected ${what}, is ${JSON.stringify(text.slice(0, 100))}`;
    context.addIssue({ code: 'custom', message });
    return z.NEVER;
  });
}
