/**
 * Native histograms in columns. Samples of one kind and layout follow each other nearly always, so what they share
 * stands apart, once; what differs from sample to sample is numbers in typed arrays.
 *
 * Bucket counts are absolute, also those of integer histograms, which chunks and the log store as differences. They are
 * doubles: exact up to 2^53 observations a bucket.
 */

/** Schemas of exponential buckets: growth 2^(2^-schema). */
export const EXPONENTIAL_SCHEMA_MIN = -4;
export const EXPONENTIAL_SCHEMA_MAX = 8;
/** The schema of histograms with custom bucket bounds. */
export const CUSTOM_BUCKETS_SCHEMA = -53;

/** What the sender knew about a counter reset before a sample (prometheus model/histogram, CounterResetHint). */
export const RESET_HINT = { unknown: 0, reset: 1, notReset: 2, gauge: 3 } as const;

/** Where buckets are and how wide: what consecutive samples share. Never changed once it is made. */
export interface HistogramLayout {
  readonly schema: number;
  readonly zeroThreshold: number;
  /** Offset and length of each span, in turn; the first offset is that of the first bucket. */
  readonly positiveSpans: Int32Array;
  readonly negativeSpans: Int32Array;
  /** Upper bounds of the buckets of schema -53, without +Inf; empty otherwise. */
  readonly customValues: Float64Array;
  /** How many buckets the spans have in sum. */
  readonly positiveCount: number;
  readonly negativeCount: number;
}

/** The number of buckets that spans describe. */
export function countBuckets(spans: Int32Array): number {
  let count = 0;
  for (let i = 1; i < spans.length; i += 2) count += spans[i] as number;
  return count;
}

/** Whether two layouts describe the same buckets, down to the bits of their bounds. */
export function equalLayouts(a: HistogramLayout, b: HistogramLayout): boolean {
  return (
    a === b ||
    (a.schema === b.schema &&
      Object.is(a.zeroThreshold, b.zeroThreshold) &&
      equalIntegers(a.positiveSpans, b.positiveSpans) &&
      equalIntegers(a.negativeSpans, b.negativeSpans) &&
      equalBits(a.customValues, b.customValues))
  );
}

/** Whether two arrays hold the same integers. */
export function equalIntegers(a: Int32Array, b: Int32Array): boolean {
  if (a === b) return true;
  if (a.length !== b.length) return false;
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false;
  return true;
}

/** Whether two arrays hold the same doubles: -0 is not 0, any NaN is any other. */
export function equalBits(a: Float64Array, b: Float64Array): boolean {
  if (a === b) return true;
  if (a.length !== b.length) return false;
  for (let i = 0; i < a.length; i++) if (!Object.is(a[i], b[i])) return false;
  return true;
}

/**
 * Histogram samples in columns, filled up to `length`. Arrays are replaced when they grow: hold the columns, not them.
 * The bits of `sum` tell a stale sample (model/value.ts): copy it by bytes, never through a variable.
 */
export class HistogramColumns {
  length = 0;
  /** Timestamps in ms. */
  t = new Float64Array(0);
  sum = new Float64Array(0);
  count = new Float64Array(0);
  zeroCount = new Float64Array(0);
  /** One of RESET_HINT. */
  hint = new Uint8Array(0);
  /** 1 for a float histogram, 0 for an integer one. */
  isFloat = new Uint8Array(0);
  /** Number of the layout in {@link layouts}. */
  layout = new Uint32Array(0);
  /** Where the buckets of the sample begin: first the positive ones, then the negative ones, in order of their index. */
  start = new Uint32Array(0);
  layouts: HistogramLayout[] = [];
  /** Absolute counts of the buckets of all samples. */
  buckets = new Float64Array(0);
  bucketsLength = 0;

  /** Forgets all samples and layouts; keeps the room. */
  clear(): void {
    this.length = 0;
    this.bucketsLength = 0;
    this.layouts = [];
  }

  /** Becomes what other columns are, which must not be used any more. */
  takeOver(other: HistogramColumns): void {
    this.length = other.length;
    this.bucketsLength = other.bucketsLength;
    for (const name of ['t', 'sum', 'count', 'zeroCount', 'buckets'] as const)
      this[name] = other[name];
    this.hint = other.hint;
    this.isFloat = other.isFloat;
    this.layout = other.layout;
    this.start = other.start;
    this.layouts = other.layouts;
  }

  /** The layout of the i-th sample. */
  layoutAt(i: number): HistogramLayout {
    const layout = this.layouts[this.layout[i] as number];
    if (layout === undefined) throw new RangeError(`BUG: histogram ${i} of ${this.length}`);
    return layout;
  }

  /** Gives a layout its number: that of the newest one when it is equal. */
  layoutNumber(layout: HistogramLayout): number {
    const newest = this.layouts.length - 1;
    const last = this.layouts[newest];
    if (last !== undefined && equalLayouts(last, layout)) return newest;
    return this.layouts.push(layout) - 1;
  }

  /**
   * Makes room for one more sample with the buckets of a layout and answers its number; `layout`, `start` and `length`
   * are set, all else is the caller's to fill, the buckets from `start` on included.
   */
  add(layout: HistogramLayout): number {
    const i = this.length;
    const need = this.bucketsLength + layout.positiveCount + layout.negativeCount;
    if (i === this.t.length) this.#growSamples(Math.max(16, i * 2));
    if (need > this.buckets.length) {
      const buckets = new Float64Array(Math.max(need, this.buckets.length * 2));
      buckets.set(this.buckets.subarray(0, this.bucketsLength));
      this.buckets = buckets;
    }
    this.layout[i] = this.layoutNumber(layout);
    this.start[i] = this.bucketsLength;
    this.bucketsLength = need;
    this.length = i + 1;
    return i;
  }

  /** Appends the i-th sample of other columns, bits and all. */
  addFrom(from: HistogramColumns, i: number): void {
    const layout = from.layoutAt(i);
    const at = this.add(layout);
    this.t[at] = from.t[i] as number;
    this.sum.set(from.sum.subarray(i, i + 1), at);
    this.count[at] = from.count[i] as number;
    this.zeroCount[at] = from.zeroCount[i] as number;
    this.hint[at] = from.hint[i] as number;
    this.isFloat[at] = from.isFloat[i] as number;
    const start = from.start[i] as number;
    const buckets = layout.positiveCount + layout.negativeCount;
    this.buckets.set(from.buckets.subarray(start, start + buckets), this.start[at]);
  }

  /** Takes out the samples from number `from` on with mint <= t <= maxt. */
  remove(from: number, mint: number, maxt: number): void {
    const within = (i: number): boolean =>
      (this.t[i] as number) >= mint && (this.t[i] as number) <= maxt;
    let first = from;
    while (first < this.length && !within(first)) first++;
    if (first === this.length) return;
    const rest = new HistogramColumns();
    for (let i = first; i < this.length; i++) if (!within(i)) rest.addFrom(this, i);
    while (this.length > first) this.dropNewest();
    for (let i = 0; i < rest.length; i++) this.addFrom(rest, i);
  }

  /** Takes the newest sample out again, with its buckets. */
  dropNewest(): void {
    if (this.length === 0) return;
    this.length--;
    this.bucketsLength = this.start[this.length] as number;
  }

  #growSamples(capacity: number): void {
    const grow = <A extends Float64Array | Uint32Array | Uint8Array>(old: A, next: A): A => {
      // By bytes: a stale marker may change in a number variable.
      new Uint8Array(next.buffer).set(new Uint8Array(old.buffer));
      return next;
    };
    this.t = grow(this.t, new Float64Array(capacity));
    this.sum = grow(this.sum, new Float64Array(capacity));
    this.count = grow(this.count, new Float64Array(capacity));
    this.zeroCount = grow(this.zeroCount, new Float64Array(capacity));
    this.hint = grow(this.hint, new Uint8Array(capacity));
    this.isFloat = grow(this.isFloat, new Uint8Array(capacity));
    this.layout = grow(this.layout, new Uint32Array(capacity));
    this.start = grow(this.start, new Uint32Array(capacity));
  }
}
