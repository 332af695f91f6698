/** Answers of Store.Series taken apart by field numbers (thanos rpc.proto, types.proto), and the samples in their chunks. */
import { HistogramColumns } from '../../src/model/histogram.ts';
import { decodeHistogramChunk } from '../../src/chunkenc/histogram-decode.ts';
import { decodeXorTwin } from '../../src/chunkenc/xor-twin.ts';
import { xxhash64 } from '../../src/lib/xxhash64.ts';
import { lineOfColumns, valueText } from './histogram-line.ts';
import { contentsOf, fieldsOf, intOf, lastOf } from './protobuf.ts';

/** A sample: its time in ms, and its value as text (histogram-line.ts). */
export type TextSample = readonly [t: number, value: string];

/** A chunk of raw samples. */
export interface AnsweredChunk {
  readonly mint: number;
  readonly maxt: number;
  /** Of the TSDB: 1 to 3. */
  readonly encoding: number;
  readonly samples: readonly TextSample[];
}

/** A series. */
export interface AnsweredSeries {
  /** name, value, name, value, … as sent. */
  readonly labels: readonly string[];
  readonly chunks: readonly AnsweredChunk[];
}

/** All messages of an answer. */
export interface SeriesAnswer {
  readonly series: readonly AnsweredSeries[];
  readonly warnings: readonly string[];
  /** How many series came in each message that has any. */
  readonly batches: readonly number[];
  readonly hints: readonly Buffer[];
}

/** Takes messages apart. @throws Error for a chunk whose hash or times are not those of its data. */
export function readSeriesAnswer(messages: readonly Uint8Array[]): SeriesAnswer {
  const series: AnsweredSeries[] = [];
  const warnings: string[] = [];
  const batches: number[] = [];
  const hints: Buffer[] = [];
  for (const message of messages) {
    const fields = fieldsOf(message);
    const single = contentsOf(fields, 1);
    const batched = contentsOf(fields, 4).flatMap((batch) => contentsOf(fieldsOf(batch), 1));
    const all = [...single, ...batched];
    if (all.length > 0) batches.push(all.length);
    series.push(...all.map(readSeries));
    warnings.push(...contentsOf(fields, 2).map(String));
    hints.push(...contentsOf(fields, 3));
  }
  return { series, warnings, batches, hints };
}

function readSeries(bytes: Buffer): AnsweredSeries {
  const fields = fieldsOf(bytes);
  const labels = contentsOf(fields, 1).flatMap((label) => {
    const pair = fieldsOf(label);
    return [String(lastOf(pair, 1) ?? ''), String(lastOf(pair, 2) ?? '')];
  });
  return { labels, chunks: contentsOf(fields, 2).map(readChunk) };
}

function readChunk(bytes: Buffer): AnsweredChunk {
  const fields = fieldsOf(bytes);
  const raw = fieldsOf(lastOf(fields, 3) as Buffer);
  const encoding = intOf(raw, 1) + 1;
  const data = lastOf(raw, 2) as Buffer;
  if (lastOf(raw, 3) !== xxhash64(data))
    throw new Error('the hash of a chunk is not that of its data');
  const [mint, maxt] = [intOf(fields, 1), intOf(fields, 2)];
  const samples = encoding === 1 ? floatsOf(data) : histogramsOf(data, encoding);
  if (samples[0]?.[0] !== mint || samples.at(-1)?.[0] !== maxt) {
    throw new Error(`a chunk of ${mint} to ${maxt} has samples of other times`);
  }
  return { mint, maxt, encoding, samples };
}

function floatsOf(data: Buffer): TextSample[] {
  const count = data.readUInt16BE();
  const t = new Float64Array(count);
  const v = new Float64Array(count);
  const out = { t, halves: new Uint32Array(v.buffer) };
  const n = decodeXorTwin(data, 0, data.length, count, out, 0, false);
  if (n !== count) throw new Error(`a chunk of ${count} samples has ${n}`);
  return Array.from(t, (time, i) => [time, valueText(v, i)]);
}

function histogramsOf(data: Buffer, encoding: number): TextSample[] {
  const columns = new HistogramColumns();
  decodeHistogramChunk(data, 0, data.length, encoding, columns, 'answer');
  return Array.from({ length: columns.length }, (_, i) => [
    columns.t[i] as number,
    lineOfColumns(columns, i),
  ]);
}
