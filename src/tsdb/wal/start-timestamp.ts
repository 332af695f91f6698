/**
 * The head of entries in records with start timestamps (types 11 to 13, docs/format/wal.md): unlike in the older ones,
 * a ref counts from the entry before, and only the first entry has its times in full.
 */
import type { RecordBuilder } from './record-builder.ts';
import type { RecordReader } from './record-reader.ts';

const MARKER = { none: 0, same: 1, explicit: 2 } as const;

/** Reads ref, time and start timestamp of one entry after the other; a start timestamp of 0 is none. */
export class StartTimestampReader {
  ref = 0;
  /** In ms. */
  t = 0;
  /** In ms; 0 when there is none. */
  st = 0;
  #first: { readonly t: number; readonly st: number } | undefined;

  /** Reads the next entry's head. */
  read(reader: RecordReader): void {
    this.ref = reader.ref(this.ref);
    const first = this.#first;
    this.t = reader.plus(first?.t ?? 0, 'time');
    if (first === undefined) {
      this.st = reader.plus(0, 'start timestamp');
      this.#first = { t: this.t, st: this.st };
      return;
    }
    const marker = reader.byte();
    if (marker === MARKER.none) this.st = 0;
    // compat: Prometheus takes any other marker for an explicit one.
    else if (marker !== MARKER.same) this.st = reader.plus(first.st, 'start timestamp');
  }
}

/** Writes what {@link StartTimestampReader} reads. */
export class StartTimestampWriter {
  #ref = 0;
  #st = 0;
  #first: { readonly t: number; readonly st: number } | undefined;

  /** Writes the next entry's head. */
  write(builder: RecordBuilder, ref: number, t: number, st: number): void {
    builder.difference(ref, this.#ref);
    const first = this.#first;
    builder.difference(t, first?.t ?? 0);
    if (first === undefined) {
      builder.varint(st);
      this.#first = { t, st };
    } else if (st === 0) builder.byte(MARKER.none);
    else if (st === this.#st) builder.byte(MARKER.same);
    else {
      builder.byte(MARKER.explicit);
      builder.difference(st, first.st);
    }
    this.#ref = ref;
    this.#st = st;
  }
}
