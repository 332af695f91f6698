/** What `/api/v1/status/*` tells about the process. */
import { availableParallelism } from 'node:os';
import { getHeapStatistics } from 'node:v8';
import type { Clock } from '../lib/clock.ts';
import { activeResources } from '../ops/go-metrics.ts';

/** What a build knows about itself, in the names of `/api/v1/status/buildinfo`. */
export interface BuildInfoData {
  readonly version: string;
  readonly revision: string;
  readonly branch: string;
  readonly buildUser: string;
  readonly buildDate: string;
  /** The runtime stands here, as in `node26.1.0`. */
  readonly goVersion: string;
}

/** Where the status endpoints get their facts. */
export interface StatusSource {
  readonly build: BuildInfoData;
  /** Flag values by name, secrets masked. */
  readonly flags: Readonly<Record<string, string>>;
  /** When the process started, in ms. */
  readonly startTimeMs: number;
  readonly workingDirectory: string;
  /** As Prometheus shows it: `15d`; '' where nothing is retained. */
  readonly storageRetention: string;
  /** What `--enable-auto-gomemlimit` found; undefined without it. */
  readonly memoryLimitBytes?: number | undefined;
}

/**
 * The members that Thanos has, with those of Prometheus that have a meaning here. What is under way stands for
 * goroutines; without a memory limit there is V8's own for its heap.
 */
export function runtimeInfo(status: StatusSource, clock: Clock): Record<string, unknown> {
  return {
    startTime: new Date(status.startTimeMs).toISOString(),
    CWD: status.workingDirectory,
    serverTime: new Date(clock.now()).toISOString(),
    goroutineCount: activeResources(),
    GOMAXPROCS: availableParallelism(),
    GOGC: '',
    GODEBUG: '',
    GOMEMLIMIT: status.memoryLimitBytes ?? getHeapStatistics().heap_size_limit,
    ...(status.storageRetention !== '' && { storageRetention: status.storageRetention }),
  };
}
