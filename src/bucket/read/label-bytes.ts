/**
 * Label sets as the StoreAPI has them in a Series: `0a len 0a len name 12 len value` a label, sorted by name. They are made,
 * compared and looked into as bytes: texts of a million series would be as many objects.
 */
import { readUvarint, sizeUvarint, writeUvarint } from '../../lib/varint.ts';
import type { Labels } from '../../model/labels.ts';

/** The field `labels` of a Series, and name and value of a Label. */
const LABEL_TAG = 0x0a;
const NAME_TAG = 0x0a;
const VALUE_TAG = 0x12;

/** Bytes that become more. */
export class ByteWriter {
  bytes: Buffer;
  length = 0;

  constructor(size = 4096) {
    this.bytes = Buffer.allocUnsafe(size);
  }

  /** Makes room for so many more. */
  reserve(count: number): void {
    if (this.length + count <= this.bytes.length) return;
    const more = Buffer.allocUnsafe(Math.max(this.bytes.length * 2, this.length + count));
    this.bytes.copy(more, 0, 0, this.length);
    this.bytes = more;
  }

  /** Appends bytes from..to of others. */
  append(bytes: Uint8Array, from = 0, to = bytes.length): void {
    this.reserve(to - from);
    if (to - from < 24) {
      const { bytes: own } = this;
      let at = this.length;
      for (let i = from; i < to; i++) own[at++] = bytes[i] as number;
    } else this.bytes.set(bytes.subarray(from, to), this.length);
    this.length += to - from;
  }

  /** Appends a label. */
  label(name: Uint8Array, value: Uint8Array): void {
    const nameSize = sizeUvarint(name.length);
    const valueSize = sizeUvarint(value.length);
    const size = 2 + nameSize + name.length + valueSize + value.length;
    this.reserve(size + 6);
    const { bytes } = this;
    bytes[this.length] = LABEL_TAG;
    let at = writeUvarint(bytes, this.length + 1, size);
    bytes[at++] = NAME_TAG;
    this.length = writeUvarint(bytes, at, name.length);
    this.append(name);
    bytes[this.length] = VALUE_TAG;
    this.length = writeUvarint(bytes, this.length + 1, value.length);
    this.append(value);
  }
}

/** The bytes of a label set. */
export function encodeLabels(labels: Labels): Buffer {
  const writer = new ByteWriter(256);
  for (const [name, value] of labels) writer.label(Buffer.from(name), Buffer.from(value));
  return writer.bytes.subarray(0, writer.length);
}

/** A label set in bytes: from..to of them. */
export interface LabelBytes {
  readonly bytes: Uint8Array;
  readonly from: number;
  readonly to: number;
}

/** Order of label sets: name, value, name, value, … in UTF-8 byte order; a prefix sorts first. */
export function compareLabelBytes(
  a: Uint8Array,
  aFrom: number,
  aTo: number,
  b: Uint8Array,
  bFrom: number,
  bTo: number,
): number {
  let i = aFrom;
  let j = bFrom;
  // perf: neighbours begin alike, and labels that begin alike have lengths alike, mostly.
  if (equalLabelBytes(a, aFrom, aTo, b, bFrom, bTo)) return 0;
  const same = commonBytes(a, i, b, j, Math.min(aTo - aFrom, bTo - bFrom));
  // Back to where the label begins that holds the difference: lengths are part of the bytes, but not of the order.
  let labelFrom = 0;
  for (;;) {
    if (labelFrom >= same) break;
    const next = labelEnd(a, aFrom + labelFrom) - aFrom;
    if (next > same) break;
    labelFrom = next;
  }
  i += labelFrom;
  j += labelFrom;
  while (i < aTo && j < bTo) {
    const x = openLabel(a, i);
    const y = openLabel(b, j);
    const byName = compareRange(a, x.nameFrom, x.nameTo, b, y.nameFrom, y.nameTo);
    if (byName !== 0) return byName;
    const byValue = compareRange(a, x.valueFrom, x.valueTo, b, y.valueFrom, y.valueTo);
    if (byValue !== 0) return byValue;
    i = x.valueTo;
    j = y.valueTo;
  }
  return i < aTo ? 1 : j < bTo ? -1 : 0;
}

/** perf: shorter ranges are compared faster one by one than by a call of the native function. */
const NATIVE_BYTES_MIN = 48;

/** Whether two label sets are the same. */
export function equalLabelBytes(
  a: Uint8Array,
  aFrom: number,
  aTo: number,
  b: Uint8Array,
  bFrom: number,
  bTo: number,
): boolean {
  const length = aTo - aFrom;
  if (length !== bTo - bFrom) return false;
  // perf: neighbours begin alike: most of those that differ do so in their last bytes.
  for (let k = 1; k <= 8 && k <= length; k++) if (a[aTo - k] !== b[bTo - k]) return false;
  if (length >= NATIVE_BYTES_MIN && a instanceof Buffer && b instanceof Buffer) {
    return a.compare(b, bFrom, bTo, aFrom, aTo) === 0;
  }
  return commonBytes(a, aFrom, b, bFrom, length) === length;
}

/** How many bytes two ranges have in common from their starts on, of `most` at the most. */
function commonBytes(a: Uint8Array, i: number, b: Uint8Array, j: number, most: number): number {
  let same = 0;
  while (same < most && a[i + same] === b[j + same]) same++;
  return same;
}

function compareRange(
  a: Uint8Array,
  aFrom: number,
  aTo: number,
  b: Uint8Array,
  bFrom: number,
  bTo: number,
): number {
  const most = Math.min(aTo - aFrom, bTo - bFrom);
  for (let k = 0; k < most; k++) {
    const difference = (a[aFrom + k] as number) - (b[bFrom + k] as number);
    if (difference !== 0) return difference;
  }
  return aTo - aFrom - (bTo - bFrom);
}

function labelEnd(bytes: Uint8Array, at: number): number {
  const cursor = { bytes, pos: at + 1, end: bytes.length };
  const size = readUvarint(cursor);
  return cursor.pos + size;
}

interface LabelRange {
  readonly nameFrom: number;
  readonly nameTo: number;
  readonly valueFrom: number;
  readonly valueTo: number;
}

function openLabel(bytes: Uint8Array, at: number): LabelRange {
  const cursor = { bytes, pos: at + 1, end: bytes.length };
  readUvarint(cursor);
  cursor.pos++;
  const nameSize = readUvarint(cursor);
  const nameFrom = cursor.pos;
  const nameTo = nameFrom + nameSize;
  cursor.pos = nameTo + 1;
  const valueSize = readUvarint(cursor);
  return { nameFrom, nameTo, valueFrom: cursor.pos, valueTo: cursor.pos + valueSize };
}

/** Calls `visit` with the places of name and value of each label, in order. */
export function eachLabel(
  { bytes, from, to }: LabelBytes,
  visit: (nameFrom: number, nameTo: number, valueFrom: number, valueTo: number) => void,
): void {
  for (let at = from; at < to;) {
    const { nameFrom, nameTo, valueFrom, valueTo } = openLabel(bytes, at);
    visit(nameFrom, nameTo, valueFrom, valueTo);
    at = valueTo;
  }
}

/** The text of a range of UTF-8 bytes. */
export function textOfRange(bytes: Uint8Array, from: number, to: number): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset + from, to - from).toString();
}

/** The value of a label by its name, '' when it is not there. */
export function labelValue(labels: LabelBytes, name: string): string {
  const wanted = Buffer.from(name);
  let value = '';
  eachLabel(labels, (nameFrom, nameTo, valueFrom, valueTo) => {
    const { bytes } = labels;
    if (nameTo - nameFrom !== wanted.length) return;
    if (compareRange(bytes, nameFrom, nameTo, wanted, 0, wanted.length) !== 0) return;
    value = textOfRange(bytes, valueFrom, valueTo);
  });
  return value;
}
