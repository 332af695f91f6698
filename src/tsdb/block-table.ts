/**
 * Which blocks a TSDB has and where its head begins, in shared memory: published by one thread, read by all others at
 * each select, so that a sample is seen exactly once while it moves from the head to a block.
 *
 * Moving data takes steps, with `drain` between them: waiting until every query that began before has ended
 * (docs/design/0003-blocks-and-head.md draws them). What is to go is named in `retiring` first.
 *
 * A reader closes what neither list names. As a safeguard, a select that the head was truncated under all the same
 * is told by {@link TableView.truncated}: an error, never an answer without those samples.
 *
 *   word 0: version, odd while content is replaced   1: bytes of content   2...: JSON, UTF-8
 */
import { readFence } from '../lib/fence.ts';
import { CodedError } from '../lib/errors.ts';
import type { BlockHandle } from './block/block-handle.ts';

/** limit: bytes of the table, some 200 a block: pages that are not used cost nothing. */
const TABLE_BYTES = 16 << 20;
const HEADER_BYTES = 8;

/** A block that cannot be read: its samples are missing from answers, which say so. */
export interface QuarantinedBlock {
  readonly ulid: string;
  readonly reason: string;
  /** Samples that are missing lie in mint <= t < maxt (ms), as far as can be told. */
  readonly mint: number;
  readonly maxt: number;
}

/** What the table says. */
export interface TableContent {
  /** Blocks to be queried, by mint. */
  readonly blocks: readonly BlockHandle[];
  /** ULIDs of blocks that earlier queries may still read. */
  readonly retiring: readonly string[];
  readonly quarantined: readonly QuarantinedBlock[];
  /** Head samples before it (ms) are in blocks, and not to be read from the head; null: none are. */
  readonly headMint: number | null;
  /** Head samples before it may be gone; null: all are there. */
  readonly truncated: number | null;
  /** The first chunks_head/ file that is still needed. */
  readonly headFirstFile: number;
  /**
   * The head's chunks of samples that came out of order are read from this place on (series-snapshot.ts, placeOf): those
   * before it are in blocks. null: the head has no such samples.
   */
  readonly lateFrom: number | null;
  /** Such chunks before this place may be gone; null: all are there. */
  readonly lateTruncated: number | null;
}

/** What of a head is to be read, as a table had it. */
export type HeadSpan = Pick<TableContent, 'headMint' | 'lateFrom'>;

/** The table of a TSDB without blocks. */
export const EMPTY_TABLE: TableContent = {
  blocks: [],
  retiring: [],
  quarantined: [],
  headMint: null,
  truncated: null,
  headFirstFile: 0,
  lateFrom: null,
  lateTruncated: null,
};

/** Makes the memory of a table, empty. */
export function createTable(): SharedArrayBuffer {
  const memory = new SharedArrayBuffer(TABLE_BYTES);
  publishTable(memory, EMPTY_TABLE);
  return memory;
}

/**
 * Replaces the content. One thread only.
 * @throws CodedError too_large when so many blocks do not fit; the content is then as before.
 */
export function publishTable(memory: SharedArrayBuffer, content: TableContent): void {
  const bytes = Buffer.from(JSON.stringify(content));
  if (bytes.length > TABLE_BYTES - HEADER_BYTES) {
    throw new CodedError(
      'too_large',
      `the list of ${content.blocks.length} blocks takes ${bytes.length} of ${TABLE_BYTES} bytes`,
    );
  }
  const words = new Int32Array(memory);
  Atomics.add(words, 0, 1);
  Atomics.store(words, 1, bytes.length);
  new Uint8Array(memory).set(bytes, HEADER_BYTES);
  Atomics.add(words, 0, 1);
}

/** One thread's view of a table. */
export class TableView {
  readonly #memory: SharedArrayBuffer;
  readonly #words: Int32Array;
  #version = -1;
  #content: TableContent = EMPTY_TABLE;

  constructor(memory: SharedArrayBuffer) {
    this.#memory = memory;
    this.#words = new Int32Array(memory);
  }

  /** The content as it is now; the same object until it changes. */
  get content(): TableContent {
    if (Atomics.load(this.#words, 0) !== this.#version) this.#read();
    return this.#content;
  }

  /** Whether samples that a select on the head counted on may have been taken out of it since. */
  truncated({ headMint, lateFrom }: HeadSpan): boolean {
    const { truncated, lateTruncated } = this.content;
    if (truncated !== null && (headMint ?? -Infinity) < truncated) return true;
    return lateFrom !== null && lateTruncated !== null && lateFrom < lateTruncated;
  }

  #read(): void {
    for (;;) {
      const version = Atomics.load(this.#words, 0);
      if ((version & 1) === 1) continue;
      const length = Math.min(Atomics.load(this.#words, 1) >>> 0, TABLE_BYTES - HEADER_BYTES);
      const bytes = Buffer.from(new Uint8Array(this.#memory, HEADER_BYTES, length));
      readFence();
      if (Atomics.load(this.#words, 0) !== version) continue;
      this.#version = version;
      this.#content = JSON.parse(bytes.toString()) as TableContent;
      return;
    }
  }
}
