/** Checks of modules as a whole: cycles, barrels, names, sizes, and packages that are not declared. */
import { type Scanned, lineAt } from './scan.ts';
import { resolveReference } from './imports.ts';
import { type Finding, type Module, type Tree, isTest } from './tree.ts';

/** limit: a file beyond this is two files. */
const LINES_MAX = 800;

const KEBAB = /^[a-z0-9]+(?:-[a-z0-9]+)*$/;
const EMPTY_NAMES = new Set(['util', 'utils', 'helper', 'helpers', 'common', 'misc', 'types']);

/** Finds groups of files that import each other in a circle, type-only imports included. */
export function checkCycles(tree: Tree): Finding[] {
  const edges = new Map<string, string[]>();
  for (const { file, references } of tree.modules.values()) {
    const targets = references
      .filter(({ kind }) => kind !== 'url')
      .map(({ specifier }) => resolveReference(file, specifier))
      .filter((target) => target !== undefined && tree.modules.has(target));
    edges.set(file, targets as string[]);
  }
  return circles(edges).map((circle) => {
    const [file = ''] = circle;
    const message = `import cycle: ${[...circle, file].join(' -> ')}`;
    return { file, line: 1, rule: 'cycles', message };
  });
}

/** One circle for each file that closes one, found depth first; each file is walked once. */
function circles(edges: ReadonlyMap<string, readonly string[]>): string[][] {
  const found: string[][] = [];
  const done = new Set<string>();
  const path: string[] = [];
  const walk = (file: string): void => {
    const at = path.indexOf(file);
    if (at !== -1) found.push(path.slice(at));
    if (at !== -1 || done.has(file)) return;
    path.push(file);
    for (const target of edges.get(file) ?? []) walk(target);
    path.pop();
    done.add(file);
  };
  for (const file of edges.keys()) walk(file);
  return found;
}

/** An import, a re-export, or an export list, in scanned code. */
const HAND_ON =
  /(?<![\w$.])(?:import|export)(?:[\w$*{},\s]*?\bfrom\s*(['"])\s*\1|\s*(?:type\s*)?\{[\w$,\s]*\}|\s*(['"])\s*\2)/g;

/** index.ts, and files that do nothing but hand on what others export. */
export function checkBarrels(tree: Tree): Finding[] {
  const findings: Finding[] = [];
  for (const module of tree.modules.values()) {
    const { file } = module;
    const isIndex = file.endsWith('/index.ts') || file === 'index.ts';
    if (isIndex || onlyReExports(module)) {
      const message = 'no barrels: import from the file that defines the name';
      findings.push({ file, line: 1, rule: 'barrels', message });
    }
  }
  return findings;
}

function onlyReExports({ code, references }: Module): boolean {
  const exported = /(?<![\w$.])export\s*(?:type\s*)?[{*]/.test(code);
  if (!exported || references.length === 0) return false;
  const rest = code.replaceAll(HAND_ON, '').replaceAll(/[;\s]/g, '');
  return rest === '';
}

/** Kebab-case paths, without names that say nothing. */
export function checkNames(tree: Tree): Finding[] {
  const findings: Finding[] = [];
  for (const file of tree.files.keys()) {
    if (!/^(?:src|scripts|test|bench)\/.*\.ts$/.test(file) || file.startsWith('src/gen/')) continue;
    const parts = file.split('/').flatMap((part) => part.split('.'));
    const odd = parts.find((part) => !KEBAB.test(part));
    const empty = parts.find((part) => EMPTY_NAMES.has(part));
    const add = (message: string): void => {
      findings.push({ file, line: 1, rule: 'names', message });
    };
    if (odd !== undefined) add(`names are kebab-case, ${JSON.stringify(odd)} is not`);
    if (empty !== undefined) add(`${JSON.stringify(empty)} says nothing: name what is inside`);
  }
  return findings;
}

/** Files that are too long, and work that was left without an issue. */
export function checkSizes(tree: Tree): Finding[] {
  const findings: Finding[] = [];
  for (const module of tree.modules.values()) {
    const { file } = module;
    const lines = module.text.split('\n').length - 1;
    if (lines > LINES_MAX) {
      const message = `${lines} lines, at most ${LINES_MAX}: split it`;
      findings.push({ file, line: LINES_MAX + 1, rule: 'sizes', message });
    }
    findings.push(...openWork(file, module));
  }
  return findings;
}

function openWork(file: string, module: Scanned): Finding[] {
  const findings: Finding[] = [];
  for (const comment of module.comments) {
    for (const match of comment.text.matchAll(/\b(TODO|FIXME|XXX)\b(?!\(#\d+\))/g)) {
      const message = `${match[1]} without an issue: write ${match[1]}(#n) or do it`;
      const line = lineAt(module.text, comment.start + match.index);
      findings.push({ file, line, rule: 'open-work', message });
    }
  }
  return findings;
}

/** Sources import only what an installed package has. */
export function checkPackages(tree: Tree): Finding[] {
  const manifest = tree.files.get('package.json');
  if (manifest === undefined) return [];
  const parsed = JSON.parse(manifest) as Readonly<Record<string, Record<string, string>>>;
  const declared = new Set(
    ['dependencies', 'optionalDependencies', 'peerDependencies'].flatMap((key) =>
      Object.keys(parsed[key] ?? {}),
    ),
  );
  const findings: Finding[] = [];
  for (const { file, references } of tree.modules.values()) {
    if (!file.startsWith('src/') || /\.(?:test|bench)\.ts$|acceptance\.ts$/.test(file)) continue;
    for (const { specifier, line } of references) {
      if (specifier.startsWith('.') || specifier.startsWith('node:')) continue;
      const name = specifier.split('/', specifier.startsWith('@') ? 2 : 1).join('/');
      if (declared.has(name) || isTest(file)) continue;
      const message = `${JSON.stringify(name)} is no dependency of the installed package`;
      findings.push({ file, line, rule: 'packages', message });
    }
  }
  return findings;
}
