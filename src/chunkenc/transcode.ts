/**
 * Chunks with start timestamps, encodings 4 to 6, as chunks without: for readers that know only the old encodings, which
 * is all but the newest.
 */
import { CorruptionError } from '../lib/errors.ts';
import { HistogramColumns } from '../model/histogram.ts';
import { BitReader } from './bit-reader.ts';
import { BitWriter } from './bit-writer.ts';
import {
  ENCODING_FLOAT_HISTOGRAM,
  ENCODING_FLOAT_HISTOGRAM_ST,
  ENCODING_HISTOGRAM,
  ENCODING_HISTOGRAM_ST,
  ENCODING_XOR,
  ENCODING_XOR2,
} from './encodings.ts';
import {
  HISTOGRAM_HEADER_BYTES,
  histogramChunkHint,
  writeHistogramHeader,
} from './histogram-chunk-header.ts';
import { HistogramChunkReader } from './histogram-chunk-reader.ts';
import { XorAppender } from './xor-twin.ts';
import { decodeXor2 } from './xor2.ts';

/** An encoded chunk, its 2-byte count in front. */
export interface PlainChunk {
  readonly encoding: number;
  readonly data: Uint8Array;
}

/**
 * The same samples without start timestamps: encoding 4 becomes 1, 5 becomes 2, 6 becomes 3; a chunk of another encoding
 * is answered as it is. Values and the header's word on counter resets are kept bit by bit. `where` names the file or body
 * in errors.
 * @throws CorruptionError when the bytes are no chunk of the encoding.
 */
export function transcodeChunk(encoding: number, data: Uint8Array, where = 'chunk'): PlainChunk {
  if (encoding === ENCODING_XOR2) return transcodeXor2(data, where);
  if (encoding === ENCODING_HISTOGRAM_ST)
    return transcodeHistograms(data, where, { from: encoding, to: ENCODING_HISTOGRAM });
  if (encoding === ENCODING_FLOAT_HISTOGRAM_ST)
    return transcodeHistograms(data, where, { from: encoding, to: ENCODING_FLOAT_HISTOGRAM });
  return { encoding, data };
}

function transcodeXor2(data: Uint8Array, where: string): PlainChunk {
  const count = data.length < 2 ? 0 : ((data[0] as number) << 8) | (data[1] as number);
  // A sample takes a bit at least: a larger count is a lie that must not allocate.
  const isPossible = data.length >= 2 && count <= data.length * 8;
  const t = new Float64Array(isPossible ? count : 0);
  const halves = new Uint32Array(t.length * 2);
  const chunk = { bytes: data, offset: 0, length: data.length, count };
  if (!isPossible || decodeXor2(chunk, { t, halves }, 0, { dropStale: false }) < 0)
    throw new CorruptionError(`no XOR2 chunk of ${count} samples`, where, 0);
  const appender = new XorAppender();
  for (let i = 0; i < count; i++) {
    appender.append(t[i] as number, halves[2 * i + 1] as number, halves[2 * i] as number);
  }
  return { encoding: ENCODING_XOR, data: appender.bytes() };
}

/** The bits of a sample are the same in both encodings: what lies between samples is left out. */
function transcodeHistograms(
  data: Uint8Array,
  where: string,
  { from, to }: { readonly from: number; readonly to: number },
): PlainChunk {
  const place = { bytes: data, offset: 0, length: data.length, where };
  const chunk = new HistogramChunkReader(place, from);
  const source = new BitReader(data, HISTOGRAM_HEADER_BYTES, data.length, where);
  const out = new BitWriter(data.length);
  out.bits(0, HISTOGRAM_HEADER_BYTES * 8);
  const ignored = new HistogramColumns();
  for (let i = 0; i < chunk.count; i++) {
    ignored.clear();
    chunk.next(ignored);
    copyBits(source, out, chunk.bits.pos - source.pos);
    chunk.nextStart();
    source.pos = chunk.bits.pos;
  }
  const hint = histogramChunkHint(data, 0, from);
  writeHistogramHeader(out.bytes, to, { count: chunk.count, hint, startTimes: 0 });
  return { encoding: to, data: out.bytes.slice(0, out.byteLength) };
}

function copyBits(from: BitReader, to: BitWriter, count: number): void {
  for (let left = count; left > 0; left -= 32) {
    const n = Math.min(32, left);
    to.bits(from.bits(n), n);
  }
}
