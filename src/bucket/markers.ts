/**
 * Marks on blocks: small files beside a meta.json that say that the block is to be deleted, or not to be compacted or
 * downsampled (docs/format/thanos-meta.md). Format: thanos pkg/block/metadata/markers.go.
 */
import { CodedError, errorText } from '../lib/errors.ts';
import { decodeUtf8, encodeUtf8 } from '../lib/utf8.ts';
import { isUlid } from '../model/ulid.ts';
import type { Bucket, RequestOptions } from '../objstore/bucket.ts';
import { isNotFound } from '../objstore/bucket.ts';
import { readObject } from '../objstore/read-object.ts';

/** What a mark asks for. */
export type MarkKind = 'deletion' | 'no-compact' | 'no-downsample';

/** A mark on a block. */
export interface BlockMark {
  readonly kind: MarkKind;
  /** The block. */
  readonly id: string;
  /** When it was marked: ms since the epoch, in whole seconds once written. */
  readonly time: number;
  /** For people; '' for none. */
  readonly details: string;
  /** `manual`, `index-size-exceeding` and others; '' for deletions, which have none. */
  readonly reason: string;
}

const VERSION = 1;

/** The member that holds the time, in seconds. */
const TIME_MEMBER: Readonly<Record<MarkKind, string>> = {
  deletion: 'deletion_time',
  'no-compact': 'no_compact_time',
  'no-downsample': 'no_downsample_time',
};

/** The name of a mark in a bucket. */
export function markPath(ulid: string, kind: MarkKind): string {
  return `${ulid}/${kind}-mark.json`;
}

/**
 * The mark of a kind on a block; undefined when there is none.
 * @throws CodedError corrupt when it cannot be read as one, as after an upload of Go's that broke off.
 */
export async function readMark(
  bucket: Bucket,
  { ulid, kind }: { readonly ulid: string; readonly kind: MarkKind },
  options: RequestOptions = {},
): Promise<BlockMark | undefined> {
  const path = markPath(ulid, kind);
  try {
    const bytes = await readObject(bucket, path, { ...options, isExpected: isNotFound });
    return parseMark(decodeUtf8(bytes), kind, path);
  } catch (thrown) {
    if (isNotFound(thrown)) return undefined;
    throw thrown;
  }
}

/** Marks a block. @returns false when it has such a mark already, which stays as it is. */
export async function writeMark(
  bucket: Bucket,
  mark: BlockMark,
  options: RequestOptions = {},
): Promise<boolean> {
  const path = markPath(mark.id, mark.kind);
  if (await bucket.exists(path, options)) return false;
  const contentType = 'application/json';
  await bucket.upload(path, encodeUtf8(encodeMark(mark)), { ...options, contentType });
  return true;
}

/** Takes a mark off a block. @returns false when there was none. */
export async function removeMark(
  bucket: Bucket,
  { ulid, kind }: { readonly ulid: string; readonly kind: MarkKind },
  options: RequestOptions = {},
): Promise<boolean> {
  const path = markPath(ulid, kind);
  if (!(await bucket.exists(path, options))) return false;
  await bucket.delete(path, options);
  return true;
}

/** Reads the text of a mark; `path` is for messages. @throws CodedError corrupt. */
export function parseMark(text: string, kind: MarkKind, path: string): BlockMark {
  const wrong = (what: string): CodedError => new CodedError('corrupt', `${what} (${path})`);
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (thrown) {
    throw wrong(`not JSON: ${errorText(thrown)}`);
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw wrong('the content is not an object');
  }
  const members = value as Readonly<Record<string, unknown>>;
  const { id, version, details = '', reason = '' } = members;
  // compat: Go's sentence.
  if (version !== VERSION) {
    throw wrong(
      `unexpected ${kind}-mark file version ${JSON.stringify(version ?? 0)}, expected ${VERSION}`,
    );
  }
  const seconds = members[TIME_MEMBER[kind]] ?? 0;
  if (typeof id !== 'string' || !isUlid(id)) throw wrong('id is not a ULID');
  if (typeof seconds !== 'number' || !Number.isSafeInteger(seconds)) {
    throw wrong(`${TIME_MEMBER[kind]} is not a time in seconds`);
  }
  if (typeof details !== 'string') throw wrong('details is not a text');
  if (typeof reason !== 'string') throw wrong('reason is not a text');
  return { kind, id, time: seconds * 1000, details, reason };
}

/** The text of a mark, as Go writes it. */
export function encodeMark({ kind, id, time, details, reason }: BlockMark): string {
  const text = JSON.stringify({
    id,
    version: VERSION,
    ...(details !== '' && { details }),
    [TIME_MEMBER[kind]]: Math.floor(time / 1000),
    ...(kind !== 'deletion' && { reason }),
  });
  // compat: encoding/json escapes these in texts; they occur nowhere else.
  return text.replaceAll(
    /[<>&\u2028\u2029]/g,
    (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}
