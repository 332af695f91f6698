/**
 * What `/federate` answers, out of a storage: runs where that is (a compute worker). Behaviour: prometheus
 * web/federate.go, prometheus/common expfmt.
 */
import { compareUtf8 } from '../lib/utf8.ts';
import { CUSTOM_BUCKETS_SCHEMA, RESET_HINT } from '../model/histogram.ts';
import type { HistogramColumns } from '../model/histogram.ts';
import { METRIC_NAME } from '../model/labels.ts';
import type { Labels } from '../model/labels.ts';
import type { Matcher } from '../model/matcher.ts';
import type { Queryable } from '../storage/storage.ts';
import type { FamilyType, FamilyWriter } from './family-writer.ts';
import type { FederateFormat } from './federate-format.ts';
import { ProtobufFamilies } from './federate-protobuf.ts';
import { newestSamples } from './federate-select.ts';
import type { FederateRange, FederatedSample } from './federate-select.ts';
import { TextFamilies } from './federate-text.ts';

/** What is asked for. */
export interface FederateQuery extends FederateRange {
  readonly matcherSets: readonly (readonly Matcher[])[];
  /** Added to series that do not have them. The storage must not have added them. */
  readonly externalLabels: Labels;
  readonly format: FederateFormat;
}

/** An answer. */
export interface FederateAnswer {
  /** In order; memory of the caller's own. */
  readonly pieces: readonly Uint8Array<ArrayBuffer>[];
  /** What is missing from it. */
  readonly warnings: readonly string[];
}

/** Answers with the newest sample of each series. @throws CodedError canceled; what the storage throws. */
export async function federate(
  queryable: Queryable,
  query: FederateQuery,
): Promise<FederateAnswer> {
  const { format, matcherSets } = query;
  const { samples, histograms, warnings } = await newestSamples(queryable, matcherSets, query);
  const writer: FamilyWriter =
    format.kind === 'text'
      ? new TextFamilies(histograms, format.escaping)
      : new ProtobufFamilies(histograms, format.escaping);
  const external = withInstance(query.externalLabels);
  let family = '';
  for (const sample of samples) {
    const type = typeOf(histograms, sample);
    // compat: the text format has no native histograms; those with custom buckets are shown as classic ones.
    if (type !== 'untyped' && format.kind === 'text' && !hasCustomBuckets(histograms, sample))
      continue;
    const name = sample.labels.get(METRIC_NAME);
    // compat: a family whose type changes begins anew, though the name is there already.
    const key = `${type} ${name}`;
    if (key !== family) writer.family(name, type);
    family = key;
    writer.metric(metricLabels(sample.labels, external), sample);
  }
  return { pieces: writer.finish(), warnings };
}

/** compat: a series without an instance gets an empty one, so that a scraper does not add its own. */
function withInstance(external: Labels): readonly string[] {
  const pairs = [...external];
  if (!external.has('instance')) pairs.push(['instance', '']);
  return pairs.sort((a, b) => compareUtf8(a[0], b[0])).flat();
}

/** A metric's own labels without its name, then the external ones that it does not have. */
function metricLabels(own: Labels, external: readonly string[]): string[] {
  const out: string[] = [];
  for (const [name, value] of own) if (name !== METRIC_NAME) out.push(name, value);
  for (let i = 0; i < external.length; i += 2) {
    const name = external[i] as string;
    if (!own.has(name)) out.push(name, external[i + 1] as string);
  }
  return out;
}

function typeOf(histograms: HistogramColumns, { row }: FederatedSample): FamilyType {
  if (row < 0) return 'untyped';
  return histograms.hint[row] === RESET_HINT.gauge ? 'gaugehistogram' : 'histogram';
}

function hasCustomBuckets(histograms: HistogramColumns, { row }: FederatedSample): boolean {
  return row >= 0 && histograms.layoutAt(row).schema === CUSTOM_BUCKETS_SCHEMA;
}
