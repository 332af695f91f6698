/**
 * The object store as the rest of the program sees it: a flat set of named objects, each written once as a whole. What
 * looks like a directory is a common prefix of names. Model: objstore objstore.go (Bucket, BucketReader).
 *
 * For the main thread: operations are asynchronous and never block it. Every implementation and wrapper passes
 * test/support/bucket-acceptance.ts.
 */
import { CodedError } from '../lib/errors.ts';
import { compareUtf8 } from '../lib/utf8.ts';

/** Kinds of object stores, by the names that configurations use. */
export type BucketProvider =
  | 'FILESYSTEM'
  | 'MEMORY'
  | 'S3'
  | 'GCS'
  | 'AZURE'
  | 'SWIFT'
  | 'COS'
  | 'ALIYUNOSS'
  | 'BOS'
  | 'OCI'
  | 'OBS';

/** What each operation takes. */
export interface RequestOptions {
  /** Ends the operation: it rejects with `canceled` (lib/abort.ts), soon, and leaves nothing open. */
  readonly signal?: AbortSignal | undefined;
  /** Failures that the caller takes as an answer, for instance {@link isNotFound}; metrics do not count those. */
  readonly isExpected?: ((error: unknown) => boolean) | undefined;
}

/** How to read a range. */
export interface RangeOptions extends RequestOptions {
  /**
   * Where the bytes may be put, at least as long as the range. What comes back is then a part of it, or bytes elsewhere where the store
   * brings them in a buffer of its own; the caller keeps it in any case, and may use it again when the operation has ended.
   */
  readonly into?: Uint8Array | undefined;
}

/** How to list. */
export interface IterOptions extends RequestOptions {
  /** Every object below the directory, and no directories; otherwise one level only. */
  readonly recursive?: boolean | undefined;
}

/** How to write an object. */
export interface UploadOptions extends RequestOptions {
  /** The media type, for stores that keep one. */
  readonly contentType?: string | undefined;
}

/** What is known about an object. */
export interface ObjectAttributes {
  /** Bytes. */
  readonly size: number;
  /** ms since the epoch. */
  readonly lastModified: number;
}

/** An entry of a listing. Attributes are there for objects, where the store's listing tells them without a request each. */
export interface BucketEntry extends Partial<ObjectAttributes> {
  /** The full name of an object, or of a directory with a slash at its end. */
  readonly name: string;
}

/** A part of an object in bytes. */
export interface ByteRange {
  /** 0 or more. */
  readonly offset: number;
  /** 0 or more; less comes back where the object ends earlier. */
  readonly length: number;
}

/**
 * The content of an object on its way in: pulled, never pushed, so that a slow reader holds the sender back. It is
 * iterated once; ending the iteration early, or disposing, gives its connection or file free. Chunks belong to the
 * caller. Iteration throws `canceled`, or `unavailable` when the content breaks off before `size` bytes.
 */
export interface ObjectStream extends AsyncIterable<Uint8Array>, AsyncDisposable {
  /** Bytes of the whole content. */
  readonly size: number;
}

/** A file of this machine as the content of an upload. It must not change meanwhile. */
export interface LocalFile {
  readonly file: string;
}

/** Chunks as the content of an upload. One may be overwritten by the sender as soon as the next is asked for. */
export interface ByteStream {
  readonly stream: AsyncIterable<Uint8Array>;
  /** Bytes; an upload of more or fewer fails. Some stores send large objects in fewer requests when they know it. */
  readonly size?: number;
}

/** What can be uploaded. Bytes must not change until the upload has ended. */
export type ObjectBody = Uint8Array | LocalFile | ByteStream;

/**
 * An object store, or a part of one.
 *
 * Names are UTF-8 paths without empty, `.` and `..` segments ({@link checkObjectName}); others reject with `bad_data`.
 *
 * Order: listings ascend by the UTF-8 bytes of their names, a directory with its slash.
 *
 * Consistency: what an operation has reported as done is seen by every operation that starts later. An object that is
 * there during a whole listing is in it once; others may be.
 *
 * Errors are the same for all stores: CodedErrors `not_found` ({@link isNotFound}), {@link AccessDeniedError},
 * `bad_data` for what can never work, `canceled` and `timeout` from the signal, `unavailable` for everything that a
 * later try may cure. An operation that failed may have happened all the same (the answer was lost): upload and delete
 * can be repeated.
 *
 * Concurrency: operations may run side by side without limit; whoever starts many bounds them.
 */
export interface Bucket {
  readonly provider: BucketProvider;
  /** The name in logs and in the label `bucket` of metrics. */
  readonly name: string;

  /**
   * The names of objects and directories directly below a directory ('' is the root, a slash at the end is optional).
   * A directory that does not exist is empty. Directories without an object anywhere below are left out.
   */
  iter(directory: string, options?: IterOptions): AsyncIterable<string>;

  /** As {@link iter}, with what the store's listing says about objects. */
  iterEntries(directory: string, options?: IterOptions): AsyncIterable<BucketEntry>;

  /** Opens an object. The signal goes on to hold for the stream. @throws CodedError not_found. */
  get(name: string, options?: RequestOptions): Promise<ObjectStream>;

  /**
   * Bytes of an object in a buffer of their own (but see {@link RangeOptions.into}), fewer or none behind its end. For what fits in memory; nothing here
   * limits `length`. @throws CodedError not_found.
   */
  getRange(name: string, range: ByteRange, options?: RangeOptions): Promise<Uint8Array>;

  /** Whether there is an object of that name; directories are none. */
  exists(name: string, options?: RequestOptions): Promise<boolean>;

  /** @throws CodedError not_found. */
  attributes(name: string, options?: RequestOptions): Promise<ObjectAttributes>;

  /**
   * Writes an object, in place of one of that name. It is there whole when the promise resolves, and never in part: not
   * while it is written, not after an error, an abort or the death of the process. Readers of an object that is
   * replaced go on with its old content or fail. Of two uploads of one name, one wins. An error of a body that is a
   * stream is passed on as it is; its iteration is always ended.
   */
  upload(name: string, body: ObjectBody, options?: UploadOptions): Promise<void>;

  /**
   * Removes an object; none of that name is no error. Names that end with a slash stand for the empty objects by which
   * some tools mark directories.
   */
  delete(name: string, options?: RequestOptions): Promise<void>;

  /** Gives connections free. Nothing may be under way or begin later. */
  close(): Promise<void>;
}

/** The store knows us, or does not, and says no: another try will not help. */
export class AccessDeniedError extends CodedError {
  constructor(message: string, options?: { cause?: unknown }) {
    super('internal', message, options);
    this.name = 'AccessDeniedError';
  }
}

/** Whether an operation failed because there is no such object. */
export function isNotFound(error: unknown): boolean {
  return error instanceof CodedError && error.code === 'not_found';
}

/** Whether an operation failed because the store does not allow it. */
export function isAccessDenied(error: unknown): boolean {
  return error instanceof AccessDeniedError;
}

/** The error for an object that is not there. */
export function objectNotFound(name: string, options?: { cause?: unknown }): CodedError {
  return new CodedError('not_found', `object ${JSON.stringify(name)} does not exist`, options);
}

/** limit: bytes of a name; S3 and GCS allow 1024. */
const NAME_BYTES_MAX = 1024;

/** Makes sure that a text names an object. @throws CodedError bad_data. */
export function checkObjectName(name: string): void {
  const refuse = (why: string): never => {
    throw new CodedError('bad_data', `object name ${JSON.stringify(name.slice(0, 200))} ${why}`);
  };
  if (name === '') refuse('is empty');
  if (name.includes('\0')) refuse('holds a zero byte');
  if (!name.isWellFormed()) refuse('is not Unicode');
  if (Buffer.byteLength(name) > NAME_BYTES_MAX) refuse(`is longer than ${NAME_BYTES_MAX} bytes`);
  for (const segment of name.split('/')) {
    if (segment === '' || segment === '.' || segment === '..') {
      refuse(`has a segment ${JSON.stringify(segment)}`);
    }
  }
}

/** As {@link checkObjectName}, for deletes: one slash at the end is allowed. @throws CodedError bad_data. */
export function checkDeletedName(name: string): void {
  checkObjectName(name.endsWith('/') ? name.slice(0, -1) : name);
}

/**
 * The prefix of all names in a directory: '' for the root, otherwise with a slash at its end.
 * @throws CodedError bad_data.
 */
export function directoryPrefix(directory: string): string {
  if (directory === '') return '';
  const name = directory.endsWith('/') ? directory.slice(0, -1) : directory;
  checkObjectName(name);
  return `${name}/`;
}

/** Makes sure that a range is one of whole numbers. @throws CodedError bad_data. */
export function checkRange({ offset, length }: ByteRange): void {
  if (Number.isSafeInteger(offset) && offset >= 0 && Number.isSafeInteger(length) && length >= 0)
    return;
  throw new CodedError('bad_data', `range of ${length} bytes from ${offset} on is none`);
}

/** The order of listings. */
export function compareEntries(a: BucketEntry, b: BucketEntry): number {
  return compareUtf8(a.name, b.name);
}
