/**
 * The chunks of a run of series, by ranged reads of segment files. Behaviour: thanos pkg/store/bucket.go (load, loadChunks); here
 * checksums are looked at.
 */
import { CodedError, CorruptionError } from '../../lib/errors.ts';
import { AGGREGATES, AggrParts, ENCODING_AGGR } from '../../chunkenc/aggr-chunk.ts';
import { readUvarint } from '../../lib/varint.ts';
import { transcodeChunk } from '../../chunkenc/transcode.ts';
import type { BufferPool } from './buffer-pool.ts';
import { encodeAggrChunk } from './frame-chunks-twin.ts';
import type { ChunkFramer } from './frame-chunks.ts';
import type { FrameSink } from './frame-sink.ts';
import { FRAME_STATUS } from './frame-chunks.ts';
import { GAP_BYTES_MAX, mergeRanges } from './ranges.ts';
import type { FramedChunks, PlannedRun } from './series-run.ts';
import { readRange } from './stored-block.ts';
import type { ReadCall, StoredBlock } from './stored-block.ts';

/** How to load. */
export interface LoadChunksOptions {
  /** Bits of {@link AGGREGATE_BITS}. */
  readonly mask: number;
  readonly framer: ChunkFramer;
  /** Where buffers come from, those of {@link FramedChunks} too; whoever is done with these gives them back. */
  readonly pool: BufferPool;
  readonly onRefetch: () => void;
}

/** Loads every chunk of a run. @throws LimitError; CorruptionError; CodedError as the bucket does. */
export async function loadChunks(
  block: StoredBlock,
  run: PlannedRun,
  call: ReadCall,
  options: LoadChunksOptions,
): Promise<FramedChunks> {
  const count = run.mint.length;
  const frames: FramedChunks = {
    parts: [],
    buffers: [],
    part: new Uint32Array(count),
    start: new Uint32Array(count),
    end: new Uint32Array(count),
  };
  const loader = new ChunkLoader(block, run, call, options, frames);
  const work: Promise<void>[] = [];
  for (const [segment, places] of bySegment(run)) {
    const name = block.segments[segment];
    if (name === undefined) {
      throw new CorruptionError(
        `series refers to segment ${segment + 1} of ${block.segments.length}`,
        `${block.ulid}/index`,
        0,
      );
    }
    const offsetOf = (k: number): number => run.offsets[places[k] as number] as number;
    const parts = mergeRanges(places.length, GAP_BYTES_MAX, {
      start: offsetOf,
      end: (k) => offsetOf(k) + block.chunkBytesMax,
    });
    const total = parts.reduce((sum, { start, end }) => sum + end - start, 0);
    call.bytesLimit.reserve(total, 'exceeded bytes limit while fetching chunks');
    for (const { start, end, from, to } of parts) {
      work.push(loader.load(name, places.subarray(from, to), { start, end }));
    }
  }
  // All of them end before a failure is thrown: nothing goes on behind the caller's back.
  const outcomes = await Promise.allSettled(work);
  const failed = outcomes.find((one) => one.status === 'rejected');
  if (failed !== undefined) {
    for (const buffer of frames.buffers) options.pool.give(buffer);
    throw failed.reason;
  }
  return frames;
}

/** Places of chunks by their segment, ascending by offset. */
function bySegment({ segments, offsets }: PlannedRun): Map<number, Uint32Array> {
  const counts = new Map<number, number>();
  for (let i = 0; i < segments.length; i++) {
    const segment = segments[i] as number;
    counts.set(segment, (counts.get(segment) ?? 0) + 1);
  }
  const result = new Map<number, Uint32Array>();
  for (const [segment, count] of counts) {
    const places = new Uint32Array(count);
    let sorted = true;
    let before = -1;
    for (let i = 0, n = 0; i < segments.length; i++) {
      if (segments[i] !== segment) continue;
      places[n++] = i;
      const offset = offsets[i] as number;
      sorted &&= offset >= before;
      before = offset;
    }
    // perf: most blocks have their chunks in the order of their series.
    if (!sorted) places.sort((a, b) => (offsets[a] as number) - (offsets[b] as number));
    result.set(segment, places);
  }
  return result;
}

class ChunkLoader {
  readonly #block: StoredBlock;
  readonly #run: PlannedRun;
  readonly #call: ReadCall;
  readonly #options: LoadChunksOptions;
  readonly #frames: FramedChunks;

  constructor(
    block: StoredBlock,
    run: PlannedRun,
    call: ReadCall,
    options: LoadChunksOptions,
    frames: FramedChunks,
  ) {
    this.#block = block;
    this.#run = run;
    this.#call = call;
    this.#options = options;
    this.#frames = frames;
  }

  /** Reads a range of a segment and frames the chunks at `places`, whose offsets ascend. */
  async load(
    name: string,
    places: Uint32Array,
    { start, end }: { readonly start: number; readonly end: number },
  ): Promise<void> {
    const { pool } = this.#options;
    const buffer = pool.take(end - start);
    try {
      await this.#load(name, places, { start, end }, buffer);
    } finally {
      pool.give(buffer);
    }
  }

  async #load(
    name: string,
    places: Uint32Array,
    { start, end }: { readonly start: number; readonly end: number },
    buffer: Buffer,
  ): Promise<void> {
    const { framer, mask, onRefetch, pool } = this.#options;
    const columns = {
      offsets: gather(u32, this.#run.offsets, places),
      mint: gather(f64, this.#run.mint, places),
      maxt: gather(f64, this.#run.maxt, places),
    };
    const to = places.length;
    let base = start;
    let bytes = await this.#read(name, base, end, to, buffer);
    let asked = end;
    for (let at = 0; at < to;) {
      const sink = new PartSink(this.#frames, places, pool, bytes.length);
      at = framer.frame(bytes, base, columns, { from: at, to }, mask, sink);
      sink.finish();
      if (at === to) break;
      const { code, detail } = framer.status;
      const offset = columns.offsets[at] as number;
      // What has been asked for and has not come is not there.
      if (code === FRAME_STATUS.short && offset + detail > asked) {
        onRefetch();
        this.#call.bytesLimit.reserve(detail, 'exceeded bytes limit while fetching chunks');
        base = offset;
        asked = Math.max(end, offset + detail);
        bytes = await this.#read(name, base, asked, to - at);
      } else if (code === FRAME_STATUS.otherEncoding) {
        this.#transcode(bytes, offset - base, places[at] as number, { name, offset });
        at++;
      } else throw this.#failure(code, detail, name, offset);
    }
    this.#countTouched(places);
  }

  async #read(
    name: string,
    start: number,
    end: number,
    items: number,
    into?: Buffer,
  ): Promise<Uint8Array> {
    const range = { name, type: 'chunks', items, offset: start, length: end - start } as const;
    return readRange(this.#block, this.#call, range, into);
  }

  #countTouched(places: Uint32Array): void {
    let bytes = 0;
    for (const place of places) {
      bytes += (this.#frames.end[place] as number) - (this.#frames.start[place] as number);
    }
    this.#call.cost.touch('chunks', places.length, bytes);
  }

  /** A chunk of a newer encoding, as one that the StoreAPI has. Its checksum has been looked at. */
  #transcode(
    bytes: Uint8Array,
    at: number,
    place: number,
    where: { readonly name: string; readonly offset: number },
  ): void {
    const cursor = { bytes, pos: at, end: bytes.length };
    const length = readUvarint(cursor);
    const encoding = bytes[cursor.pos] as number;
    const data = bytes.subarray(cursor.pos + 1, cursor.pos + 1 + length);
    const { mask } = this.#options;
    const mint = this.#run.mint[place] as number;
    const maxt = this.#run.maxt[place] as number;
    const parts =
      encoding === ENCODING_AGGR
        ? aggregatesOf(data, mask, where)
        : [{ tag: 0x1a, ...plainChunk(encoding, data, where) }];
    const message = encodeAggrChunk(mint, maxt, parts);
    this.#frames.part[place] = this.#frames.parts.push(message) - 1;
    this.#frames.start[place] = 0;
    this.#frames.end[place] = message.length;
  }

  #failure(code: number, detail: number, name: string, offset: number): CodedError {
    if (code === FRAME_STATUS.noAggregate) {
      return new CodedError(
        'execution',
        `populate chunk: aggregate ${AGGREGATES[detail] ?? ''} does not exist`,
      );
    }
    const what =
      code === FRAME_STATUS.badChecksum
        ? 'chunk: checksum mismatch'
        : code === FRAME_STATUS.short
          ? 'chunk reaches over the end'
          : 'chunk is malformed';
    return new CorruptionError(what, name, offset);
  }
}

type Where = { readonly name: string; readonly offset: number };

function plainChunk(
  encoding: number,
  data: Uint8Array,
  { name, offset }: Where,
): { readonly encoding: number; readonly data: Uint8Array } {
  const plain = transcodeChunk(encoding, data, `${name}, offset ${offset}`);
  if (plain.encoding < 1 || plain.encoding > 3)
    throw new CorruptionError(`chunk of unknown encoding ${encoding}`, name, offset);
  return plain;
}

function aggregatesOf(
  data: Uint8Array,
  mask: number,
  where: Where,
): { tag: number; encoding: number; data: Uint8Array }[] {
  const split = new AggrParts();
  if (!split.split(data, 0, data.length))
    throw new CorruptionError('chunk is malformed', where.name, where.offset);
  const parts: { tag: number; encoding: number; data: Uint8Array }[] = [];
  for (let a = 0; a < AGGREGATES.length; a++) {
    const size = split.lengths[a] as number;
    if (((mask >> a) & 1) === 0 || size === 0) continue;
    const from = split.offsets[a] as number;
    const inner = plainChunk(split.encodings[a] as number, data.subarray(from, from + size), where);
    parts.push({ tag: 0x22 + a * 8, ...inner });
  }
  return parts;
}

/** Collects the messages of one range into one buffer. */
class PartSink implements FrameSink {
  readonly #frames: FramedChunks;
  readonly #places: Uint32Array;
  readonly #pool: BufferPool;
  readonly #part: number;
  #bytes: Buffer;
  #length = 0;

  constructor(frames: FramedChunks, places: Uint32Array, pool: BufferPool, sourceBytes: number) {
    this.#frames = frames;
    this.#places = places;
    this.#pool = pool;
    this.#bytes = pool.take(sourceBytes + sourceBytes / 16);
    this.#part = frames.parts.push(this.#bytes) - 1;
  }

  append(bytes: Uint8Array, ends: ArrayLike<number>, from: number): void {
    this.#reserve(bytes.length);
    this.#bytes.set(bytes, this.#length);
    const { part, start, end } = this.#frames;
    const places = this.#places;
    const number = this.#part;
    const base = this.#length;
    let before = base;
    for (let i = 0; i < ends.length; i++) {
      const place = places[from + i] as number;
      part[place] = number;
      start[place] = before;
      before = base + (ends[i] as number);
      end[place] = before;
    }
    this.#length += bytes.length;
  }

  /** Nothing more comes. */
  finish(): void {
    this.#frames.buffers.push(this.#bytes);
    this.#frames.parts[this.#part] = this.#bytes.subarray(0, this.#length);
  }

  #reserve(count: number): void {
    if (this.#length + count <= this.#bytes.length) return;
    const more = this.#pool.take(Math.max(this.#bytes.length * 2, this.#length + count));
    this.#bytes.copy(more, 0, 0, this.#length);
    this.#pool.give(this.#bytes);
    this.#bytes = more;
  }
}

const u32 = (size: number): Uint32Array => new Uint32Array(size);
const f64 = (size: number): Float64Array => new Float64Array(size);

/** The numbers at places of a column. */
function gather<T extends Uint32Array | Float64Array>(
  make: (size: number) => T,
  column: T,
  places: Uint32Array,
): T {
  const out = make(places.length);
  for (let i = 0; i < places.length; i++) out[i] = column[places[i] as number] as number;
  return out;
}
