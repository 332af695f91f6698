/** Blocks that Prometheus and Thanos wrote, merged, compared with their samples put together. */
import { deepEqual, equal, ok } from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { readBlock } from './support/block-frames.ts';
import { blockSamples, unionSamples } from './support/block-samples.ts';
import { temporaryDirectory } from './support/temporary-directory.ts';
import { systemFiles } from '../src/lib/file-layer.ts';
import type { Labels } from '../src/model/labels.ts';
import { newUlid } from '../src/model/ulid.ts';
import { blockIndexStats } from '../src/tsdb/block/block-index-stats.ts';
import { listBlocks } from '../src/tsdb/block/list-blocks.ts';
import { mergeBlocks } from '../src/tsdb/compact/merge-blocks.ts';

const GOLDEN = fileURLToPath(new URL('../../shared/golden', import.meta.url));
const skip = existsSync(GOLDEN) ? false : 'the golden data (../shared/golden) are not here';

function snapshot(name: string): string[] {
  return listBlocks(join(GOLDEN, 'head', name)).blocks.map(({ directory }) => directory);
}

/** The raw blocks of the two replicas. */
function rawBlocks(): string[] {
  return ['01M7YF2Z91SGB2KEBY4MJJ0436', '01M7YF2ZE24Q0RESYAH07PVC9Y'].map((ulid) =>
    join(GOLDEN, 'bucket', ulid),
  );
}

/** What Prometheus 3.14's compactor (module v0.314.0, LeveledCompactor.Compact) made of the same blocks. */
interface Theirs {
  readonly samples: number;
  /** SHA-256 of files. */
  readonly index: string;
  readonly chunks: string;
}

/** Looks at every `part`-th series. */
function compare(sources: readonly string[], theirs: Theirs, part: number): void {
  using directory = temporaryDirectory();
  const ulid = newUlid(1_800_000_000_000);
  const merged = mergeBlocks(sources, { directory: directory.path, ulid, files: systemFiles });
  if (merged === undefined) throw new Error('nothing was merged');
  const chosen = new Set<string>();
  for (const [i, { labels }] of readBlock(merged.directory).series.entries()) {
    if (i % part === 0) chosen.add(labels.key);
  }
  const isChosen = ({ key }: Labels): boolean => chosen.has(key);
  const want = unionSamples(sources, isChosen);
  const got = blockSamples(merged.directory, isChosen);
  deepEqual([...got.keys()].sort(byText), [...want.keys()].sort(byText));
  for (const [key, times] of got) {
    const all = want.get(key) ?? new Map<number, Set<string>>();
    deepEqual(
      [...times.keys()],
      [...all.keys()].sort((a, b) => a - b),
      key,
    );
    for (const [t, texts] of times) {
      equal(texts.size, 1);
      ok(
        [...texts].every((text) => all.get(t)?.has(text)),
        `${key} at ${t}`,
      );
    }
  }
  const { outOfOrderSeries, outsideChunks } = blockIndexStats(merged.directory);
  deepEqual([outOfOrderSeries, outsideChunks], [0, 0]);
  equal(merged.meta.stats.numSamples, theirs.samples);
  equal(sha256(join(merged.directory, 'index')), theirs.index);
  equal(sha256(join(merged.directory, 'chunks/000001')), theirs.chunks);
}

function sha256(path: string): string {
  return createHash('sha256').update(readFileSync(path)).digest('hex');
}

function byText(a: string, b: string): number {
  return a < b ? -1 : 1;
}

test('golden blocks: the snapshots of two replicas, merged', { skip }, () => {
  const theirs = {
    samples: 1_486_355,
    index: '1bd3d8600253d1107fe093bca9e85632e4d07418971524c6a1b7b1a081a34051',
    chunks: '62e5483c6dd87552f857c652ee3b0f4eea14d66ef554b7ae672b31aec3572159',
  };
  compare([...snapshot('snapshot-a'), ...snapshot('snapshot-b')], theirs, 16);
});

test('golden blocks: the raw blocks of two replicas, merged', { skip }, () => {
  const theirs = {
    samples: 474_097,
    index: '7b07f33103ad32134d6ac61ae6423bbe630399304aa3bec2fe904aeabaf8e713',
    chunks: '2b64fc7ca1a12c52ee40e4c041701bdc834997b882bf31dd45fb4d8ae7b33f9b',
  };
  compare(rawBlocks(), theirs, 4);
});

test('golden blocks: one alone is the same chunk for chunk', { skip }, () => {
  for (const source of [...rawBlocks(), ...snapshot('snapshot-a')]) {
    using directory = temporaryDirectory();
    const ulid = newUlid(1_800_000_000_000);
    const merged = mergeBlocks([source], { directory: directory.path, ulid, files: systemFiles });
    const content = (path: string): unknown =>
      readBlock(path).series.map(({ labels, chunks }) => [
        labels.pairs,
        chunks.map(({ mint, maxt, encoding, data }) => [mint, maxt, encoding, data]),
      ]);
    deepEqual(content(merged?.directory ?? ''), content(source));
  }
});
