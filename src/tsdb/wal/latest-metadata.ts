/**
 * The latest metadata of each series, for a checkpoint. Metadata is that of a metric, so that thousands of series share
 * one text: each text is kept once, and for each series its number.
 */
import { RecordBuilder } from './record-builder.ts';
import { RECORD } from './records.ts';

/** limit: bytes of a record, about. */
const RECORD_BYTES = 1 << 20;

/** Metadata by series ref. */
export class LatestMetadata {
  readonly #texts: Uint8Array[] = [];
  /** The number of a text by its bytes as Latin-1. */
  readonly #numbers = new Map<string, number>();
  readonly #byRef = new Map<number, number>();

  /** How many series there are. */
  get size(): number {
    return this.#byRef.size;
  }

  /** Takes an entry's bytes behind its ref in place of an earlier one. */
  set(ref: number, entry: Uint8Array): void {
    const key = Buffer.from(entry.buffer, entry.byteOffset, entry.length).toString('latin1');
    let number = this.#numbers.get(key);
    if (number === undefined) {
      number = this.#texts.push(entry.slice()) - 1;
      this.#numbers.set(key, number);
    }
    this.#byRef.set(ref, number);
  }

  /** Metadata records with an entry for each series, in the order in which series came. */
  *records(): IterableIterator<Uint8Array> {
    const builder = new RecordBuilder();
    builder.begin(RECORD.metadata);
    for (const [ref, number] of this.#byRef) {
      if (builder.size > RECORD_BYTES) {
        yield builder.take();
        builder.begin(RECORD.metadata);
      }
      builder.uvarint(ref);
      builder.put(this.#texts[number] as Uint8Array);
    }
    if (builder.size > 1) yield builder.take();
  }
}
