/**
 * Makes dist/: what an installed package runs. One bundle a program and one for worker threads, side by side, so that
 * `new URL('./wasm/x.wasm', import.meta.url)` finds the kernels from each of them.
 *
 * Pure JavaScript dependencies are bundled: a server with all of them listens after 120 ms, against 155 ms when they are
 * loaded one by one (with the compile cache; 145 ms against 205 ms without). Native addons stay outside.
 */
import {
  copyFileSync,
  existsSync,
  globSync,
  mkdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import path from 'node:path';

import { build, type Metafile } from 'esbuild';

import { buildRepositoryKernels } from './build-kernels.ts';

const REPOSITORY = path.resolve(import.meta.dirname, '..');
const DIST = path.join(REPOSITORY, 'dist');

/** Programs of src/cmd; worker is what the compute pool starts. */
const ENTRIES = ['main', 'worker', 'thanosbench'];

/** Packages with native addons: a bundle cannot hold them. */
const EXTERNAL = ['snappy', '@node-rs/crc32'];

// CommonJS dependencies call require() for Node's own modules; an ES module has none unless it makes one.
const BANNER = [
  "import { createRequire as __createRequire } from 'node:module';",
  'const require = __createRequire(import.meta.url);',
].join('\n');

/** Bundles an entry file into a folder; returns what went in. */
export async function bundle(entry: string, outdir: string): Promise<Metafile> {
  const { metafile } = await build({
    absWorkingDir: REPOSITORY,
    entryPoints: [entry],
    outdir,
    bundle: true,
    format: 'esm',
    // What is imported on demand (YAML, schemas, tools) is a file of its own, which a plain start does not load. Programs
    // are bundled one by one: what they have in common would become dozens of files, and each takes time to find.
    splitting: true,
    platform: 'node',
    target: 'node24',
    external: EXTERNAL,
    banner: { js: BANNER },
    // Names and lines stay readable in stack traces; white space costs no measurable start-up.
    minifySyntax: true,
    legalComments: 'none', // the licences lie in one file, whole
    metafile: true,
    logLevel: 'warning',
  });
  return metafile;
}

const PACKAGE_OF = /^(?:.*\/)?node_modules\/((?:@[^/]+\/)?[^/]+)\//;

/** The folders of the packages that a bundle holds, in order. */
function bundledPackages(metafile: Pick<Metafile, 'inputs'>): string[] {
  const folders = new Set<string>();
  for (const input of Object.keys(metafile.inputs)) {
    const match = PACKAGE_OF.exec(input);
    if (match !== null) folders.add(match[0].slice(0, -1));
  }
  return [...folders].toSorted((a, b) => (a < b ? -1 : 1));
}

/** The licence texts of the packages that a bundle holds. Throws when one has none. */
export function licenseNotice(metafile: Pick<Metafile, 'inputs'>, root: string): string {
  const parts = ['This software contains the following packages.\n'];
  for (const folder of bundledPackages(metafile)) {
    const { name, version, license } = JSON.parse(
      readFileSync(path.join(root, folder, 'package.json'), 'utf8'),
    ) as { name: string; version: string; license?: string };
    const [file] = globSync('{LICEN[CS]E,licen[cs]e,COPYING}*', { cwd: path.join(root, folder) });
    if (file === undefined && license === undefined) throw new Error(`${name} has no licence`);
    const text =
      file === undefined
        ? `Licence: ${license}\n`
        : readFileSync(path.join(root, folder, file), 'utf8');
    parts.push(`${'-'.repeat(72)}\n${name} ${version} (${license ?? 'see below'})\n\n${text}`);
  }
  return parts.join('\n');
}

async function buildDist(): Promise<void> {
  await buildRepositoryKernels();
  rmSync(DIST, { recursive: true, force: true });
  const entries = ENTRIES.map((name) => path.join(REPOSITORY, 'src/cmd', `${name}.ts`));
  const missing = entries.filter((entry) => !existsSync(entry));
  for (const entry of missing) {
    console.log(`build: ${path.relative(REPOSITORY, entry)} does not exist yet, left out`);
  }
  const inputs: Metafile['inputs'] = {};
  for (const entry of entries.filter((file) => !missing.includes(file))) {
    Object.assign(inputs, (await bundle(entry, DIST)).inputs);
  }
  mkdirSync(path.join(DIST, 'wasm'), { recursive: true });
  for (const file of globSync('src/kernels/wasm/*.wasm', { cwd: REPOSITORY })) {
    copyFileSync(path.join(REPOSITORY, file), path.join(DIST, 'wasm', path.basename(file)));
  }
  writeFileSync(path.join(DIST, 'LICENSES.txt'), licenseNotice({ inputs }, REPOSITORY));
  for (const file of globSync('**/*.*', { cwd: DIST })) {
    console.log(`dist/${file}: ${Math.ceil(statSync(path.join(DIST, file)).size / 1024)} KiB`);
  }
}

if (import.meta.main) await buildDist();
