/** The chunk that lies furthest behind, found without a walk through the index: what there must be of the segments. */
import { readU32 } from '../../lib/big-endian.ts';
import type { NamedSource } from './byte-source.ts';
import { SERIES_ALIGN } from './index-format.ts';
import { SeriesEntry } from './series-entry.ts';
import { readIndexVersion, readToc } from './toc.ts';

/** What stands before the first entry of a postings offset table: length and count. */
const TABLE_HEADER_BYTES = 8;
/** The key of the list of all series, which is the first: two texts, both empty. */
const ALL_KEY = [2, 0, 0] as const;
const TABLE = 'postings offset table';
/** Length and count of a list. */
const LIST_HEADER_BYTES = 8;

/**
 * The ref of the last chunk of the last series: chunks are written in the order of series. Undefined when there are no
 * series, and for version 1, whose table is in no order. Header and table of contents are checked on the way.
 * @throws CorruptionError.
 */
export function lastChunkRef(source: NamedSource): number | undefined {
  const version = readIndexVersion(source);
  const toc = readToc(source);
  if (version === 1) return undefined;
  const at = toc.postingsTable + TABLE_HEADER_BYTES;
  const key = source.read(at, ALL_KEY.length, TABLE);
  if (!ALL_KEY.every((byte, i) => key[i] === byte)) {
    throw source.corrupt(`${TABLE} does not begin with all series`, at);
  }
  const { value: list } = source.readUvarint(at + ALL_KEY.length, TABLE);
  const count = readU32(source.read(list, LIST_HEADER_BYTES, 'postings'), 4);
  if (count === 0) return undefined;
  const last = list + LIST_HEADER_BYTES + (count - 1) * 4;
  const series = readU32(source.read(last, 4, 'postings'), 0);
  const entry = new SeriesEntry();
  entry.read(source, series * SERIES_ALIGN);
  return entry.chunkCount === 0 ? undefined : entry.refs[entry.chunkCount - 1];
}
