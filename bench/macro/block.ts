/**
 * `block`: a block cut from a head of 1 M series × 120 samples, in the thread that does it in the product; bytes per
 * sample beside those of Prometheus' own tool for the same samples, where `promtool` is installed.
 */
import { execFileSync } from 'node:child_process';
import { createWriteStream, readdirSync, readFileSync, statSync } from 'node:fs';
import { once } from 'node:events';
import { join } from 'node:path';
import { uncompressSync } from 'snappy';
import { systemFiles } from '../../src/lib/file-layer.ts';
import { nopLogger } from '../../src/lib/log.ts';
import { newUlid } from '../../src/model/ulid.ts';
import { cutBlock } from '../../src/tsdb/compact/cut-block.ts';
import { Db } from '../../src/tsdb/db.ts';
import { createArenaMemory } from '../../src/tsdb/head/arena.ts';
import { temporaryDirectory } from '../../test/support/temporary-directory.ts';
import { forgetPeak, memoryMib } from '../../test/support/process-memory.ts';
import { SampleSource } from './series-data.ts';
import { BodyBuilder, labelBytes } from './write-body.ts';

const RANGE_MS = 7_200_000;
/** The first time of the blocks: START_MS, rounded up to where a block begins. */
const BLOCKS_START_MS = 1_700_006_400_000;
const SAMPLES = 120;
/** Series whose samples promtool gets as text: it takes minutes for a million. */
const COMPARED_SERIES = 10_000;

/** Runs the bench and answers its result. */
export async function benchBlock(series = 1_000_000): Promise<Record<string, unknown>> {
  const cut = await benchCut(series);
  const compared = await compareSizes();
  return { bench: 'block', ...cut, ...compared };
}

function cutLabels(i: number): [string, string][] {
  return [
    ['__name__', `metric_${i % 500}_total`],
    ['cluster', 'eu1'],
    ['container', 'app'],
    ['instance', `10.${(i >> 16) & 255}.${(i >> 8) & 255}.${i & 255}:8080`],
    ['job', `job-${i % 20}`],
    ['namespace', `ns-${i % 100}`],
    ['node', `node-${i % 300}`],
    ['pod', `pod-${i >> 4}`],
    ['region', 'eu'],
    ['zone', `zone-${i % 3}`],
  ];
}

/** Half of them counters, half of them gauges. */
function cutSource(i: number): SampleSource {
  return new SampleSource(i + 1, i % 2 === 1, BLOCKS_START_MS);
}

/** A head with so many series, closed chunks of which lie in files as they do in the product. */
async function filledHead(
  directory: string,
  series: number,
): Promise<{ db: Db; memories: ReturnType<typeof createArenaMemory>[] }> {
  const memories = [createArenaMemory(4096 * 1048576)];
  const db = Db.open({ directory, memories, fsync: 'segment', files: systemFiles, log: nopLogger });
  const builder = new BodyBuilder();
  const write = async (): Promise<void> => {
    const body = uncompressSync(builder.take(), { copyOutputData: true });
    if (typeof body !== 'string') await db.writeDecoded(body);
  };
  for (let from = 0; from < series; from += 2000) {
    const numbers = Array.from({ length: Math.min(2000, series - from) }, (_, i) => from + i);
    const labels = numbers.map((i) => labelBytes(cutLabels(i)));
    const sources = numbers.map(cutSource);
    for (let tick = 0; tick < SAMPLES; tick++) {
      for (const [i, source] of sources.entries()) {
        source.next();
        builder.add(labels[i] as Uint8Array, source.t, source.v);
      }
      await write();
    }
  }
  return { db, memories };
}

async function benchCut(series: number): Promise<Record<string, unknown>> {
  using directory = temporaryDirectory();
  const { db, memories } = await filledHead(directory.path, series);
  const head = { number: 0, memories, chunksDirectory: join(directory.path, 'chunks_head') };
  const range = { mint: BLOCKS_START_MS - 5, maxt: BLOCKS_START_MS + RANGE_MS };
  const ulid = newUlid(BLOCKS_START_MS);
  forgetPeak(process.pid);
  const before = memoryMib(process.pid, 'VmRSS');
  const begun = performance.now();
  const block = cutBlock(head, range, {
    directory: directory.path,
    ulid,
    files: systemFiles,
  });
  const seconds = (performance.now() - begun) / 1000;
  const peak = memoryMib(process.pid, 'VmHWM');
  db.close();
  return {
    series,
    samples: block?.meta.stats.numSamples,
    cut_seconds: Math.round(seconds * 100) / 100,
    cut_memory_mib: Math.round(peak - before),
    block_bytes: block?.bytes,
    bytes_per_sample: perSample(block?.bytes, block?.meta.stats.numSamples),
  };
}

/** Bytes per sample of a block of ours and of one that promtool makes of the same samples. */
async function compareSizes(): Promise<Record<string, unknown>> {
  using directory = temporaryDirectory();
  const text = join(directory.path, 'samples.txt');
  await writeOpenMetrics(text);
  const theirs = join(directory.path, 'promtool');
  try {
    const args = ['tsdb', 'create-blocks-from', 'openmetrics', '--quiet', text, theirs];
    execFileSync('promtool', args, { stdio: 'ignore' });
  } catch {
    return { compared: 'promtool is not installed' };
  }
  const ours = join(directory.path, 'ours');
  const { db, memories } = await filledHead(ours, COMPARED_SERIES);
  const head = { number: 0, memories, chunksDirectory: join(ours, 'chunks_head') };
  const range = { mint: BLOCKS_START_MS - 5, maxt: BLOCKS_START_MS + RANGE_MS };
  const ulid = newUlid(BLOCKS_START_MS);
  const block = cutBlock(head, range, { directory: ours, ulid, files: systemFiles });
  db.close();
  return {
    compared_series: COMPARED_SERIES,
    compared_bytes_per_sample: perSample(dataBytes(ours), block?.meta.stats.numSamples),
    promtool_bytes_per_sample: perSample(dataBytes(theirs), samplesIn(theirs)),
  };
}

/** Series by series, as promtool wants a metric's samples together and in the order of time. */
async function writeOpenMetrics(path: string): Promise<void> {
  const out = createWriteStream(path);
  const byMetric = Array.from({ length: COMPARED_SERIES }, (_, i) => i).sort(
    (a, b) => (a % 500) - (b % 500),
  );
  for (const i of byMetric) {
    const [[, name], ...labels] = cutLabels(i) as [[string, string], ...[string, string][]];
    const set = labels.map(([label, value]) => `${label}="${value}"`).join(',');
    const source = cutSource(i);
    let lines = '';
    for (let tick = 0; tick < SAMPLES; tick++) {
      source.next();
      lines += `${name}{${set}} ${source.v} ${source.t / 1000}\n`;
    }
    if (!out.write(lines)) await once(out, 'drain');
  }
  out.end('# EOF\n');
  await once(out, 'finish');
}

function blocksIn(directory: string): string[] {
  return readdirSync(directory).filter((name) => /^[0-9A-Z]{26}$/.test(name));
}

/** Index and chunks of all blocks in a directory. */
function dataBytes(directory: string): number {
  let bytes = 0;
  for (const block of blocksIn(directory)) {
    const path = join(directory, block);
    bytes += statSync(join(path, 'index')).size;
    for (const segment of readdirSync(join(path, 'chunks')))
      bytes += statSync(join(path, 'chunks', segment)).size;
  }
  return bytes;
}

function samplesIn(directory: string): number {
  let samples = 0;
  for (const block of blocksIn(directory)) {
    const meta = JSON.parse(readFileSync(join(directory, block, 'meta.json'), 'utf8')) as {
      stats: { numSamples: number };
    };
    samples += meta.stats.numSamples;
  }
  return samples;
}

function perSample(bytes = NaN, samples = NaN): number {
  return Math.round((bytes / samples) * 1000) / 1000;
}
