/**
 * Runs test files one after the other, each in a process of its own: tests that start servers and measure them must
 * not meet each other. Prints what tests say, failures, and `N passed, N failed` as the last line.
 */
import { globSync, writeSync } from 'node:fs';
import path from 'node:path';
import { run } from 'node:test';
import { inspect } from 'node:util';

const REPOSITORY = path.resolve(import.meta.dirname, '..');

/** Files that match a pattern, and one of the filters if there are any: a file, a folder above, a part of the path. */
export function findTests(pattern: string, filters: readonly string[]): string[] {
  const all = globSync(pattern, { cwd: REPOSITORY }).toSorted((a, b) => (a < b ? -1 : 1));
  if (filters.length === 0) return all;
  return all.filter((file) => filters.some((filter) => file.includes(normalize(filter))));
}

function normalize(filter: string): string {
  return path.relative(REPOSITORY, path.resolve(REPOSITORY, filter)).replace(/\/$/, '');
}

/** Runs the files; `timeoutMs` is for each test. Answers whether all is well, after the last line is printed. */
export async function runSerially(files: readonly string[], timeoutMs: number): Promise<boolean> {
  const counts = { passed: 0, failed: 0, skipped: 0 };
  const started = performance.now();
  const stream = run({
    files: files.map((file) => path.join(REPOSITORY, file)),
    isolation: 'process',
    concurrency: false,
    timeout: timeoutMs,
  });
  stream.on('test:pass', (test) => {
    if (test.skip !== undefined || test.todo !== undefined) {
      counts.skipped++;
      print(`skipped: ${where(test)}: ${String(test.skip ?? test.todo)}`);
      return;
    }
    if (test.details.type === 'suite' || isFile(test)) return;
    counts.passed++;
    if (test.nesting > 0) return;
    print(`✔ ${where(test)} ${(test.details.duration_ms / 1000).toFixed(1)} s`);
  });
  stream.on('test:fail', (test) => {
    const { error } = test.details;
    if ('failureType' in error && error.failureType === 'subtestsFailed') return;
    counts.failed++;
    print(`✖ ${where(test)}\n${describe(error).replaceAll(/^/gm, '    ')}`);
  });
  stream.on('test:diagnostic', ({ message, nesting, file }) => {
    // Those without a file are node:test's own sums.
    if (file !== undefined && !isSum(message)) print(`${'  '.repeat(nesting + 1)}${message}`);
  });
  stream.on('test:stderr', ({ message }) => writeSync(2, message));
  stream.resume();
  await new Promise((resolve) => stream.on('end', resolve));
  return conclude(counts, files.length, performance.now() - started);
}

function conclude(
  counts: { passed: number; failed: number; skipped: number },
  files: number,
  durationMs: number,
): boolean {
  const { skipped } = counts;
  if (counts.passed + counts.failed + skipped === 0) {
    counts.failed++;
    print('✖ no test ran');
  }
  print(`\n${files} files, ${(durationMs / 1000).toFixed(1)} s, ${skipped} skipped`);
  print(`${counts.passed} passed, ${counts.failed} failed`);
  return counts.failed === 0;
}

/** With a process a file, the file counts as a test of its own. */
function isFile({ name, nesting }: { name: string; nesting: number }): boolean {
  return nesting === 0 && name.endsWith('.test.ts');
}

function isSum(message: string): boolean {
  return /^(?:tests|suites|pass|fail|cancelled|skipped|todo|duration_ms) [\d.]+$/.test(message);
}

function where({ name, file, line }: { name: string; file?: string; line?: number }): string {
  return `${name} (${file === undefined ? '' : path.relative(REPOSITORY, file)}:${line ?? 0})`;
}

function describe(error: Error): string {
  const inner = error.cause instanceof Error ? error.cause : error;
  return inner.stack ?? inspect(inner);
}

/** console.log may lose lines of a process that exits; this does not. */
function print(line: string): void {
  writeSync(1, `${line}\n`);
}
