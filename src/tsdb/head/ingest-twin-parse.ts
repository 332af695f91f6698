/** The ingest kernel's twin: parses a write request in the body buffer and stages its samples. */
import type { ArenaView } from './arena.ts';
import { H, STAGE } from './arena-layout.ts';
import type { TwinStager } from './ingest-twin-stage.ts';
import type { TwinTable } from './ingest-twin-table.ts';

/** Protobuf tags: field number << 3 | wire type. The first two occur on two levels. */
const TIMESERIES = 0x0a;
const LABEL = 0x0a;
const SAMPLE = 0x12;
const EXEMPLAR = 0x1a;
const HISTOGRAM = 0x22;
const SAMPLE_VALUE = 0x09;
const SAMPLE_TIMESTAMP = 0x10;
const METADATA_FIELD = 3;

/** Reads varints of one arena: what was read last is in `low` and `high`, where it ended in `pos`. */
export class TwinVarints {
  readonly #u8: Uint8Array;
  low = 0;
  high = 0;
  pos = 0;

  constructor(u8: Uint8Array) {
    this.#u8 = u8;
  }

  /** Reads a varint at `from`; false when it reaches over `end` or has more than ten bytes. */
  read(from: number, end: number): boolean {
    const u8 = this.#u8;
    let pos = from;
    let low = 0;
    let high = 0;
    for (let shift = 0; shift < 70; shift += 7) {
      if (pos >= end) return false;
      const byte = u8[pos++] as number;
      const bits = byte & 0x7f;
      if (shift < 28) low |= bits << shift;
      else if (shift === 28) {
        low |= bits << 28;
        high = bits >>> 4;
      } else high |= bits << (shift - 32);
      if (byte < 0x80) {
        this.low = low >>> 0;
        this.high = high >>> 0;
        this.pos = pos;
        return true;
      }
    }
    return false;
  }

  /** Reads the length of what follows it; -1 when it, or what follows, reaches over `end`. */
  length(from: number, end: number): number {
    // perf: nearly all lengths take one byte.
    const first = from < end ? (this.#u8[from] as number) : 0x80;
    if (first < 0x80) {
      this.pos = from + 1;
      return first > end - this.pos ? -1 : first;
    }
    if (!this.read(from, end) || this.high !== 0 || this.low > end - this.pos) return -1;
    return this.low;
  }

  /** What was read last as an i64, exact to 2^53. */
  get i64(): number {
    return (this.high | 0) * 4294967296 + this.low;
  }

  /** What was read last as a zigzag number, exact to 2^53. */
  get zigzag(): number {
    const magnitude =
      (this.high >>> 1) * 4294967296 + (((this.low >>> 1) | (this.high << 31)) >>> 0);
    return (this.low & 1) === 1 ? -magnitude - 1 : magnitude;
  }

  /** Moves past the field at `from`, tag and all; false when it is not one or reaches over `end`. */
  skipField(from: number, end: number): boolean {
    let tag = this.#u8[from] as number;
    this.pos = from + 1;
    if (tag >= 0x80) {
      // An overlong tag could hide a field that we know.
      if (!this.read(from, end) || this.high !== 0 || this.low < 0x80) return false;
      tag = this.low;
    }
    if (tag < 8) return false;
    const start = this.pos;
    switch (tag & 7) {
      case 0:
        return this.read(start, end);
      case 1:
        this.pos = start + 8;
        return this.pos <= end;
      case 2: {
        const length = this.length(start, end);
        this.pos += Math.max(length, 0);
        return length >= 0;
      }
      case 5:
        this.pos = start + 4;
        return this.pos <= end;
      default:
        return false;
    }
  }
}

/** Stages write requests of one arena. The answers are those of {@link STAGE}; ingest.as.ts describes them. */
export class TwinParser {
  readonly #arena: ArenaView;
  readonly #table: TwinTable;
  readonly #stager: TwinStager;
  readonly #varints: TwinVarints;

  constructor(arena: ArenaView, table: TwinTable, stager: TwinStager, varints: TwinVarints) {
    this.#arena = arena;
    this.#table = table;
    this.#stager = stager;
    this.#varints = varints;
  }

  /** Stages the request of `length` bytes in the body buffer, from byte `from` on. */
  stage(h: number, from: number, length: number): number {
    const { u8 } = this.#arena;
    const varints = this.#varints;
    const body = this.#arena.get(h + H.body);
    const end = body + length;
    let pos = body + from;
    while (pos < end) {
      if (u8[pos] === TIMESERIES) {
        const answer = this.#timeSeries(h, pos, end);
        if (answer !== STAGE.done) return answer;
      } else {
        if ((u8[pos] as number) >>> 3 === METADATA_FIELD) this.#stager.bump(h, H.metadata);
        if (!varints.skipField(pos, end)) return this.#malformed(h, pos);
      }
      pos = varints.pos;
    }
    return STAGE.done;
  }

  /** Stages the TimeSeries field at an address and leaves the reader behind it, unless it says otherwise. */
  #timeSeries(h: number, start: number, end: number): number {
    const arena = this.#arena;
    const varints = this.#varints;
    const table = this.#table;
    const size = varints.length(start + 1, end);
    if (size < 0) return this.#malformed(h, start);
    const key = varints.pos;
    const stop = key + size;
    const keyEnd = this.#labelsEnd(key, stop);
    if (keyEnd < 0) return this.#malformed(h, start);
    table.hash(h, key, keyEnd - key);
    const arenaMask = arena.get(h + H.arenaMask);
    if (arenaMask !== 0 && ((table.high >>> 8) & arenaMask) !== arena.get(h + H.arenaIndex)) {
      varints.pos = stop;
      return STAGE.done;
    }
    const body = arena.get(h + H.body);
    if (!this.#stager.roomFor(h, Math.floor((stop - keyEnd) / 2) + 1)) {
      arena.set(h + H.missLength, stop - keyEnd);
      arena.set(h + H.resume, start - body);
      return STAGE.full;
    }
    const rest = this.#scanRest(h, keyEnd, stop);
    if (rest === STAGE.malformed) return rest;
    if (rest === STAGE.irregular) {
      arena.set(h + H.missPtr, key);
      arena.set(h + H.missLength, size);
      arena.set(h + H.resume, stop - body);
      return rest;
    }
    const series = table.find(h, key, keyEnd - key);
    if (series === 0) {
      arena.set(h + H.missPtr, key);
      arena.set(h + H.missLength, keyEnd - key);
      arena.set(h + H.resume, start - body);
      return STAGE.miss;
    }
    this.#stager.bump(h, H.timeseries);
    return this.#samples(h, series, keyEnd, stop);
  }

  /** Where the labels at the front of a TimeSeries end; -1 when one reaches over it. */
  #labelsEnd(from: number, stop: number): number {
    const { u8 } = this.#arena;
    const varints = this.#varints;
    let pos = from;
    while (pos < stop && u8[pos] === LABEL) {
      const length = varints.length(pos + 1, stop);
      if (length < 0) return -1;
      pos = varints.pos + length;
    }
    return pos;
  }

  /** Looks through the fields behind the labels: irregular when there is another label among them. */
  #scanRest(h: number, from: number, stop: number): number {
    const { u8 } = this.#arena;
    const varints = this.#varints;
    let answer: number = STAGE.done;
    for (let pos = from; pos < stop; pos = varints.pos) {
      if (u8[pos] === LABEL) answer = STAGE.irregular;
      if (!varints.skipField(pos, stop)) return this.#malformed(h, pos);
    }
    return answer;
  }

  /** Stages the samples of a series; what else there is, is counted. */
  #samples(h: number, series: number, from: number, stop: number): number {
    const { u8 } = this.#arena;
    const varints = this.#varints;
    for (let pos = from; pos < stop; pos = varints.pos) {
      const tag = u8[pos] as number;
      if (tag === SAMPLE) {
        const length = varints.length(pos + 1, stop);
        if (length < 0 || !this.#sample(h, series, varints.pos, varints.pos + length))
          return this.#malformed(h, pos);
        continue;
      }
      if (tag === EXEMPLAR) this.#stager.bump(h, H.exemplars);
      else if (tag === HISTOGRAM) this.#stager.bump(h, H.histograms);
      if (!varints.skipField(pos, stop)) return this.#malformed(h, pos);
    }
    varints.pos = stop;
    return STAGE.done;
  }

  /** Stages the Sample message from..end and leaves the reader at its end; false when it is malformed. */
  #sample(h: number, series: number, from: number, end: number): boolean {
    const { view, u8 } = this.#arena;
    const varints = this.#varints;
    let t = 0;
    let low = 0;
    let high = 0;
    for (let pos = from; pos < end; pos = varints.pos) {
      const tag = u8[pos];
      if (tag === SAMPLE_VALUE) {
        if (pos + 9 > end) return false;
        low = view.getUint32(pos + 1, true);
        high = view.getUint32(pos + 5, true);
        varints.pos = pos + 9;
      } else if (tag === SAMPLE_TIMESTAMP) {
        if (!varints.read(pos + 1, end)) return false;
        t = varints.i64;
      } else if (!varints.skipField(pos, end)) return false;
    }
    varints.pos = end;
    this.#stager.stage(h, series, t, low, high);
    return true;
  }

  #malformed(h: number, at: number): number {
    this.#arena.set(h + H.errorOffset, at - this.#arena.get(h + H.body));
    return STAGE.malformed;
  }
}
