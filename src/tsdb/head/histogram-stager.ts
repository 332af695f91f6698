/**
 * Judges the native histograms of a write request against their series and keeps them until they are logged, as the
 * kernel does with floats (prometheus tsdb/head_append.go AppendHistogram, appendableHistogram).
 *
 * compat: within one request a series' floats are judged before its histograms, as in a TimeSeries message.
 */
import { equalHistograms } from '../../model/equal-histograms.ts';
import type { HistogramColumns } from '../../model/histogram.ts';
import { HistogramBatch } from '../wal/histogram-records.ts';
import type { ArenaIngest, StageCounts } from './arena-ingest.ts';
import { H, HEADER, S } from './arena-layout.ts';
import { HistogramMessages } from './histogram-message.ts';
import type { HistogramWriter } from './histogram-writer.ts';
import type { Span } from './walk-request.ts';

/** A series and the arena it lives in. */
export interface OwnedSeries {
  readonly owner: ArenaIngest;
  readonly series: number;
}

/** The largest i64 as a double: no window for samples out of order. */
const NO_WINDOW = 2 ** 63;

/** The histograms of the request that is being staged. */
export class HistogramStager {
  /** In-order histograms, and those out of order, with the series of each. */
  readonly inOrder = new HistogramBatch();
  readonly late = new HistogramBatch();
  readonly inOrderSeries: OwnedSeries[] = [];
  readonly lateSeries: OwnedSeries[] = [];
  readonly #messages = new HistogramMessages();
  readonly #read = new HistogramBatch();
  readonly #writers: ReadonlyMap<ArenaIngest, HistogramWriter>;
  /** The newest staged histogram of a series, by number in {@link inOrder}: what a duplicate is compared with. */
  readonly #newest = new Map<ArenaIngest, Map<number, number>>();

  constructor(writers: ReadonlyMap<ArenaIngest, HistogramWriter>) {
    this.#writers = writers;
  }

  /** Forgets what was staged. */
  begin(): void {
    this.inOrder.clear();
    this.late.clear();
    this.inOrderSeries.length = 0;
    this.lateSeries.length = 0;
    this.#newest.clear();
  }

  /**
   * Stages the Histogram messages of one TimeSeries.
   * @throws ShortBytesError for what is none.
   */
  stage(target: OwnedSeries, body: Uint8Array, spans: readonly Span[], counts: StageCounts): void {
    for (const { from, end } of spans) {
      const { columns } = this.#read;
      this.#read.clear();
      const problem = this.#messages.read(body, from, end, columns);
      if (problem === '') this.#judge(target, columns, counts);
      else {
        counts.invalidHistograms++;
        note(counts, () => `${problem}, of series ${target.owner.describe(target.series)}`);
      }
    }
  }

  #judge({ owner, series }: OwnedSeries, columns: HistogramColumns, counts: StageCounts): void {
    const { arena } = owner;
    const t = columns.t[0] as number;
    const epoch = arena.header(H.epoch);
    const again = arena.get(series + S.stagedEpoch) === epoch;
    const lastT = arena.getI64(series + (again ? S.stagedT : S.lastT));
    const bounded = t < arena.getI64(HEADER + H.minValidTime);
    if (!bounded && t > lastT) {
      this.#keep(this.inOrder, this.inOrderSeries, { owner, series }, columns);
      arena.set(series + S.stagedEpoch, epoch);
      arena.setI64(series + S.stagedT, t);
      let newest = this.#newest.get(owner);
      if (newest === undefined) this.#newest.set(owner, (newest = new Map<number, number>()));
      newest.set(series, this.inOrder.length - 1);
      counts.histograms++;
      return;
    }
    const problem = (what: string): void =>
      note(counts, () => `${what} ${t} of series ${owner.describe(series)}`);
    if (!bounded && t === lastT) {
      if (this.#isNewest({ owner, series }, columns, again)) counts.identicalHistograms++;
      else {
        counts.conflicts++;
        problem('duplicate sample for timestamp');
      }
      return;
    }
    const oldest = arena.getI64(HEADER + H.oooMin);
    if (oldest < NO_WINDOW && t >= oldest) {
      this.#keep(this.late, this.lateSeries, { owner, series }, columns);
      return;
    }
    if (bounded || oldest < NO_WINDOW) {
      counts.tooOld++;
      problem(oldest < NO_WINDOW ? 'too old sample' : 'out of bounds');
    } else {
      counts.outOfOrder++;
      problem('out of order sample');
    }
  }

  #keep(
    batch: HistogramBatch,
    targets: OwnedSeries[],
    target: OwnedSeries,
    columns: HistogramColumns,
  ): void {
    batch.columns.addFrom(columns, 0);
    batch.setNewest(target.owner.arena.getI64(target.series + S.ref));
    targets.push(target);
  }

  /** Whether a histogram equals the newest one of its series, which has its time. */
  #isNewest({ owner, series }: OwnedSeries, columns: HistogramColumns, again: boolean): boolean {
    if (!again) return this.#writers.get(owner)?.isNewest(series, columns, 0) ?? false;
    const staged = this.#newest.get(owner)?.get(series);
    return staged !== undefined && equalHistograms(this.inOrder.columns, staged, columns, 0);
  }
}

function note(counts: StageCounts, text: () => string): void {
  if (counts.firstProblem === '') counts.firstProblem = text();
}
