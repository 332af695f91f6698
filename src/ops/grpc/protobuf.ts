/** As much of protobuf's wire format as health and reflection need: these two are served by every process. */
import { type ByteCursor, readUvarint, sizeUvarint, writeUvarint } from '../../lib/varint.ts';
import { decodeUtf8, encodeUtf8 } from '../../lib/utf8.ts';

/** A field: its number, and its content; fixed-size fields are given as their bytes. */
export type ProtobufField = readonly [number: number, content: number | Uint8Array];

const VARINT = 0;
const FIXED64 = 1;
const BYTES = 2;
const FIXED32 = 5;

/** The fields of a message, in order; contents are views. @throws ShortBytesError or RangeError for what is none. */
export function readFields(bytes: Uint8Array): ProtobufField[] {
  const fields: ProtobufField[] = [];
  const cursor: ByteCursor = { bytes, pos: 0, end: bytes.length };
  const take = (length: number): Uint8Array => {
    const from = cursor.pos;
    if (from + length > cursor.end) throw new RangeError('field longer than its message');
    cursor.pos = from + length;
    return bytes.subarray(from, from + length);
  };
  while (cursor.pos < cursor.end) {
    const tag = readUvarint(cursor);
    const [number, type] = [Math.floor(tag / 8), tag % 8];
    if (type === VARINT) fields.push([number, readUvarint(cursor)]);
    else if (type === BYTES) fields.push([number, take(readUvarint(cursor))]);
    else if (type === FIXED64) fields.push([number, take(8)]);
    else if (type === FIXED32) fields.push([number, take(4)]);
    else throw new RangeError(`wire type ${type}`);
  }
  return fields;
}

/** The text of a field; '' when it is absent. The last one counts. */
export function textField(fields: readonly ProtobufField[], number: number): string {
  const content = fields.findLast(([n]) => n === number)?.[1];
  return content instanceof Uint8Array ? decodeUtf8(content) : '';
}

/** The bytes of each field with that number. */
export function bytesFields(fields: readonly ProtobufField[], number: number): Uint8Array[] {
  return fields.flatMap(([n, content]) =>
    n === number && content instanceof Uint8Array ? [content] : [],
  );
}

/** The number of a field; 0 when it is absent. */
export function numberField(fields: readonly ProtobufField[], number: number): number {
  const content = fields.findLast(([n]) => n === number)?.[1];
  return typeof content === 'number' ? content : 0;
}

/** A message of fields; texts become UTF-8, and fields with several contents are repeated. */
export function writeFields(
  ...fields: readonly (readonly [number: number, content: number | string | Uint8Array])[]
): Uint8Array {
  return Buffer.concat(fields.flatMap(([number, content]) => writeField(number, content)));
}

function writeField(number: number, content: number | string | Uint8Array): Uint8Array[] {
  if (typeof content === 'number') return [uvarint(number * 8 + VARINT), uvarint(content)];
  const bytes = typeof content === 'string' ? encodeUtf8(content) : content;
  return [uvarint(number * 8 + BYTES), uvarint(bytes.length), bytes];
}

function uvarint(value: number): Uint8Array {
  const out = new Uint8Array(sizeUvarint(value));
  writeUvarint(out, 0, value);
  return out;
}
