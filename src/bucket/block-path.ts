/** Where the parts of a block lie in a bucket and in a directory: `<ulid>/meta.json`, `<ulid>/index`, `<ulid>/chunks/`. */
import { isUlid } from '../model/ulid.ts';
import { META_FILE } from '../tsdb/block/meta.ts';

/** The index of a block, from the block's directory on. */
export const INDEX_FILE = 'index';

/** The directory of a block's segments, from the block's directory on. */
export const CHUNKS_DIRECTORY = 'chunks';

/** The name of a block's meta.json in a bucket. */
export function metaPath(ulid: string): string {
  return `${ulid}/${META_FILE}`;
}

/** The block that a directory in the root of a bucket (`<ulid>/`) belongs to; undefined when it is none. */
export function blockOfDirectory(name: string): string | undefined {
  const ulid = name.slice(0, -1);
  return name.endsWith('/') && isUlid(ulid) ? ulid : undefined;
}
