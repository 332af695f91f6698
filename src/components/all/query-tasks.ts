/**
 * Tasks of compute workers: whole queries, and fragments of queries that other workers drive. A query's JSON is made
 * where its result is, so that the main thread only passes bytes on.
 */
import { federate } from '../../http/federate.ts';
import type { FederateRequest } from '../../http/federate-handler.ts';
import { analysisJson, explainJson } from '../../http/json-operators.ts';
import { encodeLabelSets, encodeResult, encodeStrings } from '../../http/json-result.ts';
import { fromSpecs } from '../../http/matcher-specs.ts';
import { parseMatcherSet } from '../../http/params.ts';
import { readPage } from '../../http/remote-read.ts';
import type { ReadCursor } from '../../http/remote-read-select.ts';
import { TRUNCATED_WARNING } from '../../http/query-service.ts';
import type {
  InstantParams,
  MetadataParams,
  QueryAnswer,
  QueryParams,
  RangeParams,
} from '../../http/query-service.ts';
import type { QueryStatistics } from '../../http/query-stats.ts';
import { EMPTY_LABELS, Labels, compareLabels } from '../../model/labels.ts';
import type { Matcher } from '../../model/matcher.ts';
import { Transfer } from '../../ops/worker-protocol.ts';
import type { Task, TaskContext } from '../../ops/worker-runtime.ts';
import { Engine } from '../../promql/engine.ts';
import type { Times } from '../../promql/engine.ts';
import type { FragmentResult, FragmentRunner } from '../../promql/exec/fragment.ts';
import type { ParseOptions } from '../../promql/parse/options.ts';
import type { PlanTree } from '../../promql/plan/print-plan.ts';
import type { QueryResult } from '../../promql/result.ts';
import { MergedQueryable } from '../../storage/merged.ts';
import type { Queryable, Texts } from '../../storage/storage.ts';
import { PageCache } from '../../tsdb/chunks/page-cache.ts';
import { headCardinality } from '../../tsdb/head/head-cardinality.ts';
import { TsdbReader } from '../../tsdb/tsdb-reader.ts';
import type { TsdbHandle } from '../../tsdb/tsdb-reader.ts';
import { divideFragments, runSentFragment } from './divide-fragments.ts';
import type { SentFragment } from './divide-fragments.ts';
import { encodeInParts, encodePart, partsOf } from './encode-matrix.ts';
import type { RowEncoder } from './encode-matrix.ts';
import { evaluationError, statisticsOf } from './query-figures.ts';
import { storeTasks } from './store-tasks.ts';

/** limit: bytes of a page of a streamed remote read, but for its last series. */
const READ_PAGE_BYTES = 4 << 20;

/** What query workers are started with: plain data and shared memories. */
export interface QueryWorkerData {
  readonly tsdbs: readonly TsdbHandle[];
  readonly pageCache: SharedArrayBuffer;
  /** name, value, … of the external labels. */
  readonly externalLabels: readonly string[];
  readonly replicaLabels: readonly string[];
  readonly lookbackDeltaMs: number;
  readonly maxSamples: number;
  /** The step of subqueries that name none. */
  readonly defaultStepMs: number;
  readonly promql: PromqlSettings;
  readonly remoteRead: RemoteReadLimits;
  /** How many workers there can be. */
  readonly workers: number;
}

/** limits of remote read: samples of a query, bytes of a frame. */
export interface RemoteReadLimits {
  readonly sampleLimit: number;
  readonly frameBytesMax: number;
}

/** What of the experimental parts of PromQL is switched on. */
export interface PromqlSettings {
  readonly features: Partial<ParseOptions>;
  readonly delayedNameRemoval: boolean;
  readonly typeAndUnitLabels: boolean;
  /** Whether figures of each step are given to who asks for them. */
  readonly perStepStats: boolean;
}

/** A query and how long it waited for its turn. */
export type QueuedQuery<P extends InstantParams | RangeParams> = P & { readonly queueMs: number };

/** What the tasks of queries answer. */
export interface EvaluatedQuery {
  readonly answer: QueryAnswer;
  readonly stats: QueryStatistics;
}

/** What `query.readPage` takes: a request as it came, and where the page begins. */
export interface ReadPageParams {
  readonly body: Uint8Array;
  readonly cursor: ReadCursor;
}

/** What `query.cardinality` takes. */
export interface CardinalityParams {
  /** The TSDB's place in {@link QueryWorkerData.tsdbs}. */
  readonly tsdb: number;
  readonly limit: number;
}

/** The tasks of a worker. */
export function queryTasks(data: QueryWorkerData): Record<string, Task> {
  const cache = new PageCache(data.pageCache);
  const readers = data.tsdbs.map((tsdb) => new TsdbReader(tsdb, cache));
  const externalLabels = new Labels(data.externalLabels);
  const queryable = merge(readers, externalLabels, data.replicaLabels);
  // What is read by other programs has the external labels added by whoever writes it, and keeps replica labels.
  const plain = merge(readers, EMPTY_LABELS, []);
  const engine = new Engine({
    lookbackDeltaMs: data.lookbackDeltaMs,
    maxSamples: data.maxSamples,
    subqueryStepMs: () => data.defaultStepMs,
    ...data.promql,
  });
  const answer = (
    result: QueryResult,
    params: QueuedQuery<InstantParams | RangeParams>,
    context: TaskContext,
  ) => toAnswer(result, params, context, data);
  return {
    ...storeTasks({ readers, tsdbs: data.tsdbs, cache, externalLabels }),
    'query.instant': (params: QueuedQuery<InstantParams>, context: TaskContext) =>
      evaluating(async () => {
        const options = queryOptions(params, context, data.workers);
        return answer(
          await engine.instant(queryable, params.query, params.timeMs, options),
          params,
          context,
        );
      }),
    'query.range': (params: QueuedQuery<RangeParams>, context: TaskContext) =>
      evaluating(async () => {
        const { query, startMs, endMs, stepMs } = params;
        const options = queryOptions(params, context, data.workers);
        return answer(
          await engine.range(queryable, query, startMs, endMs, stepMs, options),
          params,
          context,
        );
      }),
    'query.explain': (params: InstantParams | RangeParams) =>
      explainAnswer(engine.explain(params.query, timesOf(params), lookbackOf(params))),
    'query.fragment': (fragment: SentFragment, { signal }: TaskContext) =>
      evaluating(async () => {
        const result = await runSentFragment(fragment, queryable, signal);
        return result === undefined ? undefined : new Transfer(result, resultBuffers(result));
      }),
    'query.encode': encodePart,
    'query.readPage': async ({ body, cursor }: ReadPageParams, { signal }: TaskContext) => {
      const options = {
        ...data.remoteRead,
        externalLabels,
        pageBytesMax: READ_PAGE_BYTES,
        signal,
        onWarning: () => undefined,
      };
      const page = await readPage(plain, body, cursor, options);
      return new Transfer(page, piecesOf(page));
    },
    'query.federate': async (request: FederateRequest, { signal }: TaskContext) => {
      const matcherSets = request.matcherSets.map(fromSpecs);
      const answered = await federate(plain, { ...request, matcherSets, signal, externalLabels });
      return new Transfer(answered, piecesOf(answered));
    },
    'query.cardinality': ({ tsdb, limit }: CardinalityParams) => {
      const handle = data.tsdbs[tsdb];
      if (handle === undefined) throw new Error(`BUG: no TSDB ${tsdb}`);
      return headCardinality(handle.head.memories, limit);
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

function merge(
  readers: readonly TsdbReader[],
  externalLabels: Labels,
  replicaLabels: readonly string[],
): Queryable {
  const sources = readers.map((queryable) => ({ queryable, externalLabels }));
  return new MergedQueryable(sources, replicaLabels);
}

function piecesOf({
  pieces,
}: {
  readonly pieces: readonly Uint8Array<ArrayBuffer>[];
}): ArrayBuffer[] {
  return [...new Set(pieces.map(({ buffer }) => buffer))];
}

function queryOptions(
  params: QueryParams,
  context: TaskContext,
  workers: number,
): {
  timeoutMs: number;
  signal: AbortSignal;
  analyze: boolean;
  lookbackDeltaMs?: number;
  runFragments: FragmentRunner;
} {
  return {
    timeoutMs: params.timeoutMs,
    signal: context.signal,
    analyze: params.analyze === true,
    ...lookbackOf(params),
    runFragments: (fragments) => divideFragments(fragments, context, workers),
  };
}

function lookbackOf({ lookbackMs }: QueryParams): { lookbackDeltaMs?: number } {
  return lookbackMs === undefined ? {} : { lookbackDeltaMs: lookbackMs };
}

function timesOf(params: InstantParams | RangeParams): Times {
  if ('timeMs' in params) return { startMs: params.timeMs, endMs: params.timeMs, stepMs: 0 };
  const { startMs, endMs, stepMs } = params;
  return { startMs, endMs, stepMs };
}

function explainAnswer(tree: PlanTree): Transfer {
  const data = [new TextEncoder().encode(explainJson(tree))];
  return transferAnswer({ data, warnings: [], infos: [] });
}

/** Runs an evaluation; what fails for want of memory is told from our own faults. */
async function evaluating<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (thrown) {
    throw evaluationError(thrown);
  }
}

async function toAnswer(
  result: QueryResult,
  params: QueuedQuery<InstantParams | RangeParams>,
  context: TaskContext,
  { promql, workers }: QueryWorkerData,
): Promise<Transfer> {
  const { limit = Infinity, queueMs } = params;
  const perStep = promql.perStepStats && params.stats === 'all';
  const stats = statisticsOf(result, params, { queueMs, perStep });
  const shown = params.stats === undefined ? undefined : JSON.stringify(stats);
  const { analysis } = result;
  const analyzed = analysis === undefined ? undefined : analysisJson(analysis);
  const members = { stats: shown, analysis: analyzed };
  const size = result.type === 'matrix' || result.type === 'vector' ? result.labels.length : 1;
  const parts = result.type === 'matrix' && size <= limit ? partsOf(result, workers) : 1;
  const data =
    result.type === 'matrix' && parts > 1
      ? await encodeInParts(result, parts, rowEncoder(context), members)
      : encodeResult(result, limit, members);
  const warnings = size > limit ? [...result.warnings, TRUNCATED_WARNING] : result.warnings;
  const answer = { data, warnings, infos: result.infos };
  return new Transfer({ answer, stats } satisfies EvaluatedQuery, answerBuffers(answer));
}

function rowEncoder(context: TaskContext): RowEncoder {
  return {
    elsewhere: async (rows, buffers) => {
      const payload = new Transfer(rows, buffers);
      return (await context.runElsewhere('query.encode', payload)) as Uint8Array[];
    },
    check: () => context.signal.throwIfAborted(),
  };
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

/** The handler has not looked at long ones. */
function parseMatcherSets({ matcherSets }: MetadataParams): (readonly Matcher[])[] {
  return matcherSets.map(parseMatcherSet);
}

function transferAnswer(answer: QueryAnswer): Transfer {
  return new Transfer(answer, answerBuffers(answer));
}

function answerBuffers({ data }: QueryAnswer): ArrayBuffer[] {
  const buffers = data.map((piece) => piece.buffer).filter((b) => b instanceof ArrayBuffer);
  return [...new Set(buffers)];
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
