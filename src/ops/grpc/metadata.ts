/**
 * Metadata of calls: ASCII texts by lower-case names, and bytes under names that end in `-bin`, which travel as
 * base64. A name may have several values.
 */
import { CodedError } from '../../lib/errors.ts';

/** A value: bytes if and only if its name ends in `-bin`. */
export type MetadataValue = string | Uint8Array;

const BINARY = '-bin';

/** Headers that belong to the protocol. */
const RESERVED: ReadonlySet<string> = new Set([
  'content-type',
  'te',
  'grpc-encoding',
  'grpc-accept-encoding',
  'grpc-message',
  'grpc-message-type',
  'grpc-status',
  'grpc-timeout',
]);

/** Headers of HTTP that HTTP/2 does not allow and Node refuses to send. */
const CONNECTION: ReadonlySet<string> = new Set([
  'connection',
  'host',
  'http2-settings',
  'keep-alive',
  'proxy-connection',
  'transfer-encoding',
  'upgrade',
]);

/** Values by name, in the order in which they were added. */
export class GrpcMetadata {
  readonly #values = new Map<string, MetadataValue[]>();

  /** @throws CodedError internal for names and values that cannot be sent. */
  constructor(values: Readonly<Record<string, MetadataValue | readonly MetadataValue[]>> = {}) {
    for (const [name, value] of Object.entries(values)) {
      const list = typeof value === 'string' || value instanceof Uint8Array ? [value] : value;
      for (const one of list) this.add(name, one);
    }
  }

  /** From the headers of a stream as Node gives them raw: names and values in turns. Broken base64 is left out. */
  static fromHeaders(raw: readonly string[]): GrpcMetadata {
    const metadata = new GrpcMetadata();
    for (let i = 0; i + 1 < raw.length; i += 2) {
      const name = raw[i] as string;
      if (name.startsWith(':') || RESERVED.has(name)) continue;
      const value = raw[i + 1] as string;
      if (!name.endsWith(BINARY)) metadata.#push(name, value);
      else {
        // Proxies may join values of one name, and base64 has no comma.
        for (const part of value.split(',')) metadata.#push(name, Buffer.from(part, 'base64'));
      }
    }
    return metadata;
  }

  get size(): number {
    return this.#values.size;
  }

  /** The first text of that name. */
  get(name: string): string | undefined {
    const value = this.#values.get(name)?.[0];
    return typeof value === 'string' ? value : undefined;
  }

  /** The first bytes of that name, which ends in `-bin`. */
  getBytes(name: string): Uint8Array | undefined {
    const value = this.#values.get(name)?.[0];
    return value instanceof Uint8Array ? value : undefined;
  }

  /** All values of a name. */
  getAll(name: string): readonly MetadataValue[] {
    return this.#values.get(name) ?? [];
  }

  /** Adds a value, without spaces around it. @throws CodedError internal when name or value cannot be sent. */
  add(name: string, value: MetadataValue): this {
    const key = name.toLowerCase();
    checkName(key);
    checkValue(key, value);
    // HTTP/2 drops headers that begin or end with a space (RFC 9113, section 8.2.1).
    this.#push(key, typeof value === 'string' ? value.trim() : value);
    return this;
  }

  /** Replaces the values of a name. @throws CodedError internal when name or value cannot be sent. */
  set(name: string, value: MetadataValue): this {
    this.#values.delete(name.toLowerCase());
    return this.add(name, value);
  }

  delete(name: string): void {
    this.#values.delete(name.toLowerCase());
  }

  [Symbol.iterator](): IterableIterator<[string, readonly MetadataValue[]]> {
    return this.#values.entries();
  }

  /** Adds these values to headers that are to be sent. */
  writeTo(headers: Record<string, string | string[] | number | undefined>): void {
    for (const [name, values] of this.#values) {
      const texts = values.map((value) =>
        typeof value === 'string'
          ? value
          : Buffer.from(value).toString('base64').replaceAll('=', ''),
      );
      headers[name] = texts.length === 1 ? texts[0] : texts;
    }
  }

  #push(name: string, value: MetadataValue): void {
    const values = this.#values.get(name);
    if (values === undefined) this.#values.set(name, [value]);
    else values.push(value);
  }
}

function checkName(name: string): void {
  if (!/^[0-9a-z_.-]+$/.test(name)) {
    throw new CodedError(
      'internal',
      `header key ${JSON.stringify(name)} contains illegal characters not in [0-9a-z-_.]`,
    );
  }
  if (RESERVED.has(name) || CONNECTION.has(name)) {
    throw new CodedError('internal', `header key ${JSON.stringify(name)} is reserved`);
  }
}

function checkValue(name: string, value: MetadataValue): void {
  if (name.endsWith(BINARY) !== value instanceof Uint8Array) {
    const want = name.endsWith(BINARY) ? 'bytes' : 'text';
    throw new CodedError('internal', `header key ${JSON.stringify(name)} takes ${want}`);
  }
  if (typeof value === 'string' && !/^[ -~]*$/.test(value)) {
    throw new CodedError(
      'internal',
      `header key ${JSON.stringify(name)} contains value with non-printable ASCII characters`,
    );
  }
}
