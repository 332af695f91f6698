/**
 * s3rver, a server of S3 in JavaScript, over a temporary directory. It checks V2 signatures; of V4 ones it looks at the
 * form only, so tests of those put signature-proxy.ts before it.
 */
import { fork } from 'node:child_process';
import path from 'node:path';
import { temporaryDirectory } from './temporary-directory.ts';

/** The only account that s3rver has. */
export const S3RVER_KEYS = { accessKey: 'S3RVER', secretKey: 'S3RVER' };

/** Starts a server with these buckets, which are empty. */
export async function startS3rver(
  buckets: readonly string[],
): Promise<{ readonly host: string; readonly port: number } & AsyncDisposable> {
  const directory = temporaryDirectory();
  const main = path.join(import.meta.dirname, 's3rver-main.ts');
  const child = fork(main, [directory.path, buckets.join(',')], {
    stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
  });
  const exited = new Promise<void>((resolve) => {
    child.on('exit', () => resolve());
  });
  const port = await new Promise<number>((resolve, reject) => {
    child.on('message', (message) => resolve((message as { port: number }).port));
    child.on('exit', (code) => reject(new Error(`s3rver ended with ${code}`)));
    child.on('error', reject);
  });
  return {
    host: `127.0.0.1:${port}`,
    port,
    [Symbol.asyncDispose]: async () => {
      child.kill();
      await exited;
      directory[Symbol.dispose]();
    },
  };
}
