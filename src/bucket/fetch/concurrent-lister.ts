/**
 * Finds blocks by one listing of the bucket's root and one of each block's directory, many at once. For buckets in which
 * blocks have many files, or in which other things lie.
 */
import pLimit from 'p-limit';
import { throwIfAborted } from '../../lib/abort.ts';
import type { Bucket } from '../../objstore/bucket.ts';
import { blockOfDirectory } from '../block-path.ts';
import type { BlockLister, ListedBlock, ListingObserver } from './block-lister.ts';
import { ListedBlockBuilder } from './block-lister.ts';

/** limit: directories that are listed at once, as Thanos looks at them: 1,000 blocks take 16 times a request's latency. */
const CONCURRENCY = 64;

/** The strategy `concurrent`. */
export class ConcurrentLister implements BlockLister {
  readonly #bucket: Bucket;

  constructor(bucket: Bucket) {
    this.#bucket = bucket;
  }

  async list(observer: ListingObserver, signal?: AbortSignal): Promise<void> {
    const limit = pLimit(CONCURRENCY);
    const running: Promise<void>[] = [];
    let hasFailed = false;
    const look = async (ulid: string): Promise<void> => {
      if (hasFailed || signal?.aborted === true) return;
      try {
        observer.onBlock(await this.#listBlock(ulid, signal));
      } catch (thrown) {
        observer.onFailure(ulid, thrown);
      }
    };
    try {
      for await (const name of this.#bucket.iter('', { signal })) {
        const ulid = blockOfDirectory(name);
        if (ulid !== undefined) running.push(limit(look, ulid));
      }
    } catch (thrown) {
      hasFailed = true;
      throw thrown;
    } finally {
      await Promise.all(running);
    }
    throwIfAborted(signal);
  }

  async #listBlock(ulid: string, signal: AbortSignal | undefined): Promise<ListedBlock> {
    const block = new ListedBlockBuilder(ulid, false);
    for await (const entry of this.#bucket.iterEntries(`${ulid}/`, { signal })) block.add(entry);
    return block.build();
  }
}
