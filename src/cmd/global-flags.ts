/** The flags that every command of `thanos` takes, wherever they stand. */
import type { FlagSpec } from '../ops/flag-spec.ts';
import { LOG_FORMATS, LOG_LEVELS } from '../ops/log.ts';
import { configFlags } from './config-flags.ts';

/** How to log. */
export const LOG_FLAGS: readonly FlagSpec[] = [
  {
    name: 'log.level',
    kind: 'enum',
    values: LOG_LEVELS,
    default: 'info',
    help: 'Log filtering level. Possible options: error, warn, info, debug.',
  },
  {
    name: 'log.format',
    kind: 'enum',
    values: LOG_FORMATS,
    default: 'logfmt',
    help: 'Log format to use. Possible options: logfmt, json or journald.',
  },
];

/** The table. */
export const GLOBAL_FLAGS: readonly FlagSpec[] = [
  {
    name: 'debug.name',
    kind: 'string',
    hidden: true,
    help: 'Name that is added to each log line.',
  },
  ...LOG_FLAGS,
  ...configFlags('tracing.config', 'the configuration of tracing in YAML: type, config'),
  {
    name: 'enable-auto-gomemlimit',
    kind: 'bool',
    help: 'Take budgets from the memory that the control group, or the machine, allows.',
  },
  {
    name: 'auto-gomemlimit.ratio',
    kind: 'float',
    default: '0.9',
    help: 'How much of that memory this process may take, above 0 and up to 1.',
  },
];
