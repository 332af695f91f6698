/** A small disk of a test's own, to be filled up. */
import { spawnSync } from 'node:child_process';
import { rmSync, statfsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** What the ballast leaves. */
const ROOM_BYTES = 1 << 20;

/** Mounts a disk of so many bytes; a text says why it cannot be. */
export function mountSmallDisk(path: string, bytes: number): string | undefined {
  const args = ['-t', 'tmpfs', '-o', `size=${bytes}`, 'tmpfs', path];
  const { status, stderr, error } = spawnSync('mount', args, { encoding: 'utf8' });
  if (status === 0) return undefined;
  return `a small tmpfs cannot be mounted: ${error?.message ?? stderr.trim()}`;
}

/** A mounted disk, unmounted on disposal. */
export class MountedDisk implements Disposable {
  readonly path: string;

  constructor(path: string) {
    this.path = path;
  }

  /** Leaves a little room: the disk is to fill up soon, every time. */
  addBallast(): void {
    writeFileSync(join(this.path, 'ballast'), Buffer.alloc(this.#freeBytes - ROOM_BYTES));
  }

  /** Leaves not one byte. */
  fill(): void {
    writeFileSync(join(this.path, 'ballast-more'), Buffer.alloc(this.#freeBytes));
  }

  /** Gives the room back. */
  removeBallast(): void {
    rmSync(join(this.path, 'ballast'), { force: true });
    rmSync(join(this.path, 'ballast-more'), { force: true });
  }

  get #freeBytes(): number {
    const { bavail, bsize } = statfsSync(this.path);
    return bavail * bsize;
  }

  [Symbol.dispose](): void {
    // Lazily: a process that was killed a moment ago may still hold it.
    spawnSync('umount', ['--lazy', this.path]);
  }
}
