/** What is written down about queries: the list of those that run, and a log of those that ended. */
import { CodedError, errorText } from '../../lib/errors.ts';
import type { Clock } from '../../lib/clock.ts';
import type { Logger } from '../../lib/log.ts';
import { LineFile } from '../../ops/line-file.ts';
import { ActiveQueries } from './active-queries.ts';
import { queryLogLine } from './query-log.ts';
import type { LoggedQuery } from './query-log.ts';
import type { EngineMetrics } from './query-metrics.ts';

/** Where it is written. */
export interface QueryRecordOptions {
  /** The directory of `queries.active`. */
  readonly activePath: string;
  readonly maxConcurrent: number;
  /** The file of the query log; '' for none. */
  readonly logFile: string;
  readonly metrics: EngineMetrics;
  readonly clock: Clock;
  readonly log: Logger;
}

/** Both of them. Recording never fails and never waits for the disk. */
export class QueryRecords {
  readonly #active: ActiveQueries | undefined;
  readonly #queryLog: LineFile | undefined;
  readonly #clock: Clock;

  /** @throws CodedError unavailable when there is to be a query log and it cannot be opened. */
  static async open(options: QueryRecordOptions): Promise<QueryRecords> {
    const { activePath, maxConcurrent, clock, log } = options;
    const queryLog = await openLog(options);
    const active = await ActiveQueries.open(activePath, maxConcurrent, {
      clock,
      log: log.with({ component: 'activeQueryTracker' }),
    });
    return new QueryRecords(active, queryLog, clock);
  }

  private constructor(
    active: ActiveQueries | undefined,
    queryLog: LineFile | undefined,
    clock: Clock,
  ) {
    this.#active = active;
    this.#queryLog = queryLog;
    this.#clock = clock;
  }

  /** A query begins to run; answers what to call at its end. */
  began(query: string): () => void {
    const place = this.#active?.insert(query) ?? -1;
    return () => this.#active?.remove(place);
  }

  /** A query has ended, well or not. */
  ended(query: LoggedQuery): void {
    this.#queryLog?.add(queryLogLine(query, this.#clock.now()));
  }

  /** Writes what waits, and closes the files. */
  async close(): Promise<void> {
    await Promise.all([this.#active?.close(), this.#queryLog?.close()]);
  }
}

async function openLog({
  logFile,
  metrics,
  log,
}: QueryRecordOptions): Promise<LineFile | undefined> {
  metrics.logEnabled.set(logFile === '' ? 0 : 1);
  if (logFile === '') return undefined;
  // A full disk refuses line after line: the log says it when it begins.
  let failing = '';
  const onFailure = (reason: string, lines: number): void => {
    metrics.logFailures.inc(lines);
    if (reason !== failing) log.error("can't log query", { err: reason });
    failing = reason;
  };
  try {
    return await LineFile.open(logFile, onFailure);
  } catch (thrown) {
    throw new CodedError('unavailable', `can't create json log file: ${errorText(thrown)}`, {
      cause: thrown,
    });
  }
}
