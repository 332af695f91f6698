/** Writes the data of `query` as blocks of two hours: floats over a day, native histograms over the last eight hours. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { ENCODING_HISTOGRAM, ENCODING_XOR } from '../../src/chunkenc/encodings.ts';
import { HistogramAppender } from '../../src/chunkenc/histogram-appender.ts';
import { XorAppender } from '../../src/chunkenc/xor-twin.ts';
import { systemFiles } from '../../src/lib/file-layer.ts';
import { compareUtf8 } from '../../src/lib/utf8.ts';
import { Labels, compareLabels } from '../../src/model/labels.ts';
import { newUlid } from '../../src/model/ulid.ts';
import type { BlockChunk } from '../../src/tsdb/block/block-writer.ts';
import { BlockWriter } from '../../src/tsdb/block/block-writer.ts';
import { HistogramSource } from './histogram-source.ts';
import { SERIES, floatSeries, histogramLabels } from './query-series.ts';
import type { FloatSource } from './query-series.ts';

const RANGE_MS = 7_200_000;
/** How many blocks there are, and how many of them have histograms. */
export const BLOCKS = 12;
const HISTOGRAM_BLOCKS = 4;
const START_MS = 1_700_006_400_000;
/** Where the last block ends. */
export const BLOCKS_END_MS = START_MS + BLOCKS * RANGE_MS;
/** The jitter must not carry the first sample out of its block. */
const FIRST_MS = 5;
const SAMPLES_PER_CHUNK = 120;
/** The size at which Prometheus lets a histogram chunk end. */
const HISTOGRAM_CHUNK_BYTES = 1024;

/** A series that is being written: what it has before a time. */
interface Writing {
  readonly labels: Labels;
  readonly chunksBefore: (end: number) => BlockChunk[];
}

/** What was written. */
export interface WrittenBlocks {
  readonly series: number;
  readonly samples: number;
}

/** Writes all blocks to a directory that `thanos all` opens as its own. */
export function writeQueryBlocks(directory: string): WrittenBlocks {
  systemFiles.makeDirectory(directory);
  const series = [...floats(), ...histograms()].sort((a, b) => compareLabels(a.labels, b.labels));
  const symbols = [...new Set(series.flatMap(({ labels }) => labels.pairs))].sort(compareUtf8);
  let samples = 0;
  for (let n = 0; n < BLOCKS; n++) {
    const mint = START_MS + n * RANGE_MS;
    const maxt = mint + RANGE_MS;
    const ulid = newUlid(mint);
    const writer = new BlockWriter({ parent: directory, ulid, files: systemFiles });
    writer.symbols(symbols);
    for (const { labels, chunksBefore } of series) writer.series(labels, chunksBefore(maxt));
    const meta = writer.finish({ mint, maxt, compaction: { level: 1, sources: [ulid] } });
    samples += meta.stats.numSamples ?? 0;
  }
  writeFileSync(join(directory, 'thanos-ts.json'), '{"version": 1}\n');
  return { series: series.length, samples };
}

function floats(): Writing[] {
  return floatSeries(START_MS + FIRST_MS).map(({ labels, source }) => {
    source.next();
    return {
      labels: Labels.fromPairs(labels),
      chunksBefore: (end) => floatChunks(source, end),
    };
  });
}

function histograms(): Writing[] {
  const start = BLOCKS_END_MS - HISTOGRAM_BLOCKS * RANGE_MS + FIRST_MS;
  return Array.from({ length: SERIES.histograms }, (_, i) => {
    const source = new HistogramSource(2_000_000 + i, start);
    source.next();
    return {
      labels: Labels.fromPairs(histogramLabels(i)),
      chunksBefore: (end) => histogramChunks(source, end),
    };
  });
}

function floatChunks(source: FloatSource, end: number): BlockChunk[] {
  const chunks: BlockChunk[] = [];
  const value = new Float64Array(1);
  const halves = new Uint32Array(value.buffer);
  while (source.t < end) {
    const appender = new XorAppender();
    const mint = source.t;
    let maxt = mint;
    while (source.t < end && appender.count < SAMPLES_PER_CHUNK) {
      value[0] = source.v;
      maxt = source.t;
      appender.append(maxt, halves[1] as number, halves[0] as number);
      source.next();
    }
    const { count } = appender;
    chunks.push({ mint, maxt, encoding: ENCODING_XOR, count, data: appender.bytes() });
  }
  return chunks;
}

function histogramChunks(source: HistogramSource, end: number): BlockChunk[] {
  const chunks: BlockChunk[] = [];
  let before: HistogramAppender | undefined;
  while (source.t < end) {
    const appender = new HistogramAppender(ENCODING_HISTOGRAM, before);
    const mint = source.t;
    let maxt = mint;
    while (source.t < end && appender.byteLength < HISTOGRAM_CHUNK_BYTES) {
      if (appender.append(source.columns, 0) === 'new chunk needed') break;
      maxt = source.t;
      source.next();
    }
    const { count } = appender;
    const data = appender.bytes().slice();
    chunks.push({ mint, maxt, encoding: ENCODING_HISTOGRAM, count, data });
    before = appender;
  }
  return chunks;
}
