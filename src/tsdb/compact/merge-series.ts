/** The chunks of one series from the blocks that have it. Behaviour: prometheus storage/merge.go, compactChunkIterator. */
import { SampleChain } from './chain-samples.ts';
import { MergedChunk } from './merged-chunk.ts';
import type { SourceBlock } from './source-block.ts';
import { TieHeap } from './tie-heap.ts';

/** Merges series, one after the other: keeps its chunks. */
export class SeriesMerger {
  readonly #chain = new SampleChain();
  readonly #heap = new TieHeap<SourceBlock>((a, b) =>
    a.mint === b.mint ? a.maxt < b.maxt : a.mint < b.mint,
  );
  readonly #out: MergedChunk[] = [];
  /** Chunks to be used again; those in use come first. */
  readonly #pool: MergedChunk[] = [];
  #used = 0;

  /**
   * The chunks of a series that all blocks stand at, in order of time; valid until the next call, and until the blocks take
   * their bytes back. Chunks that overlap no other one keep their bytes; the order of the blocks decides between samples
   * of one time.
   * @throws CodedError as {@link SourceBlock} does.
   */
  merge(blocks: readonly SourceBlock[]): readonly MergedChunk[] {
    const heap = this.#heap;
    const out = this.#out;
    out.length = 0;
    this.#used = 0;
    for (const block of blocks) if (block.nextChunk()) heap.push(block);
    for (let block = heap.pop(); block !== undefined; block = heap.pop()) {
      const chunk = this.#take(block);
      const top = heap.top;
      if (top === undefined || top.mint > chunk.maxt) out.push(chunk);
      else out.push(...this.#mergeOverlapping(chunk));
    }
    return out;
  }

  /** A chunk and all that overlap it or each other. */
  #mergeOverlapping(first: MergedChunk): MergedChunk[] {
    const overlapping: MergedChunk[] = [];
    let { maxt } = first;
    let before = first;
    for (let top = this.#heap.top; top !== undefined && top.mint <= maxt; top = this.#heap.top) {
      this.#heap.pop();
      const chunk = this.#take(top);
      if (chunk.equals(before)) continue;
      overlapping.push(chunk);
      maxt = Math.max(maxt, chunk.maxt);
      before = chunk;
    }
    // compat: in this order, which decides between samples of one time.
    return overlapping.length === 0 ? [first] : this.#chain.merge([...overlapping, first]);
  }

  /** Takes the chunk at hand of a block that is out of the heap, and puts the block back for its next one. */
  #take(block: SourceBlock): MergedChunk {
    const chunk = (this.#pool[this.#used] ??= new MergedChunk());
    this.#used++;
    block.load(chunk);
    if (block.nextChunk()) this.#heap.push(block);
    return chunk;
  }
}
