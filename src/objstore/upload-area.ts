/**
 * Where uploads to a directory are written before they get their name: `<root>/.thanos-ts-uploads/`. A file there is
 * called `<pid>.<process token>.<number>.<host>`, so that what a killed process left behind is told from what a
 * living one is writing, also when several processes share the directory.
 *
 * Go's provider, which may share it too, sees a directory that is no block.
 */
import { randomUUID } from 'node:crypto';
import { type FileHandle, mkdir, open, readdir, stat, unlink } from 'node:fs/promises';
import { hostname } from 'node:os';
import path from 'node:path';
import type { Clock } from '../lib/clock.ts';
import { systemClock } from '../lib/clock.ts';
import { bodyChunks } from './body.ts';
import type { ObjectBody } from './bucket.ts';

/** The directory's name in the root of the bucket. */
export const UPLOAD_DIRECTORY = '.thanos-ts-uploads';

/** limit: a file of a process that cannot be asked (another host's) is left behind when it is a day old. */
const ABANDONED_MS = 24 * 3600_000;

/** Distinguishes this process from an earlier one of the same id, as in containers, where all are process 1. */
const TOKEN = randomUUID();
const HOST = hostname();
let count = 0;

/** The upload directory of one bucket. */
export class UploadArea {
  readonly #directory: string;
  readonly #clock: Clock;
  #cleaned: Promise<void> | undefined;

  constructor(root: string, clock: Clock = systemClock) {
    this.#directory = path.join(root, UPLOAD_DIRECTORY);
    this.#clock = clock;
  }

  /**
   * Writes a body to a file of its own, durably, and returns its path. The first call removes what dead processes have
   * left. Nothing stays behind when it throws, which is a system error, `canceled`, or the body's own error.
   */
  async write(body: ObjectBody, signal: AbortSignal | undefined): Promise<string> {
    await mkdir(this.#directory, { recursive: true });
    this.#cleaned ??= this.#clean();
    await this.#cleaned;
    const file = path.join(this.#directory, `${process.pid}.${TOKEN}.${++count}.${HOST}`);
    const handle = await open(file, 'wx');
    try {
      try {
        for await (const chunk of bodyChunks(body, signal)) await writeAll(handle, chunk);
        await handle.datasync();
      } finally {
        await handle.close();
      }
    } catch (thrown) {
      await this.discard(file);
      throw thrown;
    }
    return file;
  }

  /** Removes a file that will not become an object. */
  async discard(file: string): Promise<void> {
    // What cannot be removed now is removed by the next process.
    await unlink(file).catch(() => undefined);
  }

  async #clean(): Promise<void> {
    const names = await readdir(this.#directory).catch((): string[] => []);
    for (const name of names) {
      const file = path.join(this.#directory, name);
      if (await this.#isAbandoned(name, file)) await this.discard(file);
    }
  }

  async #isAbandoned(name: string, file: string): Promise<boolean> {
    const [pid = '', token, , ...host] = name.split('.');
    if (token === TOKEN) return false;
    if (host.join('.') === HOST && /^\d+$/.test(pid)) {
      if (Number(pid) === process.pid || !isAlive(Number(pid))) return true;
    }
    const stats = await stat(file).catch(() => undefined);
    return stats !== undefined && this.#clock.now() - stats.mtimeMs > ABANDONED_MS;
  }
}

async function writeAll(handle: FileHandle, chunk: Uint8Array): Promise<void> {
  for (let done = 0; done < chunk.length;) {
    const { bytesWritten } = await handle.write(chunk, done, chunk.length - done);
    done += bytesWritten;
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (thrown) {
    return (thrown as NodeJS.ErrnoException).code === 'EPERM';
  }
}
