/**
 * The shipper: uploads the blocks of a TSDB's directory to a bucket, with external labels. Behaviour: thanos
 * pkg/shipper/shipper.go; docs/storage.md tells the user's side.
 *
 *   <ulid>/  ──links──▶  thanos/upload/<ulid>/  ──upload──▶  bucket   ──▶  thanos.shipper.json
 *
 * invariant: meta.json comes last, so a block is in the bucket whole or not at all, and a pass that died anywhere is
 * taken up by the next: what the bucket has is not sent again, what it lacks is.
 *
 * compat: a damaged block holds up Go's shipper unless `--shipper.skip-corrupted-blocks` is given; here it is logged and
 * counted, and the others go on (docs/compat.md).
 *
 * No timers in here: whoever owns a shipper calls {@link Shipper.sync} again and again.
 */
import { stat } from 'node:fs/promises';
import path from 'node:path';
import { abortError, throwIfAborted } from '../lib/abort.ts';
import type { Clock } from '../lib/clock.ts';
import { CodedError, errorCode, errorText } from '../lib/errors.ts';
import type { Logger } from '../lib/log.ts';
import type { Labels } from '../model/labels.ts';
import type { Bucket } from '../objstore/bucket.ts';
import type { BlockMeta } from '../tsdb/block/meta.ts';
import { META_FILE } from '../tsdb/block/meta.ts';
import { dataFiles, type HashFunction, readLocalMeta, type SizedFile } from './block-files.ts';
import { blockState, isInBucket } from './bucket-state.ts';
import { type LocalBlock, type LocalBlocks, listLocalBlocks } from './local-blocks.ts';
import { type BlockSource, type IndexStats, readThanos, withThanos } from './meta.ts';
import { OverlapCheck } from './overlap-check.ts';
import { readShipperFile, writeShipperFile } from './shipper-file.ts';
import type { ShipperMetrics } from './shipper-metrics.ts';
import { uploadBlock } from './upload-block.ts';
import { UploadDirectories, writeUploadMeta } from './upload-directory.ts';

/** How to ship. Defaults are those of Thanos' flags `--shipper.*` and `--hash-func`. */
export interface ShipperOptions {
  /** The TSDB's directory. */
  readonly directory: string;
  readonly bucket: Bucket;
  /** External labels, asked once a pass. */
  readonly labels: () => Labels;
  readonly source: BlockSource;
  readonly clock: Clock;
  readonly log: Logger;
  readonly metrics?: ShipperMetrics | undefined;
  /** Compacted blocks too, as long as they overlap none that the bucket has. */
  readonly uploadCompacted?: boolean;
  /** Goes on behind a failed upload, and does not look for overlaps. */
  readonly allowOutOfOrderUploads?: boolean;
  /** A pass with damaged blocks counts as one that went well. */
  readonly skipCorruptedBlocks?: boolean;
  /** Segments that are uploaded at once; 0 stands for 1. */
  readonly uploadConcurrency?: number;
  /** The name of the file of uploaded blocks. */
  readonly metaFileName?: string;
  readonly hash?: HashFunction;
  /**
   * Sizes for `index_stats`, from a directory with the block's index and segments but without meta.json. Runs in a
   * worker, because it reads the whole index. One that rejects with `corrupt` says that the block is damaged.
   */
  readonly indexStats?: (directory: string, signal?: AbortSignal) => Promise<IndexStats>;
}

/** A block that was not uploaded, and why. */
export interface ShipFailure {
  readonly ulid: string;
  readonly error: unknown;
  /** The block is damaged: trying again does not help. */
  readonly corrupted: boolean;
}

/** What a pass did. */
export interface SyncResult {
  /** Blocks that were sent, the oldest first. */
  readonly uploaded: readonly string[];
  readonly failures: readonly ShipFailure[];
}

/** Ships the blocks of one directory. The only one to do so; safe beside compaction and retention. */
export class Shipper {
  readonly #options: ShipperOptions;
  readonly #file: string;
  readonly #uploads: UploadDirectories;
  /** Damaged blocks that the log knows. */
  readonly #reported = new Map<string, string>();
  #running: Promise<SyncResult> | undefined;

  constructor(options: ShipperOptions) {
    this.#options = options;
    this.#file = path.join(options.directory, options.metaFileName ?? 'thanos.shipper.json');
    this.#uploads = new UploadDirectories(options.directory);
  }

  /**
   * One pass: uploads what the bucket lacks, the oldest first. A call during a pass joins it. Failures of single blocks
   * are in the result. After one that is not the block's own fault nothing younger is uploaded, unless out-of-order
   * uploads are allowed: compactors want blocks in order.
   * @throws CodedError bad_data without external labels; canceled; unavailable when the directory cannot be read.
   */
  sync(options: { readonly signal?: AbortSignal | undefined } = {}): Promise<SyncResult> {
    this.#running ??= this.#counted(options.signal).finally(() => (this.#running = undefined));
    return this.#running;
  }

  /** The local blocks that were uploaded once, or found in the bucket, by the file of the last pass. */
  async uploadedBlocks(): Promise<ReadonlySet<string>> {
    return new Set((await this.#readFile()) ?? []);
  }

  /**
   * Whether a local block can be deleted without losing samples: the bucket has all its files in their sizes, or
   * complete blocks that were compacted from it ({@link isInBucket}). @throws CodedError when the bucket fails.
   */
  async isSafeInBucket(
    ulid: string,
    { signal }: { readonly signal?: AbortSignal | undefined } = {},
  ): Promise<boolean> {
    const directory = path.join(this.#options.directory, ulid);
    const { sources, files } = await describeLocal(directory);
    return isInBucket(this.#options.bucket, { ulid, sources, files }, signal);
  }

  async #counted(signal: AbortSignal | undefined): Promise<SyncResult> {
    const { metrics, uploadCompacted = false } = this.#options;
    try {
      const result = await this.#pass(signal);
      const fine = result.failures.every((failure) => this.#isTolerated(failure));
      (fine ? metrics?.dirSyncs : metrics?.dirSyncFailures)?.inc();
      const done = uploadCompacted && result.failures.length === 0;
      metrics?.uploadCompactedDone.set(done ? 1 : 0);
      return result;
    } catch (thrown) {
      metrics?.dirSyncFailures.inc();
      throw thrown;
    }
  }

  #isTolerated({ corrupted }: ShipFailure): boolean {
    const { skipCorruptedBlocks = false, allowOutOfOrderUploads = false } = this.#options;
    return corrupted ? skipCorruptedBlocks : allowOutOfOrderUploads;
  }

  async #pass(signal: AbortSignal | undefined): Promise<SyncResult> {
    const { directory, bucket } = this.#options;
    const labels = this.#options.labels();
    // compat: Thanos' sentence.
    if (labels.size === 0) {
      throw new CodedError('bad_data', 'empty external labels are not allowed for Thanos block.');
    }
    throwIfAborted(signal);
    const before = await this.#readFile();
    await this.#uploads.clear();
    const local = await listLocalBlocks(directory);
    const pass = new Pass(before ?? [], local, labels, new OverlapCheck(bucket, labels));
    for (const [ulid, error] of local.bad) this.#failed(pass, ulid, error);
    try {
      for (const block of local.blocks) {
        if (!(await this.#visit(pass, block, signal))) break;
      }
    } finally {
      await this.#writeFile(before, pass.allUploaded());
    }
    return { uploaded: pass.uploaded, failures: pass.failures };
  }

  /** Deals with one block. @returns whether to go on with the next. */
  async #visit(pass: Pass, block: LocalBlock, signal: AbortSignal | undefined): Promise<boolean> {
    throwIfAborted(signal);
    const { log, metrics, uploadCompacted = false } = this.#options;
    const { ulid, stats, compaction } = block.meta;
    // If it is gone from the bucket since, compaction has removed it: it must not come back.
    if (pass.isUploaded(ulid)) return true;
    if ((stats.numSamples ?? 0) === 0) {
      log.debug('ignoring empty block', { block: ulid });
      return true;
    }
    if (compaction.level > 1 && !uploadCompacted) return true;
    try {
      if (await this.#ship(pass, block, signal)) {
        pass.uploaded.push(ulid);
        metrics?.uploads.inc();
      }
      pass.add(ulid);
      return true;
    } catch (thrown) {
      if (signal?.aborted === true) throw abortError(signal);
      if (!(await isDirectory(block.directory))) {
        log.debug('a block was removed before it could be uploaded', { block: ulid });
        return true;
      }
      return this.#failed(pass, ulid, thrown);
    }
  }

  /** Notes a failure. @returns whether to go on with the next block. */
  #failed(pass: Pass, ulid: string, error: unknown): boolean {
    const { log, metrics, allowOutOfOrderUploads = false } = this.#options;
    const [code, err] = [errorCode(error), errorText(error)];
    const corrupted = code === 'corrupt';
    pass.failures.push({ ulid, error, corrupted });
    if (corrupted) {
      metrics?.corruptedBlocks.inc();
      if (this.#reported.get(ulid) !== err) {
        log.error('a damaged block is not uploaded, the others are', { block: ulid, err });
      }
      this.#reported.set(ulid, err);
      return true;
    }
    metrics?.uploadFailures.inc();
    log.error('shipping failed', { block: ulid, err });
    // What overlaps today overlaps tomorrow: waiting for it would hold up everything.
    return allowOutOfOrderUploads || code === 'conflict';
  }

  /** Uploads a block unless the bucket has it. @returns whether it was uploaded. */
  async #ship(pass: Pass, block: LocalBlock, signal: AbortSignal | undefined): Promise<boolean> {
    const { bucket, log, allowOutOfOrderUploads = false } = this.#options;
    const { ulid, compaction } = block.meta;
    const files = await dataFiles(block.directory);
    const state = await blockState(bucket, ulid, { files, signal });
    if (state.kind === 'complete') return false;
    if (state.kind === 'damaged') {
      const { reason } = state;
      log.warn('a block in the bucket is damaged, it is uploaded again', { block: ulid, reason });
    }
    if (compaction.level > 1 && !allowOutOfOrderUploads) {
      await pass.overlaps.refuseOverlap(block.meta, signal);
    }
    log.info('upload new block', { id: ulid });
    try {
      pass.overlaps.add(await this.#upload(pass.labels, block, signal));
    } finally {
      await this.#uploads.clear().catch((thrown: unknown) => {
        log.error('failed to clean upload directory', { err: errorText(thrown) });
      });
    }
    return true;
  }

  async #upload(
    labels: Labels,
    { directory, meta }: LocalBlock,
    signal: AbortSignal | undefined,
  ): Promise<BlockMeta> {
    const { bucket, source, clock, log, hash = '', uploadConcurrency = 0 } = this.#options;
    const linked = await this.#uploads.make(directory);
    const stats = await this.#options.indexStats?.(linked, signal);
    const thanos = readThanos(meta, path.join(directory, META_FILE));
    const segments = (await dataFiles(linked)).map((file) => path.posix.parse(file.path));
    const complete = withThanos(meta, {
      ...thanos,
      labels: { ...thanos.labels, ...labels.toObject() },
      source,
      segment_files: segments.filter(({ dir }) => dir !== '').map(({ base }) => base),
      ...(stats !== undefined && { index_stats: stats }),
    });
    await writeUploadMeta(linked, complete);
    const concurrency = Math.max(1, uploadConcurrency);
    return uploadBlock(bucket, linked, { clock, log, hash, concurrency, signal });
  }

  /** The file of uploaded blocks; undefined when there is none that can be read: the bucket is asked then. */
  async #readFile(): Promise<readonly string[] | undefined> {
    try {
      return await readShipperFile(this.#file);
    } catch (thrown) {
      const { log } = this.#options;
      if (errorCode(thrown) === 'not_found') {
        log.info('no shipper file found, asking the bucket for each block', { file: this.#file });
      } else {
        log.error('failed to read shipper file, asking the bucket for each block', {
          err: errorText(thrown),
        });
      }
      return undefined;
    }
  }

  /** Not being able to write it costs requests in the next pass, nothing else. */
  async #writeFile(before: readonly string[] | undefined, now: readonly string[]): Promise<void> {
    if (before?.join() === now.join()) return;
    try {
      await writeShipperFile(this.#file, now);
    } catch (thrown) {
      this.#options.log.warn('updating shipper file failed', { err: errorText(thrown) });
    }
  }
}

/** The state of one pass. */
class Pass {
  readonly labels: Labels;
  readonly overlaps: OverlapCheck;
  readonly uploaded: string[] = [];
  readonly failures: ShipFailure[] = [];
  /** What the bucket has or had, of the blocks that are here still. */
  readonly #inBucket: Set<string>;
  readonly #order: readonly string[];

  constructor(
    before: readonly string[],
    local: LocalBlocks,
    labels: Labels,
    overlaps: OverlapCheck,
  ) {
    this.labels = labels;
    this.overlaps = overlaps;
    this.#inBucket = new Set(before.filter((ulid) => local.ulids.has(ulid)));
    this.#order = [...local.ulids];
  }

  isUploaded(ulid: string): boolean {
    return this.#inBucket.has(ulid);
  }

  add(ulid: string): void {
    this.#inBucket.add(ulid);
  }

  /** For the file: the oldest first. */
  allUploaded(): string[] {
    return this.#order.filter((ulid) => this.#inBucket.has(ulid));
  }
}

/** What a local block should look like in the bucket; by name only when it is gone or damaged. */
async function describeLocal(
  directory: string,
): Promise<{ readonly sources: readonly string[]; readonly files?: readonly SizedFile[] }> {
  try {
    const { sources = [] } = (await readLocalMeta(directory)).compaction;
    return { sources, files: await dataFiles(directory) };
  } catch (thrown) {
    const code = errorCode(thrown);
    if (code === 'not_found' || code === 'corrupt') return { sources: [] };
    throw thrown;
  }
}

async function isDirectory(directory: string): Promise<boolean> {
  return stat(directory).then(
    (stats) => stats.isDirectory(),
    () => false,
  );
}
