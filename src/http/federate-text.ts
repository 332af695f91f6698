/** Families in the text format 0.0.4. Behaviour: prometheus/common expfmt/text_create.go. */
import type { HistogramColumns } from '../model/histogram.ts';
import { encodeUtf8 } from '../lib/utf8.ts';
import { formatGoFloat } from '../ops/go-float.ts';
import { cumulativeBuckets } from './classic-buckets.ts';
import { escapeName, isLegacyName } from './escape-name.ts';
import type { EscapingScheme } from './escape-name.ts';
import type { FamilyType, FamilyWriter } from './family-writer.ts';
import type { FederatedSample } from './federate-select.ts';

/** UTF-16 units of text that are encoded at a time. */
const PIECE_LENGTH = 64 * 1024;

/** Writes lines into pieces of text. Histograms are written as classic ones. */
export class TextFamilies implements FamilyWriter {
  readonly #histograms: HistogramColumns;
  readonly #escaping: EscapingScheme;
  readonly #pieces: Uint8Array<ArrayBuffer>[] = [];
  #text = '';
  #name = '';

  constructor(histograms: HistogramColumns, escaping: EscapingScheme) {
    this.#histograms = histograms;
    this.#escaping = escaping;
  }

  family(name: string, type: FamilyType): void {
    this.#name = escapeName(name, this.#escaping);
    // The format has no gauge histograms.
    const shown = type === 'gaugehistogram' ? 'histogram' : type;
    this.#text += `# TYPE ${nameText(this.#name)} ${shown}\n`;
  }

  metric(labels: readonly string[], { t, value, row }: FederatedSample): void {
    const pairs = this.#pairs(labels);
    if (row < 0) {
      this.#line(this.#name, pairs, value, t);
      return;
    }
    const { count, sum } = this.#histograms;
    const bucket = (bound: number, observations: number) => {
      const le = `le="${formatGoFloat(bound)}"`;
      this.#line(`${this.#name}_bucket`, [...pairs, le], observations, t);
    };
    for (const [bound, observations] of cumulativeBuckets(this.#histograms, row)) {
      bucket(bound, observations);
    }
    bucket(Infinity, count[row] as number);
    this.#line(`${this.#name}_sum`, pairs, sum[row] as number, t);
    this.#line(`${this.#name}_count`, pairs, count[row] as number, t);
  }

  finish(): Uint8Array<ArrayBuffer>[] {
    this.#cut();
    return this.#pieces;
  }

  #pairs(labels: readonly string[]): string[] {
    const pairs: string[] = [];
    for (let i = 0; i < labels.length; i += 2) {
      const name = nameText(escapeName(labels[i] as string, this.#escaping));
      pairs.push(`${name}="${escapeValue(labels[i + 1] as string)}"`);
    }
    return pairs;
  }

  #line(name: string, pairs: readonly string[], value: number, t: number): void {
    // A name that old readers would not know goes inside the braces.
    const isLegacy = isLegacyName(name);
    const inside = isLegacy ? pairs : [nameText(name), ...pairs];
    const labels = inside.length === 0 ? '' : `{${inside.join(',')}}`;
    // compat: minus zero is printed without its sign.
    const number = value === 0 ? '0' : formatGoFloat(value);
    this.#text += `${isLegacy ? name : ''}${labels} ${number} ${t}\n`;
    if (this.#text.length >= PIECE_LENGTH) this.#cut();
  }

  #cut(): void {
    if (this.#text !== '') this.#pieces.push(encodeUtf8(this.#text));
    this.#text = '';
  }
}

/** A name, in quotes when old readers would not know it. */
function nameText(name: string): string {
  return isLegacyName(name) ? name : `"${escapeValue(name)}"`;
}

function escapeValue(text: string): string {
  return text.replaceAll('\\', '\\\\').replaceAll('\n', '\\n').replaceAll('"', '\\"');
}
