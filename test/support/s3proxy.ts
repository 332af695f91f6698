/**
 * s3proxy (org.gaul:s3proxy), a server of S3 in Java, over memory. It checks signatures of both versions. The jar is
 * kept in the user's cache folder; Maven brings it when it is missing.
 */
import { spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { homedir } from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { freePort } from './free-port.ts';
import { temporaryDirectory } from './temporary-directory.ts';

const VERSION = '3.0.0';
const ARTIFACT = `org.gaul:s3proxy:${VERSION}:jar:jar-with-dependencies`;
const START_TRIES = 300;

/** The only account. */
export const S3PROXY_KEYS = { accessKey: 'local-identity', secretKey: 'local-credential' };

/** The path of the jar. Throws a sentence that says what to install. */
function s3proxyJar(): string {
  const cache = process.env['XDG_CACHE_HOME'] || path.join(homedir(), '.cache');
  const folder = path.join(cache, 'thanos-ts');
  const jar = path.join(folder, `s3proxy-${VERSION}-jar-with-dependencies.jar`);
  if (existsSync(jar)) return jar;
  mkdirSync(folder, { recursive: true });
  const args = ['-q', '-B', 'dependency:copy', `-Dartifact=${ARTIFACT}`];
  const { status, error, stdout } = spawnSync('mvn', [...args, `-DoutputDirectory=${folder}`], {
    encoding: 'utf8',
  });
  if (error === undefined && status === 0 && existsSync(jar)) return jar;
  throw new Error(
    `${jar} is missing, and Maven does not bring it (${error?.message ?? stdout.slice(0, 300)}); ` +
      `install java and mvn, or put ${ARTIFACT} there`,
  );
}

/** Starts a server on a free port. */
export async function startS3proxy(): Promise<{ readonly host: string } & AsyncDisposable> {
  const jar = s3proxyJar();
  const directory = temporaryDirectory();
  const host = `127.0.0.1:${await freePort()}`;
  const properties = path.join(directory.path, 's3proxy.conf');
  writeFileSync(
    properties,
    [
      's3proxy.authorization=aws-v2-or-v4',
      `s3proxy.identity=${S3PROXY_KEYS.accessKey}`,
      `s3proxy.credential=${S3PROXY_KEYS.secretKey}`,
      `s3proxy.endpoint=http://${host}`,
      'jclouds.provider=transient',
      'jclouds.identity=x',
      'jclouds.credential=x',
    ].join('\n'),
  );
  const child = spawn('java', ['-jar', jar, '--properties', properties], {
    cwd: directory.path,
    stdio: 'ignore',
  });
  let ended: string | undefined;
  const exited = new Promise<void>((resolve) => {
    child.on('exit', (code) => {
      ended = `s3proxy ended with ${code}`;
      resolve();
    });
    child.on('error', (error) => {
      ended = `java does not start (${error.message}); install default-jre-headless`;
      resolve();
    });
  });
  // It must not outlive tests that are cut off.
  const kill = (): void => void child.kill('SIGKILL');
  process.once('exit', kill);
  for (let tries = 1; ; tries++) {
    const answer = await fetch(`http://${host}/`).catch(() => undefined);
    await answer?.body?.cancel();
    if (answer !== undefined) break;
    if (ended !== undefined || tries === START_TRIES) {
      child.kill('SIGKILL');
      throw new Error(ended ?? 's3proxy does not answer');
    }
    await sleep(100);
  }
  return {
    host,
    [Symbol.asyncDispose]: async () => {
      process.removeListener('exit', kill);
      kill();
      await exited;
      directory[Symbol.dispose]();
    },
  };
}
