/**
 * What a reader takes of a series while the writer goes on: under the series' generation, begun again when it moved
 * (docs/format/head-arena.md, "Reading").
 */
import { readFence } from '../../lib/fence.ts';
import type { TimeRange } from '../../storage/storage.ts';
import type { ArenaView } from './arena.ts';
import { META, META_BLOCK, S } from './arena-layout.ts';

/** Numbers of a chunk in a snapshot: file, offset, length, count. */
export const CHUNK_WORDS = 4;

/** Whether a series can have samples in a range, by its newest and oldest chunk, looked at under its generation. */
export function mayHold(view: ArenaView, address: number, range: TimeRange): boolean {
  const generation = (address + S.generation) >>> 2;
  for (;;) {
    const before = Atomics.load(view.i32, generation);
    if ((before & 1) === 1) continue;
    const answer = reaches(view, address, range);
    readFence();
    if (Atomics.load(view.i32, generation) === before) return answer;
  }
}

function reaches(view: ArenaView, address: number, range: TimeRange): boolean {
  if (view.getI64(address + S.lastT) < range.mint) return false;
  for (let block = view.get(address + S.metas); block !== 0;) {
    const previous = view.get(block + META_BLOCK.previous);
    if (previous === 0) return view.getI64(block + META_BLOCK.header + META.mint) <= range.maxt;
    block = previous;
  }
  const open = view.get(address + S.chunk);
  return open !== 0 && view.getI64(address + S.chunkMint) <= range.maxt;
}

/** The chunks of one series in a range, copied out of the arena under the series' generation. Reused. */
export class SeriesSnapshot {
  /** file (0: in `bytes`), offset, length, count; oldest first. */
  chunks = new Float64Array(64 * CHUNK_WORDS);
  chunkCount = 0;
  sampleCount = 0;
  /** Chunk bytes that lay in the arena. */
  bytes = new Uint8Array(4096);
  #used = 0;
  #withBytes = true;

  /**
   * Copies what a series holds in a range, the bytes of chunks in the arena only `withBytes`; begins again when the
   * writer moved something meanwhile.
   */
  take(view: ArenaView, address: number, range: TimeRange, withBytes: boolean): void {
    this.#withBytes = withBytes;
    const generation = (address + S.generation) >>> 2;
    for (;;) {
      const before = Atomics.load(view.i32, generation);
      if ((before & 1) === 0) {
        this.#copy(view, address, range);
        readFence();
        if (Atomics.load(view.i32, generation) === before) return;
      }
    }
  }

  #copy(view: ArenaView, address: number, range: TimeRange): void {
    this.chunkCount = 0;
    this.sampleCount = 0;
    this.#used = 0;
    const published = Atomics.load(view.i32, (address + S.published) >>> 2) >>> 0;
    const open = view.get(address + S.chunk);
    if (open !== 0 && view.getI64(address + S.chunkMint) <= range.maxt) {
      const length = Math.ceil((published & 0xffff) / 8);
      this.#push(0, this.#keep(view, open, length), length, published >>> 16);
    }
    // Metas run from the newest to the oldest, and so do the chunks until they are turned round.
    for (let block = view.get(address + S.metas); block !== 0;) {
      const count = view.get(block + META_BLOCK.count);
      for (let i = count - 1; i >= 0; i--) {
        const meta = block + META_BLOCK.header + i * META.bytes;
        if (view.getI64(meta + META.maxt) < range.mint) return this.#reverse();
        if (view.getI64(meta + META.mint) > range.maxt) continue;
        this.#pushMeta(view, meta);
      }
      block = view.get(block + META_BLOCK.previous);
    }
    this.#reverse();
  }

  #pushMeta(view: ArenaView, meta: number): void {
    const file = view.get(meta + META.file);
    const length = view.get(meta + META.length);
    const count = view.view.getUint16(meta + META.count, true);
    let offset = view.get(meta + META.offset);
    if (file === 0) offset = this.#keep(view, offset, length);
    this.#push(file, offset, length, count);
  }

  #push(file: number, offset: number, length: number, count: number): void {
    const at = this.chunkCount * CHUNK_WORDS;
    if (at === this.chunks.length) {
      const more = new Float64Array(at * 2);
      more.set(this.chunks);
      this.chunks = more;
    }
    this.chunks[at] = file;
    this.chunks[at + 1] = offset;
    this.chunks[at + 2] = length;
    this.chunks[at + 3] = count;
    this.chunkCount++;
    this.sampleCount += count;
  }

  /** Copies bytes out of the arena; answers where they are. */
  #keep(view: ArenaView, from: number, length: number): number {
    const at = this.#used;
    if (!this.#withBytes) return at;
    // While the writer moves things, a length read here can be nonsense: it is bounded before it is believed.
    const size = Math.min(length, 2048);
    if (at + size > this.bytes.length) {
      const more = new Uint8Array(this.bytes.length * 2);
      more.set(this.bytes);
      this.bytes = more;
    }
    this.bytes.set(view.u8.subarray(from, from + size), at);
    this.#used = at + size;
    return at;
  }

  #reverse(): void {
    const { chunks } = this;
    for (let i = 0, j = this.chunkCount - 1; i < j; i++, j--) {
      for (let w = 0; w < CHUNK_WORDS; w++) {
        const x = chunks[i * CHUNK_WORDS + w] as number;
        chunks[i * CHUNK_WORDS + w] = chunks[j * CHUNK_WORDS + w] as number;
        chunks[j * CHUNK_WORDS + w] = x;
      }
    }
  }
}
