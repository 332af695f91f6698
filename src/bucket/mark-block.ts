/**
 * Marking a block, with a line in the log. Texts and behaviour: thanos pkg/block/block.go (MarkForDeletion and the like): a
 * block that is marked already stays as it is marked, and that is no error.
 */
import { CodedError, errorCode, errorText } from '../lib/errors.ts';
import type { Logger } from '../lib/log.ts';
import { encodeUtf8 } from '../lib/utf8.ts';
import type { Bucket } from '../objstore/bucket.ts';
import { type BlockMark, encodeMark, type MarkKind, markPath } from './markers.ts';

/** What a mark is for, in the words of Thanos' log. */
const PURPOSE: Readonly<Record<MarkKind, string>> = {
  deletion: 'deletion',
  'no-compact': 'no compaction',
  'no-downsample': 'no downsample',
};

/** How to mark. */
export interface MarkBlockOptions {
  readonly log: Logger;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Marks a block, whether it is there or not.
 * @returns false when it has such a mark already. @throws CodedError of the bucket's code with Go's text.
 */
export async function markBlock(
  bucket: Bucket,
  mark: BlockMark,
  { log, signal }: MarkBlockOptions,
): Promise<boolean> {
  const file = markPath(mark.id, mark.kind);
  const purpose = PURPOSE[mark.kind];
  const isThere = await within(`check exists ${file} in bucket`, () =>
    bucket.exists(file, { signal }),
  );
  if (isThere) {
    const message = `requested to mark for ${purpose}, but file already exists; this should not happen; investigate`;
    log.warn(message, { err: `file ${file} already exists in bucket` });
    return false;
  }
  const contentType = 'application/json';
  await within(`upload file ${file} to bucket`, () =>
    bucket.upload(file, encodeUtf8(encodeMark(mark)), { signal, contentType }),
  );
  log.info(`block has been marked for ${purpose}`, { block: mark.id });
  return true;
}

async function within<T>(what: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (thrown) {
    throw new CodedError(errorCode(thrown), `${what}: ${errorText(thrown)}`, { cause: thrown });
  }
}
