/** The two ends of an index file: magic and version, and the table of contents. */
import { readU32, readU64 } from '../../lib/big-endian.ts';
import { crc32c } from '../../lib/crc32c.ts';
import type { NamedSource } from './byte-source.ts';
import { CRC_BYTES, INDEX_HEADER_BYTES, INDEX_MAGIC, TOC_BYTES } from './index-format.ts';
import type { Toc } from './index-format.ts';

/** The newest version there is; Prometheus reads 3 as it reads 2. */
const VERSION_MAX = 3;

/** The version of an index. @throws CorruptionError when it is none, or of a version that is not known. */
export function readIndexVersion(source: NamedSource): number {
  const bytes = source.read(0, INDEX_HEADER_BYTES, 'index header');
  if (readU32(bytes, 0) !== INDEX_MAGIC) throw source.corrupt('not an index file', 0);
  const version = bytes[4] as number;
  if (version < 1 || version > VERSION_MAX) {
    throw source.corrupt(`unknown index version ${version}`, 4);
  }
  return version;
}

/** The table of contents. @throws CorruptionError. */
export function readToc(source: NamedSource): Toc {
  const start = source.size - TOC_BYTES;
  if (start < INDEX_HEADER_BYTES) throw source.corrupt('index is too short', 0);
  const bytes = source.read(start, TOC_BYTES, 'table of contents');
  const end = TOC_BYTES - CRC_BYTES;
  if (crc32c(bytes, 0, end) !== readU32(bytes, end)) {
    throw source.corrupt('table of contents: checksum mismatch', start);
  }
  return {
    symbols: readU64(bytes, 0),
    series: readU64(bytes, 8),
    labelIndices: readU64(bytes, 16),
    labelIndicesTable: readU64(bytes, 24),
    postings: readU64(bytes, 32),
    postingsTable: readU64(bytes, 40),
  };
}
