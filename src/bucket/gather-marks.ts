/** The marks of many blocks. Behaviour: thanos pkg/block/fetcher.go and pkg/compact (filters that gather marks). */
import { errorCode, errorText } from '../lib/errors.ts';
import type { Logger } from '../lib/log.ts';
import type { Bucket } from '../objstore/bucket.ts';
import { mapBounded } from './map-bounded.ts';
import type { BlockMark, MarkKind } from './markers.ts';
import { readMark } from './markers.ts';

/** limit: marks that are read at once, as Thanos has it. */
const CONCURRENCY = 32;

/** How to gather. */
export interface GatherMarksOptions {
  readonly kind: MarkKind;
  readonly log: Logger;
  readonly concurrency?: number | undefined;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Reads the marks of a kind, by block; most blocks have none. A mark that cannot be read is logged and counts as none.
 * @throws CodedError when the bucket fails.
 */
export async function gatherMarks(
  bucket: Bucket,
  ulids: Iterable<string>,
  options: GatherMarksOptions,
): Promise<Map<string, BlockMark>> {
  const found = await mapBounded([...ulids], options.concurrency ?? CONCURRENCY, (ulid) =>
    markOf(bucket, ulid, options),
  );
  return new Map(found.flatMap((mark) => (mark === undefined ? [] : [[mark.id, mark]])));
}

async function markOf(
  bucket: Bucket,
  ulid: string,
  { kind, signal, log }: GatherMarksOptions,
): Promise<BlockMark | undefined> {
  try {
    const mark = await readMark(bucket, { ulid, kind }, { signal });
    return mark === undefined ? undefined : { ...mark, id: ulid };
  } catch (thrown) {
    if (errorCode(thrown) !== 'corrupt') throw thrown;
    const file = `${kind}-mark.json`;
    // compat: Go's sentence.
    const message = `found partial ${file}; if we will see it happening often for the same block, consider manually deleting ${file} from the object storage`;
    log.warn(message, { block: ulid, err: errorText(thrown) });
    return undefined;
  }
}
