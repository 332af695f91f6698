/**
 * Finds blocks by one listing of everything: a request for each thousand objects, one after the other. For buckets whose
 * blocks have few files, and for stores that count requests.
 */
import { throwIfAborted } from '../../lib/abort.ts';
import type { Bucket } from '../../objstore/bucket.ts';
import { blockOfDirectory } from '../block-path.ts';
import type { BlockLister, ListingObserver } from './block-lister.ts';
import { ListedBlockBuilder } from './block-lister.ts';

/** The strategy `recursive`. It alone knows of the files in `chunks/`. */
export class RecursiveLister implements BlockLister {
  readonly #bucket: Bucket;

  constructor(bucket: Bucket) {
    this.#bucket = bucket;
  }

  async list(observer: ListingObserver, signal?: AbortSignal): Promise<void> {
    // invariant: listings are in order, so that the files of a block are neighbours.
    let block: ListedBlockBuilder | undefined;
    for await (const entry of this.#bucket.iterEntries('', { recursive: true, signal })) {
      const ulid = blockOfDirectory(entry.name.slice(0, entry.name.indexOf('/') + 1));
      if (ulid !== block?.ulid) {
        if (block !== undefined) observer.onBlock(block.build());
        block = ulid === undefined ? undefined : new ListedBlockBuilder(ulid, true);
      }
      block?.add(entry);
    }
    if (block !== undefined) observer.onBlock(block.build());
    throwIfAborted(signal);
  }
}
