/**
 * Compiles each src/kernels/*.as.ts to src/kernels/wasm/*.wasm. Runs from `prepare`, so a fresh `npm ci` has them.
 *
 * The first line of a source says which memory it works on: `// kernel: memory=shared` or `// kernel: memory=local`.
 * What several need, or what makes one too long for a file, lies in parts/ and is imported.
 * A kernel carries a digest of its source, its flags and the compiler's version; only what changed is compiled again.
 */
import { createHash } from 'node:crypto';
import {
  existsSync,
  mkdirSync,
  readFileSync,
  readdirSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import path from 'node:path';

import { digestOf, kernelProblems, withDigest } from './kernel-check.ts';

/** A kernel after the build. */
export interface BuiltKernel {
  readonly name: string;
  readonly memory: 'shared' | 'local';
  readonly bytes: number;
  /** False when the file on disk was already made from this source. */
  readonly compiled: boolean;
}

// Not a literal where it is imported, and typed here: the compiler's own typings declare its dialect's globals (i32,
// another console) for the whole program.
const COMPILER: string = 'assemblyscript/asc';

interface Compiler {
  main(
    args: readonly string[],
    options: { writeFile: (name: string, contents: Uint8Array | string) => void },
  ): Promise<{ error: Error | null; stderr: { toString(): string } }>;
}

const SUFFIX = '.as.ts';
const DIRECTIVE = /^\/\/ kernel: memory=(shared|local)\s*$/;
const REPOSITORY = path.resolve(import.meta.dirname, '..');

const FLAGS = [
  '-O3',
  '--noAssert',
  '--runtime=stub',
  '--importMemory',
  '--noExportMemory',
  '--enable=simd,bulk-memory,sign-extension,nontrapping-f2i',
];
const SHARED_FLAGS = [
  '--enable=threads',
  '--sharedMemory',
  '--initialMemory=1',
  '--maximumMemory=65536',
];

function memoryOf(source: string, file: string): 'shared' | 'local' {
  const match = DIRECTIVE.exec(source.split('\n', 1)[0] ?? '');
  if (match === null) {
    throw new Error(
      `${file}: the first line must be "// kernel: memory=shared" or "// kernel: memory=local"`,
    );
  }
  return match[1] === 'shared' ? 'shared' : 'local';
}

function compilerVersion(): string {
  const url = new URL('../package.json', import.meta.resolve(COMPILER));
  const { version } = JSON.parse(readFileSync(url, 'utf8')) as { version: string };
  return version;
}

async function compile(
  folder: string,
  file: string,
  flags: readonly string[],
): Promise<Uint8Array> {
  // Loading the compiler takes half a second: only when there is something to compile.
  const asc = (await import(COMPILER)) as Compiler;
  let binary: Uint8Array | undefined;
  const { error, stderr } = await asc.main(
    [file, '--baseDir', folder, '-o', 'out.wasm', ...flags],
    {
      writeFile: (name, contents) => {
        if (name === 'out.wasm' && typeof contents !== 'string') binary = contents;
      },
    },
  );
  if (error !== null || binary === undefined) {
    throw new Error(`${file}: does not compile\n${stderr.toString()}${error?.message ?? ''}`);
  }
  return binary;
}

function readIfThere(file: string): Uint8Array | undefined {
  try {
    return readFileSync(file);
  } catch {
    return undefined;
  }
}

/** Builds the kernels of a folder into its wasm/ folder. Throws on the first one that breaks a rule. */
export async function buildKernels(folder: string): Promise<BuiltKernel[]> {
  const sources = readdirSync(folder)
    .filter((file) => file.endsWith(SUFFIX))
    .toSorted((a, b) => (a < b ? -1 : 1));
  const read = (file: string): string => readFileSync(path.join(folder, file), 'utf8');
  const texts = new Map(sources.map((file) => [file, read(file)]));
  const parts = partsOf(folder).map(read);
  const outDir = path.join(folder, 'wasm');
  mkdirSync(outDir, { recursive: true });
  const version = compilerVersion();
  const built: BuiltKernel[] = [];
  for (const [file, source] of texts) {
    const name = file.slice(0, -SUFFIX.length);
    const memory = memoryOf(source, file);
    const flags = memory === 'shared' ? [...FLAGS, ...SHARED_FLAGS] : FLAGS;
    // A source that imports others is rebuilt when any of them changes.
    const inputs = /^\s*(import|export)\b.*\bfrom\b/m.test(source)
      ? [...texts.values(), ...parts]
      : [source];
    const digest = createHash('sha256')
      .update(JSON.stringify([version, flags, inputs]))
      .digest('hex')
      .slice(0, 32);
    const out = path.join(outDir, `${name}.wasm`);
    const old = readIfThere(out);
    if (old !== undefined && isBuiltFrom(old, digest)) {
      built.push({ name, memory, bytes: old.length, compiled: false });
      continue;
    }
    const binary = await compile(folder, file, flags);
    const problems = kernelProblems(binary);
    if (problems.length > 0) throw new Error(`${file}: the kernel has ${problems.join('; ')}`);
    const wasm = withDigest(binary, digest);
    const unfinished = `${out}.${process.pid}`;
    writeFileSync(unfinished, wasm);
    renameSync(unfinished, out);
    built.push({ name, memory, bytes: wasm.length, compiled: true });
  }
  removeOrphans(outDir, built);
  return built;
}

/** What kernels import: sources that are no kernels of their own. */
function partsOf(folder: string): string[] {
  const parts = path.join(folder, 'parts');
  if (!existsSync(parts)) return [];
  const files = readdirSync(parts).filter((file) => file.endsWith(SUFFIX));
  return files.toSorted((a, b) => (a < b ? -1 : 1)).map((file) => path.join('parts', file));
}

function isBuiltFrom(wasm: Uint8Array, digest: string): boolean {
  try {
    return digestOf(wasm) === digest;
  } catch {
    return false; // cut off: built again
  }
}

/** Removes the output of kernels that are gone, so that nothing runs that has no source. */
function removeOrphans(outDir: string, built: readonly BuiltKernel[]): void {
  const names = new Set(built.map(({ name }) => `${name}.wasm`));
  for (const file of readdirSync(outDir)) {
    if (file.endsWith('.wasm') && !names.has(file)) rmSync(path.join(outDir, file));
  }
}

/** Builds the kernels of this repository and prints one line a kernel. */
export async function buildRepositoryKernels(): Promise<void> {
  for (const kernel of await buildKernels(path.join(REPOSITORY, 'src/kernels'))) {
    const state = kernel.compiled ? 'compiled' : 'up to date';
    console.log(`kernel ${kernel.name}: ${kernel.bytes} bytes, ${kernel.memory} memory, ${state}`);
  }
}

if (import.meta.main) {
  try {
    await buildRepositoryKernels();
  } catch (error) {
    console.error(`build-kernels: ${error instanceof Error ? error.message : String(error)}`);
    process.exitCode = 1;
  }
}
