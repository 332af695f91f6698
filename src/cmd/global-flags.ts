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
    idle: true,
    help: 'Name to add to log lines.',
  },
  ...LOG_FLAGS,
  ...configFlags(
    'tracing.config',
    'the configuration of tracing, which is not implemented yet',
  ).map((flag) => ({ ...flag, idle: true })),
  {
    name: 'enable-auto-gomemlimit',
    kind: 'bool',
    help: "Accepted for the sake of Go's thanos; there is no Go runtime to limit.",
  },
  {
    name: 'auto-gomemlimit.ratio',
    kind: 'float',
    default: '0.9',
    help: "Accepted for the sake of Go's thanos; there is no Go runtime to limit.",
  },
];
