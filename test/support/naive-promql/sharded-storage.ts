/** Work on little data divided as if there were much: each series claims to have many samples. */
import { runFragment, type FragmentRunner } from '../../../src/promql/exec/fragment.ts';
import type { SelectRequest, SeriesSet } from '../../../src/storage/storage.ts';
import { MemoryStorage } from '../memory-storage.ts';

/** limit: the samples that make a shard, and too many for one thread to bother others. */
const SHARD_SAMPLES = 500_000;

/** A storage whose selects are cut into so many shards, or into one a series when there are fewer. */
export class ShardedStorage extends MemoryStorage {
  readonly #shards: number;

  constructor(shards: number) {
    super();
    this.#shards = shards;
  }

  override async select(request: SelectRequest): Promise<SeriesSet> {
    const set = await super.select(request);
    const all = this.#shards === 1 ? SHARD_SAMPLES - 1 : SHARD_SAMPLES * this.#shards;
    return Object.assign(set, { sampleEstimate: () => Math.floor(all / Math.max(1, set.count)) });
  }
}

/** Runs fragments as so many workers would: each its own, one after the other, on copies of what it was sent. */
export function workers(count: number, storage: () => MemoryStorage): FragmentRunner {
  return async (fragments) => {
    const results = new Array<Awaited<ReturnType<typeof runFragment>>>(fragments.length);
    for (let worker = 0; worker < count; worker++) {
      // The last worker is the quickest.
      for (let i = count - 1 - worker; i < fragments.length; i += count) {
        const sent = structuredClone(fragments[i] as (typeof fragments)[number]);
        results[i] = structuredClone(await runFragment(sent, storage()));
      }
    }
    return results;
  };
}
