/** The files of a block in a local directory, and in a bucket. */
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { readdir, readFile, stat } from 'node:fs/promises';
import path from 'node:path';
import { abortError, throwIfAborted } from '../lib/abort.ts';
import { CodedError, errorText } from '../lib/errors.ts';
import { compareUtf8 } from '../lib/utf8.ts';
import type { Bucket } from '../objstore/bucket.ts';
import { isNotFound } from '../objstore/bucket.ts';
import type { BlockMeta } from '../tsdb/block/meta.ts';
import { META_FILE, parseBlockMeta } from '../tsdb/block/meta.ts';
import { CHUNKS_DIRECTORY, INDEX_FILE } from './block-path.ts';
import type { BlockFile } from './meta.ts';

/** Which hash of each file goes into meta.json: the values of `--hash-func`. */
export type HashFunction = '' | 'SHA256';

/** A file of a block that is there. */
export interface SizedFile {
  /** From the block's directory on, with slashes. */
  readonly path: string;
  readonly size: number;
}

/**
 * The files of a block that hold data, by path: those in `chunks/`, and the index. Not meta.json, and no tombstones,
 * which Thanos neither uploads nor honours.
 * @throws CodedError corrupt when one of them is missing; not_found when the directory itself is.
 */
export async function dataFiles(directory: string): Promise<SizedFile[]> {
  const segments = await readDirectory(directory, CHUNKS_DIRECTORY);
  const paths = segments.map((name) => `${CHUNKS_DIRECTORY}/${name}`).toSorted(compareUtf8);
  const files: SizedFile[] = [];
  for (const file of [...paths, INDEX_FILE]) {
    const stats = await stat(path.join(directory, file)).catch((thrown: unknown) =>
      missing(directory, file, thrown),
    );
    if (stats.isFile()) files.push({ path: file, size: stats.size });
    else if (file === INDEX_FILE)
      throw new CodedError('corrupt', `${file} is no file (${directory})`);
  }
  return files;
}

async function readDirectory(directory: string, name: string): Promise<string[]> {
  return readdir(path.join(directory, name)).catch((thrown: unknown) =>
    missing(directory, name, thrown),
  );
}

/**
 * The meta.json in a block's directory.
 * @throws CodedError corrupt when it is missing or is not the directory's own; not_found when the directory is missing.
 */
export async function readLocalMeta(directory: string): Promise<BlockMeta> {
  const file = path.join(directory, META_FILE);
  const text = await readFile(file, 'utf8').catch((thrown: unknown) =>
    missing(directory, META_FILE, thrown),
  );
  const meta = parseBlockMeta(text, file);
  const name = path.basename(directory);
  if (meta.ulid === name) return meta;
  throw new CodedError('corrupt', `ulid is ${meta.ulid}, want that of the directory (${file})`);
}

/** Tells a block that lacks a file from one that is gone altogether. */
async function missing(directory: string, name: string, thrown: unknown): Promise<never> {
  const { code } = thrown as NodeJS.ErrnoException;
  const absent = code === 'ENOENT' || code === 'ENOTDIR';
  const message = `${name} of block ${directory}: ${errorText(thrown)}`;
  if (!absent) throw new CodedError('unavailable', message, { cause: thrown });
  const gone = !(await isDirectory(directory));
  throw new CodedError(gone ? 'not_found' : 'corrupt', message, { cause: thrown });
}

async function isDirectory(directory: string): Promise<boolean> {
  return stat(directory).then(
    (stats) => stats.isDirectory(),
    () => false,
  );
}

/** How to describe files. */
export interface DescribeFilesOptions {
  readonly hash: HashFunction;
  readonly signal?: AbortSignal | undefined;
}

/**
 * The list of files for meta.json, itself at the end, with hashes when asked for.
 * @throws CodedError unavailable when a file cannot be read; canceled.
 */
export async function describeFiles(
  directory: string,
  files: readonly SizedFile[],
  { hash, signal }: DescribeFilesOptions,
): Promise<BlockFile[]> {
  const described: BlockFile[] = [];
  for (const file of files) {
    throwIfAborted(signal);
    described.push({
      rel_path: file.path,
      size_bytes: file.size,
      ...(hash === 'SHA256' && {
        hash: { hashFunc: hash, value: await sha256(path.join(directory, file.path), signal) },
      }),
    });
  }
  return [...described, { rel_path: META_FILE }];
}

/** limit: 256 KiB hashed between two turns of the event loop, about 0.2 ms. */
const HASH_BYTES = 256 * 1024;

async function sha256(file: string, signal: AbortSignal | undefined): Promise<string> {
  const hash = createHash('sha256');
  try {
    const stream = createReadStream(file, { highWaterMark: HASH_BYTES, signal });
    for await (const chunk of stream) hash.update(chunk as Buffer);
  } catch (thrown) {
    if (signal?.aborted === true) throw abortError(signal);
    throw new CodedError('unavailable', `read ${file}: ${errorText(thrown)}`, { cause: thrown });
  }
  return hash.digest('hex');
}

/** The sizes of a block's objects in a bucket by path from the block's directory on; empty when there is none. */
export async function objectSizes(
  bucket: Bucket,
  ulid: string,
  signal: AbortSignal | undefined,
): Promise<Map<string, number>> {
  const sizes = new Map<string, number>();
  for await (const { name, size } of bucket.iterEntries(ulid, { recursive: true, signal })) {
    const known = size ?? (await sizeOf(bucket, name, signal));
    if (known !== undefined) sizes.set(name.slice(ulid.length + 1), known);
  }
  return sizes;
}

/** For stores whose listings have no sizes. */
async function sizeOf(
  bucket: Bucket,
  name: string,
  signal: AbortSignal | undefined,
): Promise<number | undefined> {
  try {
    return (await bucket.attributes(name, { signal, isExpected: isNotFound })).size;
  } catch (thrown) {
    if (isNotFound(thrown)) return undefined;
    throw thrown;
  }
}
