/** Builds remote write bodies fast: label bytes are made once, samples are put behind them. */
import { compressSync } from 'snappy';
import { sizeUvarint, writeUvarint } from '../../src/lib/varint.ts';

/** The field-1 messages of a label set, as a body repeats them. */
export function labelBytes(labels: readonly (readonly [string, string])[]): Uint8Array {
  return Buffer.concat(
    labels.map(([name, value]) => {
      const pair = Buffer.concat([field(0x0a, Buffer.from(name)), field(0x12, Buffer.from(value))]);
      return field(0x0a, pair);
    }),
  );
}

function field(tag: number, content: Uint8Array): Uint8Array {
  const out = new Uint8Array(1 + sizeUvarint(content.length) + content.length);
  out[0] = tag;
  out.set(content, writeUvarint(out, 1, content.length));
  return out;
}

/** A body under construction: one sample a series. */
export class BodyBuilder {
  #bytes = Buffer.alloc(1 << 20);
  #at = 0;

  /** Appends a series with one sample; t is a positive integer. */
  add(labels: Uint8Array, t: number, v: number): void {
    const sample = 10 + sizeUvarint(t);
    const size = labels.length + 2 + sample;
    if (this.#at + size + 16 > this.#bytes.length) {
      this.#bytes = Buffer.concat([this.#bytes, Buffer.alloc(this.#bytes.length)]);
    }
    const bytes = this.#bytes;
    bytes[this.#at] = 0x0a;
    let at = writeUvarint(bytes, this.#at + 1, size);
    bytes.set(labels, at);
    at += labels.length;
    bytes[at++] = 0x12;
    bytes[at++] = sample;
    bytes[at++] = 0x09;
    at = bytes.writeDoubleLE(v, at);
    bytes[at++] = 0x10;
    this.#at = writeUvarint(bytes, at, t);
  }

  /** The body so far, snappy-compressed; begins a new one. */
  take(): Buffer<ArrayBuffer> {
    const out = compressSync(this.#bytes.subarray(0, this.#at), { copyOutputData: true });
    this.#at = 0;
    return Buffer.from(out);
  }
}

/** Posts a body; answers the status. */
export async function postBody(url: string, body: Buffer<ArrayBuffer>): Promise<number> {
  const response = await fetch(url, {
    method: 'POST',
    headers: {
      'content-type': 'application/x-protobuf',
      'content-encoding': 'snappy',
      'x-prometheus-remote-write-version': '0.1.0',
    },
    body,
  });
  await response.arrayBuffer();
  return response.status;
}
