/**
 * A data directory that holds everything there is: floats, native histograms, exemplars, metadata, deletions, samples out
 * of order in a log and in chunks_head/, a checkpoint, blocks with tombstones and blocks of late samples; what was
 * acknowledged of it; and how it is read back.
 */
import { cpSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { systemFiles } from '../../src/lib/file-layer.ts';
import { HistogramColumns } from '../../src/model/histogram.ts';
import { Matcher } from '../../src/model/matcher.ts';
import { FloatColumns } from '../../src/storage/storage.ts';
import type { TimeRange } from '../../src/storage/storage.ts';
import { deleteFromBlock } from '../../src/tsdb/compact/delete-from-block.ts';
import type { TsdbReader } from '../../src/tsdb/tsdb-reader.ts';
import { messageField, protobufVarint } from './head-probe.ts';
import { MaintainedTsdb } from './maintained-tsdb.ts';
import { encodeWriteRequest } from './write-request.ts';
import type { TestHistogram, TestSeries } from './write-request.ts';

export const MINUTE = 60_000;
export const HOUR = 60 * MINUTE;
/** How far behind samples may come. */
export const WINDOW = 2 * HOUR;
/** Samples are written from 0 to here. */
export const WHOLE_END = 6 * HOUR;

/** By series (its labels as text) and time in ms: the sample as text. */
export type Samples = Map<string, Map<number, string>>;

/** What a directory has acknowledged. */
export class Ledger {
  /** What must be there. */
  readonly kept: Samples = new Map();
  /** What was ever sent, deleted or refused later: what may be read, and nothing else. */
  readonly sent = new Map<string, Map<number, Set<string>>>();
  /** What was deleted, and must not come back while its files are sound. */
  readonly deleted = new Map<string, Set<number>>();

  /** Notes samples that were sent, and whether they were acknowledged. */
  note(series: readonly TestSeries[], acknowledged: boolean): void {
    for (const { labels, samples, histograms: rows = [] } of series) {
      const key = keyOf(labels);
      for (const [t, v] of samples) this.#noteOne(key, t, String(v), acknowledged);
      for (const one of rows) this.#noteOne(key, one.t, textOf(one), acknowledged);
    }
  }

  /** Notes a deletion of all samples of a metric in a range, and whether it was acknowledged: they need not be there. */
  noteDeleted(name: string, range: TimeRange, acknowledged: boolean): void {
    for (const [key, samples] of this.sent) {
      if (!key.startsWith(`__name__=${name},`)) continue;
      for (const t of samples.keys()) {
        if (t < range.mint || t > range.maxt) continue;
        this.kept.get(key)?.delete(t);
        if (acknowledged) getOrMake(this.deleted, key, () => new Set<number>()).add(t);
      }
    }
  }

  /** A ledger of its own with the same content. */
  copy(): Ledger {
    const copy = new Ledger();
    for (const [key, samples] of this.kept) copy.kept.set(key, new Map(samples));
    for (const [key, samples] of this.sent)
      copy.sent.set(key, new Map([...samples].map(([t, texts]) => [t, new Set(texts)])));
    for (const [key, times] of this.deleted) copy.deleted.set(key, new Set(times));
    return copy;
  }

  #noteOne(key: string, t: number, text: string, acknowledged: boolean): void {
    getOrMake(
      getOrMake(this.sent, key, () => new Map<number, Set<string>>()),
      t,
      () => new Set<string>(),
    ).add(text);
    if (acknowledged) getOrMake(this.kept, key, () => new Map<number, string>()).set(t, text);
  }
}

function getOrMake<K, V>(map: Map<K, V>, key: K, make: () => V): V {
  let value = map.get(key);
  if (value === undefined) map.set(key, (value = make()));
  return value;
}

function keyOf(labels: readonly (readonly [string, string | Uint8Array])[]): string {
  return labels.map(([name, value]) => `${name}=${String(value)}`).join(',');
}

/** A histogram as text: its numbers, and buckets that are not empty by their index. Layouts may gain empty ones. */
function textOf(one: TestHistogram): string {
  const count = one.buckets.reduce((sum, bucket) => sum + bucket, one.zeroCount);
  const numbers = [one.isFloat, one.schema, 0.001, count, one.sum, one.zeroCount];
  return [...numbers, ...bucketTexts(one.spans, one.buckets, 0)].join(' ');
}

/** The same of a row of columns. */
function textOfRow(columns: HistogramColumns, i: number): string {
  const { schema, zeroThreshold, positiveSpans, negativeSpans } = columns.layoutAt(i);
  const numbers = [columns.isFloat[i] === 1, schema, zeroThreshold];
  const values = [columns.count[i], columns.sum[i], columns.zeroCount[i]];
  const from = columns.start[i] as number;
  const positive = bucketTexts(positiveSpans, columns.buckets, from);
  if (negativeSpans.length > 0) positive.push('negative');
  return [...numbers, ...values, ...positive].join(' ');
}

function bucketTexts(spans: ArrayLike<number>, buckets: ArrayLike<number>, from: number): string[] {
  const texts: string[] = [];
  let bucket = 0;
  let at = from;
  for (let s = 0; s < spans.length; s += 2) {
    bucket += spans[s] as number;
    for (let left = spans[s + 1] as number; left > 0; left--, bucket++, at++)
      if (buckets[at] !== 0) texts.push(`${bucket}:${buckets[at]}`);
  }
  return texts;
}

/** A histogram of a series at a time, whose layout changes every hour. */
export function histogramAt(t: number, isFloat: boolean): TestHistogram {
  const minute = Math.floor(t / MINUTE);
  const length = 2 + (Math.floor(minute / 60) % 3);
  const buckets = Array.from({ length }, (_, i) => minute + i + (isFloat ? 0.5 : 0));
  const spans = [1, 1, 2, length - 1];
  return { t, isFloat, schema: 1, sum: minute * 2, zeroCount: minute % 5, spans, buckets };
}

/** Floats of a metric, one a time. */
export function floats(name: string, times: readonly number[], zone = 'a'): TestSeries {
  const labels = [
    ['__name__', name],
    ['zone', zone],
  ] as const;
  return { labels, samples: times.map((t) => [t, t / 1000 + name.length]) };
}

/** Native histograms of a metric, one a time. */
export function histograms(name: string, times: readonly number[], isFloat: boolean): TestSeries {
  return {
    labels: [['__name__', name]],
    samples: [],
    histograms: times.map((t) => histogramAt(t, isFloat)),
  };
}

/** A float with an exemplar. */
export function withExemplar(name: string, t: number): TestSeries {
  const exemplars = [{ labels: [['trace_id', `t${t}`]] as const, t, value: 0.5 }];
  return { ...floats(name, [t]), exemplars };
}

/** Metadata of a family as a field of a request: type 1, family 2, help 4, unit 5. */
export function metadataField(family: string): Buffer {
  const type = Buffer.concat([Buffer.from([0x08]), protobufVarint(1)]);
  const texts = [
    messageField(2, family),
    messageField(4, `What ${family} is.`),
    messageField(5, 's'),
  ];
  return messageField(3, Buffer.concat([type, ...texts]));
}

/** Times from..to in steps, in ms. */
export function every(step: number, from: number, to: number): number[] {
  const times: number[] = [];
  for (let t = from; t < to; t += step) times.push(t);
  return times;
}

/** Writes series and notes them as acknowledged when they were. @throws what the write throws; they are noted as sent. */
export async function write(
  tsdb: MaintainedTsdb,
  ledger: Ledger,
  series: readonly TestSeries[],
): Promise<void> {
  ledger.note(series, false);
  await tsdb.db.writeDecoded(encodeWriteRequest(series));
  ledger.note(series, true);
}

/** One scrape of everything. */
function scrape(t: number): TestSeries[] {
  return [
    withExemplar('float', t),
    floats('float', [t], 'b'),
    floats('late', [t]),
    floats('deleted', [t]),
    histograms('integers', [t], false),
    histograms('floatHistograms', [t], true),
    histograms('lateHistograms', [t], false),
  ];
}

/** Samples of an hour ago, between those that were scraped. */
function lateOnes(t: number, count: number): TestSeries[] {
  const times = every(1000, t - HOUR + 500, t - HOUR + 500 + count * 1000);
  return [floats('late', times), histograms('lateHistograms', times.slice(0, count >> 1), false)];
}

/** Deletes from the head, as the API does. */
export async function deleteFromHead(
  tsdb: MaintainedTsdb,
  ledger: Ledger,
  range: TimeRange,
): Promise<void> {
  ledger.noteDeleted('deleted', range, false);
  await tsdb.db.deleteSeries([[new Matcher('=', '__name__', 'deleted')]], range);
  ledger.noteDeleted('deleted', range, true);
}

/** Opens a directory as tests of this kind do. */
export function openWhole(
  directory: string,
  options: Omit<ConstructorParameters<typeof MaintainedTsdb>[0], 'directory'> = {},
): MaintainedTsdb {
  return new MaintainedTsdb({
    arenaBytes: 24 << 20,
    outOfOrderWindowMs: WINDOW,
    exemplarsMax: 1000,
    ...options,
    directory,
  });
}

/** Fills an empty directory with everything. Three restarts, so that there are segments for a checkpoint. */
export async function makeWholeDirectory(directory: string): Promise<Ledger> {
  const ledger = new Ledger();
  for (const [from, to] of [
    [0, 2 * HOUR],
    [2 * HOUR, 3.5 * HOUR],
    [3.5 * HOUR, 5.2 * HOUR],
    [5.2 * HOUR, WHOLE_END],
  ] as const) {
    using tsdb = openWhole(directory);
    for (let t = from; t < to; t += MINUTE) {
      await write(tsdb, ledger, scrape(t));
      if (t % HOUR === 30 * MINUTE && t > HOUR) await write(tsdb, ledger, lateOnes(t, 40));
    }
    if (to > 2 * HOUR) await tsdb.maintenance.run();
    if (to === WHOLE_END) {
      for (const { directory: block, meta } of tsdb.catalog.blocks) {
        if (meta.minTime !== 0 || meta.compaction.hints !== undefined) continue;
        const matchers = [new Matcher('=', '__name__', 'deleted')];
        const range = { mint: 10 * MINUTE, maxt: 20 * MINUTE };
        deleteFromBlock(systemFiles, block, { matchers, ...range });
        ledger.noteDeleted('deleted', range, true);
      }
      await deleteFromHead(tsdb, ledger, { mint: 5 * HOUR, maxt: 5.1 * HOUR });
      // One list that is full and moved to a file, and some samples behind it.
      await write(tsdb, ledger, lateOnes(WHOLE_END - 20 * MINUTE, 45));
      await write(tsdb, ledger, lateOnes(WHOLE_END - 10 * MINUTE, 20));
      const body = Buffer.concat([
        encodeWriteRequest([floats('float', [WHOLE_END])]),
        metadataField('float'),
      ]);
      await tsdb.db.writeDecoded(body);
      ledger.note([floats('float', [WHOLE_END])], true);
    }
  }
  return ledger;
}

/** What a killed process leaves: a copy of its files, without its lock. */
export function crashCopy(from: string, to: string): string {
  rmSync(to, { recursive: true, force: true });
  cpSync(from, to, { recursive: true });
  rmSync(join(to, 'lock'), { force: true });
  return to;
}

/** What a read found: samples, and what it said where it could not read. */
export interface Found {
  readonly samples: Samples;
  readonly errors: readonly unknown[];
  readonly warnings: readonly string[];
}

/** Reads all series in a range one by one: an error of one does not keep the others from being read. */
export async function readEverything(
  reader: TsdbReader,
  mint = -1e15,
  maxt = 1e15,
): Promise<Found> {
  const samples: Samples = new Map();
  const errors: unknown[] = [];
  const note = (work: () => void): void => {
    try {
      work();
    } catch (thrown) {
      errors.push(thrown);
    }
  };
  let warnings: readonly string[] = [];
  try {
    const set = await reader.select({ matchers: [new Matcher('!=', '__name__', '')], mint, maxt });
    warnings = set.warnings;
    const columns = new FloatColumns();
    const histogramColumns = new HistogramColumns();
    for (let i = 0; i < set.count; i++) {
      note(() => {
        const { pairs } = set.labels(i);
        const key = pairs
          .flatMap((name, k) => (k % 2 === 0 ? [`${name}=${pairs[k + 1]}`] : []))
          .join(',');
        const found = getOrMake(samples, key, () => new Map<number, string>());
        set.readFloats(i, columns, false);
        for (let k = 0; k < columns.length; k++)
          found.set(columns.t[k] as number, String(columns.v[k]));
        set.readHistograms(i, histogramColumns, false);
        for (let k = 0; k < histogramColumns.length; k++)
          found.set(histogramColumns.t[k] as number, textOfRow(histogramColumns, k));
      });
    }
    set.close();
  } catch (thrown) {
    errors.push(thrown);
  }
  return { samples, errors, warnings };
}

/** The first sample that was read and never sent; undefined when there is none. */
export function firstGarbage({ samples }: Found, { sent }: Ledger): string | undefined {
  for (const [key, found] of samples)
    for (const [t, text] of found)
      if (sent.get(key)?.get(t)?.has(text) !== true) return `${key} at ${t}: ${text}`;
  return undefined;
}

/** The first sample that was read although it was deleted; undefined when there is none. */
export function firstDeleted({ samples }: Found, { deleted }: Ledger): string | undefined {
  for (const [key, times] of deleted)
    for (const t of times) if (samples.get(key)?.has(t) === true) return `${key} at ${t}`;
  return undefined;
}

/** Acknowledged samples in a range that were not read: how many, and the first one. */
export function missingOf(
  { samples }: Found,
  { kept }: Ledger,
  mint = -Infinity,
  maxt = Infinity,
): { readonly count: number; readonly first: string } {
  let count = 0;
  let first = '';
  for (const [key, wanted] of kept) {
    for (const [t, text] of wanted) {
      if (t < mint || t > maxt || samples.get(key)?.get(t) === text) continue;
      if (count++ === 0) first = `${key} at ${t}: ${text}, got ${samples.get(key)?.get(t)}`;
    }
  }
  return { count, first };
}
