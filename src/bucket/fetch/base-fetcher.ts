/**
 * All blocks of a bucket by their meta.json, from memory, disk or bucket. Several MetaFetchers with filters of their own
 * may share one. Behaviour: thanos pkg/block/fetcher.go (BaseFetcher).
 *
 * A meta.json never changes but by hand; one whose time of modification changed is read again.
 */
import pLimit from 'p-limit';
import { orAbort, throwIfAborted } from '../../lib/abort.ts';
import { CodedError, errorCode, errorText } from '../../lib/errors.ts';
import type { Logger } from '../../lib/log.ts';
import type { Counter } from '../../lib/metrics.ts';
import { decodeUtf8 } from '../../lib/utf8.ts';
import type { Bucket } from '../../objstore/bucket.ts';
import { isNotFound } from '../../objstore/bucket.ts';
import { readObject } from '../../objstore/read-object.ts';
import type { BlockMeta } from '../../tsdb/block/meta.ts';
import { metaPath } from '../block-path.ts';
import type { BlockLister, ListedBlock } from './block-lister.ts';
import { incompleteView } from './incomplete-view.ts';
import { MetaCache } from './meta-cache.ts';
import { parseFetchedMeta } from './parse-meta.ts';

/** What a base fetcher counts. */
export interface BaseFetcherMetrics {
  readonly syncs: Counter;
  readonly cacheBusts: Counter;
}

/** What a base fetcher is made of. */
export interface BaseFetcherOptions {
  readonly bucket: Bucket;
  readonly lister: BlockLister;
  /** meta.json files that are read at once: `--block-meta-fetch-concurrency`. */
  readonly concurrency: number;
  /** Where copies are kept; nowhere when absent. */
  readonly dataDirectory?: string | undefined;
  readonly metrics: BaseFetcherMetrics;
  readonly log: Logger;
}

/** What a bucket holds, each map in the order of ULIDs. Whoever gets it may not change it: others have the same. */
export interface BucketView {
  readonly metas: ReadonlyMap<string, BlockMeta>;
  /** Blocks without meta.json (`not_found`) or with a broken one (`corrupt`), and why. */
  readonly partial: ReadonlyMap<string, CodedError>;
  /** What the listing said about every block that could be listed. */
  readonly listed: ReadonlyMap<string, ListedBlock>;
  /** Blocks that are neither in `metas` nor in `partial` because something failed. */
  readonly failedCount: number;
  /** Says that blocks failed, and why: the view is incomplete, and what is missing from it may be there. */
  readonly error?: CodedError;
}

interface KnownMeta {
  readonly meta: BlockMeta;
  readonly lastModified: number | undefined;
}

/** The parts of a view while it comes about. */
interface Findings {
  readonly metas: Map<string, KnownMeta>;
  readonly partial: Map<string, CodedError>;
  readonly listed: Map<string, ListedBlock>;
  readonly failures: Map<string, CodedError>;
}

/** One pass, shared by all who asked while it ran. */
interface Flight {
  readonly result: Promise<BucketView>;
  readonly controller: AbortController;
  waiting: number;
}

/** Looks at a bucket when asked, once for all who ask meanwhile. */
export class BaseFetcher {
  readonly #options: BaseFetcherOptions;
  readonly #cache: MetaCache | undefined;
  #known: ReadonlyMap<string, KnownMeta> = new Map();
  #flight: Flight | undefined;

  constructor(options: BaseFetcherOptions) {
    this.#options = options;
    const { dataDirectory, log } = options;
    this.#cache = dataDirectory === undefined ? undefined : new MetaCache(dataDirectory, log);
  }

  /** Blocks whose meta is in memory. */
  get cachedCount(): number {
    return this.#known.size;
  }

  /**
   * What the bucket holds now. The pass goes on as long as anybody waits for it.
   * @throws CodedError canceled; what the bucket says when it cannot be listed.
   */
  async fetch(signal?: AbortSignal): Promise<BucketView> {
    throwIfAborted(signal);
    const flight = (this.#flight ??= this.#start());
    flight.waiting++;
    try {
      return await orAbort(flight.result, signal);
    } finally {
      flight.waiting--;
      // Whoever comes later begins anew, and does not share the end of this one.
      if (flight.waiting === 0 && this.#flight === flight) this.#flight = undefined;
      if (flight.waiting === 0) {
        flight.controller.abort();
        // Nothing goes on behind the back of whoever gave up last: he may close the bucket now.
        await flight.result.catch(() => undefined);
      }
    }
  }

  #start(): Flight {
    const controller = new AbortController();
    const result = this.#look(controller.signal);
    const flight: Flight = { result, controller, waiting: 0 };
    const land = (): void => {
      if (this.#flight === flight) this.#flight = undefined;
    };
    result.then(land, land);
    return flight;
  }

  async #look(signal: AbortSignal): Promise<BucketView> {
    const { metrics, log, concurrency } = this.#options;
    metrics.syncs.inc();
    log.debug('fetching meta data', { concurrency });
    const findings = await this.#find(signal);
    this.#cache?.reportFailedWrites();
    throwIfAborted(signal);
    const { metas, failures } = findings;
    // Metas that failed this time are kept for the next; copies of blocks that left go only when nothing failed.
    this.#known = failures.size === 0 ? metas : new Map([...this.#known, ...metas]);
    if (failures.size === 0) await this.#cache?.retain(metas);
    return viewOf(findings);
  }

  async #find(signal: AbortSignal): Promise<Findings> {
    const { lister, concurrency } = this.#options;
    const findings: Findings = {
      metas: new Map(),
      partial: new Map(),
      listed: new Map(),
      failures: new Map(),
    };
    const limit = pLimit(concurrency);
    const loading: Promise<void>[] = [];
    // Ends what is being loaded when the listing fails.
    const failed = new AbortController();
    const until = AbortSignal.any([signal, failed.signal]);
    try {
      await lister.list(
        {
          onBlock: (block) => {
            findings.listed.set(block.ulid, block);
            if (block.meta === undefined) findings.partial.set(block.ulid, noMeta(block.ulid));
            else loading.push(limit(() => this.#load(block, findings, until)));
          },
          onFailure: (ulid, thrown) => findings.failures.set(ulid, failure(`list ${ulid}`, thrown)),
        },
        signal,
      );
    } catch (thrown) {
      failed.abort();
      throwIfAborted(signal);
      // compat: Go's prefix.
      throw failure('BaseFetcher: iter bucket', thrown);
    } finally {
      await Promise.all(loading);
    }
    return findings;
  }

  async #load(block: ListedBlock, findings: Findings, signal: AbortSignal): Promise<void> {
    if (signal.aborted) return;
    const { ulid } = block;
    const lastModified = block.meta?.lastModified;
    try {
      const meta =
        (await this.#recall(ulid, lastModified)) ?? (await this.#fetchMeta(ulid, signal));
      findings.metas.set(ulid, { meta, lastModified });
    } catch (thrown) {
      const error = thrown instanceof CodedError ? thrown : failure(metaPath(ulid), thrown);
      const isPartial = error.code === 'not_found' || error.code === 'corrupt';
      findings[isPartial ? 'partial' : 'failures'].set(ulid, error);
    }
  }

  /** A meta from memory or disk, unless the object was changed since. */
  async #recall(ulid: string, lastModified: number | undefined): Promise<BlockMeta | undefined> {
    const known = this.#known.get(ulid);
    if (known !== undefined) {
      if (!hasChanged(known.lastModified, lastModified)) return known.meta;
      await this.#bust(ulid);
      return undefined;
    }
    const copy = await this.#cache?.read(ulid);
    if (copy === undefined) return undefined;
    if (lastModified === undefined || lastModified <= copy.madeAt) return copy.meta;
    await this.#bust(ulid);
    return undefined;
  }

  async #bust(ulid: string): Promise<void> {
    this.#options.metrics.cacheBusts.inc();
    await this.#cache?.remove(ulid);
  }

  async #fetchMeta(ulid: string, signal: AbortSignal): Promise<BlockMeta> {
    const path = metaPath(ulid);
    let bytes: Uint8Array;
    try {
      bytes = await readObject(this.#options.bucket, path, { signal, isExpected: isNotFound });
    } catch (thrown) {
      // compat: Go's sentences.
      const text = errorText(thrown);
      if (isNotFound(thrown)) {
        // Deleted since it was listed.
        throw new CodedError('not_found', `${text}: meta.json not found`, { cause: thrown });
      }
      const code = errorCode(thrown) === 'too_large' ? 'corrupt' : errorCode(thrown);
      throw new CodedError(code, `get meta file: ${path}: ${text}`, { cause: thrown });
    }
    const meta = parseFetchedMeta(decodeUtf8(bytes), ulid, path);
    await this.#cache?.write(ulid, bytes);
    return meta;
  }
}

function hasChanged(before: number | undefined, now: number | undefined): boolean {
  return before !== undefined && now !== undefined && before !== now;
}

/** compat: Go's sentence. */
function noMeta(ulid: string): CodedError {
  return new CodedError('not_found', `block ${ulid} has no meta file`);
}

function failure(what: string, thrown: unknown): CodedError {
  return new CodedError(errorCode(thrown), `${what}: ${errorText(thrown)}`, { cause: thrown });
}

function viewOf({ metas, partial, listed, failures }: Findings): BucketView {
  return {
    metas: byUlid(new Map([...metas].map(([ulid, { meta }]) => [ulid, meta]))),
    partial: byUlid(partial),
    listed: byUlid(listed),
    failedCount: failures.size,
    ...(failures.size > 0 && { error: incompleteView([...byUlid(failures).values()]) }),
  };
}

function byUlid<T>(map: ReadonlyMap<string, T>): Map<string, T> {
  return new Map([...map].toSorted(([a], [b]) => (a < b ? -1 : 1)));
}
