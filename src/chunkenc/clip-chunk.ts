/** Takes samples out of chunks: what lies beyond a range, and what is deleted. */
import { HistogramColumns } from '../model/histogram.ts';
import type { EncodedChunk } from './encoded-chunk.ts';
import { encodeFloats, encodeHistograms } from './encode-columns.ts';
import { ENCODING_XOR, ENCODING_XOR2 } from './encodings.ts';
import { decodeHistogramChunk } from './histogram-decode.ts';
import { transcodeChunk } from './transcode.ts';
import { XorScratch } from './xor-scratch.ts';
import { CorruptionError } from '../lib/errors.ts';

/** What stays of a chunk; times in ms, inclusive. */
export interface ClipRange {
  readonly mint: number;
  readonly maxt: number;
  /** What is deleted: mint and maxt in turn, ascending. */
  readonly deleted?: ArrayLike<number>;
}

/** Clips chunks, one after the other: keeps its columns. */
export class ChunkClipper {
  readonly #floats = new XorScratch();
  readonly #histograms = new HistogramColumns();

  /**
   * A chunk as it is (start timestamps apart, which are left out), or, where it reaches over an end of the range or samples
   * of it are deleted, what is left of it encoded again, as one to many chunks, or none. `where` and `offset` say in
   * errors where it came from.
   * @throws CorruptionError when its bytes are no chunk of its encoding and count.
   */
  clip(chunk: EncodedChunk, range: ClipRange, where: string, offset: number): EncodedChunk[] {
    const { mint, maxt, encoding } = chunk;
    const deleted = range.deleted ?? [];
    if (mint >= range.mint && maxt <= range.maxt && !overlapsAny(deleted, mint, maxt))
      return [plain(chunk)];
    if (encoding === ENCODING_XOR || encoding === ENCODING_XOR2)
      return this.#clipFloats(chunk, { ...range, deleted }, where, offset);
    const columns = this.#histograms;
    columns.clear();
    decodeHistogramChunk(chunk.data, 0, chunk.data.length, encoding, columns, where);
    columns.remove(0, -Infinity, range.mint - 1);
    columns.remove(0, range.maxt + 1, Infinity);
    for (let k = 0; k < deleted.length; k += 2)
      columns.remove(0, deleted[k] as number, deleted[k + 1] as number);
    return encodeHistograms(columns);
  }

  /** The first and last time of a histogram chunk. @throws CorruptionError when it is none, or empty. */
  timesOf(
    { encoding, data }: Pick<EncodedChunk, 'encoding' | 'data'>,
    where: string,
  ): { mint: number; maxt: number } {
    const columns = this.#histograms;
    columns.clear();
    decodeHistogramChunk(data, 0, data.length, encoding, columns, where);
    if (columns.length === 0) throw new CorruptionError('an empty chunk', where, 0);
    return { mint: columns.t[0] as number, maxt: columns.t[columns.length - 1] as number };
  }

  #clipFloats(
    { data, count, encoding }: EncodedChunk,
    range: Required<ClipRange>,
    where: string,
    offset: number,
  ): EncodedChunk[] {
    const scratch = this.#floats;
    scratch.clear();
    if (!scratch.append(data, 0, data.length, count, false, encoding)) {
      const message = `chunk is not a float chunk (encoding ${encoding}) of its count`;
      throw new CorruptionError(message, where, offset);
    }
    scratch.clip(range.mint, range.maxt);
    for (let k = 0; k < range.deleted.length; k += 2)
      scratch.remove(0, range.deleted[k] as number, range.deleted[k + 1] as number);
    return encodeFloats(scratch.t, scratch.v, scratch.length);
  }
}

/** A chunk in the encoding that every reader knows. */
function plain(chunk: EncodedChunk): EncodedChunk {
  if (chunk.encoding < ENCODING_XOR2) return chunk;
  const { encoding, data } = transcodeChunk(chunk.encoding, chunk.data);
  return { ...chunk, encoding, data };
}

function overlapsAny(intervals: ArrayLike<number>, mint: number, maxt: number): boolean {
  for (let k = 0; k < intervals.length; k += 2)
    if ((intervals[k] as number) <= maxt && (intervals[k + 1] as number) >= mint) return true;
  return false;
}
