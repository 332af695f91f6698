/**
 * Floats, native histograms, samples out of order, deletions, cuts, restarts and kills in any order, against a model that is
 * a list of samples: what is read is always what the model holds.
 */
import { deepEqual, equal, ok } from 'node:assert/strict';
import { cpSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { histogramText } from '../../test/support/golden-samples.ts';
import { MaintainedTsdb } from '../../test/support/maintained-tsdb.ts';
import { temporaryDirectory } from '../../test/support/temporary-directory.ts';
import { encodeWriteRequest } from '../../test/support/write-request.ts';
import type { TestHistogram, TestSeries } from '../../test/support/write-request.ts';
import { Random } from '../lib/prng.ts';
import { HistogramColumns } from '../model/histogram.ts';
import { Matcher } from '../model/matcher.ts';
import { FloatColumns } from '../storage/storage.ts';

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const WINDOW = 90 * MINUTE;
const BASE = 1_700_000_000_000 - (1_700_000_000_000 % (2 * HOUR));
const SERIES = 12;

/** What a series gets: floats, integer or float histograms, or, switching now and then, each of them. */
type Kind = 'float' | 'integer' | 'floatHistogram' | 'mixed';
const KINDS: readonly Kind[] = ['float', 'integer', 'floatHistogram', 'mixed'];

interface ModelSeries {
  readonly kind: Kind;
  /** Series that get late samples are not deleted from: what is late stays (as in Prometheus). */
  readonly takesLate: boolean;
  readonly samples: Map<number, string>;
  lastT: number;
}

class Model {
  readonly series: ModelSeries[] = Array.from({ length: SERIES }, (_, i) => ({
    kind: KINDS[i % KINDS.length] as Kind,
    takesLate: i % 2 === 0,
    samples: new Map(),
    lastT: -Infinity,
  }));
  maxt = -Infinity;
  /** Nothing older is taken in order. */
  minValid = -Infinity;

  /** Whether a sample is stored, by Prometheus' rule (tsdb/head_append.go appendable). */
  takes(series: ModelSeries, t: number, maxtBefore: number): 'inOrder' | 'late' | undefined {
    if (t >= this.minValid && t > series.lastT) return 'inOrder';
    if (t >= this.minValid && t === series.lastT) return undefined;
    return t >= maxtBefore - WINDOW ? 'late' : undefined;
  }
}

/** The value of a series at a time: always the same, so that duplicates are identical. */
function valueAt(series: number, t: number): number {
  return ((t / 1000) % 10_007) + series / 16;
}

/** A histogram whose layout and counters change with time: buckets appear and go, counters are reset. */
function histogramAt(series: number, t: number, isFloat: boolean): TestHistogram {
  const seconds = Math.floor((t - BASE) / 1000) + 100_000;
  const era = Math.floor(seconds / 1800);
  const count = (seconds % 1800) + 5;
  const length = 1 + (era % 4);
  const buckets = Array.from({ length }, (_, i) => count + i + (isFloat ? 0.5 : 0));
  const spans = era % 3 === 0 || length < 2 ? [era % 5, length] : [era % 5, 1, 2, length - 1];
  const schema = era % 7 === 6 ? -53 : era % 3;
  if (schema === -53) {
    const customValues = Array.from({ length: 12 }, (_, i) => i + 1);
    return {
      t,
      isFloat,
      schema,
      sum: count,
      zeroCount: 0,
      spans: [1, length],
      buckets,
      customValues,
    };
  }
  return { t, isFloat, schema, sum: count + series, zeroCount: count % 3, spans, buckets };
}

/** The text of a histogram as {@link histogramText} has it, made by writing it to columns by hand. */
function textOf(one: TestHistogram): string {
  const columns = new HistogramColumns();
  const count = one.buckets.reduce((sum, bucket) => sum + bucket, one.zeroCount);
  const i = columns.add({
    schema: one.schema,
    zeroThreshold: one.schema === -53 ? 0 : 0.001,
    positiveSpans: Int32Array.from(one.spans),
    negativeSpans: new Int32Array(0),
    customValues: Float64Array.from(one.customValues ?? []),
    positiveCount: one.buckets.length,
    negativeCount: 0,
  });
  columns.t[i] = one.t;
  columns.sum[i] = one.sum;
  columns.count[i] = count;
  columns.zeroCount[i] = one.zeroCount;
  columns.isFloat[i] = one.isFloat ? 1 : 0;
  columns.buckets.set(one.buckets, columns.start[i]);
  return histogramText(columns, i);
}

class Run {
  readonly #random: Random;
  /** Whether the head is saved and read as a snapshot at each start. */
  readonly #snapshots: boolean;
  readonly #model = new Model();
  readonly #parent: string;
  #directories = 0;
  #tsdb: MaintainedTsdb;
  #now = BASE;
  /** How much of each kind there was. */
  readonly counts = { late: 0, inOrder: 0, deleted: 0, blocks: 0, kills: 0 };

  constructor(seed: number, parent: string, snapshots: boolean) {
    this.#snapshots = snapshots;
    this.#random = new Random(seed);
    this.#parent = parent;
    this.#tsdb = this.#open();
  }

  async run(steps: number): Promise<void> {
    for (let step = 0; step < steps; step++) {
      const what = this.#random.below(20);
      if (what < 14) await this.#write();
      else if (what < 16) await this.#delete();
      else if (what < 18) await this.#maintain();
      else if (what < 19) this.#restart();
      else this.#kill();
      if (step % 4 === 0 || what >= 14) await this.#check(`step ${step}`);
    }
    this.#restart();
    await this.#check('at the end');
  }

  close(): void {
    this.#tsdb.close();
  }

  get #directory(): string {
    return join(this.#parent, String(this.#directories));
  }

  #open(): MaintainedTsdb {
    const directory = this.#directory;
    const settings = { outOfOrderWindowMs: WINDOW, exemplarsMax: 10 };
    return new MaintainedTsdb({ directory, ...settings, memorySnapshot: this.#snapshots });
  }

  #restart(): void {
    this.#tsdb.close();
    this.#tsdb = this.#open();
  }

  /** What a killed process leaves is what its files hold now. */
  #kill(): void {
    const from = this.#directory;
    this.#directories++;
    cpSync(from, this.#directory, { recursive: true });
    this.#tsdb.close();
    rmSync(from, { recursive: true });
    this.#tsdb = this.#open();
    this.counts.kills++;
  }

  async #write(): Promise<void> {
    const model = this.#model;
    this.#now += this.#random.below(12) * MINUTE;
    const maxtBefore = model.maxt;
    const request: TestSeries[] = [];
    let stored = 0;
    for (const [i, series] of model.series.entries()) {
      if (this.#random.below(3) === 0) continue;
      const asFloats =
        series.kind === 'float' || (series.kind === 'mixed' && this.#random.below(2) === 0);
      const isFloat =
        series.kind !== 'integer' &&
        (series.kind === 'floatHistogram' || this.#random.below(2) === 0);
      const samples: [number, number][] = [];
      const histograms: TestHistogram[] = [];
      for (const t of this.#times(series)) {
        const histogram = histogramAt(i, t, isFloat);
        // A time that is there already is sent again as it was, as far as that is possible.
        const text = asFloats ? String(valueAt(i, t)) : textOf(histogram);
        const known = series.samples.get(t);
        if (known !== undefined && known !== text) continue;
        if (asFloats) samples.push([t, valueAt(i, t)]);
        else histograms.push(histogram);
        const verdict = model.takes(series, t, maxtBefore);
        if (verdict === undefined) continue;
        if (known === undefined) stored++;
        series.samples.set(t, text);
        this.counts[verdict]++;
        if (verdict === 'inOrder') {
          series.lastT = t;
          model.maxt = Math.max(model.maxt, t);
        }
      }
      request.push({
        labels: [
          ['__name__', 'm'],
          ['i', String(i)],
        ],
        samples,
        histograms,
      });
    }
    const counts = await this.#tsdb.db.writeDecoded(encodeWriteRequest(request));
    equal(counts.invalidHistograms, 0, counts.firstProblem);
    ok(counts.accepted + counts.histograms >= stored, `${counts.accepted} + ${counts.histograms}`);
  }

  /** Some later, some late; late ones of a series that takes none come as far as they are refused. */
  #times(series: ModelSeries): number[] {
    const times: number[] = [];
    let t = Math.max(series.lastT, this.#now - 10 * MINUTE);
    for (let n = this.#random.below(30); n > 0; n--)
      times.push((t += 5000 + this.#random.below(10) * 1000));
    if (!series.takesLate || series.lastT === -Infinity) return times;
    for (let n = this.#random.below(6); n > 0; n--) {
      const back = this.#random.below(Math.floor((WINDOW * 1.2) / 1000)) * 1000;
      times.splice(this.#random.below(times.length + 1), 0, series.lastT - back);
    }
    return times;
  }

  async #delete(): Promise<void> {
    const i = 1 + 2 * this.#random.below(SERIES / 2);
    const series = this.#model.series[i] as ModelSeries;
    const inHead = [...series.samples.keys()].filter((t) => t >= this.#model.minValid);
    if (inHead.length === 0) return;
    const from = inHead[this.#random.below(inHead.length)] as number;
    const range = { mint: from, maxt: from + this.#random.below(20) * MINUTE };
    const matchers = [new Matcher('=', '__name__', 'm'), new Matcher('=', 'i', String(i))];
    await this.#tsdb.db.deleteSeries([matchers], range);
    for (const t of inHead) {
      if (t < range.mint || t > range.maxt) continue;
      series.samples.delete(t);
      this.counts.deleted++;
    }
  }

  async #maintain(): Promise<void> {
    await this.#tsdb.maintenance.run();
    const { blocks, headMint } = this.#tsdb.catalog;
    this.#model.minValid = Math.max(this.#model.minValid, headMint);
    this.counts.blocks = blocks.length;
  }

  async #check(what: string): Promise<void> {
    const set = await this.#tsdb.reader.select({
      matchers: [new Matcher('=', '__name__', 'm')],
      mint: -1e15,
      maxt: 1e15,
    });
    const got = new Map<number, Map<number, string>>();
    const floats = new FloatColumns();
    const histograms = new HistogramColumns();
    for (let n = 0; n < set.count; n++) {
      const samples = new Map<number, string>();
      set.readFloats(n, floats, false);
      for (let k = 0; k < floats.length; k++)
        samples.set(floats.t[k] as number, String(floats.v[k]));
      set.readHistograms(n, histograms, false);
      for (let k = 0; k < histograms.length; k++) {
        const t = histograms.t[k] as number;
        ok(!samples.has(t), `${what}: a float and a histogram at ${t}`);
        samples.set(t, histogramText(histograms, k));
      }
      got.set(Number(set.labels(n).get('i')), samples);
    }
    set.close();
    for (const [i, { samples }] of this.#model.series.entries()) {
      const sorted = (map: ReadonlyMap<number, string>): [number, string][] =>
        [...map].sort(([a], [b]) => a - b);
      deepEqual(sorted(got.get(i) ?? new Map()), sorted(samples), `${what}, series ${i}`);
    }
  }
}

for (const [seed, snapshots] of [
  [1, false],
  [2, true],
  [3, false],
  [4, true],
] as const) {
  const name = `seed ${seed}${snapshots ? ', with snapshots of the head' : ''}`;
  test(`floats, histograms, late samples, deletions, cuts, restarts and kills, ${name}`, async (t) => {
    using directory = temporaryDirectory();
    const run = new Run(seed, directory.path, snapshots);
    try {
      await run.run(120);
    } finally {
      run.close();
    }
    t.diagnostic(JSON.stringify(run.counts));
    for (const [what, count] of Object.entries(run.counts)) ok(count > 0, `no ${what}`);
  });
}
