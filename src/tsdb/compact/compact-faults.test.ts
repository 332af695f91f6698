/** Disks that fail and processes that end in the middle of a compaction: nothing of the new block, sources untouched. */
import { deepEqual, equal, match, ok, throws } from 'node:assert/strict';
import { cpSync, readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { buildBlock } from '../../../test/support/block-builder.ts';
import type { TestSample } from '../../../test/support/block-builder.ts';
import { blockSamples } from '../../../test/support/block-samples.ts';
import { temporaryDirectory } from '../../../test/support/temporary-directory.ts';
import { WatchedFiles } from '../../../test/support/watched-files.ts';
import type { CodedError } from '../../lib/errors.ts';
import { systemFiles } from '../../lib/file-layer.ts';
import type { FileLayer } from '../../lib/file-layer.ts';
import { newUlid } from '../../model/ulid.ts';
import { listBlocks } from '../block/list-blocks.ts';
import { compactBlocks } from './compact-blocks.ts';

const ULID = newUlid(1_800_000_000_000);
const original = temporaryDirectory();

before(() => {
  for (const from of [0, 40, 100]) {
    const samples = Array.from({ length: 10 }, (_, i): TestSample => [from + i * 7, i]);
    const series = ['a', 'b'].map((name) => ({ labels: { name }, chunks: [samples] }));
    buildBlock(original.path, series);
  }
});

after(() => original[Symbol.dispose]());

/** Compacts copies of the blocks in a directory. */
function compact(directory: string, files: FileLayer, signal?: AbortSignal): void {
  const sources = readdirSync(original.path).map((ulid) => join(directory, ulid));
  compactBlocks(sources, { directory, ulid: ULID, files, segmentBytesMax: 200, signal });
}

/** Every file with its bytes. */
function content(directory: string): Map<string, string> {
  const files = readdirSync(directory, { recursive: true, withFileTypes: true });
  return new Map(
    files
      .filter((entry) => entry.isFile())
      .map((entry) => join(entry.parentPath, entry.name))
      .map((path) => [path.slice(directory.length), readFileSync(path).toString('hex')]),
  );
}

/** Fails at a step for good with an error code; what comes after it fails, too, when the process is gone. */
class FailingFiles extends WatchedFiles {
  readonly #failAt: number;
  readonly #code: string;
  readonly #isGone: boolean;

  constructor(failAt: number, code: string, isGone = false) {
    super();
    this.#failAt = failAt;
    this.#code = code;
    this.#isGone = isGone;
  }

  override write(fd: number, bytes: Uint8Array, offset: number): void {
    // What still has room is written, as a full disk does it.
    if (this.#isNext) systemFiles.write(fd, bytes.subarray(0, bytes.length >> 1), offset);
    this.#check();
    super.write(fd, bytes, offset);
  }

  override fsync(fd: number): void {
    this.#check();
    super.fsync(fd);
  }

  override fsyncDirectory(path: string): void {
    this.#check();
    super.fsyncDirectory(path);
  }

  override rename(from: string, to: string): void {
    this.#check();
    super.rename(from, to);
  }

  override open(path: string, create: boolean): number {
    this.#check();
    return super.open(path, create);
  }

  override remove(path: string): void {
    if (this.#isGone && this.log.length >= this.#failAt - 1) throw new Error('the process is gone');
    super.remove(path);
  }

  get #isNext(): boolean {
    return this.log.length === this.#failAt - 1;
  }

  #check(): void {
    if (!this.#isNext && !(this.#isGone && this.log.length >= this.#failAt)) return;
    if (!this.#isGone) this.log.push('failed');
    throw Object.assign(new Error(`${this.#code}: refused`), { code: this.#code });
  }
}

function stepsOfAll(): string[] {
  using directory = temporaryDirectory();
  cpSync(original.path, directory.path, { recursive: true });
  const files = new WatchedFiles();
  compact(directory.path, files);
  equal(listBlocks(directory.path).blocks.length, 4);
  return files.log.map((line) => line.replace(directory.path, ''));
}

test('compaction: an error at any open, write, fsync or rename leaves no block and the sources', () => {
  const steps = stepsOfAll();
  ok(steps.filter((step) => step.startsWith('write')).length >= 5, steps.join('\n'));
  for (const code of ['EIO', 'ENOSPC']) {
    for (let failAt = 1; failAt <= steps.length; failAt++) {
      if (steps[failAt - 1]?.startsWith('mkdir') === true) continue;
      using directory = temporaryDirectory();
      cpSync(original.path, directory.path, { recursive: true });
      const files = new FailingFiles(failAt, code);
      const end = `: ${code}: refused`;
      const where = `${code} at ${steps[failAt - 1]}`;
      throws(
        () => compact(directory.path, files),
        (thrown: CodedError) => {
          equal(thrown.code, 'unavailable', where);
          match(thrown.message, /^(?:create|write|fsync|rename) \//, where);
          ok(thrown.message.endsWith(end), thrown.message);
          return true;
        },
      );
      deepEqual(content(directory.path), content(original.path), where);
      deepEqual(readdirSync(directory.path), readdirSync(original.path), where);
      equal(files.openCount, 0, where);
      // Whoever tries again has what is to be had.
      compact(directory.path, systemFiles);
      equal(listBlocks(directory.path).blocks.length, 4, where);
    }
  }
});

test('compaction: ended at any step, it leaves a directory that is no block', () => {
  const steps = stepsOfAll();
  const renamed = steps.findIndex(
    (step) => step.startsWith(`rename /${ULID}.tmp-for-creation`) && !step.endsWith('.tmp'),
  );
  const want = readdirSync(original.path);
  for (let failAt = 3; failAt <= renamed + 1; failAt++) {
    using directory = temporaryDirectory();
    cpSync(original.path, directory.path, { recursive: true });
    throws(() => compact(directory.path, new FailingFiles(failAt, 'EIO', true)));
    const { blocks, broken, leftovers } = listBlocks(directory.path);
    deepEqual([blocks.map(({ ulid }) => ulid), broken], [want, []], steps[failAt - 1] ?? '');
    deepEqual(
      leftovers.map(({ kind }) => kind),
      ['creation'],
    );
    for (const [path, bytes] of content(original.path)) {
      equal(content(directory.path).get(path), bytes, path);
    }
    // The next try takes what is left away.
    compact(directory.path, systemFiles);
    deepEqual(listBlocks(directory.path).leftovers, []);
    equal(blockSamples(join(directory.path, ULID)).size, 2);
  }
});

test('compaction: a signal ends it, and nothing is left', () => {
  using directory = temporaryDirectory();
  cpSync(original.path, directory.path, { recursive: true });
  const files = new WatchedFiles();
  // Polled at each series: after the first one it says no.
  let polls = 0;
  const signal = {
    get aborted() {
      return polls > 1;
    },
    throwIfAborted: () => {
      if (++polls > 1) throw new Error('that is enough');
    },
  } as AbortSignal;
  throws(() => compact(directory.path, files, signal), /that is enough/);
  equal(polls, 2);
  ok(
    files.log.some((line) => line.startsWith('open ')),
    files.log.join(),
  );
  deepEqual(content(directory.path), content(original.path));
  deepEqual(readdirSync(directory.path), readdirSync(original.path));
  equal(files.openCount, 0);
});
