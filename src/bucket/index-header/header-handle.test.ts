import { deepEqual, equal, ok, rejects } from 'node:assert/strict';
import {
  existsSync,
  mkdirSync,
  readFileSync,
  readdirSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import type { TestContext } from 'node:test';
import { FakeClock } from '../../lib/clock.ts';
import { MemoryBucket } from '../../objstore/memory.ts';
import { buildBlock } from '../../../test/support/block-builder.ts';
import { FaultyBucket } from '../../../test/support/faulty-bucket.ts';
import { keepingLogger } from '../../../test/support/fetch-fixture.ts';
import type { LogLine } from '../../../test/support/fetch-fixture.ts';
import { MountedDisk, mountSmallDisk } from '../../../test/support/small-disk.ts';
import { temporaryDirectory } from '../../../test/support/temporary-directory.ts';
import { buildHeader } from './build.ts';
import { HeaderHandle } from './header-handle.ts';
import type { HeaderHandleOptions } from './header-handle.ts';
import type { IndexHeader } from './index-header.ts';

const ULID = '01M7YF2Z91SGB2KEBY4MJJ0436';

/** A handle of a small block, with everything around it. */
class Fixture implements Disposable {
  readonly directory = temporaryDirectory();
  readonly clock = new FakeClock(1000);
  readonly memory = new MemoryBucket();
  readonly bucket = new FaultyBucket(this.memory);
  readonly lines: LogLine[] = [];
  readonly events: string[] = [];
  readonly file = join(this.directory.path, 'data', ULID, 'index-header');
  index: Buffer = Buffer.alloc(0);

  async open(values = 3): Promise<this> {
    const block = buildBlock(
      this.directory.path,
      Array.from({ length: values }, (_, i) => ({
        labels: { __name__: 'm', v: `v${i}` },
        chunks: [[[1, 1]]],
      })),
    );
    this.index = readFileSync(join(block.directory, 'index'));
    await this.memory.upload(`${ULID}/index`, this.index);
    return this;
  }

  handle(options: Partial<HeaderHandleOptions> = {}): HeaderHandle {
    const note = (event: string) => () => void this.events.push(event);
    return new HeaderHandle({
      bucket: this.bucket,
      ulid: ULID,
      file: this.file,
      sampling: 32,
      lazy: false,
      lazyDownload: false,
      metrics: {
        onDownload: note('download'),
        onLoad: note('load'),
        onLazyLoad: note('lazy load'),
        onLazyLoadFailed: note('lazy load failed'),
        onLazyUnload: note('unload'),
        onLazyUnloadFailed: note('unload failed'),
      },
      now: () => this.clock.monotonic(),
      log: keepingLogger(this.lines),
      ...options,
    });
  }

  get warnings(): string[] {
    return this.lines.splice(0).flatMap(({ level, msg }) => (level === 'warn' ? [msg] : []));
  }

  /** What happened since the last time, and how many reads of the bucket there were. */
  happened(): { events: string[]; reads: number } {
    const reads = this.bucket.calls.splice(0).filter(({ operation }) => operation === 'get_range');
    return { events: this.events.splice(0), reads: reads.length };
  }

  [Symbol.dispose](): void {
    this.directory[Symbol.dispose]();
  }
}

async function fixture(values?: number): Promise<Fixture> {
  return new Fixture().open(values);
}

const values = async ({ postings }: IndexHeader): Promise<string[]> => {
  const found: string[] = [];
  await postings.each('v', (value) => void found.push(value));
  return found;
};
const VALUES = ['v0', 'v1', 'v2'];

test('a header is made once, and taken from the disk by the next process', async () => {
  using f = await fixture();
  const first = f.handle();
  await first.prepare(undefined);
  deepEqual(await first.withHeader(values), VALUES);
  deepEqual(f.happened(), { events: ['download', 'load'], reads: 1 });
  await first.close();
  ok(readFileSync(f.file).equals(await buildHeader({ bucket: f.memory, ulid: ULID })));
  const second = f.handle();
  await second.prepare(undefined);
  deepEqual(await second.withHeader(values), VALUES);
  deepEqual(f.happened(), { events: ['load'], reads: 0 });
  await second.close();
  deepEqual(f.warnings, []);
});

test('a file that is not sound is made again', async (t) => {
  const f = (name: string, damage: (file: string, bytes: Buffer) => void): Promise<void> =>
    t.test(name, async () => {
      using one = await fixture();
      const bytes = await buildHeader({ bucket: one.memory, ulid: ULID });
      mkdirSync(join(one.file, '..'), { recursive: true });
      writeFileSync(one.file, bytes);
      damage(one.file, bytes);
      const handle = one.handle();
      await handle.prepare(undefined);
      deepEqual(await handle.withHeader(values), VALUES);
      deepEqual(one.happened(), { events: ['download', 'load'], reads: 1 });
      deepEqual(one.warnings, ['index-header on disk cannot be used, it is made again']);
      ok(readFileSync(one.file).equals(bytes));
      deepEqual(readdirSync(join(one.file, '..')), ['index-header']);
      await handle.close();
    });
  for (const size of [0, 1, 13, 40, 100]) {
    await f(`${size} bytes of it`, (file) => truncateSync(file, size));
  }
  for (const at of [0, 4, 5, 20, 40, 90]) {
    await f(`byte ${at} damaged`, (file, bytes) => {
      const copy = Buffer.from(bytes);
      copy[at] = (copy[at] as number) ^ 0x55;
      writeFileSync(file, copy);
    });
  }
  await f('zeros', (file, bytes) => writeFileSync(file, Buffer.alloc(bytes.length)));
});

test('what an earlier process left half written is not looked at', async () => {
  using f = await fixture();
  mkdirSync(join(f.file, '..'), { recursive: true });
  writeFileSync(`${f.file}.tmp`, 'half');
  const handle = f.handle();
  deepEqual(await handle.withHeader(values), VALUES);
  await handle.close();
  deepEqual(readdirSync(join(f.file, '..')), ['index-header']);
  deepEqual(f.warnings, []);
});

test('a disk that refuses: the header is kept in memory', async (t) => {
  await t.test('no directory can be made', async () => {
    using f = await fixture();
    writeFileSync(join(f.directory.path, 'data'), 'a file');
    const handle = f.handle();
    await handle.prepare(undefined);
    deepEqual(await handle.withHeader(values), VALUES);
    deepEqual(f.warnings.at(-1), 'index-header cannot be written, it is kept in memory');
    await handle.close();
  });
  await t.test('lazily', async () => {
    using f = await fixture();
    writeFileSync(join(f.directory.path, 'data'), 'a file');
    const handle = f.handle({ lazy: true });
    await handle.prepare(undefined);
    deepEqual(await handle.withHeader(values), VALUES);
    await handle.close();
  });
  await t.test('it is full', async (inner: TestContext) => {
    using f = await fixture(20_000);
    const path = join(f.directory.path, 'data');
    mkdirSync(path);
    const refusal = mountSmallDisk(path, 64 * 1024);
    if (refusal !== undefined) return inner.skip(refusal);
    using disk = new MountedDisk(path);
    const handle = f.handle();
    await handle.prepare(undefined);
    equal((await handle.withHeader(values)).length, 20_000);
    deepEqual(f.warnings, ['index-header cannot be written, it is kept in memory']);
    deepEqual(readdirSync(join(disk.path, ULID)), []);
    await handle.close();
  });
});

test('without a file', async () => {
  using f = await fixture();
  const handle = f.handle({ file: undefined });
  await handle.prepare(undefined);
  deepEqual(await handle.withHeader(values), VALUES);
  deepEqual(f.happened(), { events: ['download', 'load'], reads: 1 });
  await handle.close();
  equal(existsSync(join(f.directory.path, 'data')), false);
});

test('lazily: opened at the first use, closed when idle, opened again', async () => {
  using f = await fixture();
  const handle = f.handle({ lazy: true });
  await handle.prepare(undefined);
  equal(handle.isOpen, false);
  deepEqual(f.happened(), { events: ['download'], reads: 1 });
  deepEqual(await handle.withHeader(values), VALUES);
  deepEqual(f.happened(), { events: ['load', 'lazy load'], reads: 0 });
  f.clock.advance(499);
  await handle.closeIdle(500);
  equal(handle.isOpen, true);
  const header = await handle.acquire();
  f.clock.advance(10_000);
  await handle.closeIdle(500);
  deepEqual(await values(header), VALUES, 'it is not closed while it is read');
  handle.release();
  await handle.closeIdle(500);
  equal(handle.isOpen, true, 'the last use counts');
  f.clock.advance(500);
  await handle.closeIdle(500);
  equal(handle.isOpen, false);
  deepEqual(f.happened(), { events: ['unload'], reads: 0 });
  deepEqual(await handle.withHeader(values), VALUES);
  deepEqual(f.happened(), { events: ['load', 'lazy load'], reads: 0 });
  await handle.close();
});

test('lazily: made at the first use, too', async () => {
  using f = await fixture();
  const handle = f.handle({ lazy: true, lazyDownload: true });
  await handle.prepare(undefined);
  deepEqual(f.happened(), { events: [], reads: 0 });
  const all = await Promise.all(Array.from({ length: 20 }, () => handle.withHeader(values)));
  deepEqual(
    all,
    all.map(() => VALUES),
  );
  deepEqual(f.happened(), { events: ['download', 'load', 'lazy load'], reads: 1 });
  await handle.close();
});

test('one that is not lazy stays open', async () => {
  using f = await fixture();
  const handle = f.handle();
  await handle.prepare(undefined);
  f.clock.advance(1e9);
  await handle.closeIdle(1);
  equal(handle.isOpen, true);
  await handle.close();
});

test('a bucket that fails, and then does not', async () => {
  using f = await fixture();
  const handle = f.handle({ lazy: true, lazyDownload: true });
  f.bucket.plan = () => ({ kind: 'fail' });
  const both = [handle.withHeader(values), handle.withHeader(values)];
  for (const one of both) await rejects(one, { code: 'unavailable', message: 'injected fault' });
  deepEqual(f.happened().events, ['lazy load failed']);
  equal(handle.isOpen, false);
  f.bucket.plan = undefined;
  deepEqual(await handle.withHeader(values), VALUES);
  deepEqual(f.happened().events, ['download', 'load', 'lazy load']);
  await handle.close();
});

test('an index that is damaged in the bucket names the object', async () => {
  using f = await fixture();
  const bad = Buffer.from(f.index);
  bad[20] = (bad[20] as number) ^ 1;
  await f.memory.upload(`${ULID}/index`, bad);
  for (const file of [f.file, undefined]) {
    const handle = f.handle({ file });
    await rejects(handle.prepare(undefined), {
      code: 'corrupt',
      message: /^object 01M7YF2Z91SGB2KEBY4MJJ0436\/index is damaged: symbol table: checksum/,
    });
    await handle.close();
  }
  await f.memory.upload(`${ULID}/index`, f.index);
  const handle = f.handle();
  deepEqual(await handle.withHeader(values), VALUES);
  await handle.close();
});

test('closing waits for readers and holders, and is for ever', async () => {
  using f = await fixture();
  const handle = f.handle({ lazy: true });
  const order: string[] = [];
  const letGo = handle.hold();
  const header = await handle.acquire();
  const closing = handle.close().then(() => order.push('closed'));
  order.push('reads');
  deepEqual(await values(header), VALUES);
  handle.release();
  order.push('reads again');
  // Between two reads nobody has it open, but somebody holds it.
  deepEqual(await handle.withHeader(values), VALUES);
  letGo();
  letGo();
  await closing;
  deepEqual(order, ['reads', 'reads again', 'closed']);
  await rejects(handle.acquire(), { code: 'unavailable', message: /is served no longer/ });
  await handle.close();
});

test('a start that is given up', async () => {
  using f = await fixture();
  const handle = f.handle();
  const controller = new AbortController();
  const held = Promise.withResolvers<void>();
  f.bucket.plan = () => {
    controller.abort();
    held.resolve();
    return { kind: 'hold', until: held.promise };
  };
  await rejects(handle.prepare(controller.signal), { code: 'canceled' });
  f.bucket.plan = undefined;
  await handle.prepare(undefined);
  deepEqual(await handle.withHeader(values), VALUES);
  await handle.close();
});
