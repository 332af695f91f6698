/** What a write request holds besides float samples: native histograms, exemplars, metadata. */
import { compareBytes } from '../../lib/utf8.ts';
import { ExemplarBatch, encodeExemplars } from '../wal/exemplar-records.ts';
import { encodeHistograms } from '../wal/histogram-records.ts';
import type { ArenaIngest, StageCounts } from './arena-ingest.ts';
import { S } from './arena-layout.ts';
import { readExemplar, readMetadata } from './exemplar-message.ts';
import type { ExemplarStore, StoredExemplar } from './exemplar-store.ts';
import { HistogramStager } from './histogram-stager.ts';
import type { OwnedSeries } from './histogram-stager.ts';
import { HistogramWriter } from './histogram-writer.ts';
import type { MetadataStore } from './metadata-store.ts';
import { splitTimeSeries } from './write-request.ts';
import { walkRequest } from './walk-request.ts';
import type { RichSeries, Span } from './walk-request.ts';

/** Stages, logs and applies them. */
export class RequestExtras {
  readonly histograms: HistogramStager;
  readonly writers: ReadonlyMap<ArenaIngest, HistogramWriter>;
  readonly #arenas: readonly ArenaIngest[];
  readonly #exemplars: ExemplarStore;
  readonly #metadata: MetadataStore;
  readonly #exemplarBatch = new ExemplarBatch();
  #staged: { readonly target: OwnedSeries; readonly exemplar: StoredExemplar }[] = [];

  constructor(
    arenas: readonly ArenaIngest[],
    stores: { readonly exemplars: ExemplarStore; readonly metadata: MetadataStore },
  ) {
    this.#arenas = arenas;
    this.#exemplars = stores.exemplars;
    this.#metadata = stores.metadata;
    this.writers = new Map(arenas.map((ingest) => [ingest, new HistogramWriter(ingest)]));
    this.histograms = new HistogramStager(this.writers);
  }

  /** Forgets what was staged. */
  begin(): void {
    this.histograms.begin();
    this.#exemplarBatch.clear();
    this.#staged = [];
  }

  /**
   * Stages what the kernel has passed over in a request that it has staged. Metadata is taken in at once.
   * @throws ShortBytesError for what is none of these messages.
   */
  stage(body: Uint8Array, counts: StageCounts): void {
    if (!this.#arenas.some((ingest) => ingest.hasMore)) return;
    walkRequest(body, {
      series: (series) => this.#stageSeries(body, series, counts),
      metadata: (span) => this.#metadata.add(readMetadata(body, span)),
    });
  }

  /** Bytes of the arenas that applying what is staged can take at the most. */
  get roomNeeded(): number {
    const { columns } = this.histograms.inOrder;
    let bytes = 0;
    for (let i = 0; i < columns.length; i++) bytes += HistogramWriter.roomFor(columns, i);
    return bytes;
  }

  /** The records of what is staged, for the WAL. */
  records(): Uint8Array[] {
    const records = encodeHistograms(this.histograms.inOrder);
    if (this.#exemplarBatch.length > 0) records.push(encodeExemplars(this.#exemplarBatch));
    return records;
  }

  /** Makes what is staged visible; calls `collectCuts` when a list of cut chunks must be emptied. */
  apply(collectCuts: () => void): void {
    const { inOrder, inOrderSeries } = this.histograms;
    for (const [i, { owner, series }] of inOrderSeries.entries()) {
      if (owner.cutsFull) collectCuts();
      this.writers.get(owner)?.append(series, inOrder.columns, i);
    }
    for (const { target, exemplar } of this.#staged) this.#exemplars.add(keyOf(target), exemplar);
  }

  #stageSeries(body: Uint8Array, series: RichSeries, counts: StageCounts): void {
    const target = this.#find(body, series);
    // Its labels were refused.
    if (target === undefined) return;
    this.histograms.stage(target, body, series.histograms, counts);
    for (const span of series.exemplars) this.#stageExemplar(target, body, span, counts);
  }

  #find(body: Uint8Array, { labels, regular, message }: RichSeries): OwnedSeries | undefined {
    const bytes = regular
      ? body.subarray(labels.from, labels.end)
      : splitTimeSeries(body.subarray(message.from, message.end)).labels;
    return (this.#arenas[0] as ArenaIngest).seriesOf(bytes);
  }

  #stageExemplar(target: OwnedSeries, body: Uint8Array, span: Span, counts: StageCounts): void {
    const { labels, valueAt, t } = readExemplar(body, span);
    // compat: an exemplar's value may be any NaN; only its being one is kept.
    const view = new DataView(body.buffer, body.byteOffset, body.byteLength);
    const value = valueAt < 0 ? 0 : view.getFloat64(valueAt, true);
    const exemplar = { labels: sorted(labels), t, value };
    const fate = this.#exemplars.judge(keyOf(target), exemplar);
    if (fate !== 'stored') {
      if (fate === 'out of order') counts.lateExemplars++;
      return;
    }
    const { arena } = target.owner;
    const i = this.#exemplarBatch.add(arena.getI64(target.series + S.ref), t, exemplar.labels);
    this.#exemplarBatch.samples.v[i] = value;
    this.#staged.push({ target, exemplar });
    counts.exemplars++;
  }
}

/** What the store of exemplars knows a series by. */
export function keyOf({ owner, series }: OwnedSeries): number {
  return owner.arena.getI64(series + S.ref);
}

/** Name, value, … sorted by name, as copies. */
function sorted(labels: readonly Uint8Array[]): Uint8Array[] {
  const pairs: [Uint8Array, Uint8Array][] = [];
  for (let i = 0; i < labels.length; i += 2)
    pairs.push([(labels[i] as Uint8Array).slice(), (labels[i + 1] as Uint8Array).slice()]);
  return pairs.sort((a, b) => compareBytes(a[0], b[0])).flat();
}
