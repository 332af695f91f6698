/**
 * Selectors, range functions and sums in the kernel, right where the samples were decoded. The twins are lastSamples,
 * boundWindows, the functions of rate.ts and addRow of sums: same arithmetic in the same order, same bits.
 *
 *   reserved memory   lo[steps] hi[steps] | row: values[steps] present[steps] | resets | sums: a, b, n of all cells
 */
import { loadKernel, type WindowsKernel } from '../../kernels/load.ts';
import type { ColumnsMemory, FloatColumns } from '../../storage/storage.ts';
import { newStates, type GroupStates } from './group-states.ts';

/** limit: resets of one series; one with more is computed by the twin. */
const RESETS_MAX = 4096;
/** limit: what the sums of a shard may take in a memory that is never given back. */
const SUMS_BYTES_MAX = 16 << 20;
/** limit: steps of a row here: Prometheus answers 11,000. */
const STEPS_MAX = 1 << 17;

/** How a function is computed. */
interface Method {
  /** Only the last sample of each step is looked at. */
  readonly isLast?: true;
  readonly isCounter: boolean;
  readonly isRate: boolean;
}

/** Functions that the kernel knows. */
const FUNCTIONS: ReadonlyMap<string, Method> = new Map([
  ['value', { isLast: true, isCounter: false, isRate: false }],
  ['rate', { isCounter: true, isRate: true }],
  ['increase', { isCounter: true, isRate: false }],
  ['delta', { isCounter: false, isRate: false }],
]);

/** What is computed: windows of `rangeMs`, for values of `lookbackMs`, that end at refStartMs + step * refStepMs. */
export interface KernelSpec {
  readonly func: string;
  readonly steps: number;
  readonly refStartMs: number;
  readonly refStepMs: number;
  readonly rangeMs: number;
  readonly lookbackMs: number;
}

/** Addresses of what a row is computed with. */
interface RowPlaces {
  readonly lo: number;
  readonly hi: number;
  readonly values: number;
  readonly present: number;
  readonly resets: number;
}

/** Addresses of the sums: {@link GroupStates} has the same arrays. */
interface SumPlaces {
  readonly a: number;
  readonly b: number;
  readonly n: number;
}

const kernels = new WeakMap<WebAssembly.Memory, { readonly kernel: WindowsKernel | undefined }>();

/** One instance a memory. */
function kernelOf({ memory }: ColumnsMemory): WindowsKernel | undefined {
  let known = kernels.get(memory);
  if (known === undefined) {
    known = { kernel: loadKernel('windows', memory) };
    kernels.set(memory, known);
  }
  return known.kernel;
}

/** Whether columns lie in the memory that their storage names. */
function liesIn({ t, v }: FloatColumns, { memory }: ColumnsMemory): boolean {
  return t.buffer === memory.buffer && v.buffer === memory.buffer;
}

/**
 * The run of one function over many series of one memory, with the sums of their rows. Its reserved memory is its own until
 * another run over the same memory begins: runs are not interleaved.
 */
export class KernelWindows {
  /** Samples in the windows of the row that was computed last. */
  samples = 0;
  readonly #kernel: WindowsKernel;
  readonly #home: ColumnsMemory;
  readonly #spec: KernelSpec;
  readonly #how: Method;
  readonly #perSecond: number;
  readonly #groups: number;
  readonly #at: RowPlaces;
  readonly #sums: SumPlaces;
  #values = new Float64Array(0);
  #present = new Uint8Array(0);

  /**
   * A run over the memory of columns that were read just now, holding sums of so many groups, or of none; undefined when the
   * kernel cannot do it. The columns are to be read again: making room moves them.
   */
  static over(columns: FloatColumns, spec: KernelSpec, groups: number): KernelWindows | undefined {
    const { memory } = columns;
    const how = FUNCTIONS.get(spec.func);
    const { steps } = spec;
    if (memory === undefined || !liesIn(columns, memory) || how === undefined) return undefined;
    if (steps > STEPS_MAX || groups * steps * 20 > SUMS_BYTES_MAX) return undefined;
    const kernel = kernelOf(memory);
    return kernel === undefined ? undefined : new KernelWindows(kernel, memory, spec, how, groups);
  }

  private constructor(
    kernel: WindowsKernel,
    home: ColumnsMemory,
    spec: KernelSpec,
    how: Method,
    groups: number,
  ) {
    this.#kernel = kernel;
    this.#home = home;
    this.#spec = spec;
    this.#how = how;
    this.#perSecond = how.isRate ? spec.rangeMs / 1000 : 1;
    this.#groups = groups;
    const { steps } = spec;
    const cells = groups * steps;
    const sizes = [steps * 4, steps * 4, steps * 8, steps, RESETS_MAX * 4, cells * 8, cells * 8];
    const starts = [0];
    for (const size of sizes) starts.push((starts.at(-1) as number) + Math.ceil(size / 16) * 16);
    const end = (starts.at(-1) as number) + cells * 4;
    const base = home.reserve(end);
    const [lo, hi, values, present, resets, a, b, n] = starts.map((start) => base + start);
    this.#at = { lo, hi, values, present, resets } as RowPlaces;
    this.#sums = { a, b, n } as SumPlaces;
    new Uint8Array(home.memory.buffer).fill(0, this.#sums.a, base + end);
  }

  /** Whether it can compute a series: one that was read into its memory. */
  takes(columns: FloatColumns): boolean {
    return columns.memory === this.#home && liesIn(columns, this.#home);
  }

  /** Computes the row of a series that it takes; answers how many steps have a value, or -1 when the twin has to do it. */
  run(columns: FloatColumns): number {
    return this.#how.isLast ? this.#last(columns) : this.#windows(columns);
  }

  #last({ t, v, length }: FloatColumns): number {
    const { steps, refStartMs, refStepMs, lookbackMs } = this.#spec;
    this.samples = this.#kernel.last(
      t.byteOffset,
      v.byteOffset,
      length,
      steps,
      refStartMs,
      refStepMs,
      lookbackMs,
      this.#at.values,
      this.#at.present,
    );
    return this.samples;
  }

  #windows({ t, v, length }: FloatColumns): number {
    const { steps, refStartMs, refStepMs, rangeMs } = this.#spec;
    const { lo, hi, values, present, resets } = this.#at;
    const kernel = this.#kernel;
    const [tAt, vAt] = [t.byteOffset, v.byteOffset];
    this.samples = kernel.bound(tAt, length, steps, refStartMs, refStepMs, rangeMs, lo, hi);
    if (this.samples === 0) {
      this.#views();
      this.#present.fill(0);
      return 0;
    }
    return kernel.extrapolate(
      tAt,
      vAt,
      length,
      steps,
      refStartMs,
      refStepMs,
      rangeMs,
      this.#perSecond,
      Number(this.#how.isCounter),
      lo,
      hi,
      resets,
      RESETS_MAX,
      values,
      present,
    );
  }

  /** Copies the row that was computed last. */
  copyRow(values: Float64Array, present: Uint8Array): void {
    this.#views();
    values.set(this.#values);
    present.set(this.#present);
  }

  /** Adds the row that was computed last to a group. */
  addRow(group: number): void {
    const { steps } = this.#spec;
    const { a, b, n } = this.#sums;
    const cell = group * steps;
    const { values, present } = this.#at;
    this.#kernel.addSum(a + cell * 8, b + cell * 8, n + cell * 4, values, present, steps);
  }

  /** Adds a row that the twin computed to a group. */
  addOther(group: number, values: Float64Array, present: Uint8Array): void {
    this.#views();
    this.#values.set(values);
    this.#present.set(present);
    this.addRow(group);
  }

  /** The sums of the groups from a number on, in arrays of their own. */
  states(first: number): GroupStates {
    const { buffer } = this.#home.memory;
    const { steps } = this.#spec;
    const { a, b, n } = this.#sums;
    const states = newStates('sum', this.#groups - first, steps);
    const cells = states.n.length;
    const before = first * steps;
    states.a.set(new Float64Array(buffer, a + before * 8, cells));
    states.b.set(new Float64Array(buffer, b + before * 8, cells));
    states.n.set(new Uint32Array(buffer, n + before * 4, cells));
    return states;
  }

  /**
   * The sums of the first groups as values, row-major by group: what finishStates makes of their states. They are no sums any more
   * afterwards.
   */
  finish(groups: number): { values: Float64Array; present: Uint8Array } {
    const { buffer } = this.#home.memory;
    const cells = groups * this.#spec.steps;
    const { a, b, n } = this.#sums;
    this.#kernel.finishSums(a, b, n, cells, n);
    return {
      values: new Float64Array(buffer, a, cells).slice(),
      present: new Uint8Array(buffer, n, cells).slice(),
    };
  }

  /** Views of the row; growing the columns takes the old ones away. */
  #views(): void {
    const { buffer } = this.#home.memory;
    if (this.#values.buffer === buffer) return;
    const { steps } = this.#spec;
    this.#values = new Float64Array(buffer, this.#at.values, steps);
    this.#present = new Uint8Array(buffer, this.#at.present, steps);
  }
}
