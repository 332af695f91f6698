/**
 * Runs the tests: `npm test`, `npm test -- src/tsdb`, `npm test -- src/lib/utf8.test.ts --name=compare`.
 *
 * All files run in one process, because isolation costs 150 ms a file; without arguments, in two beside each other. Prints
 * failures and what is skipped, then `N passed, N failed` as the last line, whatever happens.
 */
import { spawn } from 'node:child_process';
import { globSync, writeSync } from 'node:fs';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { run } from 'node:test';
import { inspect, parseArgs } from 'node:util';

const REPOSITORY = path.resolve(import.meta.dirname, '..');
const PATTERNS = ['src/**/*.test.ts', 'scripts/**/*.test.ts', 'test/**/*.test.ts'];
const NOT_HERE = ['test/e2e/**'];

/**
 * Tests that start a program for each directory they open. A start costs by the memory of who starts it: in the process of
 * all other tests, which has a gigabyte, they took 250 s; in one of their own, 60 s.
 */
const APART = 'src/tsdb/';

/** limit: one test may take this long; the longest one takes seconds. */
const TEST_TIMEOUT_MS = 120_000;
/** limit: how long a finished run may be kept alive by something that a test left open. */
const LEAK_GRACE_MS = 10_000;

function testFiles(filters: readonly string[]): string[] {
  const all = globSync(PATTERNS, { cwd: REPOSITORY, exclude: NOT_HERE }).toSorted((a, b) =>
    a < b ? -1 : 1,
  );
  if (filters.length === 0) return all;
  const wanted = filters.map((f) => path.relative(REPOSITORY, path.resolve(f)).replace(/\/$/, ''));
  return all.filter((file) => wanted.some((w, i) => isWanted(file, w, filters[i] ?? '')));
}

/** A filter names a file, a folder above it, or a part of its path. */
function isWanted(file: string, resolved: string, filter: string): boolean {
  return file === resolved || file.startsWith(`${resolved}/`) || file.includes(filter);
}

/** The counts of a run, and its last words. */
class Tally {
  passed = 0;
  failed = 0;
  skipped = 0;
  #finished = false;

  /** Prints a failure and counts it. */
  fail(title: string, error: unknown): void {
    this.failed++;
    const text = error instanceof Error ? describe(error) : String(error);
    console.log(`\n✖ ${title}\n${text.replaceAll(/^/gm, '    ')}`);
  }

  /** Called when the stream of events has ended: everything that was to run has run. */
  finish(): void {
    this.#finished = true;
    process.exit();
  }

  /** From the exit handler: a test that ends the process must not look like a success. */
  conclude(): void {
    if (!this.#finished) {
      this.failed++;
      print('\n✖ the process ended before all tests had run');
    }
    if (this.passed + this.failed === 0) {
      this.failed++;
      print('\n✖ no test ran');
    }
    if (this.skipped > 0) print(`${this.skipped} skipped`);
    print(`${this.passed} passed, ${this.failed} failed`);
    process.exitCode = this.failed > 0 ? 1 : 0;
  }
}

/** console.log may lose lines of a process that exits; this does not. */
function print(line: string): void {
  writeSync(1, `${line}\n`);
}

/** The cause is what the test threw; node:test wraps it. */
function describe(error: Error): string {
  const inner = error.cause instanceof Error ? error.cause : error;
  return inner.stack ?? inspect(inner);
}

function runFiles(files: readonly string[], names: readonly string[], tally: Tally): void {
  let open = 0;
  let leak: NodeJS.Timeout | undefined;
  const stream = run({
    files: files.map((file) => path.join(REPOSITORY, file)),
    isolation: 'none',
    timeout: TEST_TIMEOUT_MS,
    ...(names.length > 0 ? { testNamePatterns: [...names] } : {}),
  });
  const done = (nesting: number): void => {
    if (nesting === 0 && --open === 0) leak = setTimeout(giveUp, LEAK_GRACE_MS, tally).unref();
  };
  stream.on('test:enqueue', (test) => {
    clearTimeout(leak);
    if (test.nesting === 0) open++;
  });
  stream.on('test:pass', (test) => {
    if (test.skip !== undefined || test.todo !== undefined) {
      tally.skipped++;
      const reason = test.skip ?? test.todo;
      console.log(`skipped: ${where(test)}${typeof reason === 'string' ? `: ${reason}` : ''}`);
    } else if (test.details.type !== 'suite') tally.passed++;
    done(test.nesting);
  });
  stream.on('test:fail', (test) => {
    const { error } = test.details;
    const inherited = 'failureType' in error && error.failureType === 'subtestsFailed';
    if (!inherited) tally.fail(where(test), error);
    done(test.nesting);
  });
  stream.on('test:diagnostic', ({ message }) => {
    if (message.includes('asynchronous activity after the test ended')) tally.fail(message, '');
  });
  stream.on('end', () => tally.finish());
  stream.resume(); // without a reader the stream never ends
}

/** Runs two groups of files in processes of their own; answers the exit code. */
async function runApart(files: readonly string[]): Promise<number> {
  const groups = Object.values(
    Object.groupBy(files, (file) => (file.startsWith(APART) ? 'apart' : 'others')),
  );
  const results = await Promise.all(groups.map((group) => runGroup(group)));
  const sum = (key: keyof Counts): number =>
    results.reduce((total, counts) => total + counts[key], 0);
  if (sum('skipped') > 0) print(`${sum('skipped')} skipped`);
  print(`${sum('passed')} passed, ${sum('failed')} failed`);
  return sum('failed') > 0 ? 1 : 0;
}

interface Counts {
  readonly passed: number;
  readonly failed: number;
  readonly skipped: number;
}

/** Passes on what the process of a group prints, but for its counts. */
async function runGroup(files: readonly string[]): Promise<Counts> {
  const child = spawn(process.execPath, [import.meta.filename, ...files], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const counts = { passed: 0, failed: 0, skipped: 0 };
  let concluded = false;
  for await (const line of createInterface(child.stdout)) {
    const [, passed, failed] = /^(\d+) passed, (\d+) failed$/.exec(line) ?? [];
    const [, skipped] = /^(\d+) skipped$/.exec(line) ?? [];
    if (passed !== undefined) {
      concluded = true;
      Object.assign(counts, { passed: Number(passed), failed: Number(failed) });
    } else if (skipped !== undefined) counts.skipped = Number(skipped);
    else print(line);
  }
  if (!concluded) {
    print(`✖ the process of ${files.length} files ended without its counts`);
    counts.failed++;
  }
  return counts;
}

function where(test: { name: string; file?: string; line?: number }): string {
  const file = test.file === undefined ? '' : path.relative(REPOSITORY, test.file);
  return `${test.name} (${file}:${test.line ?? 0})`;
}

/** All tests have ended and the process lives on: says what holds it, and ends it. */
function giveUp(tally: Tally): void {
  const kinds = process.getActiveResourcesInfo().filter((kind) => kind !== 'Timeout');
  tally.fail('a test left something open', kinds.length > 0 ? kinds.join(', ') : 'a timer');
  tally.finish();
}

if (import.meta.main) {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: { name: { type: 'string', multiple: true, default: [] } },
  });
  if (positionals.length === 0 && values.name.length === 0) {
    process.exit(await runApart(testFiles([])));
  }
  const started = performance.now();
  const tally = new Tally();
  const files = testFiles(positionals);
  process.on('exit', () => {
    print(`\n${files.length} files, ${((performance.now() - started) / 1000).toFixed(1)} s`);
    tally.conclude();
  });
  if (files.length === 0) tally.finish();
  else runFiles(files, values.name, tally);
}
