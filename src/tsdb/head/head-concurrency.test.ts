import { equal, ok } from 'node:assert/strict';
import { once } from 'node:events';
import { join } from 'node:path';
import { test } from 'node:test';
import { Worker } from 'node:worker_threads';
import { Matcher } from '../../model/matcher.ts';
import { XorScratch } from '../../chunkenc/xor-scratch.ts';
import type { HeadWriting } from '../../../test/support/head-writing-worker.ts';
import { temporaryDirectory } from '../../../test/support/temporary-directory.ts';
import { PageCache } from '../chunks/page-cache.ts';
import { createArenaMemory } from './arena.ts';
import { inOrderWindow } from './series-snapshot.ts';
import { HeadReader } from './head-reader.ts';

const SERIES = 60;
const SAMPLES = 3000;

test('head: a reader sees whole prefixes while another thread writes, cuts and moves chunks', async () => {
  using directory = temporaryDirectory();
  const memories = [createArenaMemory(64 << 20)];
  const workerData: HeadWriting = {
    directory: directory.path,
    memories,
    series: SERIES,
    samples: SAMPLES,
  };
  const url = new URL('../../../test/support/head-writing-worker.ts', import.meta.url);
  const worker = new Worker(url, { workerData });
  const ended = once(worker, 'exit');
  await once(worker, 'message');
  const writing = { done: false };
  worker.once('message', () => (writing.done = true));
  const cache = new PageCache(PageCache.allocate(1 << 20));
  const chunksDirectory = join(directory.path, 'chunks_head');
  const reader = new HeadReader({ number: 0, memories, chunksDirectory }, cache);
  const seen = new Map<string, number>();
  let rounds = 0;
  let partial = 0;
  while (!writing.done || rounds === 0) {
    const last = readAll(reader, seen);
    if (last < SAMPLES) partial++;
    rounds++;
    // Messages of the writer arrive between rounds only.
    await new Promise((resolve) => setImmediate(resolve));
  }
  equal(readAll(reader, seen), SAMPLES);
  equal(seen.size, SERIES);
  ok(partial > 10, `read ${partial} times while it was written`);
  reader.close();
  await ended;
});

/** Checks all series against what the writer can have written; answers the most samples that one has. */
function readAll(reader: HeadReader, seen: Map<string, number>): number {
  const matchers = [new Matcher('=', '__name__', 'm')];
  const set = reader.select(matchers, inOrderWindow({ mint: 0, maxt: SAMPLES }));
  const columns = new XorScratch();
  let most = 0;
  for (let k = 0; k < set.count; k++) {
    const name = set.labels(k).get('i');
    columns.clear();
    set.appendFloats(k, columns, false);
    const { t, v, length } = columns;
    const first = t[0] ?? 0;
    for (let n = 0; n < length; n++) {
      const want = first + n;
      if (t[n] !== want || v[n] !== want * 7 + Number(name)) {
        throw new Error(`series ${name}, sample ${n} of ${length}: (${t[n]}, ${v[n]})`);
      }
    }
    // What was seen once does not go away.
    ok(length >= (seen.get(name) ?? 0), `series ${name} shrank`);
    seen.set(name, length);
    most = Math.max(most, length);
  }
  return most;
}
