import { deepEqual, equal, match, ok, throws } from 'node:assert/strict';
import {
  cpSync,
  mkdirSync,
  readFileSync,
  readdirSync,
  renameSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { buildBlock } from '../../../test/support/block-builder.ts';
import type { TestSeries } from '../../../test/support/block-builder.ts';
import { temporaryDirectory } from '../../../test/support/temporary-directory.ts';
import { directoryBytes, listBlocks } from './list-blocks.ts';
import type { BlockListing } from './list-blocks.ts';
import { readBlockMeta } from './meta.ts';

const ULID = '01M7YF3BR1GP05WD9HRQQM8XP2';

const series = Array.from({ length: 6 }, (_, n): TestSeries => {
  const samples = Array.from({ length: 9 }, (_unused, i): [number, number] => [i, n]);
  return { labels: { n: String(n) }, chunks: [samples] };
});

/** Names with type and size of everything below a directory. */
function snapshot(directory: string): string[] {
  return readdirSync(directory, { recursive: true, encoding: 'utf8' })
    .map((name) => `${name} ${statSync(join(directory, name)).size}`)
    .sort((a, b) => (a < b ? -1 : 1));
}

test('list blocks: sound ones with meta, segments and size; what else is there is not looked at', () => {
  using directory = temporaryDirectory();
  const one = buildBlock(directory.path, series, { segmentBytesMax: 30 });
  const two = buildBlock(directory.path, series);
  mkdirSync(join(directory.path, 'wal'));
  writeFileSync(join(directory.path, ULID), 'a file, no block');
  mkdirSync(join(directory.path, ULID.toLowerCase()));
  mkdirSync(join(directory.path, `${ULID}.tmp-for-creation`));
  mkdirSync(join(directory.path, `${ULID}.tmp-for-deletion`));
  mkdirSync(join(directory.path, `${ULID}.tmp`));
  mkdirSync(join(directory.path, `${ULID}.tmp-for-nothing`));
  mkdirSync(join(directory.path, 'chunk_snapshot.000002.0000000007.tmp'));
  mkdirSync(join(directory.path, 'other.tmp'));
  const before = snapshot(directory.path);
  const { blocks, broken, leftovers } = listBlocks(directory.path);
  deepEqual(broken, []);
  deepEqual(
    blocks.map(({ ulid, segments }) => [ulid, segments]),
    [
      [one.ulid, one.segments],
      [two.ulid, 1],
    ],
  );
  ok(one.segments > 1);
  for (const { directory: at, meta, bytes } of blocks) {
    deepEqual(meta, readBlockMeta(at));
    const names = readdirSync(at, { recursive: true, encoding: 'utf8' });
    const files = names.map((name) => join(at, name)).filter((name) => statSync(name).isFile());
    equal(
      bytes,
      files.reduce((sum, name) => sum + readFileSync(name).length, 0),
    );
    equal(directoryBytes(at), bytes);
  }
  deepEqual(
    leftovers.map(({ directory: at, kind }) => [at.slice(directory.path.length + 1), kind]),
    [
      [`${ULID}.tmp`, 'legacy'],
      [`${ULID}.tmp-for-creation`, 'creation'],
      [`${ULID}.tmp-for-deletion`, 'deletion'],
      ['chunk_snapshot.000002.0000000007.tmp', 'legacy'],
    ],
  );
  deepEqual(snapshot(directory.path), before);
});

test('list blocks: a broken one is told with its reason, and left alone', () => {
  const f = (damage: (block: string) => void, want: RegExp, hasMeta = true): void => {
    using directory = temporaryDirectory();
    const { ulid, directory: block } = buildBlock(directory.path, series, { segmentBytesMax: 30 });
    damage(block);
    const before = snapshot(directory.path);
    const { blocks, broken }: BlockListing = listBlocks(directory.path);
    deepEqual(blocks, []);
    deepEqual(
      broken.map((one) => one.ulid),
      [ulid],
    );
    const [found] = broken;
    match(found?.reason ?? '', want);
    equal(found?.meta !== undefined, hasMeta);
    deepEqual(snapshot(directory.path), before);
  };
  const cut = (path: string, bytes: number): void => {
    truncateSync(path, statSync(path).size - bytes);
  };
  const segments = (block: string): string[] => readdirSync(join(block, 'chunks'));
  const last = (block: string): string => join(block, 'chunks', segments(block).at(-1) ?? '');
  f((block) => cut(join(block, 'meta.json'), 10), /^not JSON: .*meta\.json, offset \d+\)$/, false);
  f((block) => rmSync(join(block, 'meta.json')), /^read .*meta\.json: ENOENT/, false);
  f((block) => rmSync(join(block, 'index')), /^read .*index: ENOENT/);
  f((block) => cut(join(block, 'index'), 1), /^table of contents: checksum mismatch .*index/);
  f((block) => writeFileSync(join(block, 'index'), ''), /^index header reaches over the end/);
  f((block) => rmSync(last(block)), /^the index refers to a chunk segment that is not there/);
  f((block) => rmSync(join(block, 'chunks/000002')), /^a chunk segment is missing .*000002/);
  f((block) => rmSync(join(block, 'chunks'), { recursive: true }), /not there .*000006, offset 0/);
  f((block) => cut(last(block), 1), /^the last chunk reaches over the end .*000006/);
  f((block) => truncateSync(last(block), 7), /^chunk segment header reaches over the end/);
  f((block) => truncateSync(last(block), 8), /^the last chunk reaches over the end/);
  f((block) => writeFileSync(last(block), Buffer.alloc(99)), /^not a chunk segment .*000006/);
  f((block) => cut(join(block, 'tombstones'), 1), /^not a tombstones file: too short/);
  f(
    (block) => writeFileSync(join(block, 'tombstones'), Buffer.from('0130ba30010000000100', 'hex')),
    /^checksum mismatch .*tombstones/,
  );
});

test('list blocks: a block under the name of another is broken, one without tombstones is not', () => {
  using directory = temporaryDirectory();
  const { ulid, directory: block } = buildBlock(directory.path, series);
  cpSync(block, join(directory.path, ULID), { recursive: true });
  rmSync(join(block, 'tombstones'));
  const { blocks, broken } = listBlocks(directory.path);
  deepEqual(
    blocks.map((one) => one.ulid),
    [ulid],
  );
  deepEqual(
    broken.map(({ ulid: name, reason }) => [name, reason]),
    [[ULID, `its meta.json is that of block ${ulid}`]],
  );
});

test('list blocks: a directory that cannot be read is an error', () => {
  using directory = temporaryDirectory();
  throws(() => listBlocks(join(directory.path, 'none')), {
    code: 'unavailable',
    message: /^read .*none: ENOENT/,
  });
  const { ulid, directory: block } = buildBlock(directory.path, series);
  renameSync(join(block, 'chunks', '000001'), join(block, 'chunks', '000001.old'));
  match(listBlocks(directory.path).broken[0]?.reason ?? '', /not there .*000001/);
  equal(listBlocks(directory.path).broken[0]?.ulid, ulid);
});
