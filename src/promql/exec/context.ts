/** What the evaluation of one query shares: limits, cancellation, annotations, the opened series. */
import type { Clock } from '../../lib/clock.ts';
import { CodedError } from '../../lib/errors.ts';
import { yieldToEventLoop } from '../../lib/yield.ts';
import type { Queryable, SeriesSet } from '../../storage/storage.ts';
import type { SelectPlan } from '../plan/node.ts';
import { Annotations } from './annotations.ts';
import type { CounterView } from '../funcs/counter-view.ts';
import { TOO_MANY_SAMPLES } from './cells.ts';
import type { FragmentRunner } from './fragment.ts';
import type { Profiler } from './profile.ts';

/** Settings of an evaluation. */
export interface ExecOptions {
  readonly queryable: Queryable;
  readonly clock: Clock;
  /** When the query times out, by the clock's monotonic time. */
  readonly deadline: number;
  readonly signal: AbortSignal | undefined;
  /** limit: samples held at one time. */
  readonly maxSamples: number;
  /** Names stay until the end of the query, so that functions between can still see them. */
  readonly delayedNames: boolean;
  /** Counters are told from gauges by `__type__` rather than by their names. */
  readonly typeAndUnitLabels: boolean;
  readonly counterView: CounterView;
  /** Start timestamps say when counters began anew. */
  readonly useStarts: boolean;
  /** Runs fragments elsewhere; without it everything runs here. */
  readonly runFragments: FragmentRunner | undefined;
  /** Collects what each node takes, when that is asked for. */
  readonly profiler: Profiler | undefined;
}

/** How long to work before other work of the thread gets its turn, ms. */
const SLICE_MS = 20;

/** The state of one evaluation. */
export class ExecContext {
  readonly options: ExecOptions;
  readonly annotations = new Annotations();
  /** What the storage could not give. */
  readonly storageWarnings = new Set<string>();
  /** Samples looked at by selectors, counted as Prometheus' totalQueryableSamples. */
  samplesTotal = 0;
  samplesPeak = 0;
  #samplesNow = 0;
  #sliceEnd = 0;
  readonly #sets = new Map<number, SeriesSet>();

  constructor(options: ExecOptions) {
    this.options = options;
    this.#sliceEnd = options.clock.monotonic() + SLICE_MS;
  }

  /** Starts all selects at once, so that their latencies overlap. */
  async open(selects: readonly SelectPlan[]): Promise<void> {
    const { queryable } = this.options;
    const pending = selects
      .filter(({ mint, maxt }) => mint <= maxt)
      .map(async (select) => {
        const set = await queryable.select(select);
        this.#sets.set(select.index, set);
        for (const warning of set.warnings) this.storageWarnings.add(warning);
      });
    const results = await Promise.allSettled(pending);
    const failed = results.find((result) => result.status === 'rejected');
    if (failed !== undefined) throw failed.reason;
    this.check();
  }

  /** The series of a select; undefined when its time range is empty. */
  set(select: SelectPlan): SeriesSet | undefined {
    return this.#sets.get(select.index);
  }

  /** Releases all series. */
  close(): void {
    for (const set of this.#sets.values()) set.close();
    this.#sets.clear();
  }

  /**
   * Ends the query when it is to end: called between blocks of work.
   * @throws CodedError timeout or canceled.
   */
  check(): void {
    if (this.options.signal?.aborted === true) {
      throw new CodedError('canceled', 'query was canceled in expression evaluation');
    }
    if (this.options.clock.monotonic() >= this.options.deadline) {
      throw new CodedError('timeout', 'query timed out in expression evaluation');
    }
  }

  /** {@link check}, and lets other work of the thread run when this one has had it for a while. */
  async breathe(): Promise<void> {
    this.check();
    const { clock } = this.options;
    if (clock.monotonic() < this.#sliceEnd) return;
    await yieldToEventLoop();
    this.#sliceEnd = clock.monotonic() + SLICE_MS;
    this.check();
  }

  /**
   * Counts samples that are held from now on.
   * @throws CodedError execution when they are more than the query may hold.
   */
  hold(samples: number): void {
    this.#samplesNow += samples;
    if (this.#samplesNow > this.samplesPeak) this.samplesPeak = this.#samplesNow;
    if (this.#samplesNow > this.options.maxSamples) {
      throw new CodedError('execution', TOO_MANY_SAMPLES);
    }
  }

  /** How many samples are held now. */
  get held(): number {
    return this.#samplesNow;
  }

  /** Counts from now on what was held before and the result of an operation; its operands are held no longer. */
  settle(before: number, result: number): void {
    this.#samplesNow = before;
    this.hold(result);
  }
}
