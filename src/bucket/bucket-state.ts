/** Whether a block is in a bucket, whole: the question before an upload is skipped and before a local block is deleted. */
import { CodedError, errorCode, errorText } from '../lib/errors.ts';
import { ulidTime } from '../model/ulid.ts';
import type { Bucket } from '../objstore/bucket.ts';
import type { BlockMeta } from '../tsdb/block/meta.ts';
import { META_FILE } from '../tsdb/block/meta.ts';
import { objectSizes, type SizedFile } from './block-files.ts';
import { CHUNKS_DIRECTORY, INDEX_FILE, metaPath } from './block-path.ts';
import { fetchMeta, fetchMetas } from './list-metas.ts';
import { readMark } from './markers.ts';
import { readThanos } from './meta.ts';

/** How a block is in a bucket. */
export type BlockState =
  /** There is no meta.json. */
  | { readonly kind: 'absent' }
  /** Every file is there with its size. */
  | { readonly kind: 'complete'; readonly meta: BlockMeta }
  /** There is a meta.json, and something is wrong. */
  | { readonly kind: 'damaged'; readonly reason: string };

/** What to compare with. */
export interface BlockStateOptions {
  /** The block's files as they ought to be; by default what its meta.json in the bucket says. */
  readonly files?: readonly SizedFile[] | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** Looks at a block in a bucket. @throws CodedError when the bucket fails. */
export async function blockState(
  bucket: Bucket,
  ulid: string,
  { files, signal }: BlockStateOptions,
): Promise<BlockState> {
  let meta: BlockMeta;
  try {
    meta = await fetchMeta(bucket, ulid, { signal });
  } catch (thrown) {
    const code = errorCode(thrown);
    if (code === 'not_found') return { kind: 'absent' };
    if (code === 'corrupt' || code === 'too_large') {
      return { kind: 'damaged', reason: errorText(thrown) };
    }
    throw thrown;
  }
  const sizes = await objectSizes(bucket, ulid, signal);
  for (const { path, size } of files ?? promisedFiles(meta)) {
    const found = sizes.get(path);
    if (found === undefined) return { kind: 'damaged', reason: `${path} is missing` };
    if (size !== undefined && found !== size) {
      return { kind: 'damaged', reason: `${path} has ${found} of ${size} bytes` };
    }
  }
  return { kind: 'complete', meta };
}

/** The files that a block must have by its meta.json; blocks of old Thanos name segments without sizes, or none. */
function promisedFiles(meta: BlockMeta): { readonly path: string; readonly size?: number }[] {
  const { files, segment_files: segments = [] } = readThanos(meta, metaPath(meta.ulid));
  if (files === undefined) {
    const paths = segments.map((name) => `${CHUNKS_DIRECTORY}/${name}`);
    return [...paths, INDEX_FILE].map((path) => ({ path }));
  }
  return files
    .filter(({ rel_path: path }) => path !== META_FILE)
    .map(({ rel_path: path, size_bytes: size = 0 }) => ({ path, size }));
}

/** limit: how far the clocks of those who name blocks may lie apart. */
const CLOCK_SKEW_MS = 3600_000;

/** A local block whose samples are wanted in the bucket. */
export interface WantedBlock {
  readonly ulid: string;
  /** Its blocks of level 1, from its meta.json; itself when there are none. */
  readonly sources: readonly string[];
  readonly files?: readonly SizedFile[] | undefined;
}

/**
 * Whether the samples of a block are in the bucket and will stay: the block is complete there, or complete raw blocks
 * were compacted from all of its sources; blocks that are marked for deletion do not count. When in doubt, no.
 *
 * Where the block itself is there, that is a handful of requests. Otherwise the meta.json of every block is read that
 * is younger than it: a compacted block cannot be older than its sources.
 * @throws CodedError when the bucket fails.
 */
export async function isInBucket(
  bucket: Bucket,
  { ulid, sources, files }: WantedBlock,
  signal?: AbortSignal,
): Promise<boolean> {
  if (await isKept(bucket, ulid, { files, signal })) return true;
  const oldest = ulidTime(ulid) - CLOCK_SKEW_MS;
  const wanted = (id: string): boolean => id !== ulid && ulidTime(id) >= oldest;
  const { metas } = await fetchMetas(bucket, { signal, wanted });
  const missing = new Set(sources.length === 0 ? [ulid] : sources);
  for (const [id, meta] of metas) {
    if (missing.size === 0) break;
    const covered = (meta.compaction.sources ?? []).filter((source) => missing.has(source));
    if (covered.length === 0) continue;
    if (readThanos(meta, metaPath(id)).downsample.resolution !== 0) continue;
    if (!(await isKept(bucket, id, { signal }))) continue;
    for (const source of covered) missing.delete(source);
  }
  return missing.size === 0;
}

/** Whether a block is complete and not about to be deleted. */
async function isKept(bucket: Bucket, ulid: string, options: BlockStateOptions): Promise<boolean> {
  const { kind } = await blockState(bucket, ulid, options);
  if (kind !== 'complete') return false;
  try {
    const mark = await readMark(bucket, { ulid, kind: 'deletion' }, { signal: options.signal });
    return mark === undefined;
  } catch (thrown) {
    // Somebody meant to mark it.
    if (thrown instanceof CodedError && thrown.code === 'corrupt') return false;
    throw thrown;
  }
}
