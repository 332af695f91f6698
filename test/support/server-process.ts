/** Starts real processes for end-to-end tests and benches, waits until they serve, and ends them by their id. */
import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { freePort } from './free-port.ts';

/** The root of the checkout. */
export const ROOT = join(import.meta.dirname, '../..');

/** A child process and what it wrote. */
export class ServerProcess {
  readonly child: ChildProcess;
  /** Its standard output and error so far. */
  output = '';
  /** Resolves with the exit code, or the signal's name. */
  readonly ended: Promise<number | string>;

  constructor(command: string, args: readonly string[], env: Record<string, string> = {}) {
    this.child = spawn(command, [...args], {
      cwd: ROOT,
      env: { ...process.env, ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    for (const stream of [this.child.stdout, this.child.stderr]) {
      stream?.on('data', (chunk: Buffer) => {
        this.output += chunk.toString();
      });
    }
    this.ended = new Promise((resolve) => {
      this.child.on('error', (error) => resolve(error.message));
      this.child.on('exit', (code, signal) => resolve(code ?? signal ?? -1));
    });
  }

  get pid(): number {
    return this.child.pid ?? -1;
  }

  /** Waits until a GET of the address answers 200. @throws Error with the process' output when it ends or is late. */
  async ready(url: string, timeoutMs = 60_000): Promise<void> {
    let over: number | string | undefined;
    void this.ended.then((code) => (over = code));
    const deadline = performance.now() + timeoutMs;
    while (performance.now() < deadline) {
      if (over !== undefined)
        throw new Error(`ended with ${over} before it was ready:\n${this.output}`);
      if (await answersOk(url)) return;
      await sleep(20);
    }
    throw new Error(`not ready after ${timeoutMs} ms:\n${this.output}`);
  }

  /** Sends a signal and waits for the end. */
  async stop(signal: NodeJS.Signals = 'SIGTERM'): Promise<number | string> {
    this.child.kill(signal);
    return this.ended;
  }

  /** User and system CPU time so far, in seconds. */
  cpuSeconds(): number {
    const stat = readFileSync(`/proc/${this.pid}/stat`, 'utf8');
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return (Number(fields[11]) + Number(fields[12])) / 100;
  }

  /** Resident memory in MiB. */
  residentMib(): number {
    const status = readFileSync(`/proc/${this.pid}/status`, 'utf8');
    return Number(/VmRSS:\s+(\d+) kB/.exec(status)?.[1] ?? 0) / 1024;
  }
}

async function answersOk(url: string): Promise<boolean> {
  try {
    const response = await fetch(url);
    await response.arrayBuffer();
    return response.status === 200;
  } catch {
    return false;
  }
}

/** A running `thanos all`. */
export interface ThanosAll {
  readonly process: ServerProcess;
  readonly api: string;
  readonly write: string;
  /** `host:port` of the StoreAPI. */
  readonly grpc: string;
}

/** How {@link startAll} runs it. */
export interface StartAllOptions {
  readonly dataDir: string;
  readonly args?: readonly string[];
  readonly env?: Record<string, string>;
  /** What to run before the arguments; the checkout's source by default. */
  readonly command?: readonly [string, ...string[]];
}

/** The command that runs the checkout's source on the Node that runs the test. */
export const SOURCE_COMMAND: readonly [string, ...string[]] = [
  process.execPath,
  join(ROOT, 'src/cmd/main.ts'),
];

/** Starts `thanos all` on free ports of the loopback interface and waits until it is ready. */
export async function startAll(options: StartAllOptions): Promise<ThanosAll> {
  const [http, write, grpc] = [await freePort(), await freePort(), await freePort()];
  const [command, ...before] = options.command ?? SOURCE_COMMAND;
  const args = [
    ...before,
    'all',
    `--data-dir=${options.dataDir}`,
    `--http-address=127.0.0.1:${http}`,
    `--remote-write.address=127.0.0.1:${write}`,
    `--grpc-address=127.0.0.1:${grpc}`,
    ...(options.args ?? []),
  ];
  const server = new ServerProcess(command, args, options.env);
  const [api, address] = [`http://127.0.0.1:${http}`, `http://127.0.0.1:${write}`];
  await server.ready(`${api}/-/ready`);
  return { process: server, api, write: address, grpc: `127.0.0.1:${grpc}` };
}

/** A running `thanos store`. */
export interface ThanosStore {
  readonly process: ServerProcess;
  /** `http://host:port`. */
  readonly http: string;
  /** `host:port` of the StoreAPI. */
  readonly grpc: string;
}

/** How {@link startStore} runs it. */
export interface StartStoreOptions {
  readonly dataDir: string;
  /** The configuration of the bucket, in YAML. */
  readonly bucket: string;
  readonly args?: readonly string[];
  readonly env?: Record<string, string>;
  /** What to run before the arguments; the checkout's source by default. */
  readonly command?: readonly [string, ...string[]];
  /** Whether to wait until it is ready; true by default. */
  readonly wait?: boolean;
}

/** Starts `thanos store` on free ports of the loopback interface. */
export async function startStore(options: StartStoreOptions): Promise<ThanosStore> {
  const [http, grpc] = [await freePort(), await freePort()];
  const [command, ...before] = options.command ?? SOURCE_COMMAND;
  const args = [
    ...before,
    'store',
    `--data-dir=${options.dataDir}`,
    `--objstore.config=${options.bucket}`,
    `--http-address=127.0.0.1:${http}`,
    `--grpc-address=127.0.0.1:${grpc}`,
    ...(options.args ?? []),
  ];
  const server = new ServerProcess(command, args, options.env);
  const url = `http://127.0.0.1:${http}`;
  if (options.wait !== false) await server.ready(`${url}/-/ready`);
  return { process: server, http: url, grpc: `127.0.0.1:${grpc}` };
}

/**
 * Makes every later start from the source a second faster: what one process has compiled is kept in a directory, which
 * children of this process find by their environment. For tests that start very often.
 */
export async function keepCompiled(directory: string): Promise<void> {
  process.env['NODE_COMPILE_CACHE'] = join(directory, 'compiled');
  const all = await startAll({ dataDir: join(directory, 'data') });
  // Node writes it when a process ends by itself.
  await all.process.stop();
}
