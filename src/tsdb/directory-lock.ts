/**
 * One process a directory, by the lock that Prometheus and Thanos take: flock(2) on the file `lock` (prometheus
 * tsdb/tsdbutil/dir_locker.go). The kernel gives it free when the process ends, however it ends.
 *
 * Node has no flock, but the lock belongs to the open file, not to the process that asked for it: `flock -n 3`, which
 * every Linux has, takes it on a descriptor that it inherits, ends, and leaves the lock with us. The kernel remembers
 * that program as the holder, so we write our process id into the file.
 *
 * limit: where there is no such program, a file `thanos.lock` with the holder's process id and start time stands in:
 * it keeps processes of ours apart, and out of a directory that a running Prometheus holds (/proc/locks).
 */
import { spawnSync } from 'node:child_process';
import {
  closeSync,
  fstatSync,
  ftruncateSync,
  openSync,
  readFileSync,
  rmSync,
  statSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import { CodedError, errorText } from '../lib/errors.ts';

const LOCK_FILE = 'lock';
const STAND_IN = 'thanos.lock';
/** limit: tries when the file is taken away between open and lock, as its holder does on leaving. */
const TRIES = 10;

/** A held lock. */
export interface DirectoryLock {
  /** How it is held: `file` stands in where there is no flock program. */
  readonly kind: 'flock' | 'file';
  /** Gives the directory free. */
  release(): void;
}

/** Locks a directory that exists. @throws CodedError unavailable that names the holder. */
export function lockDirectory(directory: string): DirectoryLock {
  const path = join(directory, LOCK_FILE);
  for (let tries = 0; tries < TRIES; tries++) {
    const existed = statSync(path, { throwIfNoEntry: false }) !== undefined;
    const fd = openForLock(path);
    const taken = flock(fd);
    if (taken === 'taken' && isStill(path, fd)) {
      noteHolder(fd);
      return heldByFlock(path, fd);
    }
    closeSync(fd);
    if (taken === 'no program') {
      if (!existed) rmSync(path, { force: true });
      return lockByFile(directory);
    }
    if (taken === 'held') throw inUse(directory, holderOf(path) ?? 'another process', LOCK_FILE);
  }
  throw inUse(directory, 'processes that come and go', LOCK_FILE);
}

function openForLock(path: string): number {
  try {
    return openSync(path, 'a', 0o666);
  } catch (thrown) {
    throw new CodedError('unavailable', `open ${path}: ${errorText(thrown)}`, { cause: thrown });
  }
}

/** Asks for the lock of an open file without waiting for it. */
function flock(fd: number): 'taken' | 'held' | 'no program' {
  const { status, error } = spawnSync('flock', ['-x', '-n', '3'], {
    stdio: ['ignore', 'ignore', 'ignore', fd],
  });
  if (error !== undefined || status === null) return 'no program';
  return status === 0 ? 'taken' : 'held';
}

/** Whether the path still names the file that was opened: its last holder removes it on leaving. */
function isStill(path: string, fd: number): boolean {
  return statSync(path, { throwIfNoEntry: false })?.ino === fstatSync(fd).ino;
}

/** Writes who holds the lock, for messages. It is held without that, too: a disk that is full must not keep us out. */
function noteHolder(fd: number): void {
  try {
    ftruncateSync(fd, 0);
    writeSync(fd, `${process.pid}\n`);
  } catch {
    // Whoever finds the lock held names the process that the kernel remembers.
  }
}

function heldByFlock(path: string, fd: number): DirectoryLock {
  return {
    kind: 'flock',
    release: () => {
      // compat: removed as Prometheus does; while it is still held, so that it is nobody else's.
      rmSync(path, { force: true });
      closeSync(fd);
    },
  };
}

function inUse(directory: string, holder: string, file: string): CodedError {
  return new CodedError('unavailable', `directory ${directory} is in use by ${holder} (${file})`);
}

/** The process that holds the flock of a file: the one in the file if it lives, or as the kernel lists it by inode. */
function holderOf(path: string): string | undefined {
  const written = /^(\d+)\n$/.exec(readText(path))?.[1];
  if (written !== undefined && processStart(Number(written)) !== undefined) {
    return `process ${written}`;
  }
  const ino = statSync(path, { throwIfNoEntry: false })?.ino;
  if (ino === undefined) return undefined;
  for (const line of readText('/proc/locks').split('\n')) {
    const [, kind, , , pid, file] = line.trim().split(/\s+/);
    if (kind === 'FLOCK' && file?.split(':')[2] === String(ino)) return `process ${pid}`;
  }
  return undefined;
}

function lockByFile(directory: string): DirectoryLock {
  const prometheus = holderOf(join(directory, LOCK_FILE));
  if (prometheus !== undefined) throw inUse(directory, prometheus, LOCK_FILE);
  const path = join(directory, STAND_IN);
  const holder = readHolder(path);
  if (holder !== undefined && processStart(holder.pid) === holder.start) {
    throw inUse(directory, `process ${holder.pid}`, STAND_IN);
  }
  rmSync(path, { force: true });
  const fd = openExclusive(path, directory);
  try {
    writeSync(fd, `${process.pid} ${processStart(process.pid)}\n`);
  } finally {
    closeSync(fd);
  }
  return { kind: 'file', release: () => rmSync(path, { force: true }) };
}

function openExclusive(path: string, directory: string): number {
  try {
    return openSync(path, 'wx');
  } catch (thrown) {
    if ((thrown as NodeJS.ErrnoException).code !== 'EEXIST') throw thrown;
    throw inUse(directory, 'a process that locked it at the same moment', STAND_IN);
  }
}

function readHolder(path: string): { pid: number; start: string } | undefined {
  const match = /^(\d+) (\S*)\n$/.exec(readText(path));
  return match === null ? undefined : { pid: Number(match[1]), start: match[2] ?? '' };
}

/** When a process started, in a form that differs for a later process of the same id; undefined when it is gone. */
function processStart(pid: number): string | undefined {
  const stat = readText(`/proc/${pid}/stat`);
  // The command name is in parentheses and may hold anything; the start time is the 20th field behind it.
  if (stat !== '') return stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19] ?? '';
  try {
    process.kill(pid, 0);
    return '';
  } catch (thrown) {
    return (thrown as NodeJS.ErrnoException).code === 'EPERM' ? '' : undefined;
  }
}

function readText(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}
