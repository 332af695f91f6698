/** What operations do to labels. */
import { KEY_SEPARATOR, METRIC_NAME, type Labels } from '../../model/labels.ts';
import { quote } from '../parse/quote.ts';

/** Labels that describe the metric itself: an operation that makes another metric of it drops them. */
const METADATA: ReadonlySet<string> = new Set([METRIC_NAME, '__type__', '__unit__']);

/** The labels without name, type and unit. */
export function dropMetadata(labels: Labels): Labels {
  const { pairs } = labels;
  for (let i = 0; i < pairs.length; i += 2) {
    // Labels are sorted, and everything that could go starts with two underscores.
    const name = pairs[i] as string;
    if (METADATA.has(name)) return labels.drop(METADATA);
    if (name > '__unit__') break;
  }
  return labels;
}

/** A label set as Go prints it: every label, the name included, inside braces. */
export function printLabels(labels: Labels): string {
  const texts = [...labels].map(([name, value]) => {
    const plain = /^[a-zA-Z_][a-zA-Z0-9_]*$/.test(name);
    return `${plain ? name : quote(name)}=${quote(value)}`;
  });
  return `{${texts.join(', ')}}`;
}

/** Assigns a number to each label set by the labels that a grouping or a match looks at. */
export class Signatures {
  readonly #names: ReadonlySet<string>;
  readonly #keep: boolean;
  readonly #ids = new Map<string, number>();
  /** The reduced labels of each number. */
  readonly labels: Labels[] = [];

  /** `keep`: only these labels count; otherwise all but these and the metric's name. */
  constructor(names: readonly string[], keep: boolean) {
    this.#names = new Set(keep ? names : [...names, METRIC_NAME]);
    this.#keep = keep;
  }

  /** The labels that count. */
  reduce(labels: Labels): Labels {
    return this.#keep ? labels.keep(this.#names) : labels.drop(this.#names);
  }

  /** The number of a label set: equal exactly for those that agree in the labels that count. */
  id(labels: Labels): number {
    const { pairs } = labels;
    let key = '';
    for (let i = 0; i < pairs.length; i += 2) {
      if (this.#names.has(pairs[i] as string) === this.#keep) {
        key += `${pairs[i]}${KEY_SEPARATOR}${pairs[i + 1]}${KEY_SEPARATOR}`;
      }
    }
    let id = this.#ids.get(key);
    if (id === undefined) {
      id = this.#ids.size;
      this.#ids.set(key, id);
      this.labels.push(this.reduce(labels));
    }
    return id;
  }
}
