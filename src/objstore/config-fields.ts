/**
 * Fields of bucket configurations. YAML gives texts; these schemas make of them what gopkg.in/yaml makes of them in Go:
 * booleans, whole numbers, durations. A field that is left out has the default.
 */
import type { ZodType } from 'zod';
import { parseDuration } from '../lib/duration.ts';
import { errorText } from '../lib/errors.ts';
import { parseGoDuration } from '../lib/go-duration.ts';
import type { Zod } from '../lib/strict-yaml.ts';
import { parseYamlBoolean } from '../lib/yaml-scalars.ts';

/** Schemas of fields, by what they hold. */
export interface ConfigFields {
  readonly z: Zod;
  readonly text: (byDefault?: string) => ZodType<string>;
  readonly bool: (byDefault?: boolean) => ZodType<boolean>;
  /** A whole number from `min` on, 0 when none is given. */
  readonly int: (byDefault?: number, min?: number) => ZodType<number>;
  /** Milliseconds of a duration in Prometheus' syntax (`90s`, `1m30s`). */
  readonly duration: (byDefault: number) => ZodType<number>;
  /** Milliseconds of a duration in Go's syntax (`1.5s`). */
  readonly goDuration: (byDefault: number) => ZodType<number>;
  /** A mapping of texts. */
  readonly texts: () => ZodType<Readonly<Record<string, string>>>;
}

/** Binds the schemas to the builder that {@link StrictYaml.read} hands out. */
export function configFields(z: Zod): ConfigFields {
  const parsed = <T>(byDefault: T, parse: (text: string) => T): ZodType<T> =>
    z
      .string()
      .optional()
      .transform((text, context) => {
        if (text === undefined) return byDefault;
        try {
          return parse(text);
        } catch (thrown) {
          context.addIssue({ code: 'custom', message: errorText(thrown) });
          return z.NEVER;
        }
      });
  return {
    z,
    text: (byDefault = '') => parsed(byDefault, (text) => text),
    bool: (byDefault = false) => parsed(byDefault, parseBool),
    int: (byDefault = 0, min = 0) => parsed(byDefault, (text) => parseInteger(text, min)),
    duration: (byDefault) => parsed(byDefault, parseDuration),
    goDuration: (byDefault) => parsed(byDefault, parseGoDuration),
    texts: () =>
      z
        .record(z.string(), z.string().optional())
        .optional()
        .transform((given = {}) =>
          Object.fromEntries(Object.entries(given).map(([key, value = '']) => [key, value])),
        ),
  };
}

function parseBool(text: string): boolean {
  const value = parseYamlBoolean(text);
  if (value !== undefined) return value;
  throw new Error(`expected true or false, is ${quoted(text)}`);
}

function parseInteger(text: string, min: number): number {
  const digits = text.replaceAll('_', '');
  const isNumber = /^[+-]?(?:\d+|0x[\da-fA-F]+)$/.test(digits);
  const sign = digits.startsWith('-') ? -1 : 1;
  const value = sign * Number(digits.replace(/^[+-]/, ''));
  if (isNumber && Number.isSafeInteger(value) && value >= min) return value;
  const from = Number.isFinite(min) ? ` from ${min} on` : '';
  throw new Error(`expected a whole number${from}, is ${quoted(text)}`);
}

function quoted(text: string): string {
  return JSON.stringify(text.slice(0, 100));
}
