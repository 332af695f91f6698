/**
 * The names of what a caching bucket holds: `verb:object`, for a part of an object `subrange:object:start:end`, for a
 * listing `iter:directory:hash`. Format: thanos pkg/store/cache/cachekey/cachekey.go.
 */
import type { Hashes } from '../../cache/hashes.ts';

/** Whether there is an object: `true` or `false`. */
export function existsKey(name: string): string {
  return `exists:${name}`;
}

/** The whole of an object. */
export function contentKey(name: string): string {
  return `content:${name}`;
}

/** `{"size":…,"last_modified":"…"}`. */
export function attributesKey(name: string): string {
  return `attrs:${name}`;
}

/** Bytes `start` to `end` of an object, `end` not included. */
export function subrangeKey(name: string, start: number, end: number): string {
  return `subrange:${name}:${start}:${end}`;
}

/** The names in a directory as a JSON list; `hash` ({@link configHash}) keeps buckets apart that share a cache. */
export function iterKey(directory: string, recursive: boolean, hash: string): string {
  return `${recursive ? 'iter-recursive' : 'iter'}:${directory}:${hash}`;
}

/** The hash of a configuration's text and of the path of its file ('' when it came in a flag), in decimal. */
export function configHash(hashes: Hashes, text: string, path: string): string {
  const { hi, lo } = hashes.xxhash64(text + path);
  return ((BigInt(hi) << 32n) | BigInt(lo)).toString();
}
