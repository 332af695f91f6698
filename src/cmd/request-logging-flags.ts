/** The flags about request logs. Behaviour: thanos pkg/extkingpin/flags.go, RegisterRequestLoggingFlags. */
import type { FlagSpec } from '../ops/flag-spec.ts';
import { configFlags } from './config-flags.ts';

/** The two rows `--request.logging-config-file` and `--request.logging-config`. */
export function requestLoggingFlags(): FlagSpec[] {
  return configFlags(
    'request.logging-config',
    'the configuration of request logs in YAML: options, http, grpc',
  ).map((flag) => ({ ...flag, secret: false }));
}
