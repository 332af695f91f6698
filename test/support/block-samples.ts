/** All samples of a block as texts, read the plain way; and those of several blocks put together. */
import { decodeHistogramChunk } from '../../src/chunkenc/histogram-decode.ts';
import { XorScratch } from '../../src/chunkenc/xor-scratch.ts';
import { HistogramColumns } from '../../src/model/histogram.ts';
import type { Labels } from '../../src/model/labels.ts';
import { readTombstones } from '../../src/tsdb/block/tombstones.ts';
import { readBlock } from './block-frames.ts';
import type { PlacedChunk } from './block-frames.ts';
import { histogramText } from './golden-samples.ts';

/** By series (its labels' key) and time in ms: the samples there are of that time. */
export type BlockSamples = Map<string, Map<number, Set<string>>>;

/** Which series are looked at, all by default. */
export type SeriesFilter = (labels: Labels) => boolean;

/** What a block's chunks hold, without what its tombstones say. */
export function blockSamples(directory: string, isWanted: SeriesFilter = () => true): BlockSamples {
  const tombstones = readTombstones(directory);
  const found: BlockSamples = new Map();
  for (const { number, labels, chunks } of readBlock(directory).series) {
    if (!isWanted(labels)) continue;
    const deleted = tombstones.get(number) ?? [];
    const samples = chunks
      .flatMap(chunkTexts)
      .filter(([t]) => !deleted.some(({ mint, maxt }) => t >= mint && t <= maxt));
    for (const [t, text] of samples) add(found, labels.key, t, text);
  }
  return found;
}

/** The samples of blocks, several of a time where blocks have them. */
export function unionSamples(
  directories: readonly string[],
  isWanted?: SeriesFilter,
): BlockSamples {
  const all: BlockSamples = new Map();
  for (const directory of directories) {
    for (const [key, samples] of blockSamples(directory, isWanted)) {
      for (const [t, texts] of samples) for (const text of texts) add(all, key, t, text);
    }
  }
  return all;
}

/** The samples of one chunk: time, and the bits of the value or the histogram as text. */
export function chunkTexts({ data, encoding }: PlacedChunk): [number, string][] {
  if (encoding === 1 || encoding === 4) {
    const scratch = new XorScratch({ twin: true, capacity: 256 });
    const count = data.readUInt16BE(0);
    if (!scratch.append(data, 0, data.length, count, false, encoding)) throw new Error('no chunk');
    const bits = new BigUint64Array(scratch.v.buffer, scratch.v.byteOffset, scratch.length);
    return Array.from(bits, (value, i) => [scratch.t[i] ?? NaN, value.toString(16)]);
  }
  const columns = new HistogramColumns();
  decodeHistogramChunk(data, 0, data.length, encoding, columns);
  return Array.from({ length: columns.length }, (_, i) => {
    const kind = columns.isFloat[i] === 1 ? 'float' : 'integer';
    const hint = columns.hint[i] === 3 ? 'gauge' : 'counter';
    return [columns.t[i] ?? NaN, `${kind} ${hint} ${histogramText(columns, i)}`];
  });
}

function add(samples: BlockSamples, key: string, t: number, text: string): void {
  let series = samples.get(key);
  if (series === undefined) samples.set(key, (series = new Map()));
  const texts = series.get(t);
  if (texts === undefined) series.set(t, new Set([text]));
  else texts.add(text);
}
