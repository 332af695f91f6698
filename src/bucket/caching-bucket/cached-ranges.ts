/**
 * Ranged reads by way of a cache: aligned parts, each under a key of its own. Behaviour: thanos
 * pkg/store/cache/caching_bucket.go (cachedGetRange, fetchMissingSubranges). What is different: a part of the wrong size
 * is a miss there, too, only here it is read anew, and an object that got shorter is read as it is now.
 */
import type { Cache } from '../../cache/cache.ts';
import { throwIfAborted } from '../../lib/abort.ts';
import type { Bucket, ByteRange, RequestOptions } from '../../objstore/bucket.ts';
import { subrangeKey } from './cache-keys.ts';
import type { CachingBucketMetrics } from './metrics.ts';
import type { RangePolicy } from './policy.ts';
import { type Subrange, requestsFor, subrangesOf } from './subranges.ts';

/** What ranged reads take. */
export interface RangeDeps {
  readonly bucket: Bucket;
  readonly cache: Cache;
  readonly policy: RangePolicy;
  readonly metrics: CachingBucketMetrics;
}

/** Bytes of parts by where they start. */
type Parts = Map<number, Uint8Array>;

/** Thrown when the bucket gives fewer bytes than the attributes said. */
class ShortObjectError extends Error {}

/** Bytes of an object of `size` bytes, in a buffer of their own. @throws what the bucket throws. */
export async function readCachedRange(
  deps: RangeDeps,
  object: { readonly name: string; readonly size: number },
  range: ByteRange,
  options: RequestOptions,
): Promise<Uint8Array> {
  const parts = subrangesOf(range, object.size, deps.policy.subrangeSize);
  try {
    const bytes = await readParts(deps, object.name, parts, options);
    return assemble(bytes, parts, range, object.size);
  } catch (thrown) {
    if (!(thrown instanceof ShortObjectError)) throw thrown;
    return deps.bucket.getRange(object.name, range, options);
  }
}

async function readParts(
  { bucket, cache, policy, metrics }: RangeDeps,
  name: string,
  parts: readonly Subrange[],
  options: RequestOptions,
): Promise<Parts> {
  const keys = parts.map(({ start, end }) => subrangeKey(name, start, end));
  const found = await cache.fetch(keys, { signal: options.signal });
  throwIfAborted(options.signal);
  const bytes: Parts = new Map();
  let fromCache = 0;
  parts.forEach(({ start, end }, i) => {
    const part = found.get(keys[i] as string);
    if (part === undefined || part.length !== end - start) return;
    bytes.set(start, part);
    fromCache += part.length;
  });
  metrics.fetchedBytes('cache').inc(fromCache);
  if (parts.length > 0) metrics.hits('get_range', 'chunks').inc(bytes.size / parts.length);
  const missing = parts.filter(({ start }) => !bytes.has(start));
  if (missing.length === 0) return bytes;
  const requests = requestsFor(missing, policy.subrangeSize, policy.requestsMax);
  // The first failure ends the others.
  const failed = new AbortController();
  const signals = options.signal === undefined ? [] : [options.signal];
  const signal = AbortSignal.any([...signals, failed.signal]);
  const reads = requests.map(async (request) => {
    try {
      const read = await readRequest(bucket, name, request, { ...options, signal });
      keep({ cache, policy, metrics }, { name, parts, request, read }, bytes);
    } catch (thrown) {
      failed.abort(thrown);
      throw thrown;
    }
  });
  const outcomes = await Promise.allSettled(reads);
  throwIfAborted(options.signal);
  if (failed.signal.aborted) throw failed.signal.reason;
  for (const outcome of outcomes) if (outcome.status === 'rejected') throw outcome.reason;
  return bytes;
}

async function readRequest(
  bucket: Bucket,
  name: string,
  { start, end }: Subrange,
  { signal, isExpected }: RequestOptions,
): Promise<Uint8Array> {
  // Not into a buffer that the caller may have offered: several requests would fill it at once, and the cache would keep it.
  const range = { offset: start, length: end - start };
  const read = await bucket.getRange(name, range, { signal, isExpected });
  if (read.length !== end - start) throw new ShortObjectError();
  return read;
}

/** Cuts what one request brought into parts; those that were there already were only on its way. */
function keep(
  { cache, policy, metrics }: Omit<RangeDeps, 'bucket'>,
  {
    name,
    parts,
    request,
    read,
  }: {
    readonly name: string;
    readonly parts: readonly Subrange[];
    readonly request: Subrange;
    readonly read: Uint8Array;
  },
  into: Parts,
): void {
  const stored = new Map<string, Uint8Array>();
  for (const { start, end } of parts) {
    if (start < request.start || end > request.end) continue;
    if (into.has(start)) {
      metrics.refetchedBytes.inc(end - start);
      continue;
    }
    const part = read.subarray(start - request.start, end - request.start);
    into.set(start, part);
    stored.set(subrangeKey(name, start, end), part);
    metrics.fetchedBytes('bucket').inc(part.length);
  }
  if (policy.subrangeTtlMs > 0) cache.store(stored, policy.subrangeTtlMs);
}

function assemble(
  bytes: Parts,
  parts: readonly Subrange[],
  range: ByteRange,
  size: number,
): Uint8Array {
  const end = Math.min(range.offset + range.length, size);
  const out = new Uint8Array(Math.max(0, end - range.offset));
  for (const { start } of parts) {
    const part = bytes.get(start) ?? new Uint8Array();
    const from = Math.max(range.offset - start, 0);
    const to = Math.min(end - start, part.length);
    out.set(part.subarray(from, to), start + from - range.offset);
  }
  return out;
}
