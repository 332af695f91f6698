/** Answers of remote read with all samples in one message (prometheus.ReadResponse), snappy-compressed. */
import { compressSync } from 'snappy';
import { CodedError } from '../lib/errors.ts';
import { HistogramColumns } from '../model/histogram.ts';
import type { Labels } from '../model/labels.ts';
import { FloatColumns } from '../storage/storage.ts';
import type { Queryable, SeriesSet } from '../storage/storage.ts';
import { WireWriter } from '../tsdb/head/wire-writer.ts';
import { labelFields, writeHistograms, writeSamples } from './remote-read-messages.ts';
import type { ReadQuery } from './remote-read-request.ts';
import { checkSignal, selectRequest, shownLabels } from './remote-read-select.ts';
import type { ReadOptions } from './remote-read-select.ts';

/** limit: bytes of an answer before compression. Fifty million samples, the default of the sample limit, take as much. */
const ANSWER_BYTES_MAX = 1 << 30;

/** Series whose bytes are made resident at a time. */
const LOAD_SERIES = 64;

const HEAD_MAX = 11;
/** Tags: results of ReadResponse, timeseries of QueryResult. */
const RESULT = 0x0a;
const TIMESERIES = 0x0a;

/** The pieces of an answer. @throws CodedError as readPage. */
export async function readSamples(
  queryable: Queryable,
  queries: readonly ReadQuery[],
  options: ReadOptions,
): Promise<Uint8Array<ArrayBuffer>[]> {
  const out = new WireWriter('remote read answer');
  out.begin(ANSWER_BYTES_MAX);
  for (const query of queries) {
    const set = await queryable.select(selectRequest(query, options.externalLabels));
    try {
      out.reserve(HEAD_MAX);
      const start = out.open(RESULT);
      await writeSet(out, set, query, options);
      out.reserve(HEAD_MAX);
      out.close(start);
    } finally {
      set.close();
    }
    for (const warning of set.warnings) options.onWarning(warning);
  }
  const compressed = compressSync(Buffer.from(out.written.buffer, 0, out.length));
  return [new Uint8Array(compressed)];
}

async function writeSet(
  out: WireWriter,
  set: SeriesSet,
  query: ReadQuery,
  options: ReadOptions,
): Promise<void> {
  const floats = new FloatColumns();
  const histograms = new HistogramColumns();
  let samples = 0;
  for (let i = 0; i < set.count; i++) {
    if (query.labelsOnly) {
      writeSeries(out, set.labels(i), options, floats, histograms);
      continue;
    }
    if (i % LOAD_SERIES === 0) {
      checkSignal(options.signal);
      await set.load(i, Math.min(i + LOAD_SERIES, set.count));
    }
    set.readFloats(i, floats, false);
    set.readHistograms(i, histograms, false);
    const found = floats.length + histograms.length;
    if (found === 0) continue;
    samples += found;
    const { sampleLimit } = options;
    if (sampleLimit > 0 && samples > sampleLimit) {
      throw new CodedError('bad_data', `exceeded sample limit (${sampleLimit})`);
    }
    writeSeries(out, set.labels(i), options, floats, histograms);
  }
}

function writeSeries(
  out: WireWriter,
  labels: Labels,
  options: ReadOptions,
  floats: FloatColumns,
  histograms: HistogramColumns,
): void {
  const { bytes } = labelFields(shownLabels(labels, options.externalLabels));
  out.reserve(HEAD_MAX + bytes.length);
  const start = out.open(TIMESERIES);
  out.put(bytes);
  writeSamples(out, floats);
  writeHistograms(out, histograms);
  out.reserve(HEAD_MAX);
  out.close(start);
}
