/**
 * A file layer for crash tests of durability: what was not fsynced exists only in this object, so that SIGKILL loses
 * it as the loss of the machine would.
 *
 *   write, truncate ──► pending (memory) ──fsync──► the file, or, while nobody has synced its directory, `unlinked`
 *   open(create)    ──► unlinked (memory) ──fsyncDirectory──► the file exists, with what was fsynced so far
 *   remove, rename  ──► noted (memory)    ──fsyncDirectory──► done, in the order of the calls
 *
 * Only below directories called `wal` or `wbl`. The layer passes chunks_head/ through: query workers read those files by
 * path right after they are written, which no memory of the ingest worker can serve. It notes how much of them was
 * fsynced, and the next start may cut them back (synced-sizes.ts). Nothing that was acknowledged depends on them; what
 * survives is the harder case for replay, too: chunks whose series and samples the log has lost. Directories are made at once and durably, and the lock file does not go through the layer. What was renamed is found
 * under its new name once the directory is synced.
 *
 * A system may also write pages back before anybody asks. `writeBack` is the probability that a write reaches the
 * file at once although earlier ones have not, which leaves holes and records behind them after the crash, and that a
 * removal does, so that files may go in any order.
 */
import { existsSync } from 'node:fs';
import { dirname, sep } from 'node:path';
import { systemFiles } from '../../src/lib/file-layer.ts';
import type { FileLayer } from '../../src/lib/file-layer.ts';
import type { Random } from '../../src/lib/prng.ts';
import { isHeadChunks, noteSynced } from './synced-sizes.ts';

/** One change of a file's content. */
type Change =
  | { readonly kind: 'write'; readonly bytes: Uint8Array; readonly offset: number }
  | { readonly kind: 'truncate'; readonly size: number };

interface DroppingFile {
  path: string;
  size: number;
  /** Changes since the last fsync. */
  pending: Change[];
  /** Fsynced changes of a file that its directory does not name yet; undefined once it does. */
  unlinked: Change[] | undefined;
}

/** A change of a directory's entries that waits for its fsync. */
interface EntryChange {
  readonly directory: string;
  readonly run: () => void;
}

/** Keeps un-fsynced changes of logs in memory; other files are the system's. */
export class DroppingFiles implements FileLayer {
  readonly #random: Random;
  readonly #writeBack: number;
  readonly #byPath = new Map<string, DroppingFile>();
  /** Ours; numbers that the system would never give out. */
  readonly #open = new Map<number, DroppingFile>();
  #entryChanges: EntryChange[] = [];
  /** What was removed and is on the disk still. */
  readonly #removed = new Set<string>();
  #nextFd = 1 << 24;
  /** Open files of chunks_head/, by the system's descriptors. */
  readonly #chunkFiles = new Map<number, string>();

  constructor(random: Random, writeBack: number) {
    this.#random = random;
    this.#writeBack = writeBack;
  }

  open(path: string, create: boolean): number {
    if (!isBelowLog(path)) return this.#openSystem(path, create);
    let file = this.#byPath.get(path);
    if (create) {
      // The system knows whether there is a file of that name; it is made when the directory is synced.
      if (file !== undefined || this.#exists(path)) throw systemError('EEXIST', path);
      file = { path, size: 0, pending: [], unlinked: [] };
      const made = file;
      this.#entryChanges.push({ directory: dirname(path), run: () => link(made) });
    } else if (file === undefined) {
      if (!this.#exists(path)) throw systemError('ENOENT', path);
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
    if (file === undefined) return this.#fsyncSystem(fd);
    const changes = file.pending;
    file.pending = [];
    if (file.unlinked === undefined) applyTo(file.path, changes, false);
    else file.unlinked.push(...changes);
  }

  fsyncDirectory(path: string): void {
    const due = this.#entryChanges.filter(({ directory }) => directory === path);
    this.#entryChanges = this.#entryChanges.filter(({ directory }) => directory !== path);
    for (const { run } of due) run();
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
    if (this.#open.delete(fd)) return;
    this.#chunkFiles.delete(fd);
    systemFiles.close(fd);
  }

  makeDirectory(path: string): void {
    systemFiles.makeDirectory(path);
  }

  rename(from: string, to: string): void {
    if (!isBelowLog(from)) return systemFiles.rename(from, to);
    if (!this.#byPath.has(from) && !this.#exists(from)) throw systemError('ENOENT', from);
    const run = (): void => {
      systemFiles.rename(from, to);
      this.#removed.delete(to);
      for (const file of this.#filesIn(to)) this.#byPath.delete(file.path);
      for (const file of this.#filesIn(from)) {
        this.#byPath.delete(file.path);
        file.path = to + file.path.slice(from.length);
        this.#byPath.set(file.path, file);
      }
    };
    this.#entryChanges.push({ directory: dirname(to), run });
  }

  remove(path: string): void {
    if (!isBelowLog(path)) return systemFiles.remove(path);
    for (const file of this.#filesIn(path)) {
      this.#byPath.delete(file.path);
      // The descriptor stays good, as that of a removed file does; nothing of it reaches the disk.
      file.unlinked = [];
      file.path = '';
    }
    if (!existsSync(path)) return;
    const run = (): void => {
      systemFiles.remove(path);
      this.#removed.delete(path);
    };
    if (this.#random.float() < this.#writeBack) return run();
    this.#removed.add(path);
    this.#entryChanges.push({ directory: dirname(path), run });
  }

  #openSystem(path: string, create: boolean): number {
    const fd = systemFiles.open(path, create);
    if (isHeadChunks(path)) this.#chunkFiles.set(fd, path);
    return fd;
  }

  #fsyncSystem(fd: number): void {
    systemFiles.fsync(fd);
    const path = this.#chunkFiles.get(fd);
    if (path !== undefined) noteSynced(path, systemFiles.size(fd));
  }

  #exists(path: string): boolean {
    return !this.#removed.has(path) && existsSync(path);
  }

  #filesIn(path: string): DroppingFile[] {
    const below = path + sep;
    return [...this.#byPath.values()].filter(
      (file) => file.path === path || file.path.startsWith(below),
    );
  }
}

function isBelowLog(path: string): boolean {
  const parts = path.split(sep);
  return parts.includes('wal') || parts.includes('wbl');
}

/** Makes a file that its directory did not name, with what was fsynced of it; one that is gone stays so. */
function link(file: DroppingFile): void {
  if (file.unlinked === undefined || file.path === '') return;
  applyTo(file.path, file.unlinked, true);
  file.unlinked = undefined;
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
