import { deepEqual, equal, throws } from 'node:assert/strict';
import { test } from 'node:test';
import { Worker } from 'node:worker_threads';
import { EMPTY_TABLE, TableView, createTable, publishTable } from './block-table.ts';
import type { TableContent } from './block-table.ts';

const block = (n: number): TableContent['blocks'][number] => ({
  ulid: `01M858EJP5TMBKC7G5WCTN${String(n).padStart(4, '0')}`,
  directory: `/data/${'x'.repeat(n % 100)}`,
  mint: n,
  maxt: n + 1,
  firstFile: n * 2,
  segments: 1,
  revision: 0,
});

test('a table: what is published is read, as one object until it changes', () => {
  const memory = createTable();
  const view = new TableView(memory);
  deepEqual(view.content, EMPTY_TABLE);
  const content = { ...EMPTY_TABLE, blocks: [block(1), block(2)], headMint: 3, headFirstFile: 4 };
  publishTable(memory, content);
  deepEqual(view.content, content);
  equal(view.content, view.content);
});

test('a table: what was truncated is told', () => {
  const memory = createTable();
  const view = new TableView(memory);
  equal(view.truncated({ headMint: null, lateFrom: null }), false);
  publishTable(memory, { ...EMPTY_TABLE, truncated: 100 });
  equal(view.truncated({ headMint: null, lateFrom: null }), true);
  equal(view.truncated({ headMint: 99, lateFrom: null }), true);
  equal(view.truncated({ headMint: 100, lateFrom: null }), false);
});

test('a table that does not fit is refused and changes nothing', () => {
  const memory = createTable();
  const view = new TableView(memory);
  const content = { ...EMPTY_TABLE, blocks: [block(1)] };
  publishTable(memory, content);
  const directory = 'x'.repeat(9 << 20);
  const blocks = [1, 2].map((n) => ({ ...block(n), directory }));
  throws(
    () => publishTable(memory, { ...EMPTY_TABLE, blocks }),
    /^CodedError: the list of 2 blocks takes \d+ of 16777216 bytes$/,
  );
  deepEqual(view.content, content);
});

test('a table that another thread replaces all the time is always read whole', async () => {
  const memory = createTable();
  const code = `
    import { workerData } from 'node:worker_threads';
    const { publishTable, EMPTY_TABLE } = await import(workerData.module);
    const end = performance.now() + 300;
    for (let n = 0; performance.now() < end; n++) {
      const blocks = Array.from({ length: n % 50 }, () => ({ ulid: 'u' + n, directory: 'd'.repeat(n % 97), mint: n }));
      publishTable(workerData.memory, { ...EMPTY_TABLE, blocks, headMint: n });
    }`;
  const worker = new Worker(new URL(`data:text/javascript,${encodeURIComponent(code)}`), {
    workerData: { memory, module: new URL('block-table.ts', import.meta.url).href },
  });
  const state = { ended: false };
  const ended = new Promise<void>((resolve, reject) => {
    worker.once('error', reject);
    worker.once('exit', () => {
      state.ended = true;
      resolve();
    });
  });
  const view = new TableView(memory);
  let changes = 0;
  let last = -1;
  while (!state.ended) {
    for (let i = 0; i < 100; i++) {
      const { blocks, headMint } = view.content;
      const n = headMint ?? 0;
      if (n !== last) changes++;
      equal(n >= last, true);
      last = n;
      equal(blocks.length, n % 50);
      for (const { ulid, directory, mint } of blocks)
        deepEqual([ulid, directory.length, mint], [`u${n}`, n % 97, n]);
    }
    await new Promise((resolve) => setImmediate(resolve));
  }
  await ended;
  equal(changes > 10, true, `saw ${changes} changes`);
});
