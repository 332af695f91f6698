/**
 * The process watches itself: every 15 s its own metrics go to a TSDB of their own under job="thanos", as a
 * Prometheus that scrapes it would store them, so that a newcomer's first query shows a graph.
 */
import { encodeWriteRequest } from '../../http/remote-write-encode.ts';
import type { Clock } from '../../lib/clock.ts';
import { errorText } from '../../lib/errors.ts';
import type { Logger } from '../../lib/log.ts';
import { compareUtf8 } from '../../lib/utf8.ts';
import { METRIC_NAME } from '../../model/labels.ts';
import type { ProcessMetrics } from '../../ops/metrics.ts';
import type { IngestClient } from './ingest-client.ts';

/** Between two looks at the metrics, ms. */
const INTERVAL_MS = 15_000;

/** What self-monitoring needs. */
export interface SelfMonitorOptions {
  readonly metrics: ProcessMetrics;
  readonly ingest: IngestClient;
  /** The TSDB written to. */
  readonly db: string;
  /** The `instance` label: the HTTP address. */
  readonly instance: string;
  readonly clock: Clock;
  readonly log: Logger;
}

/** Starts the loop at once and answers how to end it. */
export function startSelfMonitor(options: SelfMonitorOptions): () => void {
  const round = (): void => {
    void record(options).catch((thrown: unknown) => {
      options.log.warn('own metrics were not stored', { err: errorText(thrown) });
    });
  };
  round();
  const timer = setInterval(round, INTERVAL_MS);
  return () => clearInterval(timer);
}

/** Stores one look at the metrics. */
async function record({ metrics, ingest, db, instance, clock }: SelfMonitorOptions): Promise<void> {
  const timestampMs = clock.now();
  const samples = [...(await metrics.snapshot()), { name: 'up', labels: [], value: 1 }];
  const outgoing = samples.map(({ name, labels, value }) => {
    const pairs: [string, string][] = [
      ...labels,
      [METRIC_NAME, name],
      ['instance', instance],
      ['job', 'thanos'],
    ];
    return { labels: pairs.sort((a, b) => compareUtf8(a[0], b[0])).flat(), value, timestampMs };
  });
  const body = encodeWriteRequest(outgoing);
  await ingest.write({ db, body, compressed: false, maxDecodedBytes: body.length });
}
