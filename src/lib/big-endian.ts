/** Big-endian numbers in bytes: what Go's encoding/binary.BigEndian reads and writes. Positions are the caller's to check. */

/** A 32-bit number with its bytes in the other order. */
export function swap32(x: number): number {
  return ((x & 0xff) << 24) | ((x & 0xff00) << 8) | ((x >>> 8) & 0xff00) | (x >>> 24);
}

/** The u32 at a position. */
export function readU32(bytes: Uint8Array, at: number): number {
  return (
    (((bytes[at] as number) << 24) |
      ((bytes[at + 1] as number) << 16) |
      ((bytes[at + 2] as number) << 8) |
      (bytes[at + 3] as number)) >>>
    0
  );
}

/** The u64 at a position, as close as a double gets. */
export function readU64(bytes: Uint8Array, at: number): number {
  return readU32(bytes, at) * 4294967296 + readU32(bytes, at + 4);
}
