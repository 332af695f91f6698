/**
 * How much memory this process may take: the limit of its control group, or what the machine has. Behaviour: thanos
 * cmd/thanos/config.go (configureGoAutoMemLimit), which sets Go's soft limit; here components take their budgets from it.
 */
import { readFileSync } from 'node:fs';
import { totalmem } from 'node:os';
import { posix } from 'node:path';
import { setFlagsFromString } from 'node:v8';
import { CodedError } from '../lib/errors.ts';

/** Where a limit was found. */
export type MemorySource = 'cgroup v2' | 'cgroup v1' | 'system';

/** A limit in bytes. */
export interface MemoryLimit {
  readonly bytes: number;
  readonly source: MemorySource;
}

/** Where to look; all of it is the machine's own by default. */
export interface MemoryLimitOptions {
  /** The directory that `/proc` and `/sys` are below. */
  readonly root?: string;
  /** Bytes of the machine. */
  readonly totalBytes?: number;
}

/** limit: the kernel says "no limit" in version 1 by a number near 2^63. */
const NO_LIMIT_BYTES = 2 ** 60;

/** The limit that the kernel enforces; that of the machine where there is no other, or where it is higher. */
export function detectMemory(options: MemoryLimitOptions = {}): MemoryLimit {
  const { root = '/', totalBytes = totalmem() } = options;
  const groups = readGroups(root);
  const found = smallest([
    ...limitsOf(root, '/sys/fs/cgroup', groups.unified, 'memory.max', 'cgroup v2'),
    ...limitsOf(root, '/sys/fs/cgroup/memory', groups.memory, 'memory.limit_in_bytes', 'cgroup v1'),
  ]);
  if (found !== undefined && found.bytes < totalBytes) return found;
  return { bytes: totalBytes, source: 'system' };
}

/**
 * The bytes that this process may take: so much of {@link detectMemory}.
 * @throws CodedError bad_data with Thanos' text for a ratio that is none.
 */
export function memoryLimitBytes(options: MemoryLimitOptions & { readonly ratio: number }): number {
  const { ratio } = options;
  if (!(ratio > 0 && ratio <= 1)) {
    const message = '--auto-gomemlimit.ratio must be greater than 0 and less than or equal to 1.';
    throw new CodedError('bad_data', message);
  }
  return Math.floor(detectMemory(options).bytes * ratio);
}

/**
 * Keeps the JavaScript heap of each worker that starts from now on below so many bytes; 0 for V8's own choice, which
 * follows the control group as well. perf: the heap of this thread was made before; measured on Node 26, the flag no
 * longer has an effect on it.
 */
export function limitWorkerHeaps(bytes: number): void {
  setFlagsFromString(`--max-old-space-size=${Math.floor(bytes / 1024 / 1024)}`);
}

/** The group of this process in either version; '/' where it cannot be told. */
function readGroups(root: string): { unified: string; memory: string } {
  let [unified, memory] = ['/', '/'];
  for (const line of (read(root, '/proc/self/cgroup') ?? '').split('\n')) {
    const [id = '', controllers = '', path = ''] = line.split(':');
    if (id === '0' && controllers === '') unified = path;
    else if (controllers.split(',').includes('memory')) memory = path;
  }
  return { unified, memory };
}

/** The limits of a group and of those that it is in; in a container its own is at the top. */
function limitsOf(
  root: string,
  mount: string,
  group: string,
  file: string,
  source: MemorySource,
): MemoryLimit[] {
  const limits: MemoryLimit[] = [];
  for (let path = posix.join('/', group); ; path = posix.dirname(path)) {
    const text = read(root, posix.join(mount, path, file))?.trim() ?? '';
    const bytes = /^\d+$/.test(text) ? Number(text) : 0;
    if (bytes > 0 && bytes < NO_LIMIT_BYTES) limits.push({ bytes, source });
    if (path === '/') return limits;
  }
}

function smallest(limits: readonly MemoryLimit[]): MemoryLimit | undefined {
  return limits.toSorted((a, b) => a.bytes - b.bytes)[0];
}

/** Synchronous: read once, before anything else runs. */
function read(root: string, path: string): string | undefined {
  try {
    return readFileSync(posix.join(root, path), 'utf8');
  } catch {
    return undefined;
  }
}
