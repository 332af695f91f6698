/** Structs in Thrift's binary protocol: numbers big-endian, each field as type, number and value, a struct ends with 0. */

const TYPE = { bool: 2, double: 4, int32: 8, int64: 10, text: 11, struct: 12, list: 15 } as const;

/** Writes the fields of one struct; nested ones by callbacks. */
export class ThriftWriter {
  readonly #parts: Buffer[] = [];

  bool(field: number, value: boolean): void {
    this.#field(TYPE.bool, field);
    this.#parts.push(Buffer.from([value ? 1 : 0]));
  }

  double(field: number, value: number): void {
    this.#field(TYPE.double, field);
    const bytes = Buffer.alloc(8);
    bytes.writeDoubleBE(value);
    this.#parts.push(bytes);
  }

  int32(field: number, value: number): void {
    this.#field(TYPE.int32, field);
    this.#length(value);
  }

  /** A whole number that a double holds. */
  int64(field: number, value: number): void {
    this.#field(TYPE.int64, field);
    const bytes = Buffer.alloc(8);
    bytes.writeBigInt64BE(BigInt(Math.round(value)));
    this.#parts.push(bytes);
  }

  /** Eight bytes, as 16 hexadecimal digits. */
  id(field: number, digits: string): void {
    this.#field(TYPE.int64, field);
    this.#parts.push(Buffer.from(digits, 'hex'));
  }

  text(field: number, value: string): void {
    this.#field(TYPE.text, field);
    const bytes = Buffer.from(value, 'utf8');
    this.#length(bytes.length);
    this.#parts.push(bytes);
  }

  struct(field: number, write: () => void): void {
    this.#field(TYPE.struct, field);
    write();
    this.#end();
  }

  /** A list of structs. */
  list<T>(field: number, items: readonly T[], write: (item: T) => void): void {
    this.#field(TYPE.list, field);
    this.#parts.push(Buffer.from([TYPE.struct]));
    this.#length(items.length);
    for (const item of items) {
      write(item);
      this.#end();
    }
  }

  /** Ends the struct. */
  finish(): Buffer {
    this.#end();
    return Buffer.concat(this.#parts);
  }

  #field(type: number, field: number): void {
    this.#parts.push(Buffer.from([type, field >> 8, field & 255]));
  }

  #length(value: number): void {
    const bytes = Buffer.alloc(4);
    bytes.writeInt32BE(value);
    this.#parts.push(bytes);
  }

  #end(): void {
    this.#parts.push(Buffer.from([0]));
  }
}
