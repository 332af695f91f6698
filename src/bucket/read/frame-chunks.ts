/**
 * Chunks of a segment file as the chunks of a Series of the StoreAPI (proto/thanos): checksums are looked at, data
 * are hashed, nothing is decoded. In the kernel where there is one, otherwise in its twin.
 *
 *   memory   tables of crc32c | status | offsets | mint | maxt | ends | found | powers | source | out
 */
import { crc32c, crc32cTables } from '../../lib/crc32c.ts';
import { loadKernel } from '../../kernels/load.ts';
import type { StoreChunksKernel } from '../../kernels/load.ts';
import { frameTwin, shardTwin } from './frame-chunks-twin.ts';
import type { FrameSink } from './frame-sink.ts';

/** The aggregates of the StoreAPI but RAW, in the order of a chunk's parts, as bits of a mask. */
export const AGGREGATE_BITS = { COUNT: 1, SUM: 2, MIN: 4, MAX: 8, COUNTER: 16 } as const;

/** Why a chunk could not be framed; {@link FrameStatus.detail} says more. */
export const FRAME_STATUS = {
  ok: 0,
  /** It reaches over the end of the bytes: detail is how many it takes, at least. */
  short: 1,
  badChecksum: 2,
  /** Detail is the encoding, which the StoreAPI has no type for. */
  otherEncoding: 3,
  /** Detail is the number of an aggregate that was asked for and is not there. */
  noAggregate: 4,
  malformed: 5,
  full: 6,
} as const;

/** Where chunks are, and their times: columns. */
export interface ChunkColumns {
  /** From the start of the segment file. */
  readonly offsets: Uint32Array;
  /** ms, both inclusive. */
  readonly mint: Float64Array;
  readonly maxt: Float64Array;
}

/** The outcome of a call. */
export interface FrameStatus {
  /** One of {@link FRAME_STATUS}, about the first chunk that was not done. */
  readonly code: number;
  readonly detail: number;
}

/** perf: chunks of one run of the kernel, and bytes in which they begin: what they take stays in the cache of a core. */
const CHUNKS_MAX = 4096;
const RUN_BYTES = 128 * 1024;
/** limit: larger chunks are the twin's. */
const SOURCE_BYTES = 1 << 20;
/** limit: bytes of chunks whose checksums are looked at together; those of larger ones are looked at one by one. */
const POWERS_MAX = 4096;
/** As the kernel says: bytes of a message beside its data. */
const OVERHEAD_BYTES = 192;

const STATUS = 8 * 256 * 4;
const OFFSETS = STATUS + 64;
const MINT = OFFSETS + CHUNKS_MAX * 4;
const MAXT = MINT + CHUNKS_MAX * 8;
const ENDS = MAXT + CHUNKS_MAX * 8;
const FOUND = ENDS + CHUNKS_MAX * 4;
const POWERS = FOUND + CHUNKS_MAX * 8;
const SOURCE = POWERS + POWERS_MAX * 4;
const OUT = SOURCE + SOURCE_BYTES;
const OUT_BYTES = SOURCE_BYTES + CHUNKS_MAX * OVERHEAD_BYTES;
const BYTES = OUT + OUT_BYTES;

/** Words of the status: whether checksums were left to the caller, and what the one of all bytes has to be. */
const LEFT_TO_US = 14;
const EXPECTED = 15;
const CRC_BYTES = 4;

/** Frames chunks; one a thread. Not for use by two callers at a time: calls are synchronous. */
export class ChunkFramer {
  readonly #kernel: StoreChunksKernel | undefined;
  readonly #memory: Uint8Array;
  readonly #status: Uint32Array;
  readonly #offsets: Uint32Array;
  readonly #mint: Float64Array;
  readonly #maxt: Float64Array;
  readonly #ends: Uint32Array;
  readonly #found: Uint32Array;

  /** `twin` forces the TypeScript twin: for tests and for comparing speed. */
  constructor(options: { readonly twin?: boolean } = {}) {
    const memory = new WebAssembly.Memory({ initial: Math.ceil(BYTES / 65536) });
    this.#kernel = options.twin === true ? undefined : loadKernel('store-chunks', memory);
    const { buffer } = memory;
    this.#memory = new Uint8Array(buffer);
    this.#status = new Uint32Array(buffer, STATUS, 16);
    this.#offsets = new Uint32Array(buffer, OFFSETS, CHUNKS_MAX);
    this.#mint = new Float64Array(buffer, MINT, CHUNKS_MAX);
    this.#maxt = new Float64Array(buffer, MAXT, CHUNKS_MAX);
    this.#ends = new Uint32Array(buffer, ENDS, CHUNKS_MAX);
    this.#found = new Uint32Array(buffer, FOUND, CHUNKS_MAX * 2);
    const tables = new Uint32Array(buffer, 0, 8 * 256);
    tables.set(crc32cTables());
    fillPowers(new Uint32Array(buffer, POWERS, POWERS_MAX), tables);
  }

  /** Why the last call of {@link frame} stopped. */
  get status(): FrameStatus {
    return { code: this.#status[0] as number, detail: this.#status[1] as number };
  }

  /**
   * Writes messages of chunks from..to, whose offsets ascend, to the end of `into`. `bytes` begin at `base` of the segment. Stops at
   * the first chunk that it cannot do: see {@link status}. Answers which chunk that is, or `to`.
   */
  frame(
    bytes: Uint8Array,
    base: number,
    chunks: ChunkColumns,
    range: { readonly from: number; readonly to: number },
    mask: number,
    into: FrameSink,
  ): number {
    let at = range.from;
    while (at < range.to) {
      const done = this.#run(bytes, base, chunks, at, range.to, mask, into);
      at += done;
      if ((this.#status[0] as number) !== FRAME_STATUS.ok) break;
    }
    return at;
  }

  /** One run of the kernel over as many chunks as it has room for; answers how many are done. */
  #run(
    bytes: Uint8Array,
    base: number,
    { offsets, mint, maxt }: ChunkColumns,
    from: number,
    limit: number,
    mask: number,
    into: FrameSink,
  ): number {
    const start = offsets[from] as number;
    let to = from + 1;
    const most = Math.min(limit, from + CHUNKS_MAX);
    while (to < most && (offsets[to] as number) - start < RUN_BYTES) to++;
    const n = to - from;
    // What lies before the next chunk is all that these can have.
    const next = to < limit ? (offsets[to] as number) - start : Infinity;
    const sourceEnd = Math.min(bytes.length - (start - base), SOURCE_BYTES, next);
    const whole = start - base + sourceEnd >= bytes.length;
    if (this.#kernel === undefined) {
      return frameTwin({ bytes, base, offsets, mint, maxt, from, to, mask }, into, this.#status);
    }
    this.#memory.set(bytes.subarray(start - base, start - base + sourceEnd), SOURCE);
    for (let i = 0; i < n; i++) this.#offsets[i] = (offsets[from + i] as number) - start;
    this.#mint.set(mint.subarray(from, to));
    this.#maxt.set(maxt.subarray(from, to));
    const kernel = this.#kernel;
    const run = (powers: number): number =>
      kernel.frame(
        SOURCE,
        SOURCE + Math.max(0, sourceEnd),
        OFFSETS,
        n,
        MINT,
        MAXT,
        mask,
        OUT,
        OUT + OUT_BYTES,
        ENDS,
        FOUND,
        0,
        STATUS,
        powers,
        POWERS_MAX,
      );
    let done = run(POWERS);
    if (this.#status[LEFT_TO_US] === 1) {
      const end = (this.#found[2 * n - 1] as number) + CRC_BYTES - SOURCE;
      const isSound =
        done === n &&
        crc32c(bytes, start - base, start - base + end) >>> 0 === this.#status[EXPECTED];
      // Something is wrong: once more, to see what and where.
      if (!isSound) done = run(0);
    }
    const size = done === 0 ? 0 : (this.#ends[done - 1] as number);
    into.append(this.#memory.subarray(OUT, OUT + size), this.#ends.subarray(0, done), from);
    if (done === n) return done;
    const code = this.#status[0] as number;
    const cut = code === FRAME_STATUS.short && !whole;
    // Behind the kernel's own window: a chunk larger than that is the twin's, another begins the next run.
    if (cut && done > 0) this.#status[0] = FRAME_STATUS.ok;
    else if (cut || code === FRAME_STATUS.full) {
      const one = {
        bytes,
        base,
        offsets,
        mint,
        maxt,
        from: from + done,
        to: from + done + 1,
        mask,
      };
      return done + frameTwin(one, into, this.#status);
    }
    return done;
  }

  /** Which of `count` shards bytes belong to: XXH64 modulo the count. */
  shard(bytes: Uint8Array, count: number): number {
    if (this.#kernel === undefined || bytes.length > SOURCE_BYTES) return shardTwin(bytes, count);
    this.#memory.set(bytes, SOURCE);
    return this.#kernel.shard(SOURCE, bytes.length, count);
  }
}

/** powers[n]: x to the 8n modulo the polynomial of CRC-32C, made by a table of its bytes: a byte of zeros more each time. */
function fillPowers(powers: Uint32Array, tables: Uint32Array): void {
  let power = 0x80000000;
  for (let n = 0; n < powers.length; n++) {
    powers[n] = power;
    power = ((tables[power & 255] as number) ^ (power >>> 8)) >>> 0;
  }
}
