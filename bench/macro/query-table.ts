/** The six queries that are compared with other servers, and what each of them may take (docs/design/0001). */
import { samplesOf } from './ask-range.ts';
import type { Question } from './ask-range.ts';
import { SERIES } from './query-series.ts';

const DAY_S = 86_000;
const SIX_HOURS_S = 21_600;
/** How far an instant selector looks back. */
const LOOKBACK_S = 300;

/** A question with the time it may take on a machine that decodes a sample of a counter in 12 ns. */
export interface TableQuestion extends Question {
  readonly goalMs: number;
}

/** Of the table, the query that docs/design/0001 also asks of a head. */
export const FIRST_QUERY: TableQuestion = {
  query: 'sum by (namespace) (rate(http_requests_total[5m]))',
  spanS: DAY_S,
  stepS: 60,
  samples: samplesOf(SERIES.requests, DAY_S, 300),
  rows: 20,
  shape: 'full',
  goalMs: 90,
};

/** All six. */
export const TABLE: readonly TableQuestion[] = [
  FIRST_QUERY,
  {
    query:
      'histogram_quantile(0.99, sum by (le, namespace) (rate(http_request_duration_seconds_bucket[5m])))',
    spanS: DAY_S,
    stepS: 120,
    samples: samplesOf(SERIES.buckets, DAY_S, 300),
    rows: 20,
    shape: 'full',
    goalMs: 80,
  },
  {
    query: 'container_memory_usage_bytes',
    spanS: SIX_HOURS_S,
    stepS: 60,
    samples: samplesOf(SERIES.memory, SIX_HOURS_S, LOOKBACK_S),
    rows: SERIES.memory,
    shape: 'full',
    goalMs: 50,
  },
  {
    query:
      'sum by (pod) (rate(container_cpu_usage_seconds_total[5m])) / on (pod) sum by (pod) (container_memory_usage_bytes)',
    spanS: SIX_HOURS_S,
    stepS: 60,
    samples:
      samplesOf(SERIES.cpu, SIX_HOURS_S, 300) + samplesOf(SERIES.memory, SIX_HOURS_S, LOOKBACK_S),
    rows: SERIES.memory,
    shape: 'full',
    goalMs: 60,
  },
  {
    query: 'max by (node) (max_over_time(container_memory_usage_bytes[1h]))',
    spanS: SIX_HOURS_S,
    stepS: 300,
    samples: samplesOf(SERIES.memory, SIX_HOURS_S, 3600),
    rows: 25,
    shape: 'full',
    goalMs: 60,
  },
  {
    query: 'rate(http_requests_total{pod="pod-7",code="200"}[5m])',
    spanS: SIX_HOURS_S,
    stepS: 60,
    samples: samplesOf(1, SIX_HOURS_S, 300),
    rows: 1,
    shape: 'full',
    goalMs: 3,
  },
];
