/**
 * The blocks that a store gateway serves, kept in step with the bucket. Behaviour: thanos pkg/store/bucket.go (BucketStore:
 * SyncBlocks, InitialSync, addBlock, removeBlock, TimeRange, TSDBInfos).
 */
import { mkdir, readdir, rm } from 'node:fs/promises';
import path from 'node:path';
import type { Clock } from '../../lib/clock.ts';
import { CodedError, errorText } from '../../lib/errors.ts';
import { formatGoDuration } from '../../lib/go-duration.ts';
import type { Logger } from '../../lib/log.ts';
import { compareUtf8 } from '../../lib/utf8.ts';
import type { Labels } from '../../model/labels.ts';
import { isUlid } from '../../model/ulid.ts';
import type { Bucket } from '../../objstore/bucket.ts';
import type { BlockMeta } from '../../tsdb/block/meta.ts';
import { CHUNKS_DIRECTORY, INDEX_FILE, metaPath } from '../../bucket/block-path.ts';
import type { ListedBlock } from '../../bucket/fetch/block-lister.ts';
import type { FetchResult } from '../../bucket/fetch/meta-fetcher.ts';
import { INDEX_HEADER_FILE } from '../../bucket/index-header/format.ts';
import { HeaderHandle } from '../../bucket/index-header/header-handle.ts';
import { mapBounded } from '../../bucket/map-bounded.ts';
import { readThanos } from '../../bucket/meta.ts';
import { BlockSet } from './block-set.ts';
import { LoadedBlock } from './loaded-block.ts';
import type { SizeEstimates } from './loaded-block.ts';
import type { StoreMetrics } from './store-metrics.ts';

/** How a gateway keeps its blocks. */
export interface BucketStoreOptions {
  readonly bucket: Bucket;
  /** The blocks that are to be served. */
  readonly fetch: (signal: AbortSignal | undefined) => Promise<FetchResult>;
  /** Where index-headers lie; undefined keeps them in memory. */
  readonly dataDir: string | undefined;
  /** Blocks that are loaded at once. */
  readonly syncConcurrency: number;
  readonly headerSampling: number;
  readonly lazyHeaders: boolean;
  readonly lazyDownload: boolean;
  /** How long a lazy header stays open without use; 0 for ever. */
  readonly headerIdleMs: number;
  readonly estimates: SizeEstimates;
  readonly metrics: StoreMetrics;
  readonly clock: Clock;
  readonly log: Logger;
}

/** Labels and times of neighbouring blocks: thanos.info.TSDBInfo. */
export interface TsdbInfo {
  readonly labels: Labels;
  /** ms. */
  mint: number;
  maxt: number;
}

/** The blocks of a gateway. */
export class BucketStore {
  readonly #options: BucketStoreOptions;
  readonly #blocks = new Map<string, LoadedBlock>();
  /** By the text of their external labels. */
  readonly #sets = new Map<string, BlockSet>();
  #labelSets: readonly Labels[] = [];
  /** Blocks that could not be loaded, and may have left files. */
  readonly #failed = new Set<string>();
  /** Blocks that have left and are still read. */
  readonly #leaving = new Set<Promise<void>>();

  constructor(options: BucketStoreOptions) {
    this.#options = options;
  }

  /** All blocks. */
  get blocks(): Iterable<LoadedBlock> {
    return this.#blocks.values();
  }

  /** Blocks by their external labels. */
  get sets(): Iterable<BlockSet> {
    return this.#sets.values();
  }

  /** The external labels of all blocks, as they were after the last sync. */
  get labelSets(): readonly Labels[] {
    return this.#labelSets;
  }

  /** The first sync: also removes local files of blocks that have left meanwhile. @throws CodedError. */
  async initialSync(signal?: AbortSignal): Promise<void> {
    const { dataDir } = this.#options;
    if (dataDir !== undefined) await mkdir(dataDir, { recursive: true });
    await this.sync(signal);
    if (dataDir === undefined) return;
    for (const name of await readdir(dataDir)) {
      // Those that failed to load are tried again, and what they have may be sound.
      if (!isUlid(name) || this.#blocks.has(name) || this.#failed.has(name)) continue;
      await this.#removeFiles(name);
    }
  }

  /**
   * Loads blocks that are new and drops those that have left; a block that fails to load is tried again the next time.
   * @throws CodedError when the bucket cannot be listed or only in part; blocks that are there have been loaded all the same, and none
   * has been dropped.
   */
  async sync(signal?: AbortSignal): Promise<void> {
    const { fetch, syncConcurrency, metrics, log } = this.#options;
    const { metas, listed, error } = await fetch(signal);
    const fresh = [...metas.values()].filter(({ ulid }) => !this.#blocks.has(ulid));
    await mapBounded(fresh, syncConcurrency, async (meta) => {
      if (signal?.aborted !== true) await this.#add(meta, listed.get(meta.ulid), signal);
    });
    if (error !== undefined) throw error;
    for (const ulid of this.#blocks.keys()) {
      if (metas.has(ulid)) continue;
      this.#drop(ulid);
      metrics.blockDrops.inc();
      log.info('dropped outdated block', { block: ulid });
    }
    for (const ulid of this.#failed) {
      if (metas.has(ulid)) continue;
      this.#failed.delete(ulid);
      await this.#removeFiles(ulid);
    }
    this.#labelSets = [...this.#sets.values()]
      .map(({ labels }) => labels)
      .sort((a, b) => compareUtf8(a.toString(), b.toString()));
  }

  /** Closes lazy headers that nobody has used for a while. */
  async closeIdleHeaders(): Promise<void> {
    const { headerIdleMs } = this.#options;
    if (headerIdleMs <= 0) return;
    for (const { header } of this.#blocks.values()) await header.closeIdle(headerIdleMs);
  }

  /** The times of all blocks, ms; undefined when there is none. */
  get timeRange(): { readonly mint: number; readonly maxt: number } | undefined {
    if (this.#blocks.size === 0) return undefined;
    let mint = Infinity;
    let maxt = -Infinity;
    for (const { meta } of this.#blocks.values()) {
      mint = Math.min(mint, meta.minTime);
      maxt = Math.max(maxt, meta.maxTime);
    }
    return { mint, maxt };
  }

  /** Labels and times of the blocks; those that follow each other without a gap as one. */
  get tsdbInfos(): TsdbInfo[] {
    const infos: TsdbInfo[] = [];
    const byLabels = Map.groupBy(this.#blocks.values(), ({ externalLabels }) => externalLabels.key);
    for (const blocks of byLabels.values()) {
      blocks.sort((a, b) => a.meta.minTime - b.meta.minTime);
      let current: TsdbInfo | undefined;
      for (const { meta, externalLabels } of blocks) {
        if (current === undefined || meta.minTime > current.maxt) {
          current = { labels: externalLabels, mint: meta.minTime, maxt: meta.maxTime };
          infos.push(current);
        } else current.maxt = Math.max(current.maxt, meta.maxTime);
      }
    }
    return infos;
  }

  /** Gives files free when the last reader has left. */
  async close(): Promise<void> {
    await Promise.all([...this.#blocks.values()].map(({ header }) => header.close()));
    await Promise.all(this.#leaving);
  }

  async #add(
    meta: BlockMeta,
    listed: ListedBlock | undefined,
    signal: AbortSignal | undefined,
  ): Promise<void> {
    const { metrics, clock, log } = this.#options;
    const begin = clock.monotonic();
    const elapsed = (): string => formatGoDuration(clock.monotonic() - begin);
    metrics.blockLoads.inc();
    let block: LoadedBlock | undefined;
    try {
      block = await this.#load(meta, listed, signal);
      this.#put(block);
      this.#failed.delete(meta.ulid);
      metrics.blockLoadDuration.observe((clock.monotonic() - begin) / 1000);
      metrics.blocksLoaded.inc();
      metrics.lastLoaded.set(clock.now() / 1000);
      log.info('loaded new block', { elapsed: elapsed(), id: meta.ulid });
    } catch (thrown) {
      await block?.header.close();
      this.#failed.add(meta.ulid);
      metrics.blockLoadFailures.inc();
      const err = errorText(thrown);
      log.warn('loading block failed', { elapsed: elapsed(), id: meta.ulid, err });
    }
  }

  async #load(
    meta: BlockMeta,
    listed: ListedBlock | undefined,
    signal: AbortSignal | undefined,
  ): Promise<LoadedBlock> {
    const { bucket, dataDir, estimates, lazyHeaders, lazyDownload, headerSampling } = this.#options;
    const { metrics, clock, log } = this.#options;
    const file =
      dataDir === undefined ? undefined : path.join(dataDir, meta.ulid, INDEX_HEADER_FILE);
    const header = new HeaderHandle({
      bucket,
      ulid: meta.ulid,
      indexBytes: listed?.index?.size ?? indexBytes(meta),
      file,
      sampling: headerSampling,
      lazy: lazyHeaders,
      lazyDownload,
      metrics: metrics.header,
      now: () => clock.monotonic(),
      log,
    });
    const prepared = header.prepare(signal);
    try {
      const [segments] = await Promise.all([segmentNames(bucket, meta, listed, signal), prepared]);
      return new LoadedBlock({ meta, bucket, header, segments, estimates });
    } catch (thrown) {
      // Nothing of it goes on, or stays open.
      await prepared.catch(() => undefined);
      await header.close();
      throw thrown;
    }
  }

  #put(block: LoadedBlock): void {
    const { key } = block.externalLabels;
    const set = this.#sets.get(key) ?? new BlockSet(block.externalLabels);
    set.add(block);
    this.#sets.set(key, set);
    this.#blocks.set(block.ulid, block);
  }

  #drop(ulid: string): void {
    const block = this.#blocks.get(ulid);
    if (block === undefined) return;
    const { metrics } = this.#options;
    const { key } = block.externalLabels;
    const set = this.#sets.get(key);
    set?.remove(block);
    if (set?.isEmpty === true) this.#sets.delete(key);
    this.#blocks.delete(ulid);
    metrics.blocksLoaded.dec();
    // Queries that read it go on; nobody waits for them here.
    const leaving = this.#leave(block);
    this.#leaving.add(leaving);
    void leaving.then(() => this.#leaving.delete(leaving));
  }

  /** Never rejects. */
  async #leave({ ulid, header }: LoadedBlock): Promise<void> {
    try {
      await header.close();
    } catch (thrown) {
      this.#options.log.warn('closing an index-header failed', {
        block: ulid,
        err: errorText(thrown),
      });
    }
    // It may have come back meanwhile.
    if (!this.#blocks.has(ulid)) await this.#removeFiles(ulid);
  }

  async #removeFiles(ulid: string): Promise<void> {
    const { log, metrics, dataDir } = this.#options;
    if (dataDir === undefined) return;
    const directory = path.join(dataDir, ulid);
    try {
      await rm(directory, { recursive: true, force: true });
    } catch (thrown) {
      metrics.blockDropFailures.inc();
      const err = errorText(thrown);
      log.warn('failed to remove block which is not needed', { directory, err });
    }
  }
}

/** The bytes of a block's index by its meta.json. */
function indexBytes(meta: BlockMeta): number | undefined {
  const { files } = readThanos(meta, metaPath(meta.ulid));
  return files?.find(({ rel_path: name }) => name === INDEX_FILE)?.size_bytes;
}

/** The segment files of a block, in order: by its meta.json, by the listing, or by a listing of their own. */
async function segmentNames(
  bucket: Bucket,
  meta: BlockMeta,
  listed: ListedBlock | undefined,
  signal: AbortSignal | undefined,
): Promise<string[]> {
  const { ulid } = meta;
  const directory = `${CHUNKS_DIRECTORY}/`;
  const { files, segment_files: segments = [] } = readThanos(meta, metaPath(ulid));
  if (segments.length > 0) return segments.map((name) => `${ulid}/${directory}${name}`);
  const named = (files ?? []).filter(({ rel_path: name }) => name.startsWith(directory));
  if (named.length > 0) {
    return named.map(({ rel_path: name }) => `${ulid}/${name}`).sort(compareUtf8);
  }
  if (listed?.segments !== undefined) {
    return listed.segments
      .flatMap(({ path: name }) => (name === undefined ? [] : [`${ulid}/${name}`]))
      .sort(compareUtf8);
  }
  try {
    return await Array.fromAsync(bucket.iter(`${ulid}/${CHUNKS_DIRECTORY}`, { signal }));
  } catch (thrown) {
    throw new CodedError('unavailable', `list chunk files: ${errorText(thrown)}`, {
      cause: thrown,
    });
  }
}
