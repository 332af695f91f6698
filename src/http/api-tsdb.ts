/**
 * What the API tells about a TSDB: `/api/v1/metadata`, `/api/v1/query_exemplars` and `/api/v1/status/{tsdb,tsdb/blocks,
 * walreplay}`. Texts and shapes: prometheus web/api/v1/api.go.
 */
import { CodedError } from '../lib/errors.ts';
import { compareUtf8 } from '../lib/utf8.ts';
import { MAX_TIME, MIN_TIME } from '../model/value.ts';
import { children } from '../promql/parse/ast.ts';
import type { Expr } from '../promql/parse/ast.ts';
import { DEFAULT_FEATURES } from '../promql/parse/options.ts';
import { parseExpr } from '../promql/parse/parse.ts';
import { NO_CONTENT, jsonAnswer } from './api-answer.ts';
import type { ApiCall } from './api-call.ts';
import { withParam } from './api-params.ts';
import { encodeExemplars } from './json-exemplars.ts';
import { toSpecs } from './matcher-specs.ts';
import { parseTimeParam } from './params.ts';
import type { QueryAnswer } from './query-service.ts';
import type { MatcherSpec, MetadataEntry, TsdbService } from './tsdb-service.ts';

/** An endpoint that asks a TSDB. */
export type TsdbEndpoint = (call: ApiCall, tsdb: TsdbService) => Promise<QueryAnswer>;

/** limit: of Prometheus, for the entries of each list of `/status/tsdb`. */
const STATS_MAX = 10_000;
const STATS_DEFAULT = 10;

/** What Go's head says of times that it does not have, beyond what a double holds. */
const NO_MINT = '9223372036854775807';
const NO_MAXT = '-9223372036854775808';

/** Answers with the metadata of metric families, in the order of their names. */
export async function metadata({ form }: ApiCall, tsdb: TsdbService): Promise<QueryAnswer> {
  const limit = numberParam('limit', form.get('limit'));
  const perMetric = numberParam('limit_per_metric', form.get('limit_per_metric'));
  const metric = form.get('metric');
  const families = new Map<string, Map<string, object>>();
  for (const entry of await tsdb.metadata(metric === '' ? undefined : metric)) {
    addMetadata(families, entry, perMetric > 0 ? perMetric : Infinity);
  }
  const names = [...families.keys()].sort(compareUtf8);
  const shown = limit < 0 ? names : names.slice(0, limit);
  const data = shown.map((name): [string, object[]] => [
    name,
    [...(families.get(name)?.values() ?? [])],
  ]);
  return jsonAnswer(JSON.stringify(Object.fromEntries(data)));
}

/** Adds what is not there yet to a family. */
function addMetadata(
  families: Map<string, Map<string, object>>,
  { family, type, help, unit }: MetadataEntry,
  max: number,
): void {
  let entries = families.get(family);
  if (entries === undefined) families.set(family, (entries = new Map()));
  const shown = { type, unit, help };
  if (entries.size < max) entries.set(JSON.stringify(shown), shown);
}

/** A number as Go's strconv.Atoi reads it; -1 when absent. */
function numberParam(name: string, text: string): number {
  if (text === '') return -1;
  if (!/^[+-]?\d+$/.test(text)) throw new CodedError('bad_data', `${name} must be a number`);
  return Number(text);
}

/** Answers with the exemplars of the series that the selectors of a query name. */
export async function exemplars(call: ApiCall, tsdb: TsdbService): Promise<QueryAnswer> {
  const { form } = call;
  const start = withParam(call, 'start', () =>
    parseTimeParam('start', form.get('start'), MIN_TIME),
  );
  const end = withParam(call, 'end', () => parseTimeParam('end', form.get('end'), MAX_TIME));
  if (end < start) {
    throw new CodedError('bad_data', 'end timestamp must not be before start timestamp');
  }
  const selectors: MatcherSpec[][] = [];
  const features = { ...DEFAULT_FEATURES, ...call.options.promqlFeatures };
  collectSelectors(parseExpr(form.get('query'), features), selectors);
  if (selectors.length === 0) return NO_CONTENT;
  const found = await tsdb.exemplars(selectors, start, end);
  return { data: encodeExemplars(found), warnings: [], infos: [] };
}

function collectSelectors(expr: Expr, into: MatcherSpec[][]): void {
  if (expr.kind === 'selector') into.push(toSpecs(expr.matchers));
  for (const child of children(expr)) collectSelectors(child, into);
}

/** Answers with the cardinality of the head. */
export async function tsdbStatus({ form }: ApiCall, tsdb: TsdbService): Promise<QueryAnswer> {
  const text = form.get('limit');
  const limit = text === '' ? STATS_DEFAULT : Number(/^[+-]?\d+$/.test(text) ? text : 0);
  if (limit < 1) throw new CodedError('bad_data', 'limit must be a positive number');
  if (limit > STATS_MAX) {
    throw new CodedError('bad_data', `limit must not exceed ${STATS_MAX}`);
  }
  const { numSeries, numLabelPairs, chunkCount, minTime, maxTime, ...lists } =
    await tsdb.headStats(limit);
  const times = `"minTime":${minTime ?? NO_MINT},"maxTime":${maxTime ?? NO_MAXT}`;
  const head = `{"numSeries":${numSeries},"numLabelPairs":${numLabelPairs},"chunkCount":${chunkCount},${times}}`;
  const shown = {
    seriesCountByMetricName: lists.seriesCountByMetricName,
    labelValueCountByLabelName: lists.labelValueCountByLabelName,
    memoryInBytesByLabelName: lists.memoryInBytesByLabelName,
    seriesCountByLabelValuePair: lists.seriesCountByLabelValuePair,
  };
  return jsonAnswer(`{"headStats":${head},${JSON.stringify(shown).slice(1)}`);
}

/** Answers with the meta.json of each block. */
export async function tsdbBlocks(_call: ApiCall, tsdb: TsdbService): Promise<QueryAnswer> {
  return jsonAnswer(JSON.stringify({ blocks: await tsdb.blocks() }));
}

/** Answers how far the replay of the log is. */
export async function walReplay(_call: ApiCall, tsdb: TsdbService): Promise<QueryAnswer> {
  const { min, max, current } = await tsdb.replayStatus();
  return jsonAnswer(JSON.stringify({ min, max, current }));
}
