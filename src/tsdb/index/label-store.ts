/**
 * Texts and label sets of a thread, shared by all blocks that it reads: equal texts of different blocks are one string,
 * so that comparing their labels compares addresses, and label sets that were read lately need not be read again.
 */
import type { Labels } from '../../model/labels.ts';

/** limit: label sets kept over all blocks: some 300 bytes each, texts apart. */
const LABELS_MAX = 100_000;
/** limit: texts that are looked for among those there are; forgotten together when there are more. */
const TEXTS_MAX = 1 << 20;

/** The texts and label sets of one thread. */
export class LabelStore {
  readonly #textsMax: number;
  readonly #halfMax: number;
  readonly #texts = new Map<string, string>();
  /** Label sets in the younger half of the caches. */
  #young = 0;
  /** Counts the halves that have been filled. */
  #epoch = 0;

  constructor(limits: { readonly labels?: number; readonly texts?: number } = {}) {
    this.#halfMax = Math.max(1, (limits.labels ?? LABELS_MAX) / 2);
    this.#textsMax = limits.texts ?? TEXTS_MAX;
  }

  /** The string that stands for all equal ones. */
  readonly intern = (text: string): string => {
    const known = this.#texts.get(text);
    if (known !== undefined) return known;
    if (this.#texts.size >= this.#textsMax) this.#texts.clear();
    this.#texts.set(text, text);
    return text;
  };

  /** A cache of the label sets of one block by series number. It is gone when nobody holds it any more. */
  cache(): LabelCache {
    return new LabelCache(this);
  }

  /** Which half is filled at the moment: what was kept two halves ago is forgotten. */
  get epoch(): number {
    return this.#epoch;
  }

  /** Notes that a label set was put into the younger half of a cache. */
  noteKept(): void {
    if (++this.#young < this.#halfMax) return;
    this.#young = 0;
    this.#epoch++;
  }
}

/** The label sets of one block, the latest of them. */
export class LabelCache {
  readonly #store: LabelStore;
  #epoch: number;
  #young = new Map<number, Labels>();
  #old = new Map<number, Labels>();

  constructor(store: LabelStore) {
    this.#store = store;
    this.#epoch = store.epoch;
  }

  /** The labels of a series, if they are still there. */
  get(series: number): Labels | undefined {
    if (this.#epoch !== this.#store.epoch) this.#age();
    const young = this.#young.get(series);
    if (young !== undefined) return young;
    const old = this.#old.get(series);
    if (old !== undefined) this.set(series, old);
    return old;
  }

  /** Keeps the labels of a series for a while. */
  set(series: number, labels: Labels): void {
    this.#store.noteKept();
    if (this.#epoch !== this.#store.epoch) this.#age();
    this.#young.set(series, labels);
  }

  #age(): void {
    const { epoch } = this.#store;
    this.#old = epoch === this.#epoch + 1 ? this.#young : new Map();
    this.#young = new Map();
    this.#epoch = epoch;
  }
}
