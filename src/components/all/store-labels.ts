/**
 * Labels of series as the StoreAPI sends them: with external labels, which win over those of a series, and without labels that a caller
 * does not want; in the order of what is left. Behaviour: thanos pkg/store/tsdb.go, pkg/store/flushable.go.
 */
import { ByteWriter, compareLabelBytes } from '../../bucket/read/label-bytes.ts';
import type { LabelBytes } from '../../bucket/read/label-bytes.ts';
import {
  type ExternalLabel,
  type NameRule,
  externalLabels,
  nameRule,
} from '../../bucket/read/name-rule.ts';
import { CodedError } from '../../lib/errors.ts';
import type { Labels } from '../../model/labels.ts';

/** limit: bytes of the labels of one select, which have to be sorted before the first of them can be sent. */
const LABEL_BYTES_MAX = 512 << 20;
/** limit: texts whose bytes are kept while labels are composed. */
const TEXTS_MAX = 65_536;

/** Label sets in bytes: the i-th is bytes[starts[i]..starts[i + 1]]. */
export interface LabelColumns {
  readonly bytes: Uint8Array;
  readonly starts: Uint32Array;
}

/** Composes label sets, one behind the other. */
export class LabelWriter {
  readonly #out = new ByteWriter(1 << 16);
  readonly #starts: number[] = [0];
  readonly #external: readonly ExternalLabel[];
  readonly #without: ReadonlySet<string>;
  readonly #names = new Map<string, NameRule>();
  readonly #values = new Map<string, Buffer>();

  constructor(external: Labels, without: ReadonlySet<string>) {
    this.#without = without;
    this.#external = externalLabels(external.drop(without));
  }

  /** Adds the labels of a series. @throws CodedError too_large when they have become too many. */
  add({ pairs }: Labels): void {
    const out = this.#out;
    let external = 0;
    for (let i = 0; i < pairs.length; i += 2) {
      const rule = this.#rule(pairs[i] as string);
      for (; external < rule.before; external++) this.#addExternal(external);
      if (!rule.dropped) out.label(rule.bytes, this.#value(pairs[i + 1] as string));
    }
    for (; external < this.#external.length; external++) this.#addExternal(external);
    this.#starts.push(out.length);
    if (out.length > LABEL_BYTES_MAX) {
      const text = `the labels of the series take more than ${LABEL_BYTES_MAX} bytes`;
      throw new CodedError('too_large', text);
    }
  }

  /** Takes the labels that were added last back. */
  drop(): void {
    this.#starts.pop();
    this.#out.length = this.#starts.at(-1) ?? 0;
  }

  /** The labels that were added last, valid until the next ones are. */
  get last(): LabelBytes {
    const to = this.#out.length;
    return { bytes: this.#out.bytes, from: this.#starts.at(-2) ?? 0, to };
  }

  /** What has been added; the writer is used up. */
  finish(): LabelColumns {
    return {
      bytes: this.#out.bytes.subarray(0, this.#out.length),
      starts: Uint32Array.from(this.#starts),
    };
  }

  #addExternal(i: number): void {
    const label = this.#external[i];
    if (label !== undefined) this.#out.label(label.name, label.value);
  }

  #rule(name: string): NameRule {
    let rule = this.#names.get(name);
    if (rule === undefined) {
      rule = nameRule(Buffer.from(name), this.#external, this.#without);
      this.#names.set(name, rule);
    }
    return rule;
  }

  #value(text: string): Buffer {
    let bytes = this.#values.get(text);
    if (bytes === undefined) {
      bytes = Buffer.from(text);
      if (this.#values.size >= TEXTS_MAX) this.#values.clear();
      this.#values.set(text, bytes);
    }
    return bytes;
  }
}

/** Label sets in order, each once, and which of those that were given have it. */
export interface OrderedLabels {
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly starts: Uint32Array<ArrayBuffer>;
  /** The given ones with the i-th label set: order[members[i]..members[i + 1]]. */
  readonly members: Uint32Array<ArrayBuffer>;
  readonly order: Uint32Array<ArrayBuffer>;
}

/** Puts label sets into order; equal ones become one. At most `limit` of them, 0 for all. */
export function orderLabels({ bytes, starts }: LabelColumns, limit: number): OrderedLabels {
  const count = starts.length - 1;
  const compare = (a: number, b: number): number =>
    compareLabelBytes(
      bytes,
      starts[a] as number,
      starts[a + 1] as number,
      bytes,
      starts[b] as number,
      starts[b + 1] as number,
    );
  let order = Uint32Array.from({ length: count }, (_, i) => i);
  // perf: most often nothing has changed its place.
  if (!isAscending(count, compare)) order.sort((a, b) => compare(a, b) || a - b);
  const members: number[] = [];
  let end = 0;
  for (; end < count; end++) {
    if (end > 0 && compare(order[end - 1] as number, order[end] as number) === 0) continue;
    if (limit > 0 && members.length >= limit) break;
    members.push(end);
  }
  order = order.slice(0, end);
  const picked = pick(bytes, starts, members, order);
  return { ...picked, members: Uint32Array.from([...members, end]), order };
}

function isAscending(count: number, compare: (a: number, b: number) => number): boolean {
  for (let i = 1; i < count; i++) if (compare(i - 1, i) > 0) return false;
  return true;
}

function pick(
  bytes: Uint8Array,
  starts: Uint32Array,
  members: readonly number[],
  order: Uint32Array,
): { bytes: Uint8Array<ArrayBuffer>; starts: Uint32Array<ArrayBuffer> } {
  const newStarts = new Uint32Array(members.length + 1);
  for (const [i, member] of members.entries()) {
    const one = order[member] as number;
    const size = (starts[one + 1] as number) - (starts[one] as number);
    newStarts[i + 1] = (newStarts[i] as number) + size;
  }
  const picked = new Uint8Array(newStarts[members.length] as number);
  for (const [i, member] of members.entries()) {
    const one = order[member] as number;
    picked.set(bytes.subarray(starts[one], starts[one + 1]), newStarts[i]);
  }
  return { bytes: picked, starts: newStarts };
}
