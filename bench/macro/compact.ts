/**
 * `compact`: three neighbouring blocks of two hours, 100,000 series × 480 samples each, become one of six, in a process of
 * its own whose largest memory is told. `npm run bench -- compact --keep=DIRECTORY` leaves the three blocks there, for
 * another program to compact.
 */
import { execFileSync } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { XorAppender } from '../../src/chunkenc/xor-twin.ts';
import { systemFiles } from '../../src/lib/file-layer.ts';
import { compareUtf8 } from '../../src/lib/utf8.ts';
import { Labels, compareLabels } from '../../src/model/labels.ts';
import { newUlid } from '../../src/model/ulid.ts';
import { BlockWriter } from '../../src/tsdb/block/block-writer.ts';
import type { BlockChunk } from '../../src/tsdb/block/block-writer.ts';
import { compactBlocks } from '../../src/tsdb/compact/compact-blocks.ts';
import { temporaryDirectory } from '../../test/support/temporary-directory.ts';
import { SampleSource } from './series-data.ts';

const RANGE_MS = 7_200_000;
/** A time at which a range of six hours begins. */
const START_MS = Math.floor(1_700_000_000_000 / (3 * RANGE_MS)) * 3 * RANGE_MS;
const BLOCKS = 3;
const SAMPLES_PER_CHUNK = 120;
/** So many series have samples of their own; the others have theirs, because bytes are copied whatever they are. */
const SOURCES = 1000;

/** Runs the bench and answers its result. */
export async function benchCompact(series = 100_000): Promise<Record<string, unknown>> {
  const keep = process.argv.find((arg) => arg.startsWith('--keep='))?.slice('--keep='.length);
  using temporary = temporaryDirectory();
  const directory = keep ?? temporary.path;
  mkdirSync(directory, { recursive: true });
  const blocks = Array.from({ length: BLOCKS }, (_, n) => writeBlock(directory, series, n));
  if (keep !== undefined) return { bench: 'compact', kept: directory };
  const output = execFileSync(process.execPath, [fileURLToPath(import.meta.url), ...blocks]);
  return { bench: 'compact', ...(JSON.parse(output.toString()) as Record<string, unknown>) };
}

function labelsOf(i: number): Labels {
  return Labels.fromObject({
    __name__: `metric_${i % 500}_total`,
    cluster: 'eu1',
    container: 'app',
    instance: `10.${(i >> 16) & 255}.${(i >> 8) & 255}.${i & 255}:8080`,
    job: `job-${i % 20}`,
    namespace: `ns-${i % 100}`,
    node: `node-${i % 300}`,
    pod: `pod-${i >> 4}`,
    region: 'eu',
    zone: `zone-${i % 3}`,
  });
}

/** Writes the n-th block and answers its directory. */
function writeBlock(directory: string, count: number, n: number): string {
  const mint = START_MS + n * RANGE_MS;
  const sources = Array.from({ length: SOURCES }, (_, i) => {
    return chunksOf(new SampleSource(i * BLOCKS + n + 1, i % 2 === 1, mint + 5), mint + RANGE_MS);
  });
  const series = Array.from({ length: count }, (_, i) => ({ i, labels: labelsOf(i) }));
  series.sort((a, b) => compareLabels(a.labels, b.labels));
  const ulid = newUlid(mint);
  const writer = new BlockWriter({ parent: directory, ulid, files: systemFiles });
  writer.symbols([...new Set(series.flatMap(({ labels }) => labels.pairs))].sort(compareUtf8));
  for (const { i, labels } of series) writer.series(labels, sources[i % SOURCES] ?? []);
  writer.finish({ mint, maxt: mint + RANGE_MS, compaction: { level: 1, sources: [ulid] } });
  return join(directory, ulid);
}

/** The samples of a source before a time. */
function chunksOf(source: SampleSource, end: number): BlockChunk[] {
  const chunks: BlockChunk[] = [];
  const value = new Float64Array(1);
  const halves = new Uint32Array(value.buffer);
  for (source.next(); source.t < end;) {
    const appender = new XorAppender();
    const mint = source.t;
    let maxt = mint;
    for (; source.t < end && appender.count < SAMPLES_PER_CHUNK; source.next()) {
      value[0] = source.v;
      maxt = source.t;
      appender.append(maxt, halves[1] as number, halves[0] as number);
    }
    chunks.push({ mint, maxt, encoding: 1, count: appender.count, data: appender.bytes() });
  }
  return chunks;
}

/** In a process of its own: compacts the blocks and prints the result. */
function measure(blocks: readonly string[]): void {
  const ulid = newUlid(START_MS);
  const directory = join(blocks[0] ?? '', '..');
  const begun = performance.now();
  const block = compactBlocks(blocks, { directory, ulid, files: systemFiles });
  const seconds = (performance.now() - begun) / 1000;
  const result = {
    series: block?.meta.stats.numSeries,
    chunks: block?.meta.stats.numChunks,
    samples: block?.meta.stats.numSamples,
    block_bytes: block?.bytes,
    seconds: Math.round(seconds * 100) / 100,
    peak_rss_mib: Math.round(process.resourceUsage().maxRSS / 1024),
  };
  console.log(JSON.stringify(result));
}

if (process.argv[1] === fileURLToPath(import.meta.url)) measure(process.argv.slice(2));
