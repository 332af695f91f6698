/** Blocks in a bucket in memory, and calls that read them, for tests of what reads blocks of buckets. */
import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { buildHeader } from '../../src/bucket/index-header/build.ts';
import { HeaderInMemory } from '../../src/bucket/index-header/header-bytes.ts';
import { openIndexHeader } from '../../src/bucket/index-header/index-header.ts';
import type { IndexHeader } from '../../src/bucket/index-header/index-header.ts';
import { Limiter } from '../../src/bucket/read/limits.ts';
import { ReadCost } from '../../src/bucket/read/read-cost.ts';
import type { ReadCall, StoredBlock } from '../../src/bucket/read/stored-block.ts';
import type { Random } from '../../src/lib/prng.ts';
import { EMPTY_LABELS, Labels, compareLabels } from '../../src/model/labels.ts';
import type { Bucket, ByteRange, RequestOptions } from '../../src/objstore/bucket.ts';
import { BucketWrapper } from '../../src/objstore/bucket-wrapper.ts';
import { MemoryBucket } from '../../src/objstore/memory.ts';
import { parseBlockMeta } from '../../src/tsdb/block/meta.ts';

/** A range that was asked for. */
export interface AskedRange extends ByteRange {
  readonly name: string;
}

/** A bucket that remembers the ranges it was asked for. */
export class RangesBucket extends BucketWrapper {
  readonly ranges: AskedRange[] = [];
  /** Ranges that are being read, at the most. */
  readonly concurrency = { now: 0, most: 0 };

  override async getRange(
    name: string,
    range: ByteRange,
    options?: RequestOptions,
  ): Promise<Uint8Array> {
    this.ranges.push({ name, ...range });
    const { concurrency } = this;
    concurrency.most = Math.max(concurrency.most, ++concurrency.now);
    try {
      return await this.inner.getRange(name, range, options);
    } finally {
      concurrency.now--;
    }
  }
}

/** Uploads every file of a block's directory. */
export async function putBlock(bucket: Bucket, directory: string, ulid: string): Promise<void> {
  for (const file of readdirSync(directory, { recursive: true, withFileTypes: true })) {
    if (!file.isFile()) continue;
    const path = join(file.parentPath, file.name);
    await bucket.upload(`${ulid}${path.slice(directory.length)}`, readFileSync(path));
  }
}

/** A call without limits and cache, unless they are given. */
export function readCall(parts: Partial<ReadCall> = {}): ReadCall {
  return {
    signal: new AbortController().signal,
    cost: new ReadCost(),
    bytesLimit: new Limiter(0),
    seriesLimit: new Limiter(0),
    chunksLimit: new Limiter(0),
    tenant: 'default-tenant',
    cache: undefined,
    ...parts,
  };
}

/** A block of a directory in a bucket of its own, and its index-header in memory. */
export async function storeBlock(
  directory: string,
  parts: Partial<StoredBlock> & { readonly sampling?: number } = {},
): Promise<{ block: StoredBlock; header: IndexHeader; bucket: RangesBucket }> {
  const meta = parseBlockMeta(readFileSync(join(directory, 'meta.json'), 'utf8'), directory);
  const { ulid } = meta;
  const memory = new MemoryBucket();
  await putBlock(memory, directory, ulid);
  const header = await openIndexHeader(
    new HeaderInMemory(`${ulid}/index-header`, await buildHeader({ bucket: memory, ulid })),
    parts.sampling,
  );
  const bucket = new RangesBucket(memory);
  const segments = await Array.fromAsync(memory.iter(`${ulid}/chunks`));
  const block = {
    ulid,
    meta,
    externalLabels: EMPTY_LABELS,
    resolution: 0,
    bucket,
    segments,
    seriesBytesMax: 64 * 1024,
    chunkBytesMax: 16_000,
    withHeader: <T>(work: (header: IndexHeader) => Promise<T>) => work(header),
    ...parts,
  };
  return { block, header, bucket };
}

const NAMES = ['__name__', 'a', 'aa', 'b', 'job', 'zone', 'ünï', '日本', '\u{ffff}', '\u{1f600}'];
const VALUES = [
  '1',
  '10',
  '2',
  'a',
  'ab',
  'b',
  'x y',
  'ünï',
  '日本',
  '\u{ffff}',
  '\u{1f600}',
  '\n',
];

/** Different label sets in their order; those of few labels often begin others. */
export function randomLabelSets(random: Random, count: number): Labels[] {
  const sets = new Map<string, Labels>();
  for (let i = 0; i < count; i++) {
    const pairs = NAMES.flatMap((name): [string, string][] => {
      const way = random.below(4);
      if (way < 2) return [];
      const value = way === 2 ? `v${random.below(count)}` : VALUES[random.below(VALUES.length)];
      return [[name, value ?? '']];
    });
    const labels = Labels.fromPairs(pairs.slice(0, 1 + random.below(NAMES.length)));
    if (labels.size > 0) sets.set(labels.key, labels);
  }
  return [...sets.values()].toSorted(compareLabels);
}
