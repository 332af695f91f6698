/** The files that the checks look at, read once. */
import { execFileSync } from 'node:child_process';
import { existsSync, globSync, readFileSync } from 'node:fs';
import path from 'node:path';

import { type Reference, references } from './imports.ts';
import { type Scanned, scan } from './scan.ts';

/** One thing that is wrong, with the place. */
export interface Finding {
  readonly file: string;
  readonly line: number;
  readonly rule: string;
  /** A sentence that says what to do or what was expected. */
  readonly message: string;
}

/** A scanned TypeScript file. */
export interface Module extends Scanned {
  readonly file: string;
  readonly references: readonly Reference[];
}

/** The text files of a repository: paths are relative to the root, with `/`. */
export class Tree {
  readonly root: string;
  /** Texts by path, in the order of paths. */
  readonly files: ReadonlyMap<string, string>;
  /** TypeScript files without AssemblyScript kernels and generated code. */
  readonly modules: ReadonlyMap<string, Module>;

  constructor(root: string, files: ReadonlyMap<string, string>) {
    this.root = root;
    this.files = new Map([...files].toSorted(([a], [b]) => (a < b ? -1 : 1)));
    const modules = new Map<string, Module>();
    for (const [file, text] of this.files) {
      if (!file.endsWith('.ts') || file.endsWith('.as.ts') || file.startsWith('src/gen/')) continue;
      const scanned = scan(text);
      modules.set(file, { ...scanned, file, references: references(scanned) });
    }
    this.modules = modules;
  }
}

/** Whether a file is a test: it may use what only tests may use. */
export function isTest(file: string): boolean {
  return file.endsWith('.test.ts') || file.startsWith('test/');
}

/** Reads a repository: what git tracks, and what it would track (new files that are not ignored). */
export function readTree(root: string): Tree {
  const files = new Map<string, string>();
  for (const name of existsSync(path.join(root, '.git')) ? tracked(root) : present(root)) {
    const bytes = readIfThere(path.join(root, name));
    if (bytes !== undefined && !bytes.includes(0)) files.set(name, bytes.toString('utf8'));
  }
  return new Tree(root, files);
}

function tracked(root: string): string[] {
  const args = ['ls-files', '-z', '--cached', '--others', '--exclude-standard'];
  const names = execFileSync('git', args, { cwd: root, encoding: 'utf8', maxBuffer: 1 << 28 });
  return names.split('\0').filter((name) => name !== '');
}

/** The files of a source archive, which has no history. */
function present(root: string): string[] {
  const exclude = ['**/node_modules', 'dist', 'data', 'src/kernels/wasm'];
  return globSync('**/*', { cwd: root, exclude, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => path.relative(root, path.join(entry.parentPath, entry.name)));
}

/** A file that is deleted but still in the index, or a submodule, is no file. */
function readIfThere(file: string): Buffer | undefined {
  try {
    return readFileSync(file);
  } catch {
    return undefined;
  }
}
