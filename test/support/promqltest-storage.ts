/** The storage of a test script: takes what load commands describe as the head of a TSDB would. */
import type { FloatHistogram } from '../../src/model/float-histogram/float-histogram.ts';
import type { Labels } from '../../src/model/labels.ts';
import { STALE_NAN_HI, STALE_NAN_LO } from '../../src/model/value.ts';
import { HistogramChunks } from './histogram-chunks.ts';
import { MemoryStorage } from './memory-storage.ts';
import { customSeriesOf } from './promqltest-custom-buckets.ts';
import type { LoadCommand, LoadedSeries } from './promqltest-script.ts';

/** One sample to store; a start timestamp of 0 is none. */
interface LoadedSample {
  readonly t: number;
  readonly st: number;
  readonly value: number | 'stale' | FloatHistogram;
}

/** What is known of a series from one load to the next. */
interface Growing {
  readonly chunks: HistogramChunks;
  /** Whether its newest sample is a histogram. */
  isHistogram: boolean;
}

/** Series that load commands made. */
export class ScriptStorage extends MemoryStorage {
  readonly #growing = new Map<string, Growing>();

  /** Stores what a command describes. A series that is described twice has the samples of the last description. */
  load({ series, stepMs, customHistograms }: LoadCommand): void {
    const last = [...new Map(series.map((one) => [one.labels.key, one])).values()];
    for (const one of last) this.#store(one.labels, samplesOf(one, stepMs));
    if (!customHistograms) return;
    for (const { labels, values } of customSeriesOf(last)) {
      this.#store(
        labels,
        Array.from(values, ([i, value]) => ({ t: i * stepMs, st: 0, value })),
      );
    }
  }

  #store(labels: Labels, samples: readonly LoadedSample[]): void {
    const { floats, growing } = this.#sort(labels, samples);
    if (floats.length > 0) {
      const t = Float64Array.from(floats, (sample) => sample.t);
      const st = Float64Array.from(floats, (sample) => sample.st);
      this.append(labels, t, valuesOf(floats), unlessNone(st));
    }
    if (growing.chunks.count === 0) return;
    const { columns, st } = growing.chunks.decode();
    this.appendHistograms(labels, columns, unlessNone(st));
  }

  /** Puts histograms into their chunks and answers the floats. A stale marker is of the kind of the sample before. */
  #sort(
    labels: Labels,
    samples: readonly LoadedSample[],
  ): { floats: LoadedSample[]; growing: Growing } {
    let growing = this.#growing.get(labels.key);
    if (growing === undefined) growing = { chunks: new HistogramChunks(), isHistogram: false };
    this.#growing.set(labels.key, growing);
    const floats: LoadedSample[] = [];
    for (const sample of samples) {
      const { t, st, value } = sample;
      if (typeof value === 'number' || (value === 'stale' && !growing.isHistogram)) {
        floats.push(sample);
        growing.chunks.end();
        growing.isHistogram = false;
      } else {
        growing.chunks.append(t, value, st);
        growing.isHistogram = true;
      }
    }
    return { floats, growing };
  }
}

/** Start timestamps as a storage that has none for the samples gives them. */
function unlessNone(st: Float64Array): Float64Array | undefined {
  return st.some((one) => one !== 0) ? st : undefined;
}

function samplesOf({ values, starts }: LoadedSeries, stepMs: number): LoadedSample[] {
  const samples: LoadedSample[] = [];
  for (const [i, value] of values.entries()) {
    if (value.kind === 'omitted') continue;
    const t = i * stepMs;
    const start = starts?.[i];
    const st = start === undefined ? 0 : t + start;
    if (value.kind === 'stale') samples.push({ t, st, value: 'stale' });
    else samples.push({ t, st, value: value.kind === 'float' ? value.value : value.histogram });
  }
  return samples;
}

/** The values in a column, stale markers as bits. */
function valuesOf(samples: readonly LoadedSample[]): Float64Array {
  const v = new Float64Array(samples.length);
  const halves = new Uint32Array(v.buffer);
  for (const [i, { value }] of samples.entries()) {
    if (typeof value === 'number') v[i] = value;
    else halves.set([STALE_NAN_LO, STALE_NAN_HI], 2 * i);
  }
  return v;
}
