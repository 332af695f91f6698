/** Runs `thanos` and `thanosbench` to their end. */
import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { ROOT, SOURCE_COMMAND } from './server-process.ts';

/** How a process ended and what it wrote. */
export interface Ended {
  /** The exit code, or the signal's name. */
  readonly code: number | string;
  readonly stdout: string;
  readonly stderr: string;
}

/** limit: a command that does not end by itself is killed. */
const TIMEOUT_MS = 60_000;

/** Runs the checkout's source with these arguments, in UTC. */
export function runThanos(...args: string[]): Promise<Ended> {
  return runThanosIn('UTC', ...args);
}

/** Runs the checkout's source in a time zone, as `Asia/Kolkata`. */
export function runThanosIn(zone: string, ...args: string[]): Promise<Ended> {
  const [command, ...before] = SOURCE_COMMAND;
  return runCommand(command, [...before, ...args], { zone });
}

/** Runs thanosbench as people do, by its launcher, without input. */
export function runThanosbench(...args: string[]): Promise<Ended> {
  return runCommand(join(ROOT, 'bin/thanosbench'), args);
}

/** Runs thanosbench with a text as its input. */
export function runThanosbenchOn(input: string, ...args: string[]): Promise<Ended> {
  return runCommand(join(ROOT, 'bin/thanosbench'), args, { input });
}

/** Runs a program in the root of the checkout, with no input or the one given. */
async function runCommand(
  command: string,
  args: readonly string[],
  { input, zone = 'UTC' }: { readonly input?: string; readonly zone?: string } = {},
): Promise<Ended> {
  const child = spawn(command, [...args], {
    cwd: ROOT,
    env: { ...process.env, TZ: zone },
    stdio: [input === undefined ? 'ignore' : 'pipe', 'pipe', 'pipe'],
    timeout: TIMEOUT_MS,
    killSignal: 'SIGKILL',
  });
  // A command may end without reading all of its input.
  child.stdin?.on('error', () => undefined);
  child.stdin?.end(input);
  const [stdout, stderr]: [Buffer[], Buffer[]] = [[], []];
  child.stdout?.on('data', (chunk: Buffer) => stdout.push(chunk));
  child.stderr?.on('data', (chunk: Buffer) => stderr.push(chunk));
  const code = await new Promise<number | string>((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (exit, signal) => resolve(exit ?? signal ?? -1));
  });
  return {
    code,
    stdout: Buffer.concat(stdout).toString(),
    stderr: Buffer.concat(stderr).toString(),
  };
}
