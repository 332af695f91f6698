/**
 * `hedging_config` of a bucket's configuration. Fields and defaults: Thanos docs/components/store.md; Go's parser of the
 * same file refuses the field.
 */
import type { ZodType } from 'zod';
import type { Zod } from '../lib/strict-yaml.ts';
import { configFields } from './config-fields.ts';

/** When a slow read is asked for again. */
export interface HedgingConfig {
  /** Most requests for one read, the first included. */
  readonly upTo: number;
  /** Which part of the last reads, in (0, 1), was faster than the wait before another request. */
  readonly quantile: number;
}

/** The schema of the field; undefined when reads are not hedged. */
export function hedgingField(z: Zod): ZodType<HedgingConfig | undefined> {
  const { bool, int } = configFields(z);
  const quantile = z
    .string()
    .optional()
    .transform((text = '0.9', context) => {
      const value = Number(text);
      if (text.trim() !== '' && value > 0 && value < 1) return value;
      context.addIssue({
        code: 'custom',
        message: `expected a number between 0 and 1, is ${JSON.stringify(text.slice(0, 100))}`,
      });
      return z.NEVER;
    });
  return z
    .strictObject({ enabled: bool(), up_to: int(3, 1), quantile })
    .optional()
    .transform((given) =>
      given?.enabled === true ? { upTo: given.up_to, quantile: given.quantile } : undefined,
    );
}
