/** A run of series of one block, in the order of their labels, with chunks that are ready to be sent. */
import type { ByteBudget } from './limits.ts';
import { ByteWriter } from './label-bytes.ts';
import type { SeriesPlace } from './series-order.ts';

/** Where messages of chunks are: the i-th is parts[part[i]] from start[i] to end[i]. */
export interface FramedChunks {
  readonly parts: Uint8Array[];
  /** What the parts lie in, to be given back to a pool. */
  readonly buffers: Buffer[];
  readonly part: Uint32Array;
  readonly start: Uint32Array;
  readonly end: Uint32Array;
}

/** Series with their labels and chunks. */
export interface SeriesRun {
  readonly count: number;
  /** Labels of the i-th series: labels[labelStarts[i]..labelStarts[i + 1]]. */
  readonly labels: Buffer;
  readonly labelStarts: Uint32Array;
  /** Chunks of the i-th series: chunkStarts[i] to chunkStarts[i + 1]. */
  readonly chunkStarts: Uint32Array;
  /** By chunk, ms, both inclusive. */
  readonly mint: Float64Array;
  readonly maxt: Float64Array;
  readonly segments: Uint32Array;
  readonly offsets: Uint32Array;
  /** Undefined when chunks were not asked for. */
  readonly frames: FramedChunks | undefined;
  /** Gives the memory back; the run must not be used any more. */
  release(): void;
}

/** A run whose chunks have not been read yet. */
export type PlannedRun = Omit<SeriesRun, 'frames' | 'release'>;

/** Copies series from..to of a list into columns of their own. */
export function planRun(
  places: readonly SeriesPlace[],
  { from, to }: { readonly from: number; readonly to: number },
): PlannedRun {
  const count = to - from;
  let chunks = 0;
  for (let i = from; i < to; i++) chunks += chunkCount(places[i] as SeriesPlace);
  const labels = new ByteWriter(count * 128 + 64);
  const run = {
    count,
    labelStarts: new Uint32Array(count + 1),
    chunkStarts: new Uint32Array(count + 1),
    mint: new Float64Array(chunks),
    maxt: new Float64Array(chunks),
    segments: new Uint32Array(chunks),
    offsets: new Uint32Array(chunks),
  };
  let at = 0;
  for (let i = 0; i < count; i++) {
    const { batch, at: place } = places[from + i] as SeriesPlace;
    const { bytes, starts } = batch.labels;
    labels.append(bytes, starts[place], starts[place + 1]);
    run.labelStarts[i + 1] = labels.length;
    const { chunkStarts, mint, maxt, segments, offsets } = batch.series;
    const end = chunkStarts[place + 1] as number;
    for (let k = chunkStarts[place] as number; k < end; k++, at++) {
      run.mint[at] = mint[k] as number;
      run.maxt[at] = maxt[k] as number;
      run.segments[at] = segments[k] as number;
      run.offsets[at] = offsets[k] as number;
    }
    run.chunkStarts[i + 1] = at;
  }
  return { ...run, labels: labels.bytes.subarray(0, labels.length) };
}

/** How many chunks a series has in the range. */
export function chunkCount({ batch, at }: SeriesPlace): number {
  const { chunkStarts } = batch.series;
  return (chunkStarts[at + 1] as number) - (chunkStarts[at] as number);
}

/** About the bytes of a run without its chunks. */
export function plannedBytes({ labels, mint, count }: PlannedRun): number {
  return labels.length + mint.length * 24 + count * 8;
}

/** Holds bytes of a budget until they are given back, once. */
export function holdBytes(budget: ByteBudget, bytes: number): () => void {
  budget.take(bytes);
  let held = true;
  return () => {
    if (held) budget.release(bytes);
    held = false;
  };
}
