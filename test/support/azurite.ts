/** Azurite, Microsoft's emulator of Azure's blobs, as a process of its own. It checks signatures by the account's key. */
import { spawn } from 'node:child_process';
import { createRequire } from 'node:module';
import { temporaryDirectory } from './temporary-directory.ts';

/** The account that Azurite has, with its public key. Source: Azurite's documentation. */
export const AZURITE_ACCOUNT = {
  name: 'devstoreaccount1',
  key: 'Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw==',
};

/** limit: it starts in two seconds. */
const START_MS = 60_000;

/** Starts it on a free port. `url` is the endpoint of the account's blobs. */
export async function startAzurite(): Promise<{ readonly url: string } & AsyncDisposable> {
  const directory = temporaryDirectory();
  const main = createRequire(import.meta.url).resolve('azurite/dist/src/blob/main.js');
  const place = ['--blobHost', '127.0.0.1', '--blobPort', '0', '--inMemoryPersistence'];
  const quiet = ['--disableTelemetry', '--skipApiVersionCheck'];
  const child = spawn(process.execPath, [main, ...place, ...quiet], {
    cwd: directory.path,
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const exited = new Promise<void>((resolve) => {
    child.on('exit', () => resolve());
  });
  // It must not outlive tests that are cut off.
  const kill = (): void => void child.kill('SIGKILL');
  process.once('exit', kill);
  let printed = '';
  const url = await new Promise<string>((resolve, reject) => {
    const timer = setTimeout(
      () => reject(new Error(`azurite does not start: ${printed}`)),
      START_MS,
    );
    child.on('error', reject);
    child.on('exit', (code) => reject(new Error(`azurite ended with ${code}: ${printed}`)));
    child.stdout.on('data', (chunk: Buffer) => {
      printed += chunk.toString();
      const found = /listens on (http:\/\/127\.0\.0\.1:\d+)/.exec(printed);
      if (found?.[1] === undefined) return;
      clearTimeout(timer);
      resolve(`${found[1]}/${AZURITE_ACCOUNT.name}`);
    });
  });
  return {
    url,
    [Symbol.asyncDispose]: async () => {
      process.removeListener('exit', kill);
      kill();
      await exited;
      directory[Symbol.dispose]();
    },
  };
}
