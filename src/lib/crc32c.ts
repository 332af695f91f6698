/**
 * CRC-32C (Castagnoli), the checksum of chunks, index sections and tombstones.
 *
 * perf: a call of the native function costs some 150 ns whatever the length, this file's 1 ns a byte: series entries
 * and most chunks are shorter than where the two meet.
 */
import { crc32c as nativeCrc32c } from '@node-rs/crc32';

/** From so many bytes on the native function is faster. */
const NATIVE_BYTES_MIN = 224;
/** 0x1edc6f41 with its bits reversed. */
const POLYNOMIAL = 0x82f63b78;

/** Eight tables of 256: T0 is the table of single bytes, T(k) that of a byte with k zero bytes behind it. */
const TABLES = makeTables();

/** A copy of the tables, 8 * 256 words, for kernels. */
export function crc32cTables(): Int32Array<ArrayBuffer> {
  return TABLES.slice();
}

function makeTables(): Int32Array<ArrayBuffer> {
  const tables = new Int32Array(8 * 256);
  for (let i = 0; i < 256; i++) {
    let crc = i;
    for (let bit = 0; bit < 8; bit++) crc = (crc & 1) === 1 ? (crc >>> 1) ^ POLYNOMIAL : crc >>> 1;
    tables[i] = crc;
  }
  for (let i = 256; i < tables.length; i++) {
    const before = tables[i - 256] as number;
    tables[i] = (before >>> 8) ^ (tables[before & 255] as number);
  }
  return tables;
}

/**
 * The checksum of bytes[from..to], as an unsigned number; `seed` is that of the bytes before them. They
 * must not lie in shared memory, which the native function refuses.
 */
export function crc32c(bytes: Uint8Array, from = 0, to = bytes.length, seed = 0): number {
  if (to - from >= NATIVE_BYTES_MIN) return nativeCrc32c(bytes.subarray(from, to), seed);
  const T = TABLES;
  let crc = ~seed;
  let i = from;
  for (; i + 8 <= to; i += 8) {
    const low =
      crc ^
      ((bytes[i] as number) |
        ((bytes[i + 1] as number) << 8) |
        ((bytes[i + 2] as number) << 16) |
        ((bytes[i + 3] as number) << 24));
    crc =
      (T[1792 + (low & 255)] as number) ^
      (T[1536 + ((low >>> 8) & 255)] as number) ^
      (T[1280 + ((low >>> 16) & 255)] as number) ^
      (T[1024 + (low >>> 24)] as number) ^
      (T[768 + (bytes[i + 4] as number)] as number) ^
      (T[512 + (bytes[i + 5] as number)] as number) ^
      (T[256 + (bytes[i + 6] as number)] as number) ^
      (T[bytes[i + 7] as number] as number);
  }
  for (; i < to; i++) crc = (T[(crc ^ (bytes[i] as number)) & 255] as number) ^ (crc >>> 8);
  return ~crc >>> 0;
}
