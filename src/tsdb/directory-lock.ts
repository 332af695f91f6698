/**
 * One process a directory. Node cannot call flock(2), so the lock is a file with the holder's process id and start
 * time, which a later start verifies; a lock that Prometheus holds on `lock` is seen in /proc/locks.
 *
 * limit: between processes of ours and against a Prometheus that runs already. A Prometheus started later does not
 * see it (docs/compat.md).
 */
import { closeSync, openSync, readFileSync, rmSync, statSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { CodedError } from '../lib/errors.ts';

const LOCK_FILE = 'thanos.lock';

/** A held lock. */
export interface DirectoryLock {
  /** Gives the directory free. */
  release(): void;
}

/** Locks a directory that exists. @throws CodedError unavailable that names the holder. */
export function lockDirectory(directory: string): DirectoryLock {
  refusePrometheus(directory);
  const path = join(directory, LOCK_FILE);
  const holder = readHolder(path);
  if (holder !== undefined && processStart(holder.pid) === holder.start) {
    throw new CodedError(
      'unavailable',
      `directory ${directory} is in use by process ${holder.pid} (${LOCK_FILE})`,
    );
  }
  rmSync(path, { force: true });
  const fd = openExclusive(path, directory);
  try {
    writeSync(fd, `${process.pid} ${processStart(process.pid)}\n`);
  } finally {
    closeSync(fd);
  }
  return { release: () => rmSync(path, { force: true }) };
}

function openExclusive(path: string, directory: string): number {
  try {
    return openSync(path, 'wx');
  } catch (thrown) {
    if ((thrown as NodeJS.ErrnoException).code !== 'EEXIST') throw thrown;
    throw new CodedError('unavailable', `directory ${directory} was locked at the same moment`);
  }
}

/** Prometheus flocks `lock` in its data directory; the kernel lists flocks by device and inode. */
function refusePrometheus(directory: string): void {
  const lock = statSync(join(directory, 'lock'), { throwIfNoEntry: false });
  if (lock === undefined) return;
  for (const line of readText('/proc/locks').split('\n')) {
    const [, kind, , , pid, file] = line.trim().split(/\s+/);
    if (kind === 'FLOCK' && file?.split(':')[2] === String(lock.ino)) {
      throw new CodedError(
        'unavailable',
        `directory ${directory} is in use by process ${pid}, which holds its Prometheus lock`,
      );
    }
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
