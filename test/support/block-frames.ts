/** The plain way to read a block: whole files in memory, frame by frame. What the readers of src/ are compared with. */
import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { crc32c } from '@node-rs/crc32';
import { decodeXorTwin } from '../../src/chunkenc/xor-twin.ts';
import type { Labels } from '../../src/model/labels.ts';
import { BytesSource } from '../../src/tsdb/index/byte-source.ts';
import { IndexReader } from '../../src/tsdb/index/index-reader.ts';
import { LabelStore } from '../../src/tsdb/index/label-store.ts';
import { SeriesEntry } from '../../src/tsdb/index/series-entry.ts';

/** A chunk as a segment holds it. */
export interface Frame {
  readonly encoding: number;
  /** With the count in front. */
  readonly data: Buffer;
}

/** A chunk with what the index says of it. */
export interface PlacedChunk extends Frame {
  readonly ref: number;
  readonly mint: number;
  readonly maxt: number;
}

/** A series of a block. */
export interface BlockSeries {
  /** Its number in the index. */
  readonly number: number;
  readonly labels: Labels;
  readonly chunks: readonly PlacedChunk[];
}

/** Samples in columns; bits of values are exact. */
export interface Columns {
  readonly t: Float64Array;
  readonly v: Float64Array;
}

/** All frames of all segments by ref; checksums are verified, and that there is nothing between them. */
export function readFrames(directory: string): Map<number, Frame> {
  const frames = new Map<number, Frame>();
  const names = readdirSync(join(directory, 'chunks')).toSorted((a, b) => (a < b ? -1 : 1));
  for (const [segment, name] of names.entries()) {
    const bytes = readFileSync(join(directory, 'chunks', name));
    for (let at = 8; at < bytes.length;) {
      const start = at;
      let length = 0;
      for (let shift = 0, more = true; more; shift += 7) {
        const byte = bytes[at++] as number;
        length += (byte & 0x7f) * 2 ** shift;
        more = byte >= 0x80;
      }
      const end = at + 1 + length;
      if (crc32c(bytes.subarray(at, end)) !== bytes.readUInt32BE(end)) {
        throw new Error(`${name}: no chunk at ${start}`);
      }
      const data = bytes.subarray(at + 1, end);
      frames.set(segment * 2 ** 32 + start, { encoding: bytes[at] as number, data });
      at = end + 4;
    }
  }
  return frames;
}

/** All series of a block with their chunks, and its symbols. */
export function readBlock(directory: string): { symbols: string[]; series: BlockSeries[] } {
  const frames = readFrames(directory);
  const source = new BytesSource(readFileSync(join(directory, 'index')));
  const index = new IndexReader(source, directory, new LabelStore());
  const entry = new SeriesEntry();
  const series = Array.from(index.all(), (number) => {
    index.readSeries(number, entry);
    const chunks = Array.from({ length: entry.chunkCount }, (_, i) => {
      const ref = entry.refs[i] as number;
      const frame = frames.get(ref);
      if (frame === undefined) throw new Error(`no chunk at ref ${ref}`);
      return { ref, mint: entry.mint[i] as number, maxt: entry.maxt[i] as number, ...frame };
    });
    return { number, labels: index.labelsOf(number, entry), chunks };
  });
  return { symbols: [...index.symbols], series };
}

/** How many samples a chunk says it has. */
export function countOf(data: Buffer): number {
  return data.readUInt16BE(0);
}

/** The samples of XOR chunks, one behind the other, by the TypeScript decoder. */
export function decodeXor(chunks: readonly Buffer[]): Columns {
  let total = 0;
  for (const data of chunks) total += countOf(data);
  const t = new Float64Array(total);
  const v = new Float64Array(total);
  const out = { t, halves: new Uint32Array(v.buffer) };
  let at = 0;
  for (const data of chunks) {
    const n = decodeXorTwin(data, 0, data.length, countOf(data), out, at, false);
    if (n < 0) throw new Error('not an XOR chunk');
    at += n;
  }
  return { t, v };
}
