/**
 * Exemplars of a head: a ring of so many, the oldest going first, by Prometheus' rules of what is taken
 * (tsdb/exemplar.go). Lives in the ingest worker; questions about exemplars are rare and answered there.
 */
import { compareBytes } from '../../lib/utf8.ts';

/** limit: characters of an exemplar's label names and values in sum, OpenMetrics' own. */
const LABEL_CHARS_MAX = 128;

/** An exemplar, as it is stored. */
export interface StoredExemplar {
  /** Name, value, … as UTF-8, sorted by name; owned by the store. */
  readonly labels: readonly Uint8Array[];
  readonly t: number;
  readonly value: number;
}

/** What became of one. */
export type ExemplarFate = 'stored' | 'duplicate' | 'out of order' | 'labels too long' | 'disabled';

/** What a store knows a series by; any number that stays its own. */
type SeriesKey = number;

/** The ring. */
export class ExemplarStore {
  readonly #capacity: number;
  /** How far behind its series' newest exemplar one may be (ms). */
  readonly #windowMs: number;
  readonly #bySeries = new Map<SeriesKey, StoredExemplar[]>();
  /** Series of each place of the ring, and its exemplar. */
  readonly #ring: { readonly series: SeriesKey; readonly exemplar: StoredExemplar }[] = [];
  #next = 0;

  constructor(capacity: number, windowMs: number) {
    this.#capacity = capacity;
    this.#windowMs = windowMs;
  }

  /** How many there are, and of how many series. */
  get size(): number {
    return this.#ring.length;
  }

  get seriesCount(): number {
    return this.#bySeries.size;
  }

  /** What {@link add} would do. */
  judge(series: SeriesKey, exemplar: StoredExemplar): ExemplarFate {
    if (this.#capacity <= 0) return 'disabled';
    if (labelChars(exemplar.labels) > LABEL_CHARS_MAX) return 'labels too long';
    const list = this.#bySeries.get(series);
    const newest = list?.at(-1);
    if (list === undefined || newest === undefined) return 'stored';
    const order = compareExemplars(exemplar, newest);
    if (order === 0) return 'duplicate';
    if (exemplar.t === newest.t && order < 0) return 'out of order';
    if (exemplar.t >= newest.t) return 'stored';
    if (exemplar.t <= newest.t - this.#windowMs) return 'out of order';
    return list.some(({ t }) => t === exemplar.t) ? 'duplicate' : 'stored';
  }

  /** Stores an exemplar if {@link judge} says so. */
  add(series: SeriesKey, exemplar: StoredExemplar): ExemplarFate {
    const fate = this.judge(series, exemplar);
    if (fate !== 'stored') return fate;
    const replaced = this.#ring[this.#next];
    if (replaced !== undefined) this.#drop(replaced.series, replaced.exemplar);
    this.#ring[this.#next] = { series, exemplar };
    this.#next = (this.#next + 1) % this.#capacity;
    let list = this.#bySeries.get(series);
    if (list === undefined) this.#bySeries.set(series, (list = []));
    let at = list.length;
    while (at > 0 && (list[at - 1] as StoredExemplar).t > exemplar.t) at--;
    list.splice(at, 0, exemplar);
    return 'stored';
  }

  /** The exemplars of a series in a range of time (ms, inclusive), oldest first. */
  of(series: SeriesKey, mint: number, maxt: number): StoredExemplar[] {
    return (this.#bySeries.get(series) ?? []).filter(({ t }) => t >= mint && t <= maxt);
  }

  /** Visits all exemplars in the order in which they came. */
  each(visit: (series: SeriesKey, exemplar: StoredExemplar) => void): void {
    const count = this.#ring.length;
    for (let i = 0; i < count; i++) {
      // While the ring is not full, the next place is its end.
      const at = (this.#next + i) % count;
      const entry = this.#ring[count < this.#capacity ? i : at];
      if (entry !== undefined) visit(entry.series, entry.exemplar);
    }
  }

  #drop(series: SeriesKey, exemplar: StoredExemplar): void {
    const list = this.#bySeries.get(series);
    if (list === undefined) return;
    const at = list.indexOf(exemplar);
    if (at >= 0) list.splice(at, 1);
    if (list.length === 0) this.#bySeries.delete(series);
  }
}

/** By time, value, then labels: what comes before the newest one is out of order. */
function compareExemplars(a: StoredExemplar, b: StoredExemplar): number {
  if (a.t !== b.t) return a.t - b.t;
  if (!Object.is(a.value, b.value)) return a.value < b.value ? -1 : 1;
  // compat: Prometheus compares hashes here, an order as arbitrary as this one.
  const n = Math.min(a.labels.length, b.labels.length);
  for (let i = 0; i < n; i++) {
    const order = compareBytes(a.labels[i] as Uint8Array, b.labels[i] as Uint8Array);
    if (order !== 0) return order;
  }
  return a.labels.length - b.labels.length;
}

function labelChars(labels: readonly Uint8Array[]): number {
  let count = 0;
  // A character begins with every byte that does not continue one.
  for (const part of labels) for (const byte of part) if ((byte & 0xc0) !== 0x80) count++;
  return count;
}
