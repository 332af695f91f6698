/**
 * The rules of the house that a program can check: `npm run tidy`. One line a finding, `file:line: rule: sentence`.
 * `npm run tidy -- --report` prints figures instead and never fails.
 */
import path from 'node:path';

import { checkCalls } from './tidy/calls.ts';
import { checkLayers } from './tidy/layers.ts';
import { checkMarkdown } from './tidy/markdown.ts';
import {
  checkBarrels,
  checkCycles,
  checkNames,
  checkPackages,
  checkSizes,
} from './tidy/modules.ts';
import { report } from './tidy/report.ts';
import { checkLockfile, checkPaths, checkVersions } from './tidy/repository.ts';
import { type Finding, type Tree, readTree } from './tidy/tree.ts';

/** What is wrong and stays so for a reason. */
export interface Exception {
  readonly file: string;
  readonly rule: string;
  readonly reason: string;
}

/** Aimed at empty. One that no longer excuses anything is a finding itself. */
const EXCEPTIONS: readonly Exception[] = [];

const CHECKS = [
  checkLayers,
  checkCycles,
  checkBarrels,
  checkNames,
  checkPackages,
  checkCalls,
  checkSizes,
  checkMarkdown,
  checkVersions,
  checkLockfile,
  checkPaths,
];

/** All findings that no exception excuses, by file and line. */
export function tidy(tree: Tree, exceptions: readonly Exception[] = EXCEPTIONS): Finding[] {
  const used = new Set<Exception>();
  const findings = CHECKS.flatMap((check) => check(tree)).filter((finding) => {
    const excuse = exceptions.find((e) => e.file === finding.file && e.rule === finding.rule);
    if (excuse !== undefined) used.add(excuse);
    return excuse === undefined;
  });
  for (const exception of exceptions) {
    if (used.has(exception)) continue;
    const message = `${exception.file} no longer needs its exception from ${exception.rule}`;
    findings.push({ file: 'scripts/tidy.ts', line: 1, rule: 'exceptions', message });
  }
  return findings.toSorted((a, b) =>
    a.file === b.file ? a.line - b.line : a.file < b.file ? -1 : 1,
  );
}

if (import.meta.main) {
  const tree = readTree(path.resolve(import.meta.dirname, '..'));
  if (process.argv.includes('--report')) {
    console.log(report(tree));
  } else {
    const findings = tidy(tree);
    for (const { file, line, rule, message } of findings) {
      console.log(`${file}:${line}: ${rule}: ${message}`);
    }
    console.log(`tidy: ${tree.files.size} files, ${findings.length} findings`);
    process.exitCode = findings.length > 0 ? 1 : 0;
  }
}
