/** The ingest kernel's twin: judges samples against their series, stages them and encodes the WAL record. */
import { writeVarint } from '../../lib/varint.ts';
import { RECORD } from '../wal/records.ts';
import type { ArenaView } from './arena.ts';
import { H, S, STAGED_BYTES } from './arena-layout.ts';

/** A WAL sample at its longest: two varints of 64 bits and the value. */
const RECORD_SAMPLE_BYTES = 28;
/** The base in front of a samples record, and slack. */
const RECORD_BASE_BYTES = 32;
/** Type byte, ref and time of the first sample. */
const RECORD_HEADER_BYTES = 17;

/** A sample that is not newer than the newest of its series, `lastT`, which may be one of the same request. */
interface LateSample {
  readonly series: number;
  readonly t: number;
  readonly low: number;
  readonly high: number;
  readonly lastT: number;
  readonly again: boolean;
}

/** Stages samples in one arena. */
export class TwinStager {
  readonly #arena: ArenaView;

  constructor(arena: ArenaView) {
    this.#arena = arena;
  }

  /** Whether `count` more samples fit the staging buffers. */
  roomFor(h: number, count: number): boolean {
    const arena = this.#arena;
    return (
      arena.get(h + H.stagedCapacity) - arena.get(h + H.stagedCount) >= count &&
      arena.get(h + H.oooCapacity) - arena.get(h + H.oooCount) >= count &&
      arena.get(h + H.recordCapacity) - arena.get(h + H.recordLength) >=
        count * RECORD_SAMPLE_BYTES + RECORD_BASE_BYTES
    );
  }

  /** Adds one to a counter of the header. */
  bump(h: number, field: number): void {
    const { u32 } = this.#arena;
    const at = (h + field) >>> 2;
    u32[at] = (u32[at] as number) + 1;
  }

  /** Stages the sample at an address: time (i64) and value bits (u64). */
  stageAt(h: number, series: number, at: number): void {
    const arena = this.#arena;
    this.stage(h, series, arena.getI64(at), arena.get(at + 8), arena.get(at + 12));
  }

  /** Checks one sample against its series and stages it. The caller has made room. */
  stage(h: number, series: number, t: number, low: number, high: number): void {
    const arena = this.#arena;
    const epoch = arena.get(h + H.epoch);
    const again = arena.get(series + S.stagedEpoch) === epoch;
    const lastT = arena.getI64(series + (again ? S.stagedT : S.lastT));
    if (t <= lastT || t < arena.getI64(h + H.minValidTime)) {
      return this.#notNewer(h, { series, t, low, high, lastT, again });
    }
    const count = arena.get(h + H.stagedCount);
    const entry = arena.get(h + H.staged) + count * STAGED_BYTES;
    arena.set(entry, series);
    arena.setI64(entry + 8, t);
    arena.set(entry + 16, low);
    arena.set(entry + 20, high);
    arena.set(h + H.stagedCount, count + 1);
    arena.set(series + S.stagedEpoch, epoch);
    arena.setI64(series + S.stagedT, t);
    arena.set(series + S.stagedV, low);
    arena.set(series + S.stagedV + 4, high);
    this.#record(h, series, t, low, high);
    this.bump(h, H.accepted);
  }

  /**
   * Stages a sample that is not newer than its series' last one or the head's minimum, or counts why it is refused
   * (prometheus tsdb/head_append.go appendable): an identical duplicate of the newest sample is accepted and dropped,
   * the same time with other bits is a conflict, and what is left may be out of order if there is a window for that.
   */
  #notNewer(h: number, sample: LateSample): void {
    const arena = this.#arena;
    const { series, t, low, high, lastT, again } = sample;
    const bounded = t < arena.getI64(h + H.minValidTime);
    if (!bounded && t === lastT) {
      const last = series + (again ? S.stagedV : S.lastV);
      const float = again || arena.u8[series + S.encoding] === 0;
      if (float && arena.get(last) === low && arena.get(last + 4) === high)
        this.bump(h, H.identical);
      else this.#reject(h, series, t, H.conflicts);
      return;
    }
    const window = arena.get(h + H.oooMin + 4) !== 0x7fffffff;
    if (!window || t < arena.getI64(h + H.oooMin)) {
      this.#reject(h, series, t, bounded || window ? H.tooOld : H.outOfOrder);
      return;
    }
    const count = arena.get(h + H.oooCount);
    const entry = arena.get(h + H.ooo) + count * STAGED_BYTES;
    arena.set(entry, series);
    arena.setI64(entry + 8, t);
    arena.set(entry + 16, low);
    arena.set(entry + 20, high);
    arena.set(h + H.oooCount, count + 1);
  }

  #reject(h: number, series: number, t: number, field: number): void {
    const arena = this.#arena;
    this.bump(h, field);
    if (arena.get(h + H.rejectKind) !== 0) return;
    arena.set(h + H.rejectSeries, series);
    arena.setI64(h + H.rejectTime, t);
    arena.set(h + H.rejectKind, field);
  }

  /** Appends to the WAL record: ref and time as differences to the first sample's, value bits big-endian. */
  #record(h: number, series: number, t: number, low: number, high: number): void {
    const arena = this.#arena;
    const { u8 } = arena;
    const record = arena.get(h + H.record);
    const length = arena.get(h + H.recordLength);
    let at = record + length;
    if (length === 0) {
      u8[record] = RECORD.samples;
      putWord(u8, record + 1, arena.get(series + S.ref + 4));
      putWord(u8, record + 5, arena.get(series + S.ref));
      putWord(u8, record + 9, Math.floor(t / 4294967296));
      putWord(u8, record + 13, t >>> 0);
      at = record + RECORD_HEADER_BYTES;
    }
    const ref = arena.getI64(series + S.ref);
    at = writeVarint(u8, at, ref - bigEndianI64(u8, record + 1));
    at = writeVarint(u8, at, t - bigEndianI64(u8, record + 9));
    putWord(u8, at, high);
    putWord(u8, at + 4, low);
    arena.set(h + H.recordLength, at + 8 - record);
  }
}

/** Stores a 32-bit word big-endian. */
export function putWord(u8: Uint8Array, at: number, word: number): void {
  u8[at] = word >>> 24;
  u8[at + 1] = word >>> 16;
  u8[at + 2] = word >>> 8;
  u8[at + 3] = word;
}

/** The 32-bit word that is stored big-endian. */
export function bigEndianWord(u8: Uint8Array, at: number): number {
  return (
    (((u8[at] as number) << 24) |
      ((u8[at + 1] as number) << 16) |
      ((u8[at + 2] as number) << 8) |
      (u8[at + 3] as number)) >>>
    0
  );
}

/** The i64 that is stored big-endian, in a double: exact to 2^53. */
export function bigEndianI64(u8: Uint8Array, at: number): number {
  return (bigEndianWord(u8, at) | 0) * 4294967296 + bigEndianWord(u8, at + 4);
}
