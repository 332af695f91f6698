import { deepEqual, equal } from 'node:assert/strict';
import { test } from 'node:test';
import type { BlockListing, ListedBlock } from './block/list-blocks.ts';
import { BlockCatalog, FileNumbers } from './block-catalog.ts';
import { TableView, createTable } from './block-table.ts';

const ulid = (n: number): string => `01M858EJP5TMBKC7G5WCTN${String(n).padStart(4, '0')}`;

function block(n: number, [mint, maxt]: [number, number], parents: number[] = []): ListedBlock {
  return {
    ulid: ulid(n),
    directory: `/data/${ulid(n)}`,
    segments: 2,
    bytes: 10,
    meta: {
      ulid: ulid(n),
      minTime: mint,
      maxTime: maxt,
      stats: {},
      compaction: {
        level: 1,
        parents: parents.map((p) => ({ ulid: ulid(p), minTime: 0, maxTime: 0 })),
      },
      version: 1,
      extra: {},
    },
  };
}

const listing = (...blocks: ListedBlock[]): BlockListing => ({ blocks, broken: [], leftovers: [] });

function open(): { catalog: BlockCatalog; view: TableView } {
  const table = createTable();
  return { catalog: new BlockCatalog(table, new FileNumbers()), view: new TableView(table) };
}

test('a catalog publishes what a listing changes, in the order of time', () => {
  const { catalog, view } = open();
  const [a, b, c] = [block(1, [10, 20]), block(2, [0, 10]), block(3, [20, 30])];
  deepEqual(catalog.take(listing(a, b)), { added: [a, b], gone: [], broken: [] });
  deepEqual(
    view.content.blocks.map(({ ulid: id }) => id),
    [ulid(2), ulid(1)],
  );
  const before = view.content.blocks;
  deepEqual(catalog.take(listing(a, c)), { added: [c], gone: [b], broken: [] });
  deepEqual(
    view.content.blocks.map(({ ulid: id }) => id),
    [ulid(1), ulid(3)],
  );
  // A block that stays keeps its numbers in the page cache; a new one gets numbers that nobody had.
  equal(view.content.blocks[0]?.firstFile, before[1]?.firstFile);
  const firsts = new Set([...before, ...view.content.blocks].map(({ firstFile }) => firstFile));
  deepEqual(
    [...firsts].map((n) => n - 2 ** 30).sort((x, y) => x - y),
    [0, 3, 6],
  );
});

test('parents of a block that is there are left out: it holds what they do', () => {
  const { catalog, view } = open();
  const parents = [block(1, [0, 10]), block(2, [10, 20])];
  catalog.take(listing(...parents));
  const { added, gone } = catalog.take(listing(...parents, block(3, [0, 20], [1, 2])));
  deepEqual([added.length, gone.length], [1, 2]);
  deepEqual(
    view.content.blocks.map(({ ulid: id }) => id),
    [ulid(3)],
  );
});

test('what cannot be read is published with the time that it is missing from', () => {
  const { catalog, view } = open();
  const made = 1_700_000_000_000;
  const broken = [
    { ulid: ulid(1), directory: '', reason: 'no index', meta: block(1, [5, 9]).meta },
    { ulid: '01HF7YAT000000000000000000', directory: '', reason: 'torn' },
  ];
  const first = catalog.take({ blocks: [], broken, leftovers: [] });
  equal(first.broken.length, 2);
  deepEqual(view.content.quarantined, [
    { ulid: ulid(1), reason: 'no index', mint: 5, maxt: 9 },
    {
      ulid: '01HF7YAT000000000000000000',
      reason: 'torn',
      mint: -Number.MAX_SAFE_INTEGER,
      maxt: made,
    },
  ]);
  deepEqual(catalog.take({ blocks: [], broken, leftovers: [] }).broken, [], 'said once');
});

test('a block and the head of which it is a part change hands in one step', () => {
  const { catalog, view } = open();
  catalog.addCut(block(1, [0, 10]), 10);
  deepEqual([view.content.blocks.length, view.content.headMint], [1, 10]);
  catalog.addCut(undefined, 20);
  deepEqual([view.content.blocks.length, view.content.headMint], [1, 20]);
  catalog.truncating(20);
  equal(view.truncated({ headMint: 19, lateFrom: null }), true);
  catalog.truncated(7);
  equal(view.content.headFirstFile, 7);
  catalog.retire([ulid(1)]);
  deepEqual([view.content.blocks.length, view.content.retiring], [0, [ulid(1)]]);
  catalog.retired();
  deepEqual(view.content.retiring, []);
});
