/**
 * Tasks of compute workers: whole queries, and fragments of queries that other workers drive. A query's JSON is made
 * where its result is, so that the main thread only passes bytes on.
 */
import { encodeLabelSets, encodeResult, encodeStrings } from '../../http/json-result.ts';
import { TRUNCATED_WARNING } from '../../http/query-service.ts';
import type {
  InstantParams,
  MetadataParams,
  QueryAnswer,
  QueryParams,
  RangeParams,
} from '../../http/query-service.ts';
import { Labels, compareLabels } from '../../model/labels.ts';
import type { Matcher } from '../../model/matcher.ts';
import { Transfer } from '../../ops/worker-protocol.ts';
import type { Task, TaskContext } from '../../ops/worker-runtime.ts';
import { Engine } from '../../promql/engine.ts';
import { runFragment } from '../../promql/exec/fragment.ts';
import type { Fragment, FragmentResult } from '../../promql/exec/fragment.ts';
import type { QueryResult } from '../../promql/result.ts';
import { MergedQueryable } from '../../storage/merged.ts';
import type { Queryable, Texts } from '../../storage/storage.ts';
import { parseSelector } from './parse-selectors.ts';
import { PageCache } from '../../tsdb/chunks/page-cache.ts';
import { TsdbReader } from '../../tsdb/tsdb-reader.ts';
import type { TsdbHandle } from '../../tsdb/tsdb-reader.ts';

/** What query workers are started with: plain data and shared memories. */
export interface QueryWorkerData {
  readonly tsdbs: readonly TsdbHandle[];
  readonly pageCache: SharedArrayBuffer;
  /** name, value, … of the external labels. */
  readonly externalLabels: readonly string[];
  readonly replicaLabels: readonly string[];
  readonly lookbackDeltaMs: number;
  readonly maxSamples: number;
}

/** The tasks of a worker. */
export function queryTasks(data: QueryWorkerData): Record<string, Task> {
  const queryable = openQueryable(data);
  const engine = new Engine({ lookbackDeltaMs: data.lookbackDeltaMs, maxSamples: data.maxSamples });
  return {
    'query.instant': async (params: InstantParams, context: TaskContext) => {
      const options = queryOptions(params, context);
      return toAnswer(
        await engine.instant(queryable, params.query, params.timeMs, options),
        params,
      );
    },
    'query.range': async (params: RangeParams, context: TaskContext) => {
      const { query, startMs, endMs, stepMs } = params;
      const options = queryOptions(params, context);
      return toAnswer(
        await engine.range(queryable, query, startMs, endMs, stepMs, options),
        params,
      );
    },
    'query.fragment': async (fragment: Fragment, { signal }: TaskContext) => {
      const result = await runFragment(fragment, queryable, signal);
      return new Transfer(result, resultBuffers(result));
    },
    'query.series': (params: MetadataParams) => findSeries(queryable, params),
    'query.labelNames': async (params: MetadataParams) =>
      stringAnswer(await queryable.labelNames(parseMatcherSets(params), params), params.limit),
    'query.labelValues': async (params: MetadataParams & { name: string }) =>
      stringAnswer(
        await queryable.labelValues(params.name, parseMatcherSets(params), params),
        params.limit,
      ),
  };
}

function openQueryable(data: QueryWorkerData): Queryable {
  const cache = new PageCache(data.pageCache);
  const externalLabels = new Labels(data.externalLabels);
  const sources = data.tsdbs.map((tsdb) => ({
    queryable: new TsdbReader(tsdb, cache),
    externalLabels,
  }));
  return new MergedQueryable(sources, data.replicaLabels);
}

function queryOptions(
  params: QueryParams,
  context: TaskContext,
): {
  timeoutMs: number;
  signal: AbortSignal;
  lookbackDeltaMs?: number;
  runFragments: (fragments: readonly Fragment[]) => Promise<FragmentResult[]>;
} {
  const lookback = params.lookbackMs === undefined ? {} : { lookbackDeltaMs: params.lookbackMs };
  return {
    timeoutMs: params.timeoutMs,
    signal: context.signal,
    ...lookback,
    runFragments: (fragments) =>
      Promise.all(
        fragments.map((f) => context.run('query.fragment', f) as Promise<FragmentResult>),
      ),
  };
}

function toAnswer(result: QueryResult, { limit = Infinity }: QueryParams): Transfer {
  const data = encodeResult(result, limit);
  const size = result.type === 'matrix' || result.type === 'vector' ? result.labels.length : 1;
  const warnings = size > limit ? [...result.warnings, TRUNCATED_WARNING] : result.warnings;
  return transferAnswer({ data, warnings, infos: result.infos });
}

async function findSeries(queryable: Queryable, params: MetadataParams): Promise<Transfer> {
  const { mint, maxt, limit } = params;
  const found = new Map<string, Labels>();
  const warnings = new Set<string>();
  for (const matchers of parseMatcherSets(params)) {
    const set = await queryable.select({ matchers, mint, maxt });
    for (let i = 0; i < set.count; i++) {
      const labels = set.labels(i);
      found.set(labels.key, labels);
    }
    for (const warning of set.warnings) warnings.add(warning);
    set.close();
  }
  const sorted = [...found.values()].sort(compareLabels);
  const kept = limit > 0 ? sorted.slice(0, limit) : sorted;
  return transferAnswer({
    data: encodeLabelSets(kept),
    warnings: [...warnings, ...truncated(sorted, limit)],
    infos: [],
  });
}

function stringAnswer({ texts, warnings }: Texts, limit: number): Transfer {
  const kept = limit > 0 ? texts.slice(0, limit) : texts;
  return transferAnswer({
    data: encodeStrings(kept),
    warnings: [...warnings, ...truncated(texts, limit)],
    infos: [],
  });
}

function truncated(all: readonly unknown[], limit: number): string[] {
  return limit > 0 && all.length > limit ? [TRUNCATED_WARNING] : [];
}

function parseMatcherSets({ matcherSets }: MetadataParams): (readonly Matcher[])[] {
  return matcherSets.map(parseSelector);
}

function transferAnswer(answer: QueryAnswer): Transfer {
  const buffers = answer.data.map((piece) => piece.buffer).filter((b) => b instanceof ArrayBuffer);
  return new Transfer(answer, [...new Set(buffers)]);
}

function resultBuffers(result: FragmentResult): ArrayBuffer[] {
  // Empty arrays may be constants that other results share, so only those with content move.
  const arrays: ArrayBufferView[] = [result.values, result.present, result.counts];
  for (const value of Object.values(result.states ?? {})) {
    if (ArrayBuffer.isView(value)) arrays.push(value);
  }
  const buffers = arrays
    .filter((array) => array.byteLength > 0)
    .map((array) => array.buffer)
    .filter((buffer) => buffer instanceof ArrayBuffer);
  return [...new Set(buffers)];
}
