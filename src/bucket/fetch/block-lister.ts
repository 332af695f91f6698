/**
 * How the blocks of a bucket are found, and what their listing tells about them without reading anything.
 * Behaviour: thanos pkg/block/fetcher.go (Lister), with more facts a request: a listing of a block's directory says which
 * marks there are, so that those of the others need not be asked for.
 */
import type { BucketEntry } from '../../objstore/bucket.ts';
import { META_FILE } from '../../tsdb/block/meta.ts';
import type { SizedFile } from '../block-files.ts';
import { CHUNKS_DIRECTORY, INDEX_FILE } from '../block-path.ts';
import { type MarkKind, markPath } from '../markers.ts';

/** The values of `--block-discovery-strategy`. */
export type BlockDiscoveryStrategy = 'concurrent' | 'recursive';

/** A file of a block, as far as the store's listing tells. */
export interface ListedFile {
  /** Bytes. */
  readonly size?: number | undefined;
  /** ms since the epoch. */
  readonly lastModified?: number | undefined;
}

/** What a listing says about a block. */
export interface ListedBlock {
  readonly ulid: string;
  /** Absent when there is no meta.json: an upload under way or broken off, or a block that is being deleted. */
  readonly meta?: ListedFile;
  readonly index?: ListedFile;
  /** The marks that are there. */
  readonly marks: ReadonlySet<MarkKind>;
  /** The files in `chunks/` with the sizes that are known, by path; absent when the listing did not go down there. */
  readonly segments?: readonly Partial<SizedFile>[];
  /** The newest time of any file that was listed, ms since the epoch. */
  readonly lastModified?: number | undefined;
}

/** What a listing reports to. Both are called before {@link BlockLister.list} resolves, in any order of blocks. */
export interface ListingObserver {
  onBlock(block: ListedBlock): void;
  /** A block is there and could not be looked at. */
  onFailure(ulid: string, error: unknown): void;
}

/** A way to find all blocks. */
export interface BlockLister {
  /**
   * Reports every block of the bucket once.
   * @throws CodedError when the bucket cannot be listed: what was reported is then not all; canceled. Nothing is under
   * way any more when it rejects.
   */
  list(observer: ListingObserver, signal?: AbortSignal): Promise<void>;
}

const MARKS: readonly MarkKind[] = ['deletion', 'no-compact', 'no-downsample'];

/** Gathers what listings say about one block. */
export class ListedBlockBuilder {
  readonly ulid: string;
  readonly #isDeep: boolean;
  readonly #files = new Map<string, ListedFile>();
  readonly #marks = new Set<MarkKind>();
  readonly #segments: Partial<SizedFile>[] = [];
  #lastModified: number | undefined;

  /** `isDeep` says whether the listing holds what lies in directories, too. */
  constructor(ulid: string, isDeep: boolean) {
    this.ulid = ulid;
    this.#isDeep = isDeep;
  }

  /** Takes an entry below the block's directory. */
  add({ name, size, lastModified }: BucketEntry): void {
    if (name.endsWith('/')) return;
    const path = name.slice(this.ulid.length + 1);
    if (path === META_FILE || path === INDEX_FILE) this.#files.set(path, { size, lastModified });
    else if (path.startsWith(`${CHUNKS_DIRECTORY}/`)) {
      this.#segments.push({ path, ...(size !== undefined && { size }) });
    }
    const mark = MARKS.find((kind) => name === markPath(this.ulid, kind));
    if (mark !== undefined) this.#marks.add(mark);
    if (lastModified !== undefined && lastModified > (this.#lastModified ?? -Infinity)) {
      this.#lastModified = lastModified;
    }
  }

  /** What is known now. */
  build(): ListedBlock {
    const [meta, index] = [this.#files.get(META_FILE), this.#files.get(INDEX_FILE)];
    return {
      ulid: this.ulid,
      ...(meta !== undefined && { meta }),
      ...(index !== undefined && { index }),
      marks: this.#marks,
      ...(this.#isDeep && { segments: this.#segments }),
      lastModified: this.#lastModified,
    };
  }
}
