/**
 * The series of one TSDB in the order of their labels, run by run, for the merge with those of the bucket (bucket/read/merge-series.ts).
 * Workers say which there are, and then make pages of chunks, one ahead of what is taken.
 */
import { toSpecs } from '../../http/matcher-specs.ts';
import type { ByteBudget } from '../../bucket/read/limits.ts';
import { holdBytes } from '../../bucket/read/series-run.ts';
import type { SeriesRun } from '../../bucket/read/series-run.ts';
import type { Matcher } from '../../model/matcher.ts';
import type { SeriesRequest } from '../../rpc/store/series-request.ts';
import { partsBytes, sliceParts } from './store-chunk-reader.ts';
import type {
  StorePage,
  StorePageParams,
  StoreSelectParams,
  StoreSelection,
} from './store-tasks.ts';

/** limit: bytes of the chunks of a page, but for its last series. */
const PAGE_BYTES = 2 << 20;
/** limit: series of a run without chunks. */
const RUN_SERIES_MAX = 10_000;

/** Who runs the tasks: both reject with CodedError, canceled when the signal fires. */
export interface StoreTaskClient {
  storeSelect(params: StoreSelectParams, signal: AbortSignal): Promise<StoreSelection>;
  storePage(params: StorePageParams, signal: AbortSignal): Promise<StorePage>;
}

/** What is asked of a TSDB. */
export interface TsdbStreamOptions {
  readonly client: StoreTaskClient;
  readonly tsdb: number;
  readonly request: SeriesRequest;
  readonly budget: ByteBudget;
  readonly signal: AbortSignal;
  readonly onWarning: (text: string) => void;
}

/** Finds the series of a TSDB; `matchers` are those of the request without those on external labels. @throws CodedError. */
export function selectSeries(
  { client, tsdb, request, signal }: TsdbStreamOptions,
  matchers: readonly Matcher[],
): Promise<StoreSelection> {
  const { mint, maxt, skipChunks, withoutReplicaLabels, shard, limit } = request;
  const params = {
    tsdb,
    mint,
    maxt,
    matchers: toSpecs(matchers),
    without: withoutReplicaLabels,
    shard,
    limit,
    withChunks: !skipChunks,
  };
  return client.storeSelect(params, signal);
}

/** The runs of the series that were found. Pages under way are cancelled when the iteration ends. @throws CodedError. */
export async function* tsdbRuns(
  options: TsdbStreamOptions,
  selection: StoreSelection,
): AsyncGenerator<SeriesRun> {
  const ending = new AbortController();
  const signal = AbortSignal.any([options.signal, ending.signal]);
  const release = holdBytes(options.budget, selectionBytes(selection));
  try {
    for (const warning of selection.warnings) options.onWarning(warning);
    if (options.request.skipChunks) yield* labelRuns(selection);
    else yield* new ChunkRuns(options, selection, signal).runs();
  } finally {
    release();
    ending.abort();
  }
}

/** Bytes of a series beside its labels and what of it was found. */
const SERIES_BYTES = 16;

function selectionBytes({ labels, starts, found }: StoreSelection): number {
  const own = labels.length + starts.length * SERIES_BYTES;
  return found === undefined ? own : own + partsBytes(found);
}

/** Series without chunks. */
function* labelRuns(selection: StoreSelection): Generator<SeriesRun> {
  const count = selection.starts.length - 1;
  for (let from = 0; from < count; from += RUN_SERIES_MAX) {
    const to = Math.min(count, from + RUN_SERIES_MAX);
    const none = { chunkStarts: new Uint32Array(to - from + 1), mint: NO_TIMES, maxt: NO_TIMES };
    const places = { segments: NO_PLACES, offsets: NO_PLACES };
    const labels = labelColumns(selection, { from, to });
    yield { ...labels, ...none, ...places, frames: undefined, release: () => undefined };
  }
}

const NO_TIMES = new Float64Array(0);
const NO_PLACES = new Uint32Array(0);

function labelColumns(
  { labels, starts }: StoreSelection,
  { from, to }: { readonly from: number; readonly to: number },
): Pick<SeriesRun, 'count' | 'labels' | 'labelStarts'> {
  const bytes = Buffer.from(labels.buffer, labels.byteOffset, labels.byteLength);
  return { count: to - from, labels: bytes, labelStarts: starts.subarray(from, to + 1) };
}

/** A page, and the series that it is of. */
interface ReadPage {
  readonly page: StorePage;
  readonly from: number;
  readonly to: number;
  readonly release: () => void;
}

class ChunkRuns {
  readonly #options: TsdbStreamOptions;
  readonly #selection: StoreSelection;
  readonly #signal: AbortSignal;

  constructor(options: TsdbStreamOptions, selection: StoreSelection, signal: AbortSignal) {
    this.#options = options;
    this.#selection = selection;
    this.#signal = signal;
  }

  async *runs(): AsyncGenerator<SeriesRun> {
    const count = this.#selection.starts.length - 1;
    const { limit } = this.#options.request;
    let left = limit > 0 ? limit : Infinity;
    let next = count > 0 ? this.#read(0, left) : undefined;
    try {
      while (next !== undefined) {
        const read = await next;
        const run = this.#toRun(read);
        left -= run.count;
        next = read.to < count && left > 0 ? this.#read(read.to, left) : undefined;
        next?.catch(() => undefined);
        // Series that turned out to have no chunks in the range are not sent.
        if (run.count > 0) yield run;
        else run.release();
      }
    } finally {
      // Whoever stops early does not use what was read ahead.
      next?.then(
        ({ release }) => release(),
        () => undefined,
      );
    }
  }

  async #read(from: number, seriesMax: number): Promise<ReadPage> {
    const { client, tsdb, budget } = this.#options;
    const { members, found } = this.#selection;
    if (found === undefined) throw new Error('BUG: chunks of a select without chunks');
    const end = this.#pageEnd(from, seriesMax);
    const first = members[from] as number;
    const params = {
      tsdb,
      found: sliceParts(found, { from: first, to: members[end] as number }),
      members: members.slice(from, end + 1).map((member) => member - first),
      bytesMax: PAGE_BYTES,
    };
    const page = await client.storePage(params, this.#signal);
    const to = from + page.chunkStarts.length - 1;
    return { page, from, to, release: holdBytes(budget, pageBytes(page)) };
  }

  /** Where a page ends that begins at a series, as far as estimates tell. */
  #pageEnd(from: number, seriesMax: number): number {
    const { sizes } = this.#selection;
    const most = Math.min(sizes.length, from + seriesMax);
    let to = from;
    for (let bytes = 0; to < most && (bytes < PAGE_BYTES || to === from); to++)
      bytes += sizes[to] as number;
    return to;
  }

  #toRun({ page, from, to, release }: ReadPage): SeriesRun {
    const { bytes, ends, chunkStarts, mint, maxt } = page;
    const start = Uint32Array.from(ends, (_, k) => ends[k - 1] ?? 0);
    const frames = {
      parts: [bytes],
      buffers: [],
      part: new Uint32Array(ends.length),
      start,
      end: ends,
    };
    const none = { segments: NO_PLACES, offsets: NO_PLACES };
    const all = { ...labelColumns(this.#selection, { from, to }), chunkStarts };
    return { ...withChunks(all), mint, maxt, ...none, frames, release };
  }
}

type Columns = Pick<SeriesRun, 'count' | 'labels' | 'labelStarts' | 'chunkStarts'>;

/** Without series that have no chunks. */
function withChunks(all: Columns): Columns {
  const { count, labels, labelStarts, chunkStarts } = all;
  const kept: number[] = [];
  for (let i = 0; i < count; i++) if (chunkStarts[i] !== chunkStarts[i + 1]) kept.push(i);
  if (kept.length === count) return all;
  const newStarts = new Uint32Array(kept.length + 1);
  const newChunks = new Uint32Array(kept.length + 1);
  const pieces = kept.map((i) => labels.subarray(labelStarts[i], labelStarts[i + 1]));
  for (const [n, piece] of pieces.entries()) {
    newStarts[n + 1] = (newStarts[n] as number) + piece.length;
    newChunks[n + 1] = chunkStarts[(kept[n] as number) + 1] as number;
  }
  return {
    count: kept.length,
    labels: Buffer.concat(pieces),
    labelStarts: newStarts,
    chunkStarts: newChunks,
  };
}

function pageBytes({ bytes, ends }: StorePage): number {
  return bytes.length + ends.length * 24;
}
