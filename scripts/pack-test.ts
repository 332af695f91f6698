/**
 * Installs what we would publish and runs it: packs, installs the tarball into an empty folder without development
 * dependencies, starts the programs. Prints `N passed, N failed` as the last line.
 */
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import {
  existsSync,
  globSync,
  mkdirSync,
  mkdtempSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { freePort } from '../test/support/free-port.ts';

const REPOSITORY = path.resolve(import.meta.dirname, '..');
const ENTRIES = ['main', 'worker', 'thanosbench'];

/** limit: installing from a cold cache takes tens of seconds; a server is ready in one. */
const COMMAND_TIMEOUT_MS = 300_000;
const READY_TIMEOUT_MS = 60_000;

interface Result {
  readonly code: number;
  readonly out: string;
  readonly error: string;
}

function exec(
  command: string,
  args: readonly string[],
  cwd: string,
  env: NodeJS.ProcessEnv = process.env,
): Promise<Result> {
  return new Promise((resolve) => {
    const options = { cwd, env, timeout: COMMAND_TIMEOUT_MS, maxBuffer: 1 << 28 };
    execFile(command, args, options, (failure, out, error) => {
      const code = failure === null ? 0 : Number(failure.code ?? 1);
      resolve({ code: Number.isNaN(code) ? 1 : code, out, error });
    });
  });
}

let passed = 0;
let failed = 0;

function check(what: string, ok: boolean, detail = ''): boolean {
  if (ok) passed++;
  else failed++;
  console.log(`${ok ? 'ok' : 'FAILED'}: ${what}${ok || detail === '' ? '' : `\n${detail}`}`);
  return ok;
}

/** Which entries of src/cmd exist so far. */
function entries(): string[] {
  return ENTRIES.filter((name) => existsSync(path.join(REPOSITORY, 'src/cmd', `${name}.ts`)));
}

/** Packs the repository (which builds dist/) and checks what is inside. Returns the tarball. */
async function pack(folder: string): Promise<string | undefined> {
  const args = ['pack', '--json', '--pack-destination', folder];
  const result = await exec('npm', args, REPOSITORY);
  if (!check('npm pack', result.code === 0, result.error)) return undefined;
  // The output of prepack comes before the JSON.
  const json = result.out.slice(result.out.search(/^[[{]$/m));
  const parsed = JSON.parse(json) as Packed[] | Record<string, Packed>;
  const [packed] = Object.values(parsed);
  if (packed === undefined) return undefined;
  const files = packed.files.map((file) => file.path);
  const kernels = globSync('src/kernels/*.as.ts', { cwd: REPOSITORY });
  const wanted = [
    'bin/thanos',
    'bin/thanosbench',
    'bin/launch.sh',
    'dist/LICENSES.txt',
    'LICENSE',
    ...entries().map((name) => `dist/${name}.js`),
    ...kernels.map((file) => `dist/wasm/${path.basename(file, '.as.ts')}.wasm`),
  ];
  const missing = wanted.filter((file) => !files.includes(file));
  check('the package holds what it needs', missing.length === 0, `missing: ${missing.join(' ')}`);
  const sources = files.filter((file) => /\.ts$|^(src|test|scripts)\//.test(file));
  check('the package holds no sources', sources.length === 0, sources.join(' '));
  return path.join(folder, packed.filename);
}

interface Packed {
  readonly filename: string;
  readonly files: { readonly path: string }[];
}

/** A PATH with sh's tools and the given programs, and nothing else: no Node but ours, or none. */
function pathWith(folder: string, programs: Readonly<Record<string, string>>): string {
  mkdirSync(folder);
  const tools = ['sh', 'readlink', 'dirname', 'getconf', 'mkdir'];
  for (const tool of tools) {
    const found = ['/bin', '/usr/bin'].map((d) => path.join(d, tool)).find((f) => existsSync(f));
    if (found !== undefined) symlinkSync(found, path.join(folder, tool));
  }
  for (const [name, target] of Object.entries(programs)) {
    symlinkSync(target, path.join(folder, name));
  }
  return folder;
}

async function runInstalled(root: string, app: string): Promise<void> {
  const env = {
    ...process.env,
    PATH: pathWith(path.join(root, 'path'), { node: process.execPath }),
  };
  const program = (name: string): string => path.join(app, 'node_modules/.bin', name);
  const names = entries().includes('main') ? ['thanos', 'thanosbench'] : ['thanosbench'];
  for (const name of names) {
    const version = await exec(program(name), ['--version'], app, env);
    check(`${name} --version`, /\d+\.\d+\.\d+/.test(version.out + version.error), version.error);
    const help = await exec(program(name), ['--help'], app, env);
    check(`${name} --help`, /usage/i.test(help.out + help.error), help.error);
  }
  const bare = { ...process.env, PATH: pathWith(path.join(root, 'bare'), {}) };
  const none = await exec(program('thanosbench'), ['--version'], app, bare);
  const sentence = /^thanosbench: needs Node\.js 24 or newer, found none; .*\n$/;
  check(
    'says what is missing without Node',
    none.code === 1 && sentence.test(none.error),
    none.error,
  );

  const old = path.join(root, 'old-node');
  writeFileSync(old, '#!/bin/sh\necho v20.1.0\n', { mode: 0o755 });
  const oldPath = pathWith(path.join(root, 'old'), { node: old });
  const tooOld = await exec(program('thanosbench'), [], app, { ...process.env, PATH: oldPath });
  const found = tooOld.code === 1 && tooOld.error.includes('found v20.1.0 at');
  check('says what is wrong with an old Node', found, tooOld.error);
  if (names.includes('thanos')) await startAll(program('thanos'), path.join(root, 'data'), env);
  else console.log('note: src/cmd/main.ts does not exist yet, thanos itself is not started');
}

async function readyAfter(url: string, child: ChildProcess): Promise<number | undefined> {
  const started = performance.now();
  while (child.exitCode === null && performance.now() - started < READY_TIMEOUT_MS) {
    const answer = await fetch(url).catch(() => undefined);
    if (answer?.status === 200) return performance.now() - started;
    await delay(10);
  }
  return undefined;
}

/** The bundles find their kernels and their workers: no fallback runs, and a query is answered. */
async function askAll(base: string): Promise<void> {
  const metrics = await (await fetch(`${base}/metrics`)).text();
  const kernels = metrics.split('\n').filter((line) => line.startsWith('thanos_kernel_info{'));
  const wasm = kernels.length > 0 && kernels.every((line) => line.includes('impl="wasm"'));
  check('all kernels run as WebAssembly', wasm, kernels.join('\n'));
  const answer = await (await fetch(`${base}/api/v1/query?query=count(up)%2B1`)).text();
  check('a query is answered', answer.startsWith('{"status":"success"'), answer);
}

/** Starts `thanos all`, waits until it is ready and stops it by its id. */
async function startAll(program: string, data: string, env: NodeJS.ProcessEnv): Promise<void> {
  const address = `127.0.0.1:${await freePort()}`;
  const args = [
    'all',
    `--data-dir=${data}`,
    `--http-address=${address}`,
    '--remote-write.address=127.0.0.1:0',
    '--grpc-address=127.0.0.1:0',
  ];
  const child = spawn(program, args, { env, stdio: ['ignore', 'pipe', 'pipe'] });
  let log = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (text: string) => (log += text));
  }
  const exited = new Promise<number | null>((resolve) => child.on('exit', resolve));
  const after = await readyAfter(`http://${address}/-/ready`, child);
  const ready = `thanos all is ready${after === undefined ? '' : ` after ${after.toFixed(0)} ms`}`;
  check(ready, after !== undefined, log);
  if (after !== undefined) await askAll(`http://${address}`);
  child.kill('SIGTERM');
  const stopper = setTimeout(() => child.kill('SIGKILL'), READY_TIMEOUT_MS);
  const code = await exited;
  clearTimeout(stopper);
  check('thanos all stops on SIGTERM with exit code 0', code === 0, `exit code ${code}\n${log}`);
}

async function main(): Promise<void> {
  const root = mkdtempSync(path.join(tmpdir(), 'thanos-pack-'));
  try {
    const tarball = await pack(root);
    if (tarball === undefined) return;
    const app = path.join(root, 'app');
    mkdirSync(app);
    writeFileSync(path.join(app, 'package.json'), '{ "private": true }\n');
    const install = await exec('npm', ['install', '--omit=dev', tarball], app);
    if (!check('npm install --omit=dev of the tarball', install.code === 0, install.error)) return;
    await runInstalled(root, app);
  } finally {
    rmSync(root, { recursive: true, force: true });
  }
}

try {
  await main();
} catch (error) {
  check('the pack test runs to its end', false, error instanceof Error ? error.stack : '');
}
console.log(`${passed} passed, ${failed} failed`);
process.exitCode = failed > 0 ? 1 : 0;
