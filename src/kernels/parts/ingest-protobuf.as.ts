// part of kernel ingest: varints and protobuf fields.
import {
  H_BODY, H_ERROR_OFFSET, H_RESUME,
} from './ingest-layout.as';

// A reader passes its position in through H_RESUME: kernels have no globals, and a wasm function returns one value.

// @ts-ignore: decorator
@inline export function uvarint(h: usize, p: usize, end: usize): u64 {
  let x: u64 = 0, s: u64 = 0;
  while (p < end && s < 64) {
    const c: u64 = load<u8>(p++);
    x |= (c & 127) << s;
    if (c < 128) { store<u32>(h, <u32>p, H_RESUME); return x; }
    s += 7;
  }
  store<u32>(h, 0, H_RESUME); // an end or an overlong varint
  return 0;
}

/** Skips a field of wire type `w` at p; 0 when it does not fit. */
export function skip(h: usize, p: usize, end: usize, w: u32): usize {
  if (w == 0) { uvarint(h, p, end); return load<u32>(h, H_RESUME); }
  if (w == 1) return p + 8 <= end ? p + 8 : 0;
  if (w == 5) return p + 4 <= end ? p + 4 : 0;
  if (w == 2) {
    const n = uvarint(h, p, end);
    const q: usize = load<u32>(h, H_RESUME);
    return q == 0 || n > <u64>(end - q) ? 0 : q + <usize>n;
  }
  return 0;
}

/** Moves past the field at p, tag and all; 0 when it is not one or does not fit. */
export function skipField(h: usize, p: usize, end: usize): usize {
  let tag: u64 = load<u8>(p);
  let q = p + 1;
  if (tag >= 128) {
    tag = uvarint(h, p, end);
    q = load<u32>(h, H_RESUME);
    // An overlong tag could hide a field that we know.
    if (q == 0 || tag < 128 || tag >> 32 != 0) return 0;
  }
  return tag < 8 ? 0 : skip(h, q, end, <u32>tag & 7);
}

// @ts-ignore: decorator
@inline export function bump(h: usize, field: usize): void {
  store<u32>(h + field, load<u32>(h + field) + 1);
}

// @ts-ignore: decorator
@inline export function putVarint(p: usize, x: i64): usize {
  let u: u64 = <u64>((x << 1) ^ (x >> 63));
  while (u >= 128) { store<u8>(p++, <u8>(u | 128)); u >>= 7; }
  store<u8>(p++, <u8>u);
  return p;
}

/** Bytes of a varint in its shortest form. */
// @ts-ignore: decorator
@inline export function sizeVarint(x: u64): u32 {
  return x < 128 ? 1 : x < 16384 ? 2 : x < 2097152 ? 3 : 4;
}

/** Writes an unsigned varint; the place behind it. */
// @ts-ignore: decorator
@inline export function putUvarint(p: usize, x: u32): usize {
  while (x >= 128) { store<u8>(p++, <u8>(x | 128)); x >>= 7; }
  store<u8>(p++, <u8>x);
  return p;
}
