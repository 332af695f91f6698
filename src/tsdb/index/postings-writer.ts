/** The second half of an index that is written: postings, and the table that says where each list is. */
import type { AppendFile } from '../../lib/append-file.ts';
import { CodedError } from '../../lib/errors.ts';
import { compareUtf8 } from '../../lib/utf8.ts';
import { sizeUvarint } from '../../lib/varint.ts';
import { SECTION_BYTES_MAX } from './index-format.ts';
import type { PostingsSpool, ValueLists } from './postings-spool.ts';
import type { SymbolTable } from './symbol-table.ts';

/** A label name and the series that have it. */
export interface NamePostings {
  readonly name: string;
  /** The number of the name among the symbols. */
  readonly symbol: number;
  readonly spool: PostingsSpool;
}

/** The lists of a name as they were written, one behind the other. */
export interface WrittenLists {
  /** The number of the name; undefined for the list of all series. */
  readonly symbol: number | undefined;
  /** The values' symbol numbers, ascending. */
  readonly values: Uint32Array;
  /** How many refs there are in the lists up to each value's. */
  readonly ends: Uint32Array;
}

/** Length and count before a list, checksum behind it. */
const LIST_FRAME_BYTES = 12;
/** Strings of an entry of the table: name and value. */
const KEY_COUNT = 2;

/**
 * Writes all lists: that of all series, then by name and value. `counts` has an entry for each symbol, all 0. The
 * spools are empty afterwards.
 */
export function writePostings(
  file: AppendFile,
  names: Iterable<NamePostings>,
  all: PostingsSpool,
  counts: Uint32Array,
): WrittenLists[] {
  const sorted = [...names].sort((a, b) => compareUtf8(a.name, b.name));
  const written = [writeLists(file, undefined, allSeries(all.drain(counts)))];
  for (const { symbol, spool } of sorted) {
    written.push(writeLists(file, symbol, spool.drain(counts)));
  }
  return written;
}

/** The list of all series is there also when it is empty. */
function allSeries(lists: ValueLists): ValueLists {
  if (lists.values.length > 0) return lists;
  return { ...lists, values: new Uint32Array(1), ends: new Uint32Array(1) };
}

function writeLists(
  file: AppendFile,
  symbol: number | undefined,
  { values, ends, refs }: ValueLists,
): WrittenLists {
  const bytes = new Uint8Array(refs.buffer);
  let start = 0;
  for (let i = 0; i < ends.length; i++) {
    const end = ends[i] as number;
    writeList(file, bytes.subarray(start * 4, end * 4));
    start = end;
  }
  return { symbol, values, ends };
}

/** A list: its length in bytes, its count, the refs. A whole number of words, so that the next one is aligned. */
function writeList(file: AppendFile, refs: Uint8Array): void {
  if (refs.length + 4 > SECTION_BYTES_MAX) {
    throw new CodedError('too_large', `${file.path}: postings exceed ${SECTION_BYTES_MAX} bytes`);
  }
  file.u32(refs.length + 4);
  file.beginChecksum();
  file.u32(refs.length / 4);
  file.put(refs);
  file.u32(file.checksum);
}

/** Writes the table of the lists that begin at `first`. */
export function writePostingsTable(
  file: AppendFile,
  lists: readonly WrittenLists[],
  symbols: SymbolTable,
  first: number,
): void {
  let count = 0;
  for (const { values } of lists) count += values.length;
  const length = 4 + eachEntry(undefined, lists, symbols, first);
  if (length > SECTION_BYTES_MAX) {
    throw new CodedError('too_large', `${file.path}: its table exceeds ${SECTION_BYTES_MAX} bytes`);
  }
  file.u32(length);
  file.beginChecksum();
  file.u32(count);
  eachEntry(file, lists, symbols, first);
  file.u32(file.checksum);
}

/** The list of all series has an empty name and an empty value, which need not be symbols. */
const EMPTY_TEXT = new Uint8Array(1);

/** Writes the entries of the table, or, without a file, only adds up their sizes, which it answers. */
function eachEntry(
  file: AppendFile | undefined,
  lists: readonly WrittenLists[],
  symbols: SymbolTable,
  first: number,
): number {
  let size = 0;
  let offset = first;
  for (const { symbol, values, ends } of lists) {
    const named = symbol !== undefined;
    const bytes = named ? symbols.bytes : EMPTY_TEXT;
    const nameFrom = named ? symbols.start(symbol) : 0;
    const nameTo = named ? symbols.start(symbol + 1) : 1;
    let before = 0;
    for (let i = 0; i < values.length; i++) {
      const value = values[i] as number;
      const valueFrom = named ? symbols.start(value) : 0;
      const valueTo = named ? symbols.start(value + 1) : 1;
      if (file === undefined) {
        size += 1 + (nameTo - nameFrom) + (valueTo - valueFrom) + sizeUvarint(offset);
      } else {
        file.uvarint(KEY_COUNT);
        file.put(bytes, nameFrom, nameTo);
        file.put(bytes, valueFrom, valueTo);
        file.uvarint(offset);
      }
      const end = ends[i] as number;
      offset += LIST_FRAME_BYTES + 4 * (end - before);
      before = end;
    }
  }
  return size;
}
