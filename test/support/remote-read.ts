/**
 * A client of remote read (`POST /api/v1/read`) for any server that has it, by a plain protobuf reader: raw samples with
 * all their bits, stale markers and native histograms included, in the form of {@link RawSeries}.
 */
import { compressSync, uncompressSync } from 'snappy';
import { decodeHistogramChunk } from '../../src/chunkenc/histogram-decode.ts';
import { decodeXorTwin } from '../../src/chunkenc/xor-twin.ts';
import { crc32c } from '../../src/lib/crc32c.ts';
import { HistogramColumns } from '../../src/model/histogram.ts';
import { histogramLine, lineOfColumns, spread, valueText } from './histogram-line.ts';
import { contentsOf, field, fieldsOf, intOf, lastOf } from './protobuf.ts';
import type { Field } from './protobuf.ts';
import type { RawSeries } from './raw-samples.ts';

/** A matcher. */
export type RemoteMatcher = readonly [type: '=' | '!=' | '=~' | '!~', name: string, value: string];

/** What is read: times in ms, both inclusive. */
export interface RemoteQuery {
  readonly matchers: readonly RemoteMatcher[];
  readonly mint: number;
  readonly maxt: number;
}

/** Which of the two answers is asked for: all samples in one message, or chunks in frames. */
export type RemoteForm = 'samples' | 'chunks';

const MATCH_TYPES = ['=', '!=', '=~', '!~'];
const XOR = 1;
/** For one chunk at a time: made once, because it grows in steps. */
const columns = new HistogramColumns();

/**
 * Reads series; floats are texts of numbers, histograms lines as {@link histogramLine} has them.
 * @throws Error with the server's sentence, or when the answer is none.
 */
export async function readRemote(
  api: string,
  { matchers, mint, maxt }: RemoteQuery,
  form: RemoteForm,
): Promise<RawSeries[]> {
  const query = field(
    1,
    field(1, mint),
    field(2, maxt),
    ...matchers.map(([type, name, value]) =>
      field(3, field(1, MATCH_TYPES.indexOf(type)), field(2, name), field(3, value)),
    ),
  );
  const accepted = field(2, form === 'samples' ? 0 : 1);
  const response = await fetch(`${api}/api/v1/read`, {
    method: 'POST',
    headers: {
      'content-type': 'application/x-protobuf',
      'content-encoding': 'snappy',
      'x-prometheus-remote-read-version': '0.1.0',
    },
    body: new Uint8Array(compressSync(Buffer.concat([query, accepted]))),
  });
  const body = Buffer.from(await response.arrayBuffer());
  if (response.status !== 200) throw new Error(`read: ${response.status}: ${body.toString()}`);
  return form === 'samples' ? readSamples(body) : readFrames(body, mint, maxt);
}

type Values = [number, string][];

/** prometheus.ReadResponse. */
function readSamples(body: Buffer): RawSeries[] {
  const message = uncompressSync(body);
  const [result] = contentsOf(fieldsOf(Buffer.from(message)), 1);
  if (result === undefined) throw new Error('read: no result');
  return contentsOf(fieldsOf(result), 1).map((series) => {
    const fields = fieldsOf(series);
    const values: Values = contentsOf(fields, 2).map(readFloat);
    for (const one of contentsOf(fields, 4)) values.push(readHistogram(fieldsOf(one)));
    values.sort(([a], [b]) => a - b);
    return { metric: labelsOf(fields), values };
  });
}

function readFloat(message: Buffer): [number, string] {
  const fields = fieldsOf(message);
  return [intOf(fields, 2) / 1000, doubleText(lastOf(fields, 1))];
}

/** prometheus.Histogram: fields 8 to 10 are negative spans, deltas and counts, 11 to 13 positive ones. */
function readHistogram(fields: readonly Field[]): [number, string] {
  const isFloat = fields.some(([number]) => number === 2 || number === 7);
  const buckets = (first: number): [number, number][] => {
    const spans = contentsOf(fields, first).flatMap((span) => {
      const parts = fieldsOf(span);
      return [unzigzag((lastOf(parts, 1) ?? 0n) as bigint), intOf(parts, 2)];
    });
    const counts = isFloat
      ? contentsOf(fields, first + 2).flatMap(doublesOf)
      : sums(contentsOf(fields, first + 1).flatMap(varintsOf));
    return spread(spans, counts);
  };
  const line = histogramLine({
    isFloat,
    schema: unzigzag((lastOf(fields, 4) ?? 0n) as bigint),
    sum: doubleText(lastOf(fields, 3)),
    count: isFloat ? doubleOf(fields, 2) : intOf(fields, 1),
    zeroThreshold: doubleOf(fields, 5),
    zeroCount: isFloat ? doubleOf(fields, 7) : intOf(fields, 6),
    positive: buckets(11),
    negative: buckets(8),
    customValues: contentsOf(fields, 16).flatMap(doublesOf),
  });
  return [intOf(fields, 15) / 1000, line];
}

/** Frames: the length of a message, its CRC-32C, a prometheus.ChunkedReadResponse. Chunks may reach over the range. */
function readFrames(body: Buffer, mint: number, maxt: number): RawSeries[] {
  const out: RawSeries[] = [];
  let key = '';
  let values: Values = [];
  for (let at = 0; at < body.length;) {
    let length = 0;
    for (let scale = 1; ; scale *= 128) {
      const byte = body.readUInt8(at++);
      length += (byte & 127) * scale;
      if (byte < 128) break;
    }
    const message = body.subarray(at + 4, at + 4 + length);
    if (message.length < length || body.readUInt32BE(at) !== crc32c(message))
      throw new Error(`read: a frame of ${length} bytes is torn or damaged`);
    at += 4 + length;
    for (const series of contentsOf(fieldsOf(message), 1)) {
      const fields = fieldsOf(series);
      const metric = labelsOf(fields);
      // A long series comes in several frames.
      if (JSON.stringify(metric) !== key) {
        key = JSON.stringify(metric);
        values = [];
        out.push({ metric, values });
      }
      for (const chunk of contentsOf(fields, 2)) readChunk(fieldsOf(chunk), values, mint, maxt);
    }
  }
  return out.filter((series) => series.values.length > 0);
}

function readChunk(chunk: readonly Field[], values: Values, mint: number, maxt: number): void {
  const encoding = intOf(chunk, 3);
  const [data = Buffer.alloc(0)] = contentsOf(chunk, 4);
  const add = (t: number, text: string): void => {
    if (t >= mint && t <= maxt) values.push([t / 1000, text]);
  };
  if (encoding !== XOR) {
    columns.clear();
    decodeHistogramChunk(data, 0, data.length, encoding, columns);
    for (let i = 0; i < columns.length; i++) add(columns.t[i] as number, lineOfColumns(columns, i));
    return;
  }
  const count = data.readUInt16BE(0);
  const t = new Float64Array(count);
  const v = new Float64Array(count);
  const out = { t, halves: new Uint32Array(v.buffer) };
  if (decodeXorTwin(data, 0, data.length, count, out, 0, false) !== count)
    throw new Error('read: not an XOR chunk');
  for (let i = 0; i < count; i++) add(t[i] as number, valueText(v, i));
}

function labelsOf(fields: readonly Field[]): Record<string, string> {
  const pairs = contentsOf(fields, 1).map((label) => {
    const parts = fieldsOf(label);
    return [contentsOf(parts, 1).join(''), contentsOf(parts, 2).join('')];
  });
  return Object.fromEntries(pairs) as Record<string, string>;
}

function doublesOf(bytes: Buffer): number[] {
  return Array.from({ length: bytes.length / 8 }, (_, i) => bytes.readDoubleLE(i * 8));
}

function doubleOf(fields: readonly Field[], number: number): number {
  const bytes = lastOf(fields, number);
  return Buffer.isBuffer(bytes) ? bytes.readDoubleLE(0) : 0;
}

function doubleText(content: bigint | Buffer | undefined): string {
  if (!Buffer.isBuffer(content)) return '0';
  // By bytes: a variable may change the bits of what is no number.
  const copy = new Uint8Array(8);
  copy.set(content);
  return valueText(new Float64Array(copy.buffer), 0);
}

/** A packed list of sint64. */
function varintsOf(bytes: Buffer): number[] {
  const out: number[] = [];
  let value = 0n;
  let shift = 0n;
  for (const byte of bytes) {
    value |= BigInt(byte & 127) << shift;
    shift += 7n;
    if (byte >= 128) continue;
    out.push(unzigzag(value));
    value = 0n;
    shift = 0n;
  }
  return out;
}

function unzigzag(value: bigint): number {
  return Number(BigInt.asIntN(64, (value >> 1n) ^ -(value & 1n)));
}

/** Absolute counts of differences. */
function sums(deltas: readonly number[]): number[] {
  let sum = 0;
  return deltas.map((delta) => (sum += delta));
}
