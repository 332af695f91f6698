/**
 * Label sets: immutable, sorted by name in UTF-8 byte order, no empty values, no name twice.
 *
 * Kept as one flat array (name, value, name, value, …): half the objects of an array of pairs, and the form that
 * grouping and merging walk. Prometheus' labels.Labels is the model.
 */
import { compareUtf8 } from '../lib/utf8.ts';

/** The label that holds a metric's name. */
export const METRIC_NAME = '__name__';

/**
 * Separates names and values in keys: a lone low surrogate, which no text has that was UTF-8. (U+FFFF would not do: it is
 * a character that labels may hold.)
 */
export const KEY_SEPARATOR = '\udfff';

/** A sorted label set. Equal sets have equal {@link Labels.key}s. */
export class Labels {
  /** name, value, name, value, … sorted by name. */
  readonly pairs: readonly string[];
  #key: string | undefined;

  /** Takes ownership of pairs that are sorted, unique and non-empty already; otherwise use {@link fromPairs}. */
  constructor(pairs: readonly string[]) {
    this.pairs = pairs;
  }

  /** Builds a set from names and values in any order; empty values are dropped, a later name wins. */
  static fromPairs(entries: Iterable<readonly [string, string]>): Labels {
    const map = new Map<string, string>();
    for (const [name, value] of entries) map.set(name, value);
    const sorted = [...map].filter(([, v]) => v !== '').sort((a, b) => compareUtf8(a[0], b[0]));
    return new Labels(sorted.flat());
  }

  /** Builds a set from an object's own keys. */
  static fromObject(object: Readonly<Record<string, string>>): Labels {
    return Labels.fromPairs(Object.entries(object));
  }

  /** How many labels there are. */
  get size(): number {
    return this.pairs.length / 2;
  }

  /** The value of a label, '' when absent (Prometheus makes no difference between the two). */
  get(name: string): string {
    const { pairs } = this;
    for (let i = 0; i < pairs.length; i += 2) {
      if (pairs[i] === name) return pairs[i + 1] as string;
    }
    return '';
  }

  /** Whether the label is present. */
  has(name: string): boolean {
    return this.get(name) !== '';
  }

  /** A text that is equal exactly for equal sets: for Map keys. */
  get key(): string {
    this.#key ??= this.pairs.join(KEY_SEPARATOR);
    return this.#key;
  }

  /** The labels whose names are in the set. */
  keep(names: ReadonlySet<string>): Labels {
    return this.#filter((name) => names.has(name));
  }

  /** The labels whose names are not in the set. */
  drop(names: ReadonlySet<string>): Labels {
    return this.#filter((name) => !names.has(name));
  }

  /** The set without its metric name. */
  dropMetricName(): Labels {
    return this.has(METRIC_NAME) ? this.#filter((name) => name !== METRIC_NAME) : this;
  }

  /** The set with one label set to a value; '' removes it. */
  with(name: string, value: string): Labels {
    return Labels.fromPairs([...this, [name, value]]);
  }

  /** Iterates over [name, value] in order. */
  *[Symbol.iterator](): Generator<[string, string]> {
    const { pairs } = this;
    for (let i = 0; i < pairs.length; i += 2) {
      yield [pairs[i] as string, pairs[i + 1] as string];
    }
  }

  /** As a plain object, in order. */
  toObject(): Record<string, string> {
    return Object.fromEntries(this);
  }

  /** As PromQL writes it: `name{a="b"}`. */
  toString(): string {
    const rest = [...this]
      .filter(([name]) => name !== METRIC_NAME)
      .map(([name, value]) => `${name}=${JSON.stringify(value)}`);
    const metric = this.get(METRIC_NAME);
    return rest.length === 0 && metric !== '' ? metric : `${metric}{${rest.join(', ')}}`;
  }

  #filter(test: (name: string) => boolean): Labels {
    const { pairs } = this;
    let kept = 0;
    while (kept < pairs.length && test(pairs[kept] as string)) kept += 2;
    // perf: most filters leave most sets as they are.
    if (kept === pairs.length) return this;
    const out = pairs.slice(0, kept);
    for (let i = kept + 2; i < pairs.length; i += 2) {
      if (test(pairs[i] as string)) out.push(pairs[i] as string, pairs[i + 1] as string);
    }
    return new Labels(out);
  }
}

/** The set without labels. */
export const EMPTY_LABELS = new Labels([]);

/** Order of label sets: name, value, name, value, … in UTF-8 byte order; a prefix sorts first. */
export function compareLabels(a: Labels, b: Labels): number {
  const x = a.pairs;
  const y = b.pairs;
  const n = Math.min(x.length, y.length);
  for (let i = 0; i < n; i++) {
    const d = compareUtf8(x[i] as string, y[i] as string);
    if (d !== 0) return d;
  }
  return x.length - y.length;
}

/** Whether two sets are equal. */
export function equalLabels(a: Labels, b: Labels): boolean {
  const x = a.pairs;
  const y = b.pairs;
  if (x.length !== y.length) return false;
  // perf: neighbours in label order differ at the end, if anywhere.
  for (let i = x.length - 1; i >= 0; i--) if (x[i] !== y[i]) return false;
  return true;
}
