/**
 * The Debian packages of servers that end-to-end tests start. As root they are installed; services that packages bring
 * are kept from starting, and services that run are left alone.
 */
import { spawn, spawnSync } from 'node:child_process';
import { accessSync, constants, existsSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';

/** Package names by the command that each one brings. */
const COMMANDS: ReadonlyMap<string, string> = new Map([
  ['prometheus', 'prometheus'],
  ['prometheus-alertmanager', 'prometheus-alertmanager'],
  ['redis-server', 'redis-server'],
  ['memcached', 'memcached'],
  ['chromium', 'chromium'],
  ['curl', 'curl'],
  ['default-jre-headless', 'java'],
  ['maven', 'mvn'],
]);

/** invoke-rc.d asks this program whether it may start a service; 101 means no. */
const POLICY = '/usr/sbin/policy-rc.d';
/** Behind the name of a policy that was there while ours is. A run that was cut off leaves it for the next one. */
const SAVED = '.before-thanos-e2e';
const DENY =
  '#!/bin/sh\n# Put here by the end-to-end tests of Thanos while they install packages.\nexit 101\n';

/** The packages whose commands are not on the PATH. */
export function missingPackages(): string[] {
  return [...COMMANDS].filter(([, command]) => !isOnPath(command)).map(([name]) => name);
}

function isOnPath(command: string): boolean {
  const folders = (process.env['PATH'] ?? '').split(path.delimiter);
  return folders.some((folder) => {
    try {
      accessSync(path.join(folder, command), constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
}

/** Installs what is missing. Answers why that is not possible, as a sentence; undefined when all are there. */
export async function installPackages(): Promise<string | undefined> {
  const missing = missingPackages();
  if (missing.length === 0) return undefined;
  const names = missing.join(' ');
  const byHand = `install them with: apt-get install --no-install-recommends ${names}`;
  if (process.getuid?.() !== 0) return `the Debian packages ${names} are missing; ${byHand}`;
  if (!isOnPath('apt-get')) {
    return `the Debian packages ${names} are missing, and there is no apt-get to install them`;
  }
  console.log(`installing ${names}`);
  const restore = denyServices();
  try {
    for (const args of [['update'], ['install', '--yes', '--no-install-recommends', ...missing]]) {
      const code = await aptGet(args);
      if (code !== 0) return `apt-get ${args[0]} ended with ${code}; ${byHand}`;
    }
  } finally {
    restore();
  }
  const still = missingPackages();
  if (still.length === 0) return undefined;
  return `${still.join(' ')} were installed, but their commands are not on the PATH`;
}

/** Answers the exit code, or the signal's name. */
function aptGet(args: readonly string[]): Promise<number | string> {
  const quiet = ['-qq', '-o', 'Dpkg::Use-Pty=0', '-o', 'DPkg::Lock::Timeout=120'];
  const child = spawn('apt-get', [...quiet, ...args], {
    stdio: ['ignore', 'inherit', 'inherit'],
    // needrestart would restart what uses a library that was replaced: it only lists them.
    env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive', NEEDRESTART_MODE: 'l' },
  });
  // Signals reach apt-get as well, which ends; this process lives on until the policy is restored.
  const ignore = (): void => undefined;
  const signals = ['SIGINT', 'SIGTERM'] as const;
  for (const signal of signals) process.on(signal, ignore);
  return new Promise((resolve) => {
    const end = (code: number | string): void => {
      for (const signal of signals) process.removeListener(signal, ignore);
      resolve(code);
    };
    child.on('error', (error) => end(error.message));
    child.on('exit', (code, signal) => end(code ?? signal ?? -1));
  });
}

/** Keeps packages from starting services; the function it answers brings back what was before. */
export function denyServices(policy = POLICY): () => void {
  const saved = policy + SAVED;
  if (existsSync(saved)) renameSync(saved, policy);
  // A policy that denies already, as containers have it, stays as it is.
  if (spawnSync(policy, ['redis-server', 'start']).status === 101) return () => undefined;
  const had = existsSync(policy);
  if (had) renameSync(policy, saved);
  writeFileSync(policy, DENY, { mode: 0o755 });
  return () => {
    if (had) renameSync(saved, policy);
    else rmSync(policy, { force: true });
  };
}
