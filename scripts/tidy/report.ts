/** Figures that are watched, not judged: `npm run tidy -- --report`. Counts are good to a few per cent. */
import { resolveReference } from './imports.ts';
import { lineAt } from './scan.ts';
import { type Module, type Tree, isTest } from './tree.ts';

const SHOWN = 15;

/** A measured thing and where it is. */
interface Figure {
  readonly where: string;
  readonly size: number;
}

/** The report as text. */
export function report(tree: Tree): string {
  const sources = [...tree.modules.values()].filter(
    ({ file }) => file.startsWith('src/') && !isTest(file),
  );
  const lines = sources.reduce((sum, { text }) => sum + text.split('\n').length, 0);
  const largest = sources.map(({ file, text }) => ({
    where: file,
    size: text.split('\n').length,
  }));
  const dead = deadExports(tree, sources);
  return [
    `src without tests: ${sources.length} files, ${lines} lines`,
    section('largest files (lines)', largest),
    section('longest functions (lines)', sources.flatMap(functionLengths)),
    escapes(sources, lines),
    section('timers, console and process outside lib, ops and cmd (uses)', ambientUses(sources)),
    list('exports without a sentence', sources.flatMap(undocumented)),
    list('exports that only tests import', dead.onlyTests),
    list('exports that nobody imports', dead.nobody),
  ].join('\n\n');
}

function section(title: string, figures: readonly Figure[]): string {
  const top = figures.toSorted((a, b) => b.size - a.size).slice(0, SHOWN);
  return [title, ...top.map(({ where, size }) => `  ${String(size).padStart(5)}  ${where}`)].join(
    '\n',
  );
}

function list(title: string, places: readonly string[]): string {
  return [`${title}: ${places.length}`, ...places.map((place) => `  ${place}`)].join('\n');
}

function count(code: string, pattern: RegExp): number {
  return [...code.matchAll(pattern)].length;
}

function escapes(sources: readonly Module[], lines: number): string {
  const kinds: [string, RegExp][] = [
    ['any', /(?:[:<|&,(]|\bas)\s*any\b(?!\s*:)/g],
    ['!', /(?<=[\w$)\]])!(?=[.;,)\]}[\s])(?!\s*=)/g],
    ['as', /(?<=[\w$)\]}'"`])\s+as\s+(?!const\b)[\w$({[]/g],
  ];
  const row = ([name, pattern]: [string, RegExp]): string => {
    // Renaming imports and exports use the word too.
    const code = sources.map((s) => s.code.replaceAll(/(?:import|export)\s[^;]*?\bfrom\b/g, ''));
    const total = code.reduce((sum, text) => sum + count(text, pattern), 0);
    return `  ${name.padEnd(5)}${String(total).padStart(5)}  ${((total * 1000) / Math.max(1, lines)).toFixed(1)} per 1,000 lines`;
  };
  return ['type escapes', ...kinds.map(row)].join('\n');
}

function ambientUses(sources: readonly Module[]): Figure[] {
  return sources
    .filter(({ file }) => !/^src\/(?:lib|ops|cmd)\//.test(file))
    .map(({ file, code }) => {
      const uses = count(code, /(?<![\w$.])(?:setTimeout|setInterval|console\s*\.|process\s*\.)/g);
      return { where: file, size: uses };
    })
    .filter(({ size: uses }) => uses > 0);
}

const NOT_FUNCTIONS = new Set(['if', 'for', 'while', 'switch', 'catch', 'with', 'return']);

/** Lengths of functions and methods: each brace that follows `)`, `): type` or `=>` opens one. */
function functionLengths({ file, code, text }: Module): Figure[] {
  const figures: Figure[] = [];
  const open: { line: number; name: string | undefined }[] = [];
  let line = 1;
  for (let i = 0; i < code.length; i++) {
    const c = code[i];
    if (c === '\n') line++;
    else if (c === '{')
      open.push({ line, name: functionName(code.slice(Math.max(0, i - 600), i)) });
    else if (c === '}') {
      const start = open.pop();
      if (start?.name === undefined) continue;
      figures.push({
        where: `${start.name} (${file}:${start.line})`,
        size: line - start.line + 1,
      });
    }
  }
  return text === '' ? [] : figures;
}

function functionName(before: string): string | undefined {
  if (/=>\s*$/.test(before)) {
    return /(?:const|let)\s+([\w$]+)[^;{}]*=>\s*$/.exec(before)?.[1] ?? 'a function';
  }
  const head = /\)\s*(?::[^;{}()=]*)?$/.exec(before);
  if (head === null) return undefined;
  let depth = 0;
  for (let i = head.index; i >= 0; i--) {
    if (before[i] === ')') depth++;
    else if (before[i] === '(' && --depth === 0) {
      const name = /([\w$#]+)\s*(?:<[^()]*>)?\s*$/.exec(before.slice(0, i))?.[1];
      return name === undefined || NOT_FUNCTIONS.has(name) ? undefined : name;
    }
  }
  return undefined;
}

const EXPORT =
  /(?<![\w$.])export\s+(?:default\s+)?(?:declare\s+)?(?:abstract\s+)?(?:async\s+)?(?:function\s*\*?|class|const|let|interface|type|namespace)\s+([\w$]+)/g;

function undocumented(module: Module): string[] {
  const documented = new Set(module.comments.map(({ end }) => end));
  return [...module.code.matchAll(EXPORT)]
    .filter(({ index }) => !documented.has(module.text.slice(0, index).trimEnd().length))
    .map(({ index, 1: name }) => `${module.file}:${lineAt(module.text, index)}: ${name}`);
}

function deadExports(
  tree: Tree,
  sources: readonly Module[],
): { nobody: string[]; onlyTests: string[] } {
  const bySources = importedBy(tree, (file) => !isTest(file));
  const byTests = importedBy(tree, isTest);
  const has = (
    used: ReadonlyMap<string, ReadonlySet<string>>,
    file: string,
    name: string,
  ): boolean => used.get(file)?.has(name) === true || used.get(file)?.has('*') === true;
  const nobody: string[] = [];
  const onlyTests: string[] = [];
  for (const { file, code, text } of sources) {
    const seen = new Set<string>();
    for (const { index, 0: declaration, 1: name = '' } of code.matchAll(EXPORT)) {
      if (seen.has(name) || has(bySources, file, name)) continue;
      seen.add(name); // overloads are one export
      // A type in a signature of this file is exported for whoever calls that.
      const isType = /\b(?:interface|type)\s+[\w$]+$/.test(declaration);
      if (isType && count(code, new RegExp(`\\b${name}\\b`, 'g')) > 1) continue;
      const place = `${file}:${lineAt(text, index)}: ${name}`;
      (has(byTests, file, name) ? onlyTests : nobody).push(place);
    }
  }
  return { nobody, onlyTests };
}

function importedBy(tree: Tree, from: (file: string) => boolean): Map<string, Set<string>> {
  const used = new Map<string, Set<string>>();
  for (const { file, references } of tree.modules.values()) {
    if (!from(file)) continue;
    for (const { specifier, names } of references) {
      const target = resolveReference(file, specifier);
      if (target === undefined) continue;
      const known = used.get(target) ?? new Set();
      for (const name of names) known.add(name);
      used.set(target, known);
    }
  }
  return used;
}
