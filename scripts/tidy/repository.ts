/** Checks of what the repository carries besides code: versions, the lockfile, paths of somebody's machine. */
import path from 'node:path';

import { type Finding, type Tree } from './tree.ts';

const EXACT = /^\d+\.\d+\.\d+(?:-[\w.]+)?$/;
const KINDS = ['dependencies', 'devDependencies', 'optionalDependencies'];

/** Parents of checkouts that texts rightly mention; below others, a path belongs to one machine. */
const SHARED_FOLDERS =
  /^(?:\/|\/(?:tmp|var\/tmp|home|root|src|app|build|data|opt|mnt|srv|usr\/src|workspace))$/;

/** Dependencies have exact versions. */
export function checkVersions(tree: Tree): Finding[] {
  const findings: Finding[] = [];
  for (const [file, text] of tree.files) {
    if (path.posix.basename(file) !== 'package.json') continue;
    const manifest = JSON.parse(text) as Readonly<Record<string, Record<string, string>>>;
    for (const [name, version] of KINDS.flatMap((kind) => Object.entries(manifest[kind] ?? {}))) {
      if (EXACT.test(version)) continue;
      const line = lineOf(text, `"${name}"`);
      const message = `${name} has version ${JSON.stringify(version)}, expected an exact one`;
      findings.push({ file, line, rule: 'versions', message });
    }
  }
  return findings;
}

/** The lockfile says what is installed, not from which address. */
export function checkLockfile(tree: Tree): Finding[] {
  const file = 'package-lock.json';
  const findings: Finding[] = [];
  for (const [i, text] of (tree.files.get(file) ?? '').split('\n').entries()) {
    if (!/"resolved":\s*"[a-z+]+:/.test(text)) continue;
    const message =
      'an address of a registry: set omit-lockfile-registry-resolved and write it again';
    findings.push({ file, line: i + 1, rule: 'lockfile', message });
  }
  return findings;
}

/** No file names the place where somebody's checkout lies. */
export function checkPaths(tree: Tree): Finding[] {
  const parent = path.dirname(tree.root);
  const place = SHARED_FOLDERS.test(parent) ? tree.root : parent;
  const pattern = new RegExp(`(?<![\\w.~}/-])${escape(place)}/`);
  const findings: Finding[] = [];
  for (const [file, text] of tree.files) {
    for (const [i, line] of text.split('\n').entries()) {
      if (!pattern.test(line)) continue;
      const message = 'a path of this machine: make it relative';
      findings.push({ file, line: i + 1, rule: 'paths', message });
    }
  }
  return findings;
}

function escape(text: string): string {
  return text.replaceAll(/[\\^$.*+?()[\]{}|]/g, String.raw`\$&`);
}

function lineOf(text: string, part: string): number {
  return text.slice(0, Math.max(0, text.indexOf(part))).split('\n').length;
}
