/**
 * A bucket in a local directory: an object is a file of that name, as Thanos has it, so that Go's programs and ours can
 * share one. Layout: objstore providers/filesystem. docs/storage.md says what it is good for.
 *
 * invariant: a file below the root is whole. Uploads are written to `.thanos-ts-uploads` in the root (upload-area.ts),
 * fsynced and renamed. (Go's provider writes in place: a crash leaves half a file under the object's name.)
 *
 * limit: a name cannot be object and directory at once, and directories of the bucket must be on one file system.
 */
import { type Stats, constants } from 'node:fs';
import { mkdir, open, rename, rmdir, stat, unlink } from 'node:fs/promises';
import path from 'node:path';
import { throwIfAborted } from '../lib/abort.ts';
import type { Clock } from '../lib/clock.ts';
import { systemClock } from '../lib/clock.ts';
import { CodedError, errorText } from '../lib/errors.ts';
import {
  AccessDeniedError,
  type Bucket,
  type BucketEntry,
  type ByteRange,
  checkDeletedName,
  checkObjectName,
  checkRange,
  directoryPrefix,
  type IterOptions,
  type ObjectAttributes,
  type ObjectBody,
  objectNotFound,
  type ObjectStream,
  type RangeOptions,
  type RequestOptions,
  type UploadOptions,
} from './bucket.ts';
import { FileStream } from './file-chunks.ts';
import { walkDirectory } from './filesystem-walk.ts';
import { UPLOAD_DIRECTORY, UploadArea } from './upload-area.ts';

/**
 * limit: how often an upload makes its directory again when a delete takes it away in between. With two deletes in a
 * busy loop on a busy machine ten attempts were too few once in a thousand uploads.
 */
const RENAME_ATTEMPTS = 100;

/** Objects as files below a directory, which is made by the first upload. */
export class FilesystemBucket implements Bucket {
  readonly provider = 'FILESYSTEM';
  readonly name: string;
  readonly #root: string;
  readonly #uploads: UploadArea;

  /** A relative directory is relative to where the process was started. */
  constructor(directory: string, clock: Clock = systemClock) {
    this.#root = path.resolve(directory);
    this.name = `fs: ${this.#root}`;
    this.#uploads = new UploadArea(this.#root, clock);
  }

  async *iter(directory: string, options: IterOptions = {}): AsyncGenerator<string> {
    for await (const entry of this.#walk(directory, options)) yield entry.name;
  }

  async *iterEntries(directory: string, options: IterOptions = {}): AsyncGenerator<BucketEntry> {
    for await (const { name, isDirectory } of this.#walk(directory, options)) {
      if (isDirectory) {
        yield { name };
        continue;
      }
      const stats = await this.#statFile(name);
      // It was deleted since.
      if (stats !== undefined) yield { name, ...attributesOf(stats) };
    }
  }

  #walk(directory: string, { recursive = false, signal }: IterOptions) {
    return walkDirectory({
      root: this.#root,
      prefix: directoryPrefix(directory),
      hidden: UPLOAD_DIRECTORY,
      recursive,
      signal,
    });
  }

  async get(name: string, options: RequestOptions = {}): Promise<ObjectStream> {
    const file = this.#path(name);
    const { handle, size } = await this.#open(name, options);
    return new FileStream(handle, { size, path: file, reuse: false, signal: options.signal });
  }

  async getRange(name: string, range: ByteRange, options: RangeOptions = {}): Promise<Uint8Array> {
    checkRange(range);
    const { handle, size } = await this.#open(name, options);
    try {
      const length = Math.max(0, Math.min(range.length, size - range.offset));
      const bytes = options.into?.subarray(0, length) ?? new Uint8Array(length);
      for (let done = 0; done < length;) {
        throwIfAborted(options.signal);
        const position = range.offset + done;
        const { bytesRead } = await handle.read(bytes, done, length - done, position);
        if (bytesRead === 0) return bytes.slice(0, done);
        done += bytesRead;
      }
      throwIfAborted(options.signal);
      return bytes;
    } finally {
      await handle.close();
    }
  }

  async exists(name: string, options: RequestOptions = {}): Promise<boolean> {
    this.#path(name);
    throwIfAborted(options.signal);
    return (await this.#statFile(name)) !== undefined;
  }

  async attributes(name: string, options: RequestOptions = {}): Promise<ObjectAttributes> {
    this.#path(name);
    throwIfAborted(options.signal);
    const stats = await this.#statFile(name);
    if (stats === undefined) throw objectNotFound(name);
    return attributesOf(stats);
  }

  async upload(name: string, body: ObjectBody, options: UploadOptions = {}): Promise<void> {
    const target = this.#path(name);
    throwIfAborted(options.signal);
    const temporary = await this.#uploads.write(body, options.signal).catch(translate(name));
    try {
      throwIfAborted(options.signal);
      await this.#moveTo(temporary, target).catch(translate(name));
    } catch (thrown) {
      await this.#uploads.discard(temporary);
      throw thrown;
    }
  }

  async delete(name: string, options: RequestOptions = {}): Promise<void> {
    checkDeletedName(name);
    throwIfAborted(options.signal);
    const file = this.#path(name.replace(/\/$/, ''));
    if (name.endsWith('/')) await this.#removeEmpty(file);
    else if ((await this.#statFile(name)) !== undefined) {
      await unlink(file).catch((thrown: unknown) => {
        if (!isAbsent(thrown)) translate(name)(thrown);
      });
    }
    await this.#removeEmpty(path.dirname(file));
  }

  close(): Promise<void> {
    return Promise.resolve();
  }

  #path(name: string): string {
    checkObjectName(name);
    if (name === UPLOAD_DIRECTORY || name.startsWith(`${UPLOAD_DIRECTORY}/`)) {
      throw new CodedError(
        'bad_data',
        `object name ${JSON.stringify(name)}: ${UPLOAD_DIRECTORY} is kept for uploads under way`,
      );
    }
    return path.join(this.#root, name);
  }

  /** Stats of a regular file, or of one behind a symbolic link; undefined when there is none. */
  async #statFile(name: string): Promise<Stats | undefined> {
    try {
      const stats = await stat(path.join(this.#root, name));
      return stats.isFile() ? stats : undefined;
    } catch (thrown) {
      if (isAbsent(thrown)) return undefined;
      return translate(name)(thrown);
    }
  }

  async #open(name: string, options: RequestOptions) {
    const file = this.#path(name);
    throwIfAborted(options.signal);
    // Without waiting, since a FIFO would wait for its other end. To files this says nothing.
    const handle = await open(file, constants.O_RDONLY | constants.O_NONBLOCK).catch(
      (thrown: unknown) => {
        // ENXIO: a socket.
        if (isAbsent(thrown) || errnoOf(thrown) === 'ENXIO') {
          throw objectNotFound(name, { cause: thrown });
        }
        return translate(name)(thrown);
      },
    );
    try {
      throwIfAborted(options.signal);
      const stats = await handle.stat();
      if (!stats.isFile()) throw objectNotFound(name);
      return { handle, size: stats.size };
    } catch (thrown) {
      await handle.close();
      throw thrown;
    }
  }

  async #moveTo(temporary: string, target: string): Promise<void> {
    const directory = path.dirname(target);
    for (let attempt = 1; ; attempt++) {
      try {
        const made = await mkdir(directory, { recursive: true });
        await rename(temporary, target);
        await syncDirectories(directory, made);
        return;
      } catch (thrown) {
        if (errnoOf(thrown) !== 'ENOENT') throw thrown;
        if (attempt < RENAME_ATTEMPTS) continue;
        const message = `${temporary} could not be moved to ${target}: ${errorText(thrown)}`;
        throw new CodedError('unavailable', message, { cause: thrown });
      }
    }
  }

  /** Removes directories that have become empty, up to the root, as Go's provider does. */
  async #removeEmpty(from: string): Promise<void> {
    for (let directory = from; directory !== this.#root; directory = path.dirname(directory)) {
      try {
        await rmdir(directory);
      } catch (thrown) {
        // One that is gone already may have an empty parent; anything else stays, and does no harm.
        if (errnoOf(thrown) !== 'ENOENT') return;
      }
    }
  }
}

function attributesOf(stats: Stats): ObjectAttributes {
  return { size: stats.size, lastModified: Math.trunc(stats.mtimeMs) };
}

/** Makes a new entry durable, and the entries of directories that were made for it, the first of which is `made`. */
async function syncDirectories(directory: string, made: string | undefined): Promise<void> {
  const last = made === undefined ? directory : path.dirname(made);
  for (let at = directory; ; at = path.dirname(at)) {
    const handle = await open(at, 'r').catch((thrown: unknown) => {
      // The object was deleted since, and its directory with it.
      if (errnoOf(thrown) === 'ENOENT') return undefined;
      throw thrown;
    });
    try {
      await handle?.sync();
    } finally {
      await handle?.close();
    }
    if (at === last || at === path.dirname(at)) return;
  }
}

function errnoOf(thrown: unknown): string | undefined {
  return (thrown as NodeJS.ErrnoException).code;
}

/** Errors that mean that there is no file of that name, nor can be. */
function isAbsent(thrown: unknown): boolean {
  return ['ENOENT', 'ENOTDIR', 'ENAMETOOLONG'].includes(errnoOf(thrown) ?? '');
}

/** Rethrows a system error as the one that {@link Bucket} promises. */
function translate(name: string): (thrown: unknown) => never {
  return (thrown) => {
    if (!(thrown instanceof Error) || !('syscall' in thrown)) throw thrown;
    const code = errnoOf(thrown) ?? '';
    const message = `object ${JSON.stringify(name)}: ${errorText(thrown)}`;
    const options = { cause: thrown };
    if (code === 'ENOENT') throw objectNotFound(name, options);
    if (code === 'EACCES' || code === 'EPERM' || code === 'EROFS') {
      throw new AccessDeniedError(message, options);
    }
    const never = ['EISDIR', 'ENOTDIR', 'ENOTEMPTY', 'EEXIST', 'ENAMETOOLONG'].includes(code);
    throw new CodedError(never ? 'bad_data' : 'unavailable', message, options);
  };
}
