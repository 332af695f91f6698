/**
 * A block's index-header in the life of a store gateway: made from the bucket when it is not on disk or not sound, opened at once or
 * at the first query, closed again when nobody has asked for a while. Behaviour: thanos pkg/block/indexheader
 * (binary_reader.go, lazy_binary_reader.go, reader_pool.go).
 */
import { CodedError, CorruptionError, errorCode, errorText } from '../../lib/errors.ts';
import type { Logger } from '../../lib/log.ts';
import type { Bucket } from '../../objstore/bucket.ts';
import { INDEX_FILE } from '../block-path.ts';
import { buildHeader, writeHeader } from './build.ts';
import { HeaderInMemory, openHeaderFile } from './header-bytes.ts';
import type { HeaderBytes } from './header-bytes.ts';
import { openIndexHeader } from './index-header.ts';
import type { IndexHeader } from './index-header.ts';

/** What a handle tells about. Durations are in seconds. */
export interface HeaderMetrics {
  onDownload(seconds: number): void;
  onLoad(seconds: number): void;
  onLazyLoad(seconds: number): void;
  onLazyLoadFailed(): void;
  onLazyUnload(): void;
  onLazyUnloadFailed(): void;
}

/** How headers are kept. */
export interface HeaderHandleOptions {
  readonly bucket: Bucket;
  readonly ulid: string;
  readonly indexBytes?: number | undefined;
  /** Where it lies; undefined keeps it in memory only. */
  readonly file: string | undefined;
  /** One of so many values of a label is in memory. */
  readonly sampling: number;
  /** Opened at the first use, and closed when idle. */
  readonly lazy: boolean;
  /** With `lazy`: made at the first use, too. */
  readonly lazyDownload: boolean;
  readonly metrics: HeaderMetrics;
  /** ms of a clock that only goes forward. */
  readonly now: () => number;
  readonly log: Logger;
}

/** One header; its methods may be called side by side. */
export class HeaderHandle {
  readonly #options: HeaderHandleOptions;
  #opening: Promise<IndexHeader> | undefined;
  #readers = 0;
  #holders = 0;
  #usedAt = 0;
  #closed = false;
  /** Resolves waiting closers when the last reader and holder have left. */
  readonly #closers: (() => void)[] = [];

  constructor(options: HeaderHandleOptions) {
    this.#options = options;
  }

  /** Whether it is open or being opened. */
  get isOpen(): boolean {
    return this.#opening !== undefined;
  }

  /** Does what is to be done before a block can be queried. @throws CodedError. */
  async prepare(signal: AbortSignal | undefined): Promise<void> {
    const { lazy, lazyDownload, file } = this.#options;
    if (!lazy) await this.#open(signal);
    else if (!lazyDownload && file !== undefined) await this.#download(file, signal);
  }

  /** Runs `work` with the header, which stays open meanwhile. @throws CodedError when it cannot be had. */
  async withHeader<T>(work: (header: IndexHeader) => Promise<T>): Promise<T> {
    const header = await this.acquire();
    try {
      return await work(header);
    } finally {
      this.release();
    }
  }

  /**
   * Keeps {@link close} waiting until the answer is called, once: for who reads now and then, and finds the header each time.
   * It opens nothing.
   */
  hold(): () => void {
    this.#holders++;
    let held = true;
    return () => {
      if (!held) return;
      held = false;
      this.#holders--;
      this.#wakeClosers();
    };
  }

  /** The header, which stays open until {@link release}. @throws CodedError when it cannot be had. */
  async acquire(): Promise<IndexHeader> {
    if (this.#closed) {
      throw new CodedError('unavailable', `block ${this.#options.ulid} is served no longer`);
    }
    this.#readers++;
    try {
      return await this.#open(undefined);
    } catch (thrown) {
      this.release();
      throw thrown;
    }
  }

  /** To be called once for each {@link acquire} that answered. */
  release(): void {
    this.#usedAt = this.#options.now();
    this.#readers--;
    this.#wakeClosers();
  }

  #wakeClosers(): void {
    if (this.#readers + this.#holders > 0) return;
    for (const resolve of this.#closers.splice(0)) resolve();
  }

  /** Closes a lazy header that nobody has used for so long. */
  async closeIdle(idleMs: number): Promise<void> {
    const { lazy, now, metrics } = this.#options;
    if (!lazy || this.#opening === undefined || this.#readers > 0) return;
    if (now() - this.#usedAt < idleMs) return;
    const opening = this.#opening;
    this.#opening = undefined;
    metrics.onLazyUnload();
    try {
      await (await opening).close();
    } catch {
      metrics.onLazyUnloadFailed();
    }
  }

  /** Closes it when the last reader and holder have left; it is not opened again. */
  async close(): Promise<void> {
    while (this.#readers + this.#holders > 0) {
      await new Promise<void>((resolve) => this.#closers.push(resolve));
    }
    this.#closed = true;
    const opening = this.#opening;
    this.#opening = undefined;
    await opening?.then(
      (header) => header.close(),
      () => undefined,
    );
  }

  #open(signal: AbortSignal | undefined): Promise<IndexHeader> {
    if (this.#opening !== undefined) return this.#opening;
    const opening = this.#load(signal);
    this.#opening = opening;
    // The next one tries again.
    opening.catch(() => {
      if (this.#opening === opening) this.#opening = undefined;
    });
    return opening;
  }

  async #load(signal: AbortSignal | undefined): Promise<IndexHeader> {
    const { lazy, metrics, now } = this.#options;
    const begin = now();
    try {
      const header = await this.#fromDiskOrBucket(signal);
      const seconds = (now() - begin) / 1000;
      metrics.onLoad(seconds);
      if (lazy) metrics.onLazyLoad(seconds);
      return header;
    } catch (thrown) {
      if (lazy) metrics.onLazyLoadFailed();
      throw thrown;
    }
  }

  async #fromDiskOrBucket(signal: AbortSignal | undefined): Promise<IndexHeader> {
    const { file, sampling, ulid, log } = this.#options;
    if (file === undefined) return this.#inMemory(signal);
    try {
      return await openIndexHeader(await openHeaderFile(file), sampling);
    } catch (thrown) {
      if (errorCode(thrown) !== 'not_found') {
        log.warn('index-header on disk cannot be used, it is made again', {
          block: ulid,
          err: errorText(thrown),
        });
      }
    }
    try {
      await this.#make(file, signal);
    } catch (thrown) {
      if (!isOfDisk(thrown)) throw thrown;
      // A disk that is full must not take the block's data from whoever asks for it.
      log.warn('index-header cannot be written, it is kept in memory', {
        block: ulid,
        err: errorText(thrown),
      });
      return this.#inMemory(signal);
    }
    return this.#openMade(await openHeaderFile(file));
  }

  /** Makes the file unless there is one; whether it is sound shows when it is opened. */
  async #download(file: string, signal: AbortSignal | undefined): Promise<void> {
    try {
      await (await openHeaderFile(file)).close();
    } catch {
      try {
        await this.#make(file, signal);
      } catch (thrown) {
        if (!isOfDisk(thrown)) throw thrown;
      }
    }
  }

  async #make(file: string, signal: AbortSignal | undefined): Promise<void> {
    const { bucket, ulid, indexBytes, metrics, now } = this.#options;
    const begin = now();
    await writeHeader({ bucket, ulid, indexBytes, signal }, file);
    metrics.onDownload((now() - begin) / 1000);
  }

  async #inMemory(signal: AbortSignal | undefined): Promise<IndexHeader> {
    const { bucket, ulid, indexBytes, metrics, now } = this.#options;
    const begin = now();
    const bytes = await buildHeader({ bucket, ulid, indexBytes, signal });
    metrics.onDownload((now() - begin) / 1000);
    return this.#openMade(new HeaderInMemory(`${ulid}/index-header`, bytes));
  }

  /** Opens what has just been made of the bucket's bytes: what is wrong with it is wrong there. */
  async #openMade(bytes: HeaderBytes): Promise<IndexHeader> {
    const { ulid, sampling } = this.#options;
    try {
      return await openIndexHeader(bytes, sampling);
    } catch (thrown) {
      if (!(thrown instanceof CorruptionError)) throw thrown;
      const text = `object ${ulid}/${INDEX_FILE} is damaged: ${thrown.message}`;
      throw new CodedError('corrupt', text, { cause: thrown });
    }
  }
}

/** Whether the local disk failed, and not the bucket. */
function isOfDisk(thrown: unknown): boolean {
  const cause = thrown instanceof Error ? thrown.cause : undefined;
  const code = cause instanceof Error ? (cause as NodeJS.ErrnoException).code : undefined;
  return ['ENOSPC', 'EDQUOT', 'EROFS', 'EACCES', 'EPERM', 'EIO', 'ENOTDIR', 'EFBIG'].includes(
    code ?? '',
  );
}
