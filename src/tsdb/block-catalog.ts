/**
 * The blocks of a TSDB as their owner knows them: takes listings of the directory in, and publishes what readers are
 * to see (block-table.ts). Lives in the thread that decides, usually the main one; touches no file.
 */
import { ulidTime } from '../model/ulid.ts';
import type { BlockHandle } from './block/block-handle.ts';
import { supersededBlocks } from './block/list-blocks.ts';
import type { BlockListing, BrokenBlock, ListedBlock } from './block/list-blocks.ts';
import { EMPTY_TABLE, publishTable } from './block-table.ts';
import type { QuarantinedBlock, TableContent } from './block-table.ts';

/** Page cache numbers of heads are below it, those of blocks above. */
const FIRST_BLOCK_FILE = 2 ** 30;

/** Gives page cache numbers to the files of blocks; one for all TSDBs that share a page cache. */
export class FileNumbers {
  #next = FIRST_BLOCK_FILE;

  /** Takes `count` numbers in a row that nobody had; answers the first. */
  take(count: number): number {
    const first = this.#next;
    this.#next += count;
    // limit: a billion files in the life of a process; a block takes two.
    if (this.#next > 2 ** 31 - 1) throw new Error('BUG: page cache numbers are used up');
    return first;
  }
}

/** What a listing changed. */
export interface CatalogChange {
  readonly added: readonly ListedBlock[];
  readonly gone: readonly ListedBlock[];
  readonly broken: readonly BrokenBlock[];
}

/** The catalog of one TSDB. */
export class BlockCatalog {
  readonly #table: SharedArrayBuffer;
  readonly #numbers: FileNumbers;
  readonly #blocks = new Map<string, ListedBlock>();
  readonly #handles = new Map<string, BlockHandle>();
  readonly #broken = new Map<string, BrokenBlock>();
  #content: TableContent = EMPTY_TABLE;

  constructor(table: SharedArrayBuffer, numbers: FileNumbers) {
    this.#table = table;
    this.#numbers = numbers;
  }

  /** The blocks that are queried, oldest first. */
  get blocks(): readonly ListedBlock[] {
    return [...this.#blocks.values()].sort(byTime);
  }

  /** Blocks that cannot be read. */
  get broken(): readonly BrokenBlock[] {
    return [...this.#broken.values()];
  }

  /** Head samples before it (ms) come from blocks; -Infinity when there are none. */
  get headMint(): number {
    return this.#content.headMint ?? -Infinity;
  }

  /**
   * Takes a listing in and publishes it. Blocks that went are not waited for: whoever deleted them under a running
   * process has done so. Superseded blocks are left out.
   */
  take(listing: BlockListing): CatalogChange {
    const wanted = new Map(listing.blocks.map((block) => [block.meta.ulid, block]));
    for (const { meta } of supersededBlocks(listing)) wanted.delete(meta.ulid);
    const gone = this.blocks.filter(({ meta }) => !wanted.has(meta.ulid));
    for (const { meta } of gone) this.#forget(meta.ulid);
    const added = [...wanted.values()].filter(({ meta }) => !this.#blocks.has(meta.ulid));
    for (const block of added) this.#insert(block);
    const broken = listing.broken.filter(({ ulid }) => !this.#broken.has(ulid));
    this.#broken.clear();
    for (const block of listing.broken) this.#broken.set(block.ulid, block);
    this.#publish({});
    return { added, gone, broken };
  }

  /** Publishes a block that was cut from the head, together with the end of the head's part that it holds. */
  addCut(block: ListedBlock | undefined, headMint: number): void {
    if (block !== undefined) this.#insert(block);
    this.#publish({ headMint: Math.max(headMint, this.headMint) });
  }

  /** The head begins here from the start: what its log holds before is in blocks. */
  setHeadMint(headMint: number): void {
    this.#publish({ headMint });
  }

  /** Late chunks of the head before this place (placeOf) come from blocks. */
  get lateFrom(): number {
    return this.#content.lateFrom ?? 0;
  }

  /** The head may have samples that came out of order: they are read from the first on. */
  takeLate(): void {
    this.#publish({ lateFrom: this.lateFrom });
  }

  /** Publishes blocks with samples that came out of order, and from which place on such chunks are read in the head. */
  addLate(blocks: readonly ListedBlock[], lateFrom: number): void {
    for (const block of blocks) this.#insert(block);
    this.#publish({ lateFrom });
  }

  /** Such chunks before a place are about to go: queries that began before must have ended. */
  truncatingLate(place: number): void {
    this.#publish({ lateTruncated: place });
  }

  /** Head samples before `t` are about to go: queries that began before must have ended. */
  truncating(t: number): void {
    this.#publish({ truncated: t });
  }

  /** They are gone, and so are chunks_head/ files below a number. */
  truncated(headFirstFile: number): void {
    this.#publish({ headFirstFile });
  }

  /** Tells readers that tombstones of blocks have changed, and takes their new metas in. */
  revise(blocks: readonly ListedBlock[]): void {
    for (const block of blocks) {
      const { ulid } = block.meta;
      const handle = this.#handles.get(ulid);
      if (handle === undefined) continue;
      this.#blocks.set(ulid, block);
      this.#handles.set(ulid, { ...handle, revision: handle.revision + 1 });
    }
    this.#publish({});
  }

  /** Puts a block in the place of others, in one step; their files are needed until {@link retired}. */
  replace(block: ListedBlock | undefined, replaced: readonly string[]): void {
    if (block !== undefined) this.#insert(block);
    this.retire(replaced);
  }

  /** Hides blocks from new queries; those that run go on reading them. */
  retire(ulids: readonly string[]): void {
    for (const ulid of ulids) this.#forget(ulid);
    this.#publish({ retiring: ulids });
  }

  /** No query reads the blocks that were retired any more. */
  retired(): void {
    this.#publish({ retiring: [] });
  }

  #insert(block: ListedBlock): void {
    const { ulid, minTime, maxTime } = block.meta;
    const { directory, segments } = block;
    const firstFile = this.#numbers.take(segments + 1);
    this.#blocks.set(ulid, block);
    const range = { mint: minTime, maxt: maxTime };
    this.#handles.set(ulid, { ulid, directory, ...range, firstFile, segments, revision: 0 });
  }

  #forget(ulid: string): void {
    this.#blocks.delete(ulid);
    this.#handles.delete(ulid);
  }

  #publish(change: Partial<TableContent>): void {
    this.#content = {
      ...this.#content,
      ...change,
      blocks: [...this.#handles.values()].sort((a, b) => a.mint - b.mint || a.maxt - b.maxt),
      quarantined: [...this.#broken.values()].map(quarantine),
    };
    publishTable(this.#table, this.#content);
  }
}

function byTime(a: ListedBlock, b: ListedBlock): number {
  return a.meta.minTime - b.meta.minTime || a.meta.maxTime - b.meta.maxTime;
}

/** Where a block's samples are missing: without a meta.json, anywhere before it was made. */
function quarantine({ ulid, reason, meta }: BrokenBlock): QuarantinedBlock {
  return {
    ulid,
    reason,
    mint: meta?.minTime ?? -Number.MAX_SAFE_INTEGER,
    maxt: meta?.maxTime ?? ulidTime(ulid),
  };
}
