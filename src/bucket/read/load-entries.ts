/**
 * The entries of series in an index, by ranged reads. Behaviour: thanos pkg/store/bucket.go (PreloadSeries, loadSeries).
 */
import { readU32 } from '../../lib/big-endian.ts';
import { crc32c } from '../../lib/crc32c.ts';
import { CorruptionError } from '../../lib/errors.ts';
import { ShortBytesError, readUvarint } from '../../lib/varint.ts';
import { CRC_BYTES, SERIES_ALIGN } from '../../tsdb/index/index-format.ts';
import { INDEX_FILE } from '../block-path.ts';
import type { IndexHeader } from '../index-header/index-header.ts';
import { GAP_BYTES_MAX, mergeRanges } from './ranges.ts';
import { readRange } from './stored-block.ts';
import type { ReadCall, StoredBlock } from './stored-block.ts';

/** Entries, without length and checksum, of which the i-th is bytes[part[i]] from start[i] to end[i]. */
export interface SeriesEntries {
  readonly count: number;
  readonly bytes: readonly Uint8Array[];
  readonly part: Uint32Array;
  readonly start: Uint32Array;
  readonly end: Uint32Array;
}

/** The offsets of series in an index, from refs of postings. */
export function seriesOffsets(postings: Uint32Array, indexVersion: number): Float64Array {
  const unit = indexVersion === 1 ? 1 : SERIES_ALIGN;
  const offsets = new Float64Array(postings.length);
  // perf: Float64Array.from makes a list of objects first.
  for (let i = 0; i < offsets.length; i++) offsets[i] = (postings[i] as number) * unit;
  return offsets;
}

/**
 * Reads the entries at offsets, which ascend.
 * @throws LimitError; CorruptionError; CodedError as the bucket does.
 */
export async function loadEntries(
  block: StoredBlock,
  header: IndexHeader,
  offsets: Float64Array,
  call: ReadCall,
  onRefetch: () => void,
): Promise<SeriesEntries> {
  const count = offsets.length;
  const entries = {
    count,
    bytes: [] as Uint8Array[],
    part: new Uint32Array(count),
    start: new Uint32Array(count),
    end: new Uint32Array(count),
  };
  const missing = await takeCached(block, offsets, call, entries);
  const { toc } = header.ends;
  // Series end where the next section begins; nothing is there to be read behind it.
  const limit = toc.labelIndices > toc.series ? toc.labelIndices : toc.postings;
  const offsetOf = (k: number): number => offsets[missing[k] as number] as number;
  const parts = mergeRanges(missing.length, GAP_BYTES_MAX, {
    start: offsetOf,
    end: (k) => Math.max(offsetOf(k) + 1, Math.min(limit, offsetOf(k) + block.seriesBytesMax)),
  });
  const loader = new EntryLoader(block, call, limit, onRefetch);
  await Promise.all(
    parts.map(({ start, end, from, to }) =>
      loader.load(offsets, missing.slice(from, to), { start, end }, entries),
    ),
  );
  return entries;
}

/** Takes what the cache has; answers the places of the others. */
async function takeCached(
  block: StoredBlock,
  offsets: Float64Array,
  call: ReadCall,
  entries: { readonly bytes: Uint8Array[] } & SeriesEntries,
): Promise<number[]> {
  const cached = await call.cache?.fetchSeries(block.ulid, offsets, call);
  const missing: number[] = [];
  let size = 0;
  for (let i = 0; i < offsets.length; i++) {
    const entry = cached?.[i];
    if (entry === undefined) {
      missing.push(i);
      continue;
    }
    entries.part[i] = entries.bytes.push(entry) - 1;
    entries.end[i] = entry.length;
    size += entry.length;
  }
  call.bytesLimit.reserve(size, 'exceeded bytes limit while loading series from index cache');
  return missing;
}

/** limit: an entry that claims more, ten million chunks, is damaged: it must not bring the whole index into memory. */
const ENTRY_BYTES_MAX = 64 * 1024 * 1024;

/**
 * limit: series that a call leaves to the cache: one that passes through everything would push out what others use, and fill all that
 * the cache may take.
 */
const CACHED_SERIES_MAX = 100_000;

class EntryLoader {
  readonly #block: StoredBlock;
  readonly #call: ReadCall;
  /** Where series end in the index. */
  readonly #limit: number;
  readonly #onRefetch: () => void;
  readonly #name: string;

  constructor(block: StoredBlock, call: ReadCall, limit: number, onRefetch: () => void) {
    this.#block = block;
    this.#call = call;
    this.#limit = limit;
    this.#onRefetch = onRefetch;
    this.#name = `${block.ulid}/${INDEX_FILE}`;
  }

  /** Reads start..end and finds the entries at `places` of `offsets` in it; reads on where one is longer than expected. */
  async load(
    offsets: Float64Array,
    places: readonly number[],
    range: { readonly start: number; readonly end: number },
    entries: { readonly bytes: Uint8Array[] } & SeriesEntries,
  ): Promise<void> {
    let { start, end } = range;
    let bytes = await this.#read(start, end, places.length);
    let part = entries.bytes.push(bytes) - 1;
    for (let k = 0; k < places.length; k++) {
      const i = places[k] as number;
      const offset = offsets[i] as number;
      const found = this.#find(bytes, offset - start, offset);
      if (typeof found === 'number') {
        // What has been asked for and has not come is not there.
        if (offset + found <= end) throw this.#corrupt('series reaches over the end', offset);
        this.#onRefetch();
        start = offset;
        end = Math.max(offset + found, range.end);
        bytes = await this.#read(start, end, places.length - k);
        part = entries.bytes.push(bytes) - 1;
        k--;
        continue;
      }
      entries.part[i] = part;
      entries.start[i] = found.start;
      entries.end[i] = found.end;
      this.#store(offset, bytes.subarray(found.start, found.end));
    }
  }

  async #read(start: number, end: number, items: number): Promise<Uint8Array> {
    const length = end - start;
    this.#call.bytesLimit.reserve(length, 'exceeded bytes limit while fetching series');
    return readRange(this.#block, this.#call, {
      name: this.#name,
      type: 'series',
      items,
      offset: start,
      length,
    });
  }

  /** Where the entry at a place is; a number when so many bytes are needed. */
  #find(
    bytes: Uint8Array,
    at: number,
    offset: number,
  ): { readonly start: number; readonly end: number } | number {
    const cursor = { bytes, pos: at, end: bytes.length };
    let length: number;
    try {
      length = readUvarint(cursor);
    } catch (thrown) {
      if (!(thrown instanceof ShortBytesError)) throw thrown;
      if (bytes.length - at > 10) throw this.#corrupt('series has no length', offset);
      return Math.min(this.#block.seriesBytesMax + 16, this.#limit - offset);
    }
    const start = cursor.pos;
    const end = start + length;
    if (length > ENTRY_BYTES_MAX || offset + end + CRC_BYTES - at > this.#limit) {
      throw this.#corrupt('series reaches over the end', offset);
    }
    if (end + CRC_BYTES > bytes.length) return end + CRC_BYTES - at;
    if (crc32c(bytes, start, end) !== readU32(bytes, end)) {
      throw this.#corrupt('series: checksum mismatch', offset);
    }
    return { start, end };
  }

  #store(offset: number, entry: Uint8Array): void {
    if (this.#call.cost.series.fetched > CACHED_SERIES_MAX) return;
    this.#call.cache?.storeSeries(this.#block.ulid, offset, entry, this.#call);
  }

  #corrupt(message: string, offset: number): CorruptionError {
    return new CorruptionError(message, this.#name, offset);
  }
}
