/**
 * One block of a plan, on disk: its series in label order, one at a time, so that the memory it takes follows from the
 * number of series and not from that of samples. The block gets its name when it is complete; until then it is
 * `<ulid>.tmp-for-creation`, and nothing is left of it when it fails or is given up.
 */
import { throwIfAborted } from '../../lib/abort.ts';
import type { Clock } from '../../lib/clock.ts';
import { CodedError } from '../../lib/errors.ts';
import type { FileLayer } from '../../lib/file-layer.ts';
import { compareUtf8 } from '../../lib/utf8.ts';
import { yieldToEventLoop } from '../../lib/yield.ts';
import { Labels, compareLabels } from '../../model/labels.ts';
import { newUlid } from '../../model/ulid.ts';
import { BlockWriter } from '../../tsdb/block/block-writer.ts';
import type { BlockMeta } from '../../tsdb/block/meta.ts';
import { TARGET_LABEL } from './block-spec.ts';
import type { BlockSpec, SeriesSpec } from './block-spec.ts';
import { generateSamples, seriesSeed } from './generate-samples.ts';
import { GoRandom } from './go-random.ts';
import { SampleEncoder } from './sample-encoder.ts';

/** Work between two looks at the signal and at the event loop. */
const SLICE_MS = 20;

/** Where blocks go and what they are made with. */
export interface GenerateOptions {
  /** The directory of the blocks; it exists. */
  readonly outputDirectory: string;
  readonly files: FileLayer;
  readonly clock: Clock;
  readonly signal: AbortSignal;
}

/** One series to be: its labels, and what makes its samples. */
interface PlannedSeries {
  readonly labels: Labels;
  readonly spec: SeriesSpec;
  readonly target: number;
}

/** Generates blocks, one after the other; keeps its buffers between them. */
export class BlockGenerator {
  readonly #options: GenerateOptions;
  readonly #random = new GoRandom();
  readonly #encoder = new SampleEncoder();

  constructor(options: GenerateOptions) {
    this.#options = options;
  }

  /**
   * Writes a block and answers its meta.json.
   * @throws CodedError bad_data when the plan cannot be a block, canceled, or unavailable when the disk refuses.
   */
  async generate(spec: BlockSpec): Promise<BlockMeta> {
    const { outputDirectory: parent, files, clock, signal } = this.#options;
    throwIfAborted(signal);
    const series = planSeries(spec);
    const ulid = newUlid(clock.now());
    const writer = new BlockWriter({ parent, ulid, files });
    try {
      writer.symbols(symbolsOf(series));
      const { mint, maxt } = await this.#writeSeries(spec, series, writer);
      if (mint > maxt) throw new CodedError('bad_data', 'no series appended; aborting.');
      const compaction = { level: 1, sources: [ulid] };
      return writer.finish({
        mint,
        maxt: maxt + 1,
        compaction,
        extra: { thanos: thanosMeta(spec) },
      });
    } catch (thrown) {
      writer.abort();
      throw thrown;
    }
  }

  /** Writes all series; answers the range of their samples, both ends included. */
  async #writeSeries(
    spec: BlockSpec,
    series: readonly PlannedSeries[],
    writer: BlockWriter,
  ): Promise<{ mint: number; maxt: number }> {
    const { clock, signal } = this.#options;
    let mint = Infinity;
    let maxt = -Infinity;
    let sliceEnd = clock.monotonic() + SLICE_MS;
    for (const { labels, spec: one, target } of series) {
      this.#encoder.reset();
      this.#random.seed(seriesSeed(one.labels, target, spec.thanos.labels));
      generateSamples(one, this.#random, this.#encoder);
      const chunks = this.#encoder.finish();
      mint = Math.min(mint, chunks[0]?.mint ?? mint);
      maxt = Math.max(maxt, chunks.at(-1)?.maxt ?? maxt);
      writer.series(labels, chunks);
      if (clock.monotonic() < sliceEnd) continue;
      await yieldToEventLoop();
      throwIfAborted(signal);
      sliceEnd = clock.monotonic() + SLICE_MS;
    }
    return { mint, maxt };
  }
}

/** Every series of a block in label order. @throws CodedError bad_data when two are the same. */
function planSeries(spec: BlockSpec): PlannedSeries[] {
  const series = spec.series.flatMap((one) => {
    // compat: targets count down to 1, and no targets are one with the number 0.
    const first = one.targets === 0 ? 0 : 1;
    return Array.from({ length: Math.max(1, one.targets) }, (_, i) => ({
      labels: Labels.fromPairs([[TARGET_LABEL, String(first + i)], ...one.labels]),
      spec: one,
      target: first + i,
    }));
  });
  series.sort((a, b) => compareLabels(a.labels, b.labels));
  for (let i = 1; i < series.length; i++) {
    const [before, after] = [series[i - 1], series[i]];
    if (before === undefined || after === undefined) continue;
    if (compareLabels(before.labels, after.labels) === 0) {
      throw new CodedError('bad_data', `the plan has the series ${after.labels.toString()} twice`);
    }
  }
  return series;
}

function symbolsOf(series: readonly PlannedSeries[]): string[] {
  const symbols = new Set<string>();
  for (const { labels } of series) for (const text of labels.pairs) symbols.add(text);
  return [...symbols].sort(compareUtf8);
}

/** The member `thanos` of meta.json, with Go's names; what is empty is left out as Go leaves it out. */
function thanosMeta({ thanos }: BlockSpec): Record<string, unknown> {
  const { version, labels, resolution, source } = thanos;
  return {
    ...(version !== 0 && { version }),
    labels: Object.fromEntries(labels.toSorted(([a], [b]) => compareUtf8(a, b))),
    downsample: { resolution },
    source,
  };
}
