/**
 * How answers of a bucket lie in a cache. What is found and is none is undefined: caches are shared with other programs.
 * Format: thanos pkg/store/cache/caching_bucket.go, objstore objstore.go (ObjectAttributes).
 */
import { compareUtf8, decodeUtf8, encodeUtf8 } from '../../lib/utf8.ts';
import type { ObjectAttributes } from '../../objstore/bucket.ts';

/** `true` or `false`. */
export function encodeExists(exists: boolean): Uint8Array {
  return encodeUtf8(String(exists));
}

const BOOLEANS = new Map([
  ...['1', 't', 'T', 'true', 'TRUE', 'True'].map((text) => [text, true] as const),
  ...['0', 'f', 'F', 'false', 'FALSE', 'False'].map((text) => [text, false] as const),
]);

/** What Go's ParseBool takes. */
export function decodeExists(bytes: Uint8Array): boolean | undefined {
  return BOOLEANS.get(decodeUtf8(bytes));
}

/** A JSON list. */
export function encodeNames(names: readonly string[]): Uint8Array {
  return encodeUtf8(JSON.stringify(names));
}

/** compat: Go writes `null` for no names, and the order of its bucket. */
export function decodeNames(bytes: Uint8Array): string[] | undefined {
  const value = parseJson(bytes);
  if (value === null) return [];
  if (!Array.isArray(value)) return undefined;
  const names: string[] = [];
  for (const name of value as readonly unknown[]) {
    if (typeof name !== 'string' || name === '') return undefined;
    names.push(name);
  }
  return names.toSorted(compareUtf8);
}

/** `{"size":…,"last_modified":"…"}`. */
export function encodeAttributes({ size, lastModified }: ObjectAttributes): Uint8Array {
  const time = new Date(lastModified).toISOString();
  return encodeUtf8(JSON.stringify({ size, last_modified: time }));
}

/** compat: Go writes fractions of up to nine digits and offsets of time zones. */
const TIME = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,9})?(?:Z|[+-]\d\d:\d\d)$/;

/** Milliseconds are what is left of the time. */
export function decodeAttributes(bytes: Uint8Array): ObjectAttributes | undefined {
  const value = parseJson(bytes);
  if (typeof value !== 'object' || value === null) return undefined;
  const { size, last_modified: time } = value as Readonly<Record<string, unknown>>;
  if (typeof size !== 'number' || !Number.isSafeInteger(size) || size < 0) return undefined;
  if (typeof time !== 'string' || !TIME.test(time)) return undefined;
  const lastModified = Date.parse(time);
  return Number.isNaN(lastModified) ? undefined : { size, lastModified };
}

function parseJson(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(decodeUtf8(bytes));
  } catch {
    return undefined;
  }
}
