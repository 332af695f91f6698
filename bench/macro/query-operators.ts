/** One query for each operator and function, over six hours at a step of 30 s, by the name that its line is known under. */
import { samplesOf } from './ask-range.ts';
import type { Question } from './ask-range.ts';
import { SERIES } from './query-series.ts';

const SPAN_S = 21_600;
const STEP_S = 30;
/** How far an instant selector looks back. */
const LOOKBACK_S = 300;

const REQUESTS = 'http_requests_total';
const MEMORY = 'container_memory_usage_bytes';
const CPU = 'container_cpu_usage_seconds_total';
const BUCKETS = 'http_request_duration_seconds_bucket';
const RPC = 'rpc_latency_seconds';
/** Pods of the requests and of the classic histogram, namespaces, nodes, codes. */
const PODS = 500;
const BUCKET_PODS = 100;
const NAMESPACES = 20;
const NODES = 25;
const CODES = 3;

const OVER_TIME = ['avg', 'count', 'last', 'max', 'min', 'present', 'stddev', 'stdvar', 'sum'];
const WINDOWS = { '5m': 300, '1h': 3600, '6h': 21_600 };

/** Questions about one amount of samples: operator, query, rows; all points in as many series unless it says otherwise. */
type Row = readonly [operator: string, query: string, rows: number, shape?: Question['shape']];

function over(series: number, windowS: number, rows: readonly Row[]): [string, Question][] {
  const samples = samplesOf(series, SPAN_S, windowS);
  return rows.map(([operator, query, count, shape = 'full']) => [
    operator,
    { query, spanS: SPAN_S, stepS: STEP_S, samples, rows: count, shape },
  ]);
}

const SELECTORS = over(SERIES.requests, LOOKBACK_S, [
  ['selector', REQUESTS, SERIES.requests],
  ['selector, offset', `${REQUESTS} offset 1h`, SERIES.requests],
  ['selector, regular expression', `${REQUESTS}{pod=~"pod-.*"}`, SERIES.requests],
]);

const AGGREGATIONS = over(SERIES.requests, LOOKBACK_S, [
  ['sum', `sum(${REQUESTS})`, 1],
  ['sum by', `sum by (pod) (${REQUESTS})`, PODS],
  ['sum without', `sum without (pod) (${REQUESTS})`, NAMESPACES * CODES],
  ['avg by', `avg by (namespace) (${REQUESTS})`, NAMESPACES],
  ['min by', `min by (namespace) (${REQUESTS})`, NAMESPACES],
  ['max without', `max without (pod, code) (${REQUESTS})`, NAMESPACES],
  ['count by', `count by (code) (${REQUESTS})`, CODES],
  ['group by', `group by (code) (${REQUESTS})`, CODES],
  ['stddev by', `stddev by (namespace) (${REQUESTS})`, NAMESPACES],
  ['stdvar by', `stdvar by (namespace) (${REQUESTS})`, NAMESPACES],
  ['topk', `topk(5, ${REQUESTS})`, 5, 'moving'],
  ['topk by', `topk by (namespace) (2, ${REQUESTS})`, 2 * NAMESPACES, 'moving'],
  ['bottomk', `bottomk(5, ${REQUESTS})`, 5, 'moving'],
  ['quantile', `quantile(0.9, ${REQUESTS})`, 1],
  ['quantile by', `quantile by (namespace) (0.9, ${REQUESTS})`, NAMESPACES],
  ['sum of a function', `sum(abs(${REQUESTS}))`, 1],
]);

const RATES = [
  ...over(SERIES.requests, 60, [
    ['rate 1m', `rate(${REQUESTS}[1m])`, SERIES.requests],
    ['irate 1m', `irate(${REQUESTS}[1m])`, SERIES.requests],
  ]),
  ...over(SERIES.requests, 300, [
    ['rate 5m', `rate(${REQUESTS}[5m])`, SERIES.requests],
    ['sum of rate 5m', `sum(rate(${REQUESTS}[5m]))`, 1],
    ['sum by of rate 5m', `sum by (pod) (rate(${REQUESTS}[5m]))`, PODS],
    ['topk of rate 5m', `topk(5, rate(${REQUESTS}[5m]))`, 5, 'moving'],
  ]),
  ...over(SERIES.requests, 3600, [
    ['rate 1h', `rate(${REQUESTS}[1h])`, SERIES.requests],
    ['increase 1h', `increase(${REQUESTS}[1h])`, SERIES.requests],
    ['changes 1h', `changes(${REQUESTS}[1h])`, SERIES.requests],
    ['resets 1h', `resets(${REQUESTS}[1h])`, SERIES.requests],
  ]),
  ...over(SERIES.memory, 3600, [
    ['delta 1h', `delta(${MEMORY}[1h])`, SERIES.memory],
    ['deriv 1h', `deriv(${MEMORY}[1h])`, SERIES.memory],
    ['predict_linear 1h', `predict_linear(${MEMORY}[1h], 600)`, SERIES.memory],
  ]),
];

const SUBQUERIES = [
  ...over(SERIES.requests, 660, [
    [
      'subquery, sum_over_time of rate',
      `sum_over_time(rate(${REQUESTS}[1m])[10m:1m])`,
      SERIES.requests,
    ],
  ]),
  ...over(SERIES.requests, 3900, [
    [
      'subquery, max_over_time of sum',
      `max_over_time(sum by (namespace) (rate(${REQUESTS}[5m]))[1h:1m])`,
      NAMESPACES,
    ],
  ]),
];

const WINDOWED = Object.entries(WINDOWS).flatMap(([window, seconds]) =>
  over(SERIES.memory, seconds, [
    ...OVER_TIME.map((name): Row => {
      const operator = `${name}_over_time`;
      return [`${operator} ${window}`, `${operator}(${MEMORY}[${window}])`, SERIES.memory];
    }),
    [
      `quantile_over_time ${window}`,
      `quantile_over_time(0.9, ${MEMORY}[${window}])`,
      SERIES.memory,
    ],
  ]),
);

const JOINS = [
  ...over(SERIES.requests + SERIES.memory / NODES, LOOKBACK_S, [
    ['and', `${REQUESTS} and on (pod) ${MEMORY}{node="node-1"}`, SERIES.requests / NODES],
    [
      'unless',
      `${REQUESTS} unless on (pod) ${MEMORY}{node="node-1"}`,
      SERIES.requests - SERIES.requests / NODES,
    ],
  ]),
  ...over(SERIES.cpu + SERIES.memory, LOOKBACK_S, [
    ['one to one, on', `${CPU} / on (pod) ${MEMORY}`, PODS],
  ]),
  ...over((2 * SERIES.requests) / CODES, LOOKBACK_S, [
    [
      'one to one, ignoring',
      `${REQUESTS}{code="200"} / ignoring (code) ${REQUESTS}{code="500"}`,
      PODS,
    ],
  ]),
  ...over(SERIES.requests + SERIES.memory, LOOKBACK_S, [
    ['group_left, on', `${REQUESTS} * on (pod) group_left (node) ${MEMORY}`, SERIES.requests],
    ['or', `${REQUESTS} or ${MEMORY}`, SERIES.requests + SERIES.memory],
  ]),
  ...over(2 * SERIES.requests, LOOKBACK_S, [
    [
      'group_left, ignoring',
      `${REQUESTS} / ignoring (code) group_left () sum without (code) (${REQUESTS})`,
      SERIES.requests,
    ],
  ]),
];

const SCALARS = [
  ...over(2 * SERIES.requests, LOOKBACK_S, [
    ['vector and scalar()', `${REQUESTS} - scalar(sum(${REQUESTS}))`, SERIES.requests],
  ]),
  ...over(SERIES.requests, LOOKBACK_S, [
    ['vector and scalar', `${REQUESTS} * 10`, SERIES.requests],
    ['unary minus', `-${REQUESTS}`, SERIES.requests],
    ['comparison, bool', `${REQUESTS} > bool 100000`, SERIES.requests],
  ]),
  ...over(SERIES.memory, LOOKBACK_S, [
    ['comparison', `${MEMORY} > 0.5`, SERIES.memory, 'sparse'],
    ['clamp', `clamp(1 - ${MEMORY}, 0.2, 0.8)`, SERIES.memory],
  ]),
];

const FUNCTIONS = [
  ...over(SERIES.requests, LOOKBACK_S, [
    ['sort', `sort(${REQUESTS})`, SERIES.requests],
    ['timestamp', `timestamp(${REQUESTS})`, SERIES.requests],
    ['label_replace', `label_replace(${REQUESTS}, "n", "$1", "pod", "pod-(.*)")`, SERIES.requests],
    ['label_join', `label_join(${REQUESTS}, "n", "/", "namespace", "pod")`, SERIES.requests],
    ['absent', `absent(${REQUESTS})`, 0],
  ]),
  ...over(SERIES.requests, 300, [['absent_over_time', `absent_over_time(${REQUESTS}[5m])`, 0]]),
  ...over(0, LOOKBACK_S, [['absent, of nothing', 'absent(nothing{pod="pod-1"})', 1]]),
  ...over(SERIES.memory, LOOKBACK_S, [
    ['count_values', `count_values("tenths", floor(${MEMORY} * 10))`, 10],
  ]),
];

const CLASSIC_HISTOGRAMS = [
  ...over(SERIES.buckets, LOOKBACK_S, [
    ['histogram_quantile, classic', `histogram_quantile(0.9, ${BUCKETS})`, BUCKET_PODS],
  ]),
  ...over(SERIES.buckets, 300, [
    [
      'histogram_quantile of rate, classic',
      `histogram_quantile(0.9, rate(${BUCKETS}[5m]))`,
      BUCKET_PODS,
    ],
    [
      'histogram_quantile of sum of rate, classic',
      `histogram_quantile(0.9, sum by (le, namespace) (rate(${BUCKETS}[5m])))`,
      NAMESPACES,
    ],
  ]),
];

const NATIVE_HISTOGRAMS = [
  ...over(SERIES.histograms, LOOKBACK_S, [
    ['histogram_count', `histogram_count(${RPC})`, SERIES.histograms],
    ['histogram_sum', `histogram_sum(${RPC})`, SERIES.histograms],
    ['histogram_avg', `histogram_avg(${RPC})`, SERIES.histograms],
    ['histogram_fraction', `histogram_fraction(0, 0.1, ${RPC})`, SERIES.histograms],
    ['histogram_quantile', `histogram_quantile(0.9, ${RPC})`, SERIES.histograms],
    ['selector, histograms', RPC, SERIES.histograms],
    ['sum, histograms', `sum(${RPC})`, 1],
    ['sum by, histograms', `sum by (namespace) (${RPC})`, NAMESPACES],
  ]),
  ...over(SERIES.histograms, 300, [
    ['rate 5m, histograms', `rate(${RPC}[5m])`, SERIES.histograms],
    ['histogram_count of rate 5m', `histogram_count(rate(${RPC}[5m]))`, SERIES.histograms],
    [
      'histogram_quantile of sum of rate 5m',
      `histogram_quantile(0.9, sum by (namespace) (rate(${RPC}[5m])))`,
      NAMESPACES,
    ],
  ]),
];

/** All of them, in the order in which they are asked. */
export const OPERATORS: readonly (readonly [operator: string, question: Question])[] = [
  ...SELECTORS,
  ...AGGREGATIONS,
  ...RATES,
  ...SUBQUERIES,
  ...WINDOWED,
  ...JOINS,
  ...SCALARS,
  ...FUNCTIONS,
  ...CLASSIC_HISTOGRAMS,
  ...NATIVE_HISTOGRAMS,
];
