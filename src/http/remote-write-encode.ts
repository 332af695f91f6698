/** Encodes remote write 1.0 requests (prometheus.WriteRequest), for what this process writes to itself. */
import { encodeUtf8 } from '../lib/utf8.ts';
import { sizeUvarint, writeUvarint } from '../lib/varint.ts';

/** A series with one sample. */
export interface OutgoingSample {
  /** name, value, … sorted by name. */
  readonly labels: readonly string[];
  readonly value: number;
  readonly timestampMs: number;
}

/** The bytes of a request with one series a sample, not compressed, in a buffer of their own. */
export function encodeWriteRequest(samples: readonly OutgoingSample[]): Uint8Array<ArrayBuffer> {
  const parts = samples.map((sample) => lengthDelimited(0x0a, timeSeries(sample)));
  return concat(parts);
}

function timeSeries({ labels, value, timestampMs }: OutgoingSample): Uint8Array {
  const parts: Uint8Array[] = [];
  for (let i = 0; i < labels.length; i += 2) {
    const name = lengthDelimited(0x0a, encodeUtf8(labels[i] as string));
    const text = lengthDelimited(0x12, encodeUtf8(labels[i + 1] as string));
    parts.push(lengthDelimited(0x0a, concat([name, text])));
  }
  const sample = new Uint8Array(20);
  sample[0] = 0x09;
  new DataView(sample.buffer).setFloat64(1, value, true);
  sample[9] = 0x10;
  const end = writeUvarint(sample, 10, timestampMs);
  parts.push(lengthDelimited(0x12, sample.subarray(0, end)));
  return concat(parts);
}

function lengthDelimited(tag: number, content: Uint8Array): Uint8Array {
  const head = 1 + sizeUvarint(content.length);
  const out = new Uint8Array(head + content.length);
  out[0] = tag;
  writeUvarint(out, 1, content.length);
  out.set(content, head);
  return out;
}

function concat(parts: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  let size = 0;
  for (const part of parts) size += part.length;
  const out = new Uint8Array(size);
  let at = 0;
  for (const part of parts) {
    out.set(part, at);
    at += part.length;
  }
  return out;
}
