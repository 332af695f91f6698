/**
 * Recorded queries over the samples of the Go programs' blocks, as our readers decode them, in our engine: raw ones
 * against Prometheus and Thanos, downsampled ones against Thanos.
 */
import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { encodeResult } from '../src/http/json-result.ts';
import { CodedError, errorText } from '../src/lib/errors.ts';
import { Labels } from '../src/model/labels.ts';
import { Engine } from '../src/promql/engine.ts';
import { ALL_FEATURES } from '../src/promql/parse/options.ts';
import {
  aggregateColumns,
  averageColumns,
  rawColumns,
  rawHistograms,
} from './support/block-columns.ts';
import { readBlock } from './support/block-frames.ts';
import type { BlockSeries, Columns } from './support/block-frames.ts';
import {
  compareAnswers,
  isNonEmpty,
  queryOf,
  readGoldenQueries,
} from './support/golden-answers.ts';
import type { GoldenAnswer, GoldenQuery } from './support/golden-answers.ts';
import { MemoryStorage } from './support/memory-storage.ts';

const GOLDEN = fileURLToPath(new URL('../../shared/golden', import.meta.url));
const skip = existsSync(GOLDEN) ? false : 'the golden data (../shared/golden) are not here';

/** Metrics whose series are native histograms: their downsampled chunks are not read yet. */
const HISTOGRAM_METRICS = /g_hist/;

type Decode = (series: BlockSeries) => Columns | undefined;

/** Puts the columns of a block's series into a storage, with external labels. */
function load(storage: MemoryStorage, block: string, decode: Decode, external: object = {}): void {
  for (const series of readBlock(join(GOLDEN, 'bucket', block)).series) {
    const labels = Labels.fromPairs([...series.labels, ...Object.entries(external)]);
    const columns = decode(series);
    if (columns !== undefined) storage.append(labels, columns.t, columns.v);
    const histograms = decode === rawColumns ? rawHistograms(series) : undefined;
    if (histograms !== undefined) storage.appendHistograms(labels, histograms);
  }
}

function readQueries(...files: string[]): GoldenQuery[] {
  const all = files.flatMap((name) =>
    readGoldenQueries(join(GOLDEN, 'queries', `${name}.jsonl.gz`)),
  );
  return all.filter(({ response }) => response.status === 'success');
}

async function ask(
  engine: Engine,
  storage: MemoryStorage,
  { path, params }: GoldenQuery,
): Promise<GoldenAnswer> {
  const form = new URLSearchParams(params);
  const ms = (name: string): number => Number(form.get(name)) * 1000;
  const query = form.get('query') ?? '';
  try {
    const result = path.endsWith('range')
      ? await engine.range(storage, query, ms('start'), ms('end'), ms('step'))
      : await engine.instant(storage, query, ms('time'));
    const data = JSON.parse(Buffer.concat(encodeResult(result)).toString()) as GoldenAnswer['data'];
    const { warnings, infos } = result;
    return {
      status: 'success',
      ...(data !== undefined && { data }),
      ...(warnings.length > 0 && { warnings }),
      ...(infos.length > 0 && { infos }),
    };
  } catch (thrown) {
    if (!(thrown instanceof CodedError)) throw thrown;
    return { status: 'error', error: errorText(thrown) };
  }
}

/** What is expected of a set of queries. */
interface Expected {
  readonly lookbackDeltaMs?: number;
  readonly counterView?: 'exact' | 'thanos';
  /** The part of the recorded answer that our samples can give. */
  readonly part?: (answer: GoldenAnswer) => GoldenAnswer;
  /** Why a query is not to be compared. */
  readonly except?: (query: string) => string | undefined;
  /** How many agree today, and how many of them are not empty: may only grow. */
  readonly agreedMin: number;
  readonly nonEmptyMin: number;
}

async function replay(
  t: { diagnostic(text: string): void },
  storage: MemoryStorage,
  queries: readonly GoldenQuery[],
  expected: Expected,
): Promise<void> {
  const { lookbackDeltaMs, counterView = 'exact', part, except, agreedMin, nonEmptyMin } = expected;
  const lookback = lookbackDeltaMs === undefined ? {} : { lookbackDeltaMs };
  const engine = new Engine({ features: ALL_FEATURES, ...lookback, counterView });
  const counts = { agreed: 0, nonEmpty: 0, excepted: 0 };
  for (const golden of queries) {
    const want = part === undefined ? golden.response : part(golden.response);
    const answer = await ask(engine, storage, golden);
    const got = counterView === 'thanos' ? inThanosWords(answer) : answer;
    const problem = compareAnswers(got, want);
    if (problem !== undefined && except?.(queryOf(golden)) !== undefined) {
      counts.excepted++;
      continue;
    }
    assert.equal(problem, undefined, `${golden.path} ${golden.params}`);
    counts.agreed++;
    if (isNonEmpty(want)) counts.nonEmpty++;
  }
  const { agreed, nonEmpty, excepted } = counts;
  t.diagnostic(`${agreed} agree, ${nonEmpty} of them not empty; ${excepted} not compared`);
  assert.ok(agreed >= agreedMin, `${agreed} agree, at least ${agreedMin} must`);
  assert.ok(nonEmpty >= nonEmptyMin, `${nonEmpty} not empty, at least ${nonEmptyMin} must`);
}

test('golden answers of a Prometheus over one block', { skip }, async (t) => {
  const storage = new MemoryStorage();
  load(storage, '01M7YF2Z91SGB2KEBY4MJJ0436', rawColumns);
  const queries = readQueries('prometheus-fixed', 'prometheus-fuzz');
  await replay(t, storage, queries, { agreedMin: 297, nonEmptyMin: 273 });
});

/** Thanos' engine does not say that sorting makes no difference in range queries. */
const SORTS = /^sort/;

/** An answer as Thanos gives it: warnings without positions, and infos among them. */
function inThanosWords(answer: GoldenAnswer): GoldenAnswer {
  const { warnings = [], infos = [], ...rest } = answer;
  const texts = [...warnings, ...infos].map((text) => text.replace(/ \(\d+:\d+\)$/, ''));
  return texts.length === 0 ? rest : { ...rest, warnings: texts };
}

test('golden answers of Thanos over two raw blocks', { skip }, async (t) => {
  const storage = new MemoryStorage();
  const cluster = 'golden';
  load(storage, '01M7YF2Z91SGB2KEBY4MJJ0436', rawColumns, { cluster, replica: 'a' });
  load(storage, '01M7YF2ZE24Q0RESYAH07PVC9Y', rawColumns, { cluster, replica: 'b' });
  const queries = readQueries('thanos-fixed', 'thanos-fuzz').filter(({ params }) => {
    const form = new URLSearchParams(params);
    return form.get('dedup') === 'false' && !form.has('max_source_resolution');
  });
  const except = (query: string): string | undefined =>
    SORTS.test(query) ? 'says nothing of sorting' : undefined;
  await replay(t, storage, queries, {
    except,
    counterView: 'thanos',
    agreedMin: 131,
    nonEmptyMin: 128,
  });
});

/** A downsampled block of replica a, its resolution, and how far back an instant selector looks then. */
const DOWNSAMPLED = [
  { block: '01M7YF2ZK8XRHYKTKAQ923MTET', resolution: '5m', lookbackDeltaMs: 300_000 },
  { block: '01M7YF2ZP4BPXVNFXAKFT5DSE6', resolution: '1h', lookbackDeltaMs: 3_600_000 },
] as const;

/** What Thanos reads of a downsampled block: the aggregate, for which queries; answers that agree, and are not empty. */
const READ_FOR: readonly (readonly [string, Decode, RegExp, number, number])[] = [
  [
    'average',
    averageColumns,
    /^(g_[a-z_]+|\{"g_utf8)[^(]*$|^(avg|last|present|stddev|quantile|mad)_over_time/,
    22,
    21,
  ],
  ['min', (series) => aggregateColumns(series, 'min'), /^min_over_time/, 1, 1],
  ['max', (series) => aggregateColumns(series, 'max'), /^max_over_time\(g/, 1, 1],
  ['sum', (series) => aggregateColumns(series, 'sum'), /^sum_over_time/, 1, 1],
  ['count', (series) => aggregateColumns(series, 'count'), /^count_over_time/, 2, 2],
];

for (const { block, resolution, lookbackDeltaMs } of DOWNSAMPLED) {
  test(`golden answers of Thanos over a block of ${resolution}`, { skip }, async (t) => {
    const all = readQueries('thanos-fixed', 'thanos-fuzz').filter((golden) => {
      const form = new URLSearchParams(golden.params);
      const wanted = form.get('dedup') === 'false' && !HISTOGRAM_METRICS.test(queryOf(golden));
      return wanted && form.get('max_source_resolution') === resolution;
    });
    for (const [name, decode, pattern, agreedMin, nonEmptyMin] of READ_FOR) {
      const storage = new MemoryStorage();
      load(storage, block, decode, { cluster: 'golden', replica: 'a' });
      const queries = all.filter((golden) => pattern.test(queryOf(golden)));
      t.diagnostic(name);
      await replay(t, storage, queries, {
        lookbackDeltaMs,
        part: replicaA,
        agreedMin,
        nonEmptyMin,
      });
    }
  });
}

/** The series of replica a, which has the downsampled blocks. */
function replicaA(answer: GoldenAnswer): GoldenAnswer {
  const { data } = answer;
  if (data === undefined || !Array.isArray(data.result)) return answer;
  const result = data.result.filter(
    ({ metric }: { metric: Record<string, string> }) => metric['replica'] === 'a',
  );
  return { ...answer, data: { ...data, result } };
}
