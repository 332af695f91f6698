/**
 * Upload of a block's directory: segments, index, and meta.json last, so that whoever sees a meta.json sees a whole
 * block. Behaviour: thanos pkg/block/block.go (Upload).
 *
 * What a failed upload leaves in the bucket is no block, and stays: the next attempt takes up from there, and the
 * compactor removes what nobody takes up after 48 h. (Cleaning up at once, as Thanos did until 0.18, could take the data
 * from under a meta.json whose upload had succeeded without anybody hearing of it.)
 */
import path from 'node:path';
import type { Clock } from '../lib/clock.ts';
import { CodedError } from '../lib/errors.ts';
import type { Logger } from '../lib/log.ts';
import { encodeUtf8 } from '../lib/utf8.ts';
import type { Bucket } from '../objstore/bucket.ts';
import type { BlockMeta } from '../tsdb/block/meta.ts';
import { encodeBlockMeta, META_FILE } from '../tsdb/block/meta.ts';
import {
  dataFiles,
  describeFiles,
  type HashFunction,
  objectSizes,
  readLocalMeta,
  type SizedFile,
} from './block-files.ts';
import { INDEX_FILE, metaPath } from './block-path.ts';
import { mapBounded } from './map-bounded.ts';
import { formatUploadTime, readThanos, withThanos } from './meta.ts';

/** How to upload. */
export interface UploadBlockOptions {
  readonly clock: Clock;
  readonly log: Logger;
  /** Which hash of each file goes into meta.json; none by default. */
  readonly hash?: HashFunction;
  /** Segments that are uploaded at once; 1 by default, as in Thanos. */
  readonly concurrency?: number;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Uploads a block's directory, named by its ULID, and makes sure that all of it has arrived. The meta.json in the bucket
 * is the directory's with the list of files and the time; the directory must not change meanwhile. Objects that are
 * there with the right size are not sent again.
 * @returns the meta that is in the bucket now.
 * @throws CodedError corrupt when the block lacks a file or its meta.json is wrong; bad_data without external labels;
 * what {@link Bucket} says.
 */
export async function uploadBlock(
  bucket: Bucket,
  directory: string,
  options: UploadBlockOptions,
): Promise<BlockMeta> {
  const { clock, hash = '', signal } = options;
  const meta = await readLocalMeta(directory);
  const thanos = readThanos(meta, path.join(directory, META_FILE));
  if (Object.keys(thanos.labels).length === 0) {
    // compat: Thanos' sentence.
    throw new CodedError('bad_data', 'empty external labels are not allowed for Thanos block.');
  }
  const data = await dataFiles(directory);
  const files = await describeFiles(directory, data, { hash, signal });
  await uploadData(bucket, { directory, ulid: meta.ulid, data }, options);
  const uploaded = withThanos(meta, {
    ...thanos,
    files,
    upload_time: formatUploadTime(clock.now()),
  });
  await uploadMeta(bucket, uploaded, signal);
  return uploaded;
}

/** A block's data, in a directory. */
interface LocalData {
  readonly directory: string;
  readonly ulid: string;
  readonly data: readonly SizedFile[];
}

/** Sends segments, then the index, and looks whether they have arrived. */
async function uploadData(
  bucket: Bucket,
  { directory, ulid, data }: LocalData,
  { log, signal, concurrency = 1 }: UploadBlockOptions,
): Promise<void> {
  const before = await objectSizes(bucket, ulid, signal);
  const upload = async (file: SizedFile): Promise<void> => {
    const name = `${ulid}/${file.path}`;
    if (before.get(file.path) === file.size) {
      log.debug('the bucket has this file from an earlier attempt', { object: name });
      return;
    }
    await bucket.upload(name, { file: path.join(directory, file.path) }, { signal });
    log.debug('uploaded file', { object: name, bytes: file.size, bucket: bucket.name });
  };
  const isIndex = (file: SizedFile): boolean => file.path === INDEX_FILE;
  const segments = data.filter((file) => !isIndex(file));
  await mapBounded(segments, Math.max(1, concurrency), upload);
  for (const index of data.filter(isIndex)) await upload(index);
  const after = await objectSizes(bucket, ulid, signal);
  for (const file of data) checkArrived(ulid, file, after.get(file.path));
}

async function uploadMeta(
  bucket: Bucket,
  meta: BlockMeta,
  signal: AbortSignal | undefined,
): Promise<void> {
  const bytes = encodeUtf8(encodeBlockMeta(meta));
  const name = metaPath(meta.ulid);
  await bucket.upload(name, bytes, { signal, contentType: 'application/json' });
  const { size } = await bucket.attributes(name, { signal });
  checkArrived(meta.ulid, { path: META_FILE, size: bytes.length }, size);
}

function checkArrived(ulid: string, file: SizedFile, size: number | undefined): void {
  if (size === file.size) return;
  const found = size === undefined ? 'is missing' : `has ${size}`;
  throw new CodedError(
    'unavailable',
    `after its upload, ${ulid}/${file.path} ${found} of ${file.size} bytes in the bucket`,
  );
}
