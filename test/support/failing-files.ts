/** The system's files on a disk that refuses at a chosen operation, once or from then on. */
import { systemFiles } from '../../src/lib/file-layer.ts';
import type { FileLayer } from '../../src/lib/file-layer.ts';

/** What can be refused. */
export type FileOperation =
  | 'open'
  | 'write'
  | 'fsync'
  | 'fsync directory'
  | 'truncate'
  | 'mkdir'
  | 'rename'
  | 'remove';

/** When and how the disk refuses. */
export interface Refusal {
  /** Of the operations since {@link FailingFiles.arm}, the first that is refused, from 1. */
  readonly at: number;
  /** ENOSPC, EIO, EROFS, … */
  readonly code: string;
  /** Whether all that come after it are refused, too. */
  readonly stays: boolean;
}

/**
 * A layer that keeps the order of operations. Of a write that is refused the first half reaches the file, as on a disk
 * that fills up. What is fsynced is noted, not done: who looks at the files afterwards is the same system.
 */
export class FailingFiles implements FileLayer {
  /** Operations since the last {@link arm}, as `operation path`. */
  log: string[] = [];
  /** Whether something was refused since. */
  refused = false;
  readonly #paths = new Map<number, string>();
  #refusal: Refusal | undefined;

  /** Begins to count, and refuses as it is told; refuses nothing without an argument. */
  arm(refusal?: Refusal): void {
    this.log = [];
    this.refused = false;
    this.#refusal = refusal;
  }

  /** How many files are open. */
  get openCount(): number {
    return this.#paths.size;
  }

  open(path: string, create: boolean): number {
    this.#step('open', path);
    const fd = systemFiles.open(path, create);
    this.#paths.set(fd, path);
    return fd;
  }

  write(fd: number, bytes: Uint8Array, offset: number): void {
    this.#step('write', this.#path(fd), () =>
      systemFiles.write(fd, bytes.subarray(0, bytes.length >> 1), offset),
    );
    systemFiles.write(fd, bytes, offset);
  }

  fsync(fd: number): void {
    this.#step('fsync', this.#path(fd));
  }

  fsyncDirectory(path: string): void {
    this.#step('fsync directory', path);
  }

  truncate(fd: number, size: number): void {
    this.#step('truncate', this.#path(fd));
    systemFiles.truncate(fd, size);
  }

  size(fd: number): number {
    return systemFiles.size(fd);
  }

  close(fd: number): void {
    this.#paths.delete(fd);
    systemFiles.close(fd);
  }

  makeDirectory(path: string): void {
    this.#step('mkdir', path);
    systemFiles.makeDirectory(path);
  }

  rename(from: string, to: string): void {
    this.#step('rename', from);
    systemFiles.rename(from, to);
  }

  remove(path: string): void {
    this.#step('remove', path);
    systemFiles.remove(path);
  }

  #path(fd: number): string {
    return this.#paths.get(fd) ?? '';
  }

  #step(operation: FileOperation, path: string, partly?: () => void): void {
    this.log.push(`${operation} ${path}`);
    const refusal = this.#refusal;
    const n = this.log.length;
    if (refusal === undefined || n < refusal.at || (n > refusal.at && !refusal.stays)) return;
    this.refused = true;
    partly?.();
    const { code } = refusal;
    throw Object.assign(new Error(`${code}: refused, ${operation}`), { code });
  }
}
