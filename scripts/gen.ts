/**
 * Makes src/gen/ from proto/: `npm run gen`, after a .proto file was changed. What it writes is committed, and
 * scripts/gen.test.ts tells when it no longer fits. Nothing is downloaded: compiler and plugin are development
 * dependencies, and the well-known types come with the compiler.
 */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';

const REPOSITORY = path.resolve(import.meta.dirname, '..');

/** Where the generated code lies. */
export const GENERATED = path.join(REPOSITORY, 'src/gen');

const PACKAGES = path.join(REPOSITORY, 'node_modules/@bufbuild');

/** Objects in place of enums, which type stripping would refuse. */
const PLUGIN_OPTIONS = ['target=ts', 'import_extension=ts', 'erasable_syntax=true'];

/** Writes the code of all .proto files into a folder, and removes what has no source. */
export function generate(folder: string): void {
  using scratch = scratchFolder();
  const template = path.join(scratch.path, 'buf.gen.json');
  const plugin = [process.execPath, path.join(PACKAGES, 'protoc-gen-es/bin/protoc-gen-es')];
  const plugins = [{ local: plugin, out: folder, opt: PLUGIN_OPTIONS }];
  const inputs = [{ directory: 'proto' }];
  writeFileSync(template, JSON.stringify({ version: 'v2', clean: true, inputs, plugins }));
  const config = JSON.stringify({ version: 'v2', modules: [{ path: 'proto' }] });
  const { status, stdout, stderr, error } = spawnSync(
    process.execPath,
    [path.join(PACKAGES, 'buf/bin/buf'), 'generate', '--template', template, '--config', config],
    {
      cwd: REPOSITORY,
      encoding: 'utf8',
      env: { ...process.env, BUF_CACHE_DIR: path.join(scratch.path, 'cache') },
    },
  );
  if (status !== 0) throw new Error(`buf generate: ${error?.message ?? `${stdout}${stderr}`}`);
}

/** The files of a folder with their content. */
export function readGenerated(folder: string): ReadonlyMap<string, string> {
  const names = readdirSync(folder).toSorted((a, b) => (a < b ? -1 : 1));
  return new Map(names.map((name) => [name, readFileSync(path.join(folder, name), 'utf8')]));
}

/** A folder in the system's place for those, gone on disposal. */
export function scratchFolder(): { readonly path: string } & Disposable {
  const folder = mkdtempSync(path.join(tmpdir(), 'gen-'));
  return { path: folder, [Symbol.dispose]: () => rmSync(folder, { recursive: true }) };
}

if (import.meta.main) {
  generate(GENERATED);
  console.log(`gen: ${readGenerated(GENERATED).size} files`);
}
