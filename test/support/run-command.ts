/** Runs `thanos` to its end. */
import { spawn } from 'node:child_process';
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

/** Runs the checkout's source with these arguments. */
export async function runThanos(...args: string[]): Promise<Ended> {
  const [command, ...before] = SOURCE_COMMAND;
  const child = spawn(command, [...before, ...args], {
    cwd: ROOT,
    stdio: ['ignore', 'pipe', 'pipe'],
    timeout: TIMEOUT_MS,
    killSignal: 'SIGKILL',
  });
  let [stdout, stderr] = ['', ''];
  child.stdout.on('data', (chunk: Buffer) => (stdout += chunk.toString()));
  child.stderr.on('data', (chunk: Buffer) => (stderr += chunk.toString()));
  const code = await new Promise<number | string>((resolve) => {
    child.on('close', (exit, signal) => resolve(exit ?? signal ?? -1));
  });
  return { code, stdout, stderr };
}
