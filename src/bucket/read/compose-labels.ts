/**
 * Labels of a block's series with the block's external labels, which win over those of a series, and without labels that a caller
 * does not want. Behaviour: thanos pkg/store/labelpb/label.go (ExtendSortedLabels), bucket.go (rmLabels).
 */
import type { Labels } from '../../model/labels.ts';
import { sortDistinct } from '../../tsdb/index/postings.ts';
import type { SymbolTable } from '../index-header/symbol-table.ts';
import { ByteWriter } from './label-bytes.ts';
import { type ExternalLabel, type NameRule, externalLabels, nameRule } from './name-rule.ts';
import type { ParsedSeries } from './series-batch.ts';

/** What is added and left out. */
export interface LabelRules {
  /** External labels, those of {@link without} apart. */
  readonly external: Labels;
  readonly without: ReadonlySet<string>;
}

/** Composed labels of series, in the order of the series: the i-th is bytes[starts[i]..starts[i + 1]]. */
export interface ComposedLabels {
  readonly bytes: Buffer;
  readonly starts: Uint32Array;
}

/**
 * Whether series of a block with these label names keep their order, but for those whose labels begin the labels of others: nothing
 * of a series is left out or replaced.
 */
export function keepsOrder(names: readonly string[], { external, without }: LabelRules): boolean {
  return names.every((name) => !without.has(name) && !external.has(name));
}

/** Composes labels of one block; keeps what it knows of names. */
export class LabelComposer {
  readonly #symbols: SymbolTable;
  readonly #rules: LabelRules;
  readonly #external: readonly ExternalLabel[];
  readonly #names = new Map<number, NameRule>();

  constructor(symbols: SymbolTable, rules: LabelRules) {
    this.#symbols = symbols;
    this.#rules = rules;
    this.#external = externalLabels(rules.external);
  }

  /** The labels of parsed series. @throws CorruptionError for symbols that are not there. */
  async compose(series: ParsedSeries): Promise<ComposedLabels> {
    const texts = await this.#symbols.texts(distinct(series.symbols));
    const writer = new ByteWriter(series.count * 128 + 64);
    const starts = new Uint32Array(series.count + 1);
    const { symbols, symbolStarts } = series;
    // Where the labels of the series before begin, by label, and how many external ones had been written.
    let marks = new Float64Array(64);
    let marksBefore = 0;
    for (let i = 0; i < series.count; i++) {
      const from = symbolStarts[i] as number;
      const to = symbolStarts[i + 1] as number;
      if (to - from > marks.length) marks = grown(marks, to - from);
      // perf: neighbours begin alike: what they have in common is copied in one piece.
      const common = i === 0 ? 0 : commonPairs(symbols, symbolStarts, i, marksBefore);
      let external = 0;
      if (common > 0) {
        external = marks[common * 2 + 1] as number;
        const begin = starts[i - 1] as number;
        const length = marks[common * 2] as number;
        writer.reserve(length);
        writer.bytes.copyWithin(writer.length, begin, begin + length);
        writer.length += length;
      }
      const start = starts[i] as number;
      for (let k = common; k < (to - from) / 2; k++) {
        const reference = symbols[from + k * 2] as number;
        const rule = this.#names.get(reference) ?? this.#nameRule(reference, texts);
        marks[k * 2] = writer.length - start;
        marks[k * 2 + 1] = external;
        for (; external < rule.before; external++) this.#writeExternal(writer, external);
        if (rule.dropped) continue;
        const value = texts.get(symbols[from + k * 2 + 1] as number) as Buffer;
        if (value.length > 0) writer.label(rule.bytes, value);
      }
      const labels = (to - from) / 2;
      if (labels * 2 + 2 > marks.length) marks = grown(marks, labels * 2 + 2);
      marks[labels * 2] = writer.length - start;
      marks[labels * 2 + 1] = external;
      marksBefore = labels;
      for (; external < this.#external.length; external++) this.#writeExternal(writer, external);
      starts[i + 1] = writer.length;
    }
    return { bytes: writer.bytes.subarray(0, writer.length), starts };
  }

  #writeExternal(writer: ByteWriter, at: number): void {
    const label = this.#external[at];
    if (label !== undefined) writer.label(label.name, label.value);
  }

  #nameRule(reference: number, texts: ReadonlyMap<number, Buffer>): NameRule {
    // What is kept must not hold on to all that was read with it.
    const bytes = Buffer.from(texts.get(reference) as Buffer);
    const rule = nameRule(bytes, this.#external, this.#rules.without);
    this.#names.set(reference, rule);
    return rule;
  }
}

/** How many labels series i has in common with the one before, from the first on. */
function commonPairs(
  symbols: Float64Array,
  starts: Uint32Array,
  i: number,
  labelsBefore: number,
): number {
  const a = starts[i - 1] as number;
  const b = starts[i] as number;
  const most = Math.min(labelsBefore, ((starts[i + 1] as number) - b) / 2);
  let n = 0;
  while (
    n < most &&
    symbols[a + n * 2] === symbols[b + n * 2] &&
    symbols[a + n * 2 + 1] === symbols[b + n * 2 + 1]
  ) {
    n++;
  }
  return n;
}

function grown(numbers: Float64Array<ArrayBuffer>, size: number): Float64Array<ArrayBuffer> {
  const more = new Float64Array(size * 2);
  more.set(numbers);
  return more;
}

/** References, ascending and each once; one that 32 bits cannot say alone: it is none, and must not be taken for another. */
function distinct(numbers: Float64Array): ArrayLike<number> {
  for (let i = 0; i < numbers.length; i++) {
    const number = numbers[i] as number;
    if (number > 0xffffffff) return [number];
  }
  return sortDistinct(new Uint32Array(numbers));
}
