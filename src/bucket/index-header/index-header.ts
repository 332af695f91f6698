/**
 * An index-header that is open for reading: versions 1 and 2 of the index. Opening it walks through both of its tables and
 * checks them; lookups read small ranges of the file.
 */
import { CorruptionError } from '../../lib/errors.ts';
import { HEADER_BYTES, HEADER_TAIL_BYTES, decodeHeaderEnds } from './format.ts';
import type { HeaderEnds } from './format.ts';
import type { HeaderBytes } from './header-bytes.ts';
import { openPostingsOffsets } from './postings-offsets.ts';
import type { PostingsOffsets } from './postings-offsets.ts';
import { SymbolTable } from './symbol-table.ts';

/** One of so many values is in memory unless a flag says otherwise. */
export const DEFAULT_SAMPLING = 32;

/** A block's index without its series and postings. Methods of its parts may be called side by side. */
export interface IndexHeader {
  readonly ends: HeaderEnds;
  readonly symbols: SymbolTable;
  readonly postings: PostingsOffsets;
  /** Gives the file free; nothing may be read meanwhile or later. */
  close(): Promise<void>;
}

/** Opens a header; closes it when it is not sound. @throws CorruptionError; CodedError unavailable. */
export async function openIndexHeader(
  bytes: HeaderBytes,
  sampling = DEFAULT_SAMPLING,
): Promise<IndexHeader> {
  try {
    const { path, size } = bytes;
    if (size < HEADER_BYTES + HEADER_TAIL_BYTES) {
      throw new CorruptionError('index-header is too short', path, 0);
    }
    const [start, tail] = await Promise.all([
      bytes.read(0, HEADER_BYTES),
      bytes.read(size - HEADER_TAIL_BYTES, HEADER_TAIL_BYTES),
    ]);
    const ends = decodeHeaderEnds(start, tail, { size, path });
    const symbols = await SymbolTable.open(bytes, {
      offset: ends.symbols,
      limit: ends.postingsTable,
      indexVersion: ends.indexVersion,
    });
    const postings = await openPostingsOffsets(bytes, {
      offset: ends.postingsTable,
      limit: size - HEADER_TAIL_BYTES,
      indexVersion: ends.indexVersion,
      sampling,
      lastListEnd: ends.toc.postingsTable,
    });
    bytes.opened();
    return { ends, symbols, postings, close: () => bytes.close() };
  } catch (thrown) {
    await bytes.close();
    throw thrown;
  }
}
