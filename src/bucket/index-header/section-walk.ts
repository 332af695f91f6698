/** Walks once through a section of an index-header, window by window, and checks its checksum on the way. */
import { readU32 } from '../../lib/big-endian.ts';
import { crc32c } from '../../lib/crc32c.ts';
import { CorruptionError } from '../../lib/errors.ts';
import { ShortBytesError } from '../../lib/varint.ts';
import type { ByteCursor } from '../../lib/varint.ts';
import type { HeaderBytes } from './header-bytes.ts';

/** perf: bytes that are parsed in one go: a millisecond or two of the main thread. */
const WINDOW_BYTES = 256 * 1024;
/** limit: an entry that claims more is taken for damage: it must not bring the whole section into memory. */
const ENTRY_BYTES_MAX = 64 * 1024 * 1024;
const NOTHING: Buffer = Buffer.alloc(0);

/** Where the bytes of a section are, without length and checksum. */
export interface SectionRange {
  readonly name: string;
  readonly start: number;
  readonly end: number;
}

/**
 * Reads the entries of the section at an offset. `entry` reads one entry from the cursor; it is called again for the same entry
 * when that reached over the window (ShortBytesError), so it must change nothing before it has read all. `at` is where the
 * entry begins in the file. The count in front of the entries goes to `begin`.
 * @throws CorruptionError.
 */
export async function walkSection(
  bytes: HeaderBytes,
  {
    name,
    offset,
    limit,
  }: { readonly name: string; readonly offset: number; readonly limit: number },
  visitor: {
    begin(count: number, section: SectionRange): void;
    entry(cursor: ByteCursor, at: number): void;
  },
): Promise<SectionRange> {
  const corrupt = (what: string, at: number) =>
    new CorruptionError(`${name}${what}`, bytes.path, at);
  if (offset + 12 > limit) throw corrupt(' reaches over the end', offset);
  const head = await bytes.read(offset, 8);
  const start = offset + 4;
  const end = start + readU32(head, 0);
  if (end + 4 > limit || end < start + 4) throw corrupt(' reaches over the end', offset);
  const section = { name, start, end };
  const count = readU32(head, 4);
  // An entry takes a byte at least, so a larger count is a lie that must not allocate.
  if (count > end - start) throw corrupt(' ends before its count', start);
  visitor.begin(count, section);
  let sum = crc32c(head, 4, 8);
  let left = count;
  let carry = NOTHING;
  for (let at = start + 4; at < end;) {
    // An entry that is longer than a window is read in ever larger pieces: its bytes are copied twice, not once a window.
    const length = Math.min(Math.max(WINDOW_BYTES, carry.length), end - at);
    const fresh = await bytes.read(at, length);
    sum = crc32c(fresh, 0, length, sum);
    const window = carry.length === 0 ? fresh : Buffer.concat([carry, fresh]);
    const base = at - carry.length;
    const cursor = { bytes: window, pos: 0, end: window.length };
    at += length;
    let done = 0;
    try {
      for (; left > 0; left--) {
        visitor.entry(cursor, base + cursor.pos);
        done = cursor.pos;
      }
    } catch (thrown) {
      if (!(thrown instanceof ShortBytesError)) throw thrown;
    }
    carry = left > 0 ? window.subarray(done) : NOTHING;
    if (carry.length > ENTRY_BYTES_MAX)
      throw corrupt(' has an entry without end', at - carry.length);
  }
  if (sum !== readU32(await bytes.read(end, 4), 0)) throw corrupt(': checksum mismatch', offset);
  if (left > 0) throw corrupt(' ends inside an entry', end);
  return section;
}
