/** The system's files under a watch, for tests of what is made durable when, and of disks that fail. */
import { systemFiles } from '../../src/lib/file-layer.ts';
import type { FileLayer } from '../../src/lib/file-layer.ts';

/** A layer that keeps the order of operations, and fails at one of them. What is fsynced is noted, not done. */
export class WatchedFiles implements FileLayer {
  /** `open`, `write`, `fsync`, `mkdir`, `rename` or `truncate`, and the path. */
  readonly log: string[] = [];
  readonly #paths = new Map<number, string>();
  readonly #failAt: number;

  /** The `failAt`-th operation that changes something, from 1, throws EIO in place of being done. */
  constructor(failAt = Infinity) {
    this.#failAt = failAt;
  }

  #step(what: string, path: string): void {
    this.log.push(`${what} ${path}`);
    if (this.log.length === this.#failAt) {
      throw Object.assign(new Error('EIO: i/o error'), { code: 'EIO' });
    }
  }

  open(path: string, create: boolean): number {
    this.#step('open', path);
    const fd = systemFiles.open(path, create);
    this.#paths.set(fd, path);
    return fd;
  }

  write(fd: number, bytes: Uint8Array, offset: number): void {
    this.#step('write', this.#paths.get(fd) ?? '');
    systemFiles.write(fd, bytes, offset);
  }

  fsync(fd: number): void {
    this.#step('fsync', this.#paths.get(fd) ?? '');
  }

  fsyncDirectory(path: string): void {
    this.#step('fsync', path);
  }

  makeDirectory(path: string): void {
    this.#step('mkdir', path);
    systemFiles.makeDirectory(path);
  }

  rename(from: string, to: string): void {
    this.#step('rename', from);
    systemFiles.rename(from, to);
  }

  close(fd: number): void {
    systemFiles.close(fd);
    this.#paths.delete(fd);
  }

  /** How many files are open. */
  get openCount(): number {
    return this.#paths.size;
  }

  remove(path: string): void {
    systemFiles.remove(path);
  }

  truncate(fd: number, size: number): void {
    this.#step('truncate', this.#paths.get(fd) ?? '');
    systemFiles.truncate(fd, size);
  }

  size(fd: number): number {
    return systemFiles.size(fd);
  }
}
