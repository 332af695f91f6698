/**
 * Writes an index of version 1, as early releases of Prometheus 2 did (docs/format/index.md, "Version 1"): for tests, plainly and
 * all in memory. Chunks may be in any order, as those of some old blocks are.
 */
import { crc32c } from '@node-rs/crc32';
import type { Labels } from '../../src/model/labels.ts';

/** A series of the index. */
export interface IndexedSeries {
  readonly labels: Labels;
  readonly chunks: readonly {
    readonly mint: number;
    readonly maxt: number;
    readonly ref: number;
  }[];
}

function u32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
}

function u64(value: number): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64BE(BigInt(value));
  return bytes;
}

/** As Go casts an int64 to uint64: differences below zero take ten bytes. */
function uvarint(value: number): Buffer {
  const bytes: number[] = [];
  let rest = BigInt.asUintN(64, BigInt(value));
  for (; rest >= 128n; rest >>= 7n) bytes.push(Number(rest & 127n) | 128);
  return Buffer.from([...bytes, Number(rest)]);
}

function varint(value: number): Buffer {
  return uvarint(value < 0 ? -value * 2 - 1 : value * 2);
}

function text(value: string): Buffer {
  const bytes = Buffer.from(value);
  return Buffer.concat([uvarint(bytes.length), bytes]);
}

/** Length, content, checksum. */
function section(...parts: Buffer[]): Buffer {
  const content = Buffer.concat(parts);
  return Buffer.concat([u32(content.length), content, u32(crc32c(content))]);
}

/** The file's bytes; series in label order. */
export function encodeIndexV1(series: readonly IndexedSeries[]): Buffer {
  const file: Buffer[] = [];
  let size = 0;
  const put = (bytes: Buffer): number => {
    file.push(bytes);
    size += bytes.length;
    return size - bytes.length;
  };
  put(Buffer.from('baaad70001', 'hex'));
  const places = new Map<string, number>();
  const symbols: Buffer[] = [];
  // Behind the section's length and count.
  let at = size + 8;
  for (const symbol of new Set(series.flatMap(({ labels }) => labels.pairs))) {
    places.set(symbol, at);
    const bytes = text(symbol);
    symbols.push(bytes);
    at += bytes.length;
  }
  const symbolsAt = put(section(u32(places.size), ...symbols));
  const seriesAt = size;
  const lists = new Map<string, { pair: readonly [string, string]; refs: number[] }>();
  const note = (name: string, value: string, ref: number): void => {
    const key = JSON.stringify([name, value]);
    const list = lists.get(key) ?? { pair: [name, value], refs: [] };
    lists.set(key, list);
    list.refs.push(ref);
  };
  for (const one of series) {
    const entry = encodeSeries(one, places);
    const ref = put(Buffer.concat([uvarint(entry.length), entry, u32(crc32c(entry))]));
    for (const [name, value] of one.labels) note(name, value, ref);
    note('', '', ref);
  }
  const indicesAt = put(section(u32(0)));
  const table: Buffer[] = [];
  const postingsAt = size;
  for (const { pair, refs } of lists.values()) {
    const offset = put(section(u32(refs.length), ...refs.map(u32)));
    table.push(uvarint(2), text(pair[0]), text(pair[1]), uvarint(offset));
  }
  const indicesTableAt = put(section(u32(0)));
  const tableAt = put(section(u32(lists.size), ...table));
  const toc = Buffer.concat(
    [symbolsAt, seriesAt, indicesAt, indicesTableAt, postingsAt, tableAt].map(u64),
  );
  put(Buffer.concat([toc, u32(crc32c(toc))]));
  return Buffer.concat(file);
}

function encodeSeries({ labels, chunks }: IndexedSeries, places: Map<string, number>): Buffer {
  const parts = [uvarint(labels.size)];
  for (const symbol of labels.pairs) parts.push(uvarint(places.get(symbol) as number));
  parts.push(uvarint(chunks.length));
  let [time, before] = [0, 0];
  for (const [i, { mint, maxt, ref }] of chunks.entries()) {
    parts.push(i === 0 ? varint(mint) : uvarint(mint - time), uvarint(maxt - mint));
    parts.push(i === 0 ? uvarint(ref) : varint(ref - before));
    [time, before] = [maxt, ref];
  }
  return Buffer.concat(parts);
}
