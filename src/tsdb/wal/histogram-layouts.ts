/**
 * Gives equal layouts of encoded histograms the same object. The samples of a record are of many series in turn, so that
 * one layout follows another; without this each sample would bring a layout of its own.
 */
import { CUSTOM_BUCKETS_SCHEMA, EXPONENTIAL_SCHEMA_MAX } from '../../model/histogram.ts';
import type { HistogramLayout } from '../../model/histogram.ts';

/** limit: layouts that are remembered; a few hundred bytes each. Then it begins anew. */
const LAYOUTS_MAX = 16384;

/** The schemas of Prometheus (model/histogram): those above 8 are reserved, for finer buckets than any that are made. */
const SCHEMA_RESERVED = { min: -9, max: 52 } as const;

/** Whether a schema is one of Prometheus', in use or reserved. */
export function isKnownSchema(schema: number): boolean {
  return (
    schema === CUSTOM_BUCKETS_SCHEMA ||
    (schema >= SCHEMA_RESERVED.min && schema <= SCHEMA_RESERVED.max)
  );
}

/** Whether buckets of a schema are too fine for us, and are joined when they are read. */
export function isTooFine(schema: number): boolean {
  return schema > EXPONENTIAL_SCHEMA_MAX;
}

/** Layouts by their encoded bytes. */
export class LayoutCache {
  #key = new Uint8Array(256);
  #size = 0;
  readonly #byHash = new Map<number, { key: Uint8Array; layout: HistogramLayout }>();

  /** Begins the key of a layout. */
  begin(): void {
    this.#size = 0;
  }

  /** Takes encoded bytes into the key: all that tell the layout. */
  key(bytes: Uint8Array, from: number, to: number): void {
    const size = this.#size + to - from;
    if (size > this.#key.length) {
      const more = new Uint8Array(size * 2);
      more.set(this.#key);
      this.#key = more;
    }
    for (let i = from, at = this.#size; i < to; i++) this.#key[at++] = bytes[i] as number;
    this.#size = size;
  }

  /** The layout of the key: the one before, or what `make` answers. */
  get(make: () => HistogramLayout): HistogramLayout {
    let hash = 0x811c9dc5;
    for (let i = 0; i < this.#size; i++) {
      hash = Math.imul(hash ^ (this.#key[i] as number), 0x01000193);
    }
    const known = this.#byHash.get(hash);
    if (known !== undefined && this.#holds(known.key)) return known.layout;
    const layout = make();
    if (this.#byHash.size >= LAYOUTS_MAX) this.#byHash.clear();
    this.#byHash.set(hash, { key: this.#key.slice(0, this.#size), layout });
    return layout;
  }

  #holds(key: Uint8Array): boolean {
    if (key.length !== this.#size) return false;
    for (let i = 0; i < key.length; i++) if (key[i] !== this.#key[i]) return false;
    return true;
  }
}
