/** Protobuf the plain way, to judge fast readers and writers by: fields as a list, varints as bigints. */

/** A field: its number, and a varint or the bytes of any other wire type. */
export type Field = readonly [number: number, content: bigint | Buffer];

/** The fields of a message, in order. @throws RangeError or Error when it is none. */
export function fieldsOf(message: Uint8Array): Field[] {
  const bytes = Buffer.from(message);
  const out: Field[] = [];
  let at = 0;
  const next = (): bigint => {
    let value = 0n;
    for (let shift = 0n; ; shift += 7n) {
      const byte = bytes.readUInt8(at++);
      value |= BigInt(byte & 127) << shift;
      if (byte < 128) return BigInt.asUintN(64, value);
    }
  };
  while (at < bytes.length) {
    const tag = Number(next());
    if ((tag & 7) === 0) {
      out.push([tag >> 3, next()]);
      continue;
    }
    const size = (tag & 7) === 1 ? 8 : (tag & 7) === 5 ? 4 : Number(next());
    if (at + size > bytes.length) throw new Error(`field ${tag >> 3} ends at ${at + size}`);
    out.push([tag >> 3, bytes.subarray(at, at + size)]);
    at += size;
  }
  return out;
}

/** The contents of all length-delimited or fixed fields with a number. */
export function contentsOf(message: readonly Field[], number: number): Buffer[] {
  return message.filter(([n]) => n === number).map(([, content]) => content as Buffer);
}

/** The last content of a number, which is the one that counts. */
export function lastOf(message: readonly Field[], number: number): bigint | Buffer | undefined {
  return message.findLast(([n]) => n === number)?.[1];
}

/** An int64 field; 0 when absent. */
export function intOf(message: readonly Field[], number: number): number {
  return Number(BigInt.asIntN(64, (lastOf(message, number) ?? 0n) as bigint));
}

/** The bytes of a varint; negative numbers take ten. */
export function varint(value: number): Buffer {
  const out: number[] = [];
  let rest = BigInt.asUintN(64, BigInt(value));
  for (; rest >= 128n; rest >>= 7n) out.push(Number(rest & 127n) | 128);
  return Buffer.from([...out, Number(rest)]);
}

/** A field: a number is a varint, anything else length-delimited, its parts put together. */
export function field(number: number, ...parts: (Buffer | string | number)[]): Buffer {
  const [first] = parts;
  if (typeof first === 'number') return Buffer.concat([varint(number * 8), varint(first)]);
  const bytes = Buffer.concat(parts.map((part) => Buffer.from(part as string)));
  return Buffer.concat([varint(number * 8 + 2), varint(bytes.length), bytes]);
}

/** A field of wire type 1. */
export function doubleField(number: number, value: number): Buffer {
  const bytes = Buffer.alloc(9);
  bytes[0] = number * 8 + 1;
  bytes.writeDoubleLE(value, 1);
  return bytes;
}
