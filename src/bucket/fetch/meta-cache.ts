/**
 * Copies of meta.json files on the local disk, so that a start needs no request a block:
 * `<data-dir>/meta-syncer/<ulid>/meta.json`, where Thanos has them, too. Everything is best effort: whatever the disk
 * refuses is a warning, and what cannot be read is fetched again. Behaviour: thanos pkg/block/fetcher.go (loadMeta).
 *
 * The copies are the bucket's bytes. They are not synced: after a crash of the machine one may be empty, which reading
 * finds out.
 */
import { mkdir, open, readdir, rename, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { errorText } from '../../lib/errors.ts';
import type { Logger } from '../../lib/log.ts';
import { isUlid } from '../../model/ulid.ts';
import type { BlockMeta } from '../../tsdb/block/meta.ts';
import { META_FILE } from '../../tsdb/block/meta.ts';
import { parseFetchedMeta } from './parse-meta.ts';

/** The directory of the copies in a data directory. */
export const CACHE_DIRECTORY = 'meta-syncer';

/** A copy, and whether the object was changed since it was made. */
export interface CachedMeta {
  readonly meta: BlockMeta;
  /** When the copy was made by this machine's clock, ms since the epoch. */
  readonly madeAt: number;
}

/** The copies of one data directory. Operations on different blocks may run side by side; none of them rejects. */
export class MetaCache {
  readonly #directory: string;
  readonly #log: Logger;
  #failedWrites = 0;
  #lastFailure: unknown;

  constructor(dataDirectory: string, log: Logger) {
    this.#directory = path.join(dataDirectory, CACHE_DIRECTORY);
    this.#log = log;
  }

  /** The copy of a block's meta.json; undefined when there is none. One that cannot be read is removed. */
  async read(ulid: string): Promise<CachedMeta | undefined> {
    const file = path.join(this.#directory, ulid, META_FILE);
    try {
      await using handle = await open(file);
      const { mtimeMs, size } = await handle.stat();
      // perf: of known size, this is one read, not three.
      const { buffer, bytesRead } = await handle.read(Buffer.allocUnsafe(size), 0, size, 0);
      const meta = parseFetchedMeta(buffer.toString('utf8', 0, bytesRead), ulid, file);
      return { meta, madeAt: mtimeMs };
    } catch (thrown) {
      if ((thrown as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
      this.#log.warn(
        'best effort read of the local meta.json failed; removing cached block dir',
        this.#fields(ulid, thrown),
      );
      await this.#remove(ulid, 'best effort remove of cached dir failed; ignoring');
      return undefined;
    }
  }

  /** Keeps a copy: whole, or not at all. */
  async write(ulid: string, bytes: Uint8Array): Promise<void> {
    const directory = path.join(this.#directory, ulid);
    const file = path.join(directory, META_FILE);
    const draft = `${file}.tmp`;
    try {
      await mkdir(directory, { recursive: true });
      await writeFile(draft, bytes);
      await rename(draft, file);
    } catch (thrown) {
      this.#failedWrites++;
      this.#lastFailure = thrown;
      await rm(draft, { force: true }).catch(() => undefined);
    }
  }

  /** Removes the copy of a block whose meta.json has changed. */
  async remove(ulid: string): Promise<void> {
    await this.#remove(ulid, 'failed to remove cached meta.json dir');
  }

  /** Removes the copies of all other blocks. */
  async retain(ulids: { has(ulid: string): boolean }): Promise<void> {
    let names: string[];
    try {
      names = await readdir(this.#directory);
    } catch (thrown) {
      if ((thrown as NodeJS.ErrnoException).code === 'ENOENT') return;
      const message = 'best effort remove of not needed cached dirs failed; ignoring';
      this.#log.warn(message, { err: errorText(thrown) });
      return;
    }
    const message = 'best effort remove of not needed cached dir failed; ignoring';
    for (const name of names) {
      if (isUlid(name) && !ulids.has(name)) await this.#remove(name, message);
    }
  }

  /** Warns once of all copies that could not be kept since the last time: a full disk would fill the log, too. */
  reportFailedWrites(): void {
    if (this.#failedWrites === 0) return;
    this.#log.warn('best effort save of the meta.json to local dir failed; ignoring', {
      dir: this.#directory,
      blocks: this.#failedWrites,
      err: errorText(this.#lastFailure),
    });
    this.#failedWrites = 0;
  }

  async #remove(ulid: string, complaint: string): Promise<void> {
    try {
      await rm(path.join(this.#directory, ulid), { recursive: true, force: true });
    } catch (thrown) {
      this.#log.warn(complaint, this.#fields(ulid, thrown));
    }
  }

  #fields(ulid: string, thrown: unknown): { dir: string; err: string } {
    return { dir: path.join(this.#directory, ulid), err: errorText(thrown) };
  }
}
