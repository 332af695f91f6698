/** `decode`: ns a sample of XOR chunks of 120 samples, kernel and twin, counters and gauges. */
import { measure } from 'mitata';
import { XorScratch } from '../../src/chunkenc/xor-scratch.ts';
import { XorAppender } from '../../src/chunkenc/xor-twin.ts';
import { SampleSource } from '../macro/series-data.ts';

const CHUNKS = 2000;
const SAMPLES = 120;

/** Runs the bench and answers its result. */
export async function benchDecode(): Promise<Record<string, unknown>> {
  const result: Record<string, unknown> = { bench: 'decode', samples_per_chunk: SAMPLES };
  for (const gauge of [false, true]) {
    const chunks = buildChunks(gauge);
    const kernel = await nanoseconds(chunks, false);
    const twin = await nanoseconds(chunks, true);
    const name = gauge ? 'gauge' : 'counter';
    const bytes = chunks.reduce((n, chunk) => n + chunk.length, 0) / (CHUNKS * SAMPLES);
    result[`${name}_bytes_per_sample`] = round(bytes);
    result[`${name}_kernel_ns`] = round(kernel);
    result[`${name}_twin_ns`] = round(twin);
    result[`${name}_ratio`] = round(twin / kernel);
  }
  return result;
}

/** The kernel's median for a sample of a counter, in ns: how fast the machine is at this moment. */
export async function counterDecodeNs(): Promise<number> {
  return round(await nanoseconds(buildChunks(false), false));
}

function buildChunks(gauge: boolean): Uint8Array[] {
  const halves = new Uint32Array(2);
  const value = new Float64Array(halves.buffer);
  return Array.from({ length: CHUNKS }, (_, i) => {
    const source = new SampleSource(i + 1, gauge);
    const appender = new XorAppender();
    for (let k = 0; k < SAMPLES; k++) {
      source.next();
      value[0] = source.v;
      appender.append(source.t, halves[1] as number, halves[0] as number);
    }
    return appender.bytes();
  });
}

/** The median time of a sample, in ns. */
async function nanoseconds(chunks: readonly Uint8Array[], twin: boolean): Promise<number> {
  const scratch = new XorScratch({ twin });
  const decodeAll = (): void => {
    for (const [i, chunk] of chunks.entries()) {
      // A series of 48 chunks: its columns stay in the second-level cache, as in a query.
      if (i % 48 === 0) scratch.clear();
      if (!scratch.append(chunk, 0, chunk.length, SAMPLES, true)) throw new Error('BUG: bad chunk');
    }
  };
  const stats = await measure(decodeAll, { min_cpu_time: 5e8, warmup_samples: 3 });
  return stats.p50 / (chunks.length * SAMPLES);
}

function round(x: number): number {
  return Math.round(x * 100) / 100;
}
