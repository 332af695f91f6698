/** What a module refers to: static, type-only, dynamic and re-exporting imports, and files named by URL (workers). */
import path from 'node:path';

import { type Scanned, lineAt } from './scan.ts';

/** One reference of a module to another. */
export interface Reference {
  readonly specifier: string;
  readonly line: number;
  /** url: `new URL('./x.ts', import.meta.url)` and import.meta.resolve; the file is named, not loaded here. */
  readonly kind: 'static' | 're-export' | 'dynamic' | 'url';
  /** Names taken from the other module; `*` when all of them are. */
  readonly names: readonly string[];
}

const STATIC =
  /(?<![\w$.])(import|export)(?=[\s{*'"])\s*(?:type\b)?\s*([\w$*{},\s]*?)\bfrom\s*(['"])/g;
const BARE = /(?<![\w$.])import\s*(['"])/g;
const DYNAMIC = /(?<![\w$.])import\s*\(\s*(['"`])/g;
const URL_OR_RESOLVE = /(?:new\s+URL|import\.meta\.resolve)\s*\(\s*(['"`])/g;

/** All references of a scanned source, in the order of the text. */
export function references(source: Scanned): Reference[] {
  const found: (Reference & { at: number })[] = [];
  const strings = new Map(source.strings.map((s) => [s.start, s.text]));
  const add = (match: RegExpExecArray, kind: Reference['kind'], names: readonly string[]): void => {
    const quote = match.index + match[0].length - 1;
    const specifier = strings.get(quote);
    if (specifier === undefined) return;
    found.push({ specifier, line: lineAt(source.text, quote), kind, names, at: match.index });
  };
  for (const match of source.code.matchAll(STATIC)) {
    add(match, match[1] === 'export' ? 're-export' : 'static', importedNames(match[2] ?? ''));
  }
  for (const match of source.code.matchAll(BARE)) add(match, 'static', []);
  for (const match of source.code.matchAll(DYNAMIC)) add(match, 'dynamic', ['*']);
  for (const match of source.code.matchAll(URL_OR_RESOLVE)) add(match, 'url', ['*']);
  return found.toSorted((a, b) => a.at - b.at);
}

/** `A, { b, type c as d }` -> default, b, c. */
function importedNames(clause: string): string[] {
  if (clause.includes('*')) return ['*'];
  const [before = '', inner = ''] = clause.split(/[{}]/);
  const named = inner
    .split(',')
    .map((part) => part.trim().replace(/^type\s+/, ''))
    .map((part) => part.split(/\s+as\s+/)[0] ?? '')
    .filter((name) => name !== '');
  return before.replace(',', '').trim() === '' ? named : ['default', ...named];
}

/** The file that a relative specifier names, from the root of the tree; undefined for packages. */
export function resolveReference(from: string, specifier: string): string | undefined {
  if (!specifier.startsWith('.')) return undefined;
  return path.posix.normalize(path.posix.join(path.posix.dirname(from), specifier));
}
