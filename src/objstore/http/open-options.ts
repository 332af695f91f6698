/** What buckets over HTTP work with besides their configuration. */
import type { Clock } from '../../lib/clock.ts';
import type { Logger } from '../../lib/log.ts';
import type { Sleep } from './backoff.ts';

/** Options of all functions that open one. */
export interface OpenOptions {
  readonly clock: Clock;
  readonly log: Logger;
  /** Where credentials and proxies may be configured; that of the process by default. */
  readonly env?: Readonly<Record<string, string | undefined>> | undefined;
  /** For tests. */
  readonly sleep?: Sleep | undefined;
}
