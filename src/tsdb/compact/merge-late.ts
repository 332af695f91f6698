/** Chunks of samples that came out of order, which overlap, on their way from the head into a block. */
import type { EncodedChunk } from '../../chunkenc/encoded-chunk.ts';
import { CorruptionError } from '../../lib/errors.ts';
import { SampleChain } from './chain-samples.ts';
import { MergedChunk } from './merged-chunk.ts';
import type { ChunkOrigin } from './merged-chunk.ts';

const HEAD: ChunkOrigin = {
  corrupt: (_ref, message) => new CorruptionError(message, 'out-of-order head chunks', 0),
};

/** Merges the chunks of one series after the other: keeps its columns. */
export class LateMerger {
  readonly #chain = new SampleChain();

  /**
   * The chunks, of encodings 1 to 3 and in any order, in order of time; those that overlap are put together anew.
   * @throws CorruptionError when bytes are no chunk of their encoding and count.
   */
  merge(chunks: readonly EncodedChunk[]): (EncodedChunk | MergedChunk)[] {
    // A stable sort: of equal times the first stays the first.
    const sorted = [...chunks].sort((a, b) => a.mint - b.mint);
    const out: (EncodedChunk | MergedChunk)[] = [];
    for (let from = 0; from < sorted.length;) {
      const first = sorted[from] as EncodedChunk;
      let { maxt } = first;
      let to = from + 1;
      for (; to < sorted.length && (sorted[to] as EncodedChunk).mint <= maxt; to++)
        maxt = Math.max(maxt, (sorted[to] as EncodedChunk).maxt);
      if (to === from + 1) out.push(first);
      else out.push(...this.#chain.merge(sorted.slice(from, to).map(toMerged)));
      from = to;
    }
    return out;
  }
}

function toMerged({ mint, maxt, encoding, count, data }: EncodedChunk): MergedChunk {
  const chunk = new MergedChunk();
  Object.assign(chunk, { mint, maxt, encoding, count, origin: HEAD });
  chunk.data = data;
  return chunk;
}
