/**
 * The blocks of a bucket by their meta.json. Behaviour: thanos pkg/block/fetcher.go (BaseFetcher). Filters over the
 * result are in files of their own.
 *
 * A block without meta.json is one whose upload is under way or broke off, or that is being deleted: meta.json is
 * written last and deleted first.
 */
import { CodedError } from '../lib/errors.ts';
import { decodeUtf8 } from '../lib/utf8.ts';
import type { Bucket } from '../objstore/bucket.ts';
import { isNotFound } from '../objstore/bucket.ts';
import { readObject } from '../objstore/read-object.ts';
import type { BlockMeta } from '../tsdb/block/meta.ts';
import { parseBlockMeta } from '../tsdb/block/meta.ts';
import { blockOfDirectory, metaPath } from './block-path.ts';
import { mapBounded } from './map-bounded.ts';
import { readThanos } from './meta.ts';

/** limit: meta.json files that are read at once, as Thanos' `--block-meta-fetch-concurrency` has it. */
const CONCURRENCY = 32;

/** How to fetch. */
export interface FetchMetasOptions {
  /** Requests at once. */
  readonly concurrency?: number;
  readonly signal?: AbortSignal | undefined;
  /** Which blocks to look at; all by default. */
  readonly wanted?: (ulid: string) => boolean;
  /** Called after each block. */
  readonly onProgress?: (progress: { readonly done: number; readonly total: number }) => void;
}

/** What a bucket holds, each map in the order of ULIDs. */
export interface FetchedMetas {
  /** Blocks that are whole as far as their meta.json says; its Thanos part has been checked, too. */
  readonly metas: Map<string, BlockMeta>;
  /** Blocks without meta.json. */
  readonly partial: Map<string, Error>;
  /** Blocks with a meta.json that cannot be read as one of theirs. */
  readonly corrupt: Map<string, Error>;
}

/**
 * Reads the meta.json of every block in a bucket.
 * @throws CodedError canceled; unavailable when the bucket cannot be listed or a meta.json could not be fetched: an
 * incomplete view is none.
 */
export async function fetchMetas(
  bucket: Bucket,
  options: FetchMetasOptions = {},
): Promise<FetchedMetas> {
  const { concurrency = CONCURRENCY, signal, wanted = () => true, onProgress } = options;
  const ids: string[] = [];
  for await (const name of bucket.iter('', { signal })) {
    const ulid = blockOfDirectory(name);
    if (ulid !== undefined && wanted(ulid)) ids.push(ulid);
  }
  let done = 0;
  const outcomes = await mapBounded(ids, concurrency, async (ulid) => {
    const outcome = await tryFetch(bucket, ulid, signal);
    onProgress?.({ done: ++done, total: ids.length });
    return { ulid, outcome };
  });
  const result: FetchedMetas = { metas: new Map(), partial: new Map(), corrupt: new Map() };
  for (const { ulid, outcome } of outcomes) {
    if (outcome.kind === 'meta') result.metas.set(ulid, outcome.meta);
    else result[outcome.kind].set(ulid, outcome.error);
  }
  return result;
}

type Outcome =
  | { readonly kind: 'meta'; readonly meta: BlockMeta }
  | { readonly kind: 'partial' | 'corrupt'; readonly error: Error };

async function tryFetch(
  bucket: Bucket,
  ulid: string,
  signal: AbortSignal | undefined,
): Promise<Outcome> {
  try {
    return { kind: 'meta', meta: await fetchMeta(bucket, ulid, { signal }) };
  } catch (thrown) {
    if (!(thrown instanceof CodedError)) throw thrown;
    const { code, message } = thrown;
    if (code === 'not_found') return { kind: 'partial', error: thrown };
    if (code === 'corrupt' || code === 'too_large') return { kind: 'corrupt', error: thrown };
    if (signal?.aborted === true) throw thrown;
    throw new CodedError(code, `read ${metaPath(ulid)}: ${message}`, { cause: thrown });
  }
}

/**
 * The meta.json of one block.
 * @throws CodedError not_found; corrupt when it cannot be read as a meta.json of that block.
 */
export async function fetchMeta(
  bucket: Bucket,
  ulid: string,
  options: { readonly signal?: AbortSignal | undefined } = {},
): Promise<BlockMeta> {
  const path = metaPath(ulid);
  const bytes = await readObject(bucket, path, { ...options, isExpected: isNotFound });
  const meta = parseBlockMeta(decodeUtf8(bytes), path);
  if (meta.ulid !== ulid) {
    throw new CodedError('corrupt', `ulid is ${meta.ulid}, want the block's own (${path})`);
  }
  readThanos(meta, path);
  return meta;
}
