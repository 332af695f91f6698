/**
 * A file layer for crash tests of durability: what was not fsynced exists only in this object, so that SIGKILL loses
 * it as the loss of the machine would.
 *
 *   write, truncate ──► pending (memory) ──fsync──► the file, or, while nobody has synced its directory, `unlinked`
 *   open(create)    ──► unlinked (memory) ──fsyncDirectory──► the file exists, with what was fsynced so far
 *
 * Only below a directory called `wal`. The layer passes chunks_head/ through: query workers read those files by path
 * right after they are written, which no memory of the ingest worker can serve, and nothing that was acknowledged
 * depends on them. It is the harder case for replay, too: chunks survive whose series and samples the log has lost.
 * Making directories and the lock file do not go through the layer and are durable at once.
 *
 * A system may also write pages back before anybody asks. `writeBack` is the probability that a write reaches the
 * file at once although earlier ones have not, which leaves holes and records behind them after the crash.
 */
import { dirname, sep } from 'node:path';
import { systemFiles } from '../../src/lib/file-layer.ts';
import type { FileLayer } from '../../src/lib/file-layer.ts';
import type { Random } from '../../src/lib/prng.ts';

/** One change of a file's content. */
type Change =
  | { readonly kind: 'write'; readonly bytes: Uint8Array; readonly offset: number }
  | { readonly kind: 'truncate'; readonly size: number };

interface DroppingFile {
  readonly path: string;
  size: number;
  /** Changes since the last fsync. */
  pending: Change[];
  /** Fsynced changes of a file that its directory does not name yet; undefined once it does. */
  unlinked: Change[] | undefined;
}

/** Keeps un-fsynced changes below `wal` directories in memory; other files are the system's. */
export class DroppingFiles implements FileLayer {
  readonly #random: Random;
  readonly #writeBack: number;
  readonly #byPath = new Map<string, DroppingFile>();
  /** Ours; numbers that the system would never give out. */
  readonly #open = new Map<number, DroppingFile>();
  #nextFd = 1 << 24;

  constructor(random: Random, writeBack: number) {
    this.#random = random;
    this.#writeBack = writeBack;
  }

  open(path: string, create: boolean): number {
    if (!path.split(sep).includes('wal')) return systemFiles.open(path, create);
    let file = this.#byPath.get(path);
    if (create) {
      // The system knows whether there is a file of that name; it is made when the directory is synced.
      if (file !== undefined || exists(path)) throw systemError('EEXIST', path);
      file = { path, size: 0, pending: [], unlinked: [] };
    } else if (file === undefined) {
      file = { path, size: sizeOf(path), pending: [], unlinked: undefined };
    }
    this.#byPath.set(path, file);
    this.#open.set(this.#nextFd, file);
    return this.#nextFd++;
  }

  write(fd: number, bytes: Uint8Array, offset: number): void {
    const file = this.#open.get(fd);
    if (file === undefined) return systemFiles.write(fd, bytes, offset);
    // Copied, also from a Buffer, whose slice is a view: the caller uses it again.
    const change: Change = { kind: 'write', bytes: new Uint8Array(bytes), offset };
    file.pending.push(change);
    file.size = Math.max(file.size, offset + bytes.length);
    if (file.unlinked === undefined && this.#random.float() < this.#writeBack) {
      applyTo(file.path, [change], false);
    }
  }

  fsync(fd: number): void {
    const file = this.#open.get(fd);
    if (file === undefined) return systemFiles.fsync(fd);
    const changes = file.pending;
    file.pending = [];
    if (file.unlinked === undefined) applyTo(file.path, changes, false);
    else file.unlinked.push(...changes);
  }

  fsyncDirectory(path: string): void {
    for (const file of this.#byPath.values()) {
      if (file.unlinked === undefined || dirname(file.path) !== path) continue;
      applyTo(file.path, file.unlinked, true);
      file.unlinked = undefined;
    }
    systemFiles.fsyncDirectory(path);
  }

  truncate(fd: number, size: number): void {
    const file = this.#open.get(fd);
    if (file === undefined) return systemFiles.truncate(fd, size);
    file.pending.push({ kind: 'truncate', size });
    file.size = size;
  }

  size(fd: number): number {
    return this.#open.get(fd)?.size ?? systemFiles.size(fd);
  }

  close(fd: number): void {
    // What is pending stays pending, as in a page cache: closing makes nothing durable.
    if (!this.#open.delete(fd)) systemFiles.close(fd);
  }
}

function applyTo(path: string, changes: readonly Change[], create: boolean): void {
  const fd = systemFiles.open(path, create);
  try {
    for (const change of changes) {
      if (change.kind === 'write') systemFiles.write(fd, change.bytes, change.offset);
      else systemFiles.truncate(fd, change.size);
    }
    systemFiles.fsync(fd);
  } finally {
    systemFiles.close(fd);
  }
}

function exists(path: string): boolean {
  try {
    sizeOf(path);
    return true;
  } catch (thrown) {
    if ((thrown as NodeJS.ErrnoException).code === 'ENOENT') return false;
    throw thrown;
  }
}

function sizeOf(path: string): number {
  const fd = systemFiles.open(path, false);
  try {
    return systemFiles.size(fd);
  } finally {
    systemFiles.close(fd);
  }
}

function systemError(code: string, path: string): Error {
  return Object.assign(new Error(`${code}: open '${path}'`), { code });
}
