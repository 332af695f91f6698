/** Records that a segment took and no fsync has made durable yet: should it fail, they are written anew to another one. */

/** In the order in which they were logged. */
export class UnsyncedRecords {
  #records: Uint8Array[] = [];
  #bytes = 0;
  /** Whether the segment that they are in was left behind. */
  isLeft = false;

  /** What they add up to. */
  get bytes(): number {
    return this.#bytes;
  }

  /** What goes before records that are logged next: all that are left behind, or nothing. */
  before(records: readonly Uint8Array[]): readonly Uint8Array[] {
    return this.isLeft ? [...this.#records, ...records] : records;
  }

  /** Takes in that records, behind {@link before}, are in a segment that can be fsynced. They are kept as they are. */
  add(records: readonly Uint8Array[]): void {
    this.isLeft = false;
    for (const record of records) {
      this.#records.push(record);
      this.#bytes += record.length;
    }
  }

  /** An fsync has made all of them durable. */
  clear(): void {
    this.#records = [];
    this.#bytes = 0;
  }
}
