/**
 * Looks into a head for tests: what its arenas and files hold, read without the code under test; and Prometheus' rule
 * for chunks, written from its description, to compare with.
 */
import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { XorAppender } from '../../src/chunkenc/xor-twin.ts';
import { systemFiles } from '../../src/lib/file-layer.ts';
import type { FileLayer } from '../../src/lib/file-layer.ts';
import { nopLogger } from '../../src/lib/log.ts';
import type { Logger } from '../../src/lib/log.ts';
import { HeadChunkWriter } from '../../src/tsdb/chunks/head-chunk-writer.ts';
import { createArenaMemory } from '../../src/tsdb/head/arena.ts';
import type { ArenaMemory } from '../../src/tsdb/head/arena.ts';
import { H, META, META_BLOCK, S, X } from '../../src/tsdb/head/arena-layout.ts';
import { HeadWriter } from '../../src/tsdb/head/head-writer.ts';
import { replayHead } from '../../src/tsdb/head/replay.ts';
import { readSegment } from '../../src/tsdb/wal/wal-reader.ts';
import { WalWriter, segmentIndexes } from '../../src/tsdb/wal/wal-writer.ts';

/** A head over a directory, open for writes. */
export interface ProbedHead extends Disposable {
  readonly head: HeadWriter;
  readonly directory: string;
  readonly memories: readonly ArenaMemory[];
}

/** How {@link openHead} makes a head. */
export interface ProbeOptions {
  readonly twin?: boolean;
  readonly arenas?: number;
  readonly arenaBytes?: number;
  readonly files?: FileLayer;
  readonly log?: Logger;
  readonly exemplarsMax?: number;
  /** Called before replay. */
  readonly prepare?: (head: HeadWriter) => void;
}

/** Replays a directory into a fresh head and opens it for writes; disposal closes it. */
export function openHead(directory: string, options: ProbeOptions = {}): ProbedHead {
  const memories = Array.from({ length: options.arenas ?? 1 }, () =>
    createArenaMemory(options.arenaBytes ?? 24 << 20),
  );
  const log = options.log ?? nopLogger;
  const { twin = false, exemplarsMax = 0 } = options;
  const head = new HeadWriter({ memories, log, twin, exemplarsMax });
  options.prepare?.(head);
  replayHead(head, directory, nopLogger);
  const files = options.files ?? systemFiles;
  const wal = new WalWriter({ directory: join(directory, 'wal'), files, log: nopLogger });
  head.attach({ wal }, new HeadChunkWriter(join(directory, 'chunks_head'), files));
  return {
    head,
    directory,
    memories,
    [Symbol.dispose]: () => {
      head.close();
      wal.close();
    },
  };
}

/** One chunk of a series, its bytes with the count in front. */
export interface ProbedChunk {
  readonly mint: number;
  readonly maxt: number;
  readonly bytes: string;
}

/** The chunks of every series, by its labels, oldest first; the open chunk is the last one. */
export function chunksOf({ head, directory }: ProbedHead): Record<string, ProbedChunk[]> {
  const out: Record<string, ProbedChunk[]> = {};
  for (const ingest of head.arenas) {
    const { arena } = ingest;
    for (let i = 0; i < arena.header(H.seriesCount); i++) {
      const series = arena.record(arena.header(H.seriesSlabs), S.bytes, i);
      const chunks: ProbedChunk[] = [];
      const push = (mint: number, maxt: number, count: number, bytes: Uint8Array): void => {
        const copy = Buffer.from(bytes);
        copy.writeUInt16BE(count);
        chunks.push({ mint, maxt, bytes: copy.toString('hex') });
      };
      const open = arena.get(series + S.chunk);
      const published = arena.get(series + S.published);
      if (open !== 0) {
        const histogram = arena.u8[series + S.encoding] !== 0;
        const length = histogram
          ? arena.get(arena.get(series + S.extra) + X.openLength)
          : Math.ceil((published & 0xffff) / 8);
        const bytes = arena.u8.slice(open, open + length);
        const mint = arena.getI64(series + S.chunkMint);
        push(mint, arena.getI64(series + S.lastT), published >>> 16, bytes);
      }
      for (let block = arena.get(series + S.metas); block !== 0;) {
        for (let k = arena.get(block + META_BLOCK.count) - 1; k >= 0; k--) {
          const meta = block + META_BLOCK.header + k * META.bytes;
          const file = arena.get(meta + META.file);
          const offset = arena.get(meta + META.offset);
          const from =
            file === 0
              ? arena.u8
              : readFileSync(join(directory, 'chunks_head', String(file).padStart(6, '0')));
          push(
            arena.getI64(meta + META.mint),
            arena.getI64(meta + META.maxt),
            arena.view.getUint16(meta + META.count, true),
            from.slice(offset, offset + arena.get(meta + META.length)),
          );
        }
        block = arena.get(block + META_BLOCK.previous);
      }
      out[ingest.describe(series)] = chunks.reverse();
    }
  }
  return out;
}

/** All records of a directory's WAL, in hex, in order. */
export function walRecords(directory: string): string[] {
  const records: string[] = [];
  const wal = join(directory, 'wal');
  if (!existsSync(wal)) return records;
  for (const index of segmentIndexes(wal)) {
    readSegment(
      wal,
      index,
      (record) => records.push(Buffer.from(record).toString('hex')),
      (damage) => {
        throw new Error(damage.reason);
      },
    );
  }
  return records;
}

/** The files of a folder of a TSDB directory. */
export function fileNames(directory: string, folder: string): string[] {
  return readdirSync(join(directory, folder)).toSorted((a, b) => (a < b ? -1 : 1));
}

/** A sample: time and the two halves of its value. */
export type BitSample = readonly [t: number, high: number, low: number];

/** The samples of a WAL record of type 2, by ref. */
export function decodeSamplesRecord(hex: string): [ref: number, ...BitSample][] {
  const bytes = Buffer.from(hex, 'hex');
  const baseRef = bytes.readBigUInt64BE(1);
  const baseT = bytes.readBigInt64BE(9);
  let at = 17;
  const zigzag = (): bigint => {
    let value = 0n;
    for (let shift = 0n; ; shift += 7n) {
      const byte = bytes[at++] as number;
      value |= BigInt(byte & 127) << shift;
      if (byte < 128) break;
    }
    return (value & 1n) === 1n ? -(value >> 1n) - 1n : value >> 1n;
  };
  const out: [number, number, number, number][] = [];
  while (at < bytes.length) {
    const ref = Number(baseRef + zigzag());
    const t = Number(baseT + zigzag());
    out.push([ref, t, bytes.readUInt32BE(at), bytes.readUInt32BE(at + 4)]);
    at += 8;
  }
  return out;
}

/** The chunks that Prometheus would make of a series' samples (tsdb/head_append.go, 120 samples, 2 h). */
export class ReferenceSeries {
  readonly #done: ProbedChunk[] = [];
  #open: { appender: XorAppender; mint: bigint; maxt: bigint; end: bigint } | undefined;

  /** Appends a sample that is newer than all before. */
  append([time, high, low]: BitSample): void {
    const t = BigInt(time);
    let chunk = this.#open;
    if (chunk !== undefined) {
      if (chunk.appender.count === 30) {
        // A quarter full: the rest of the range is divided evenly, at this rate of samples.
        const quarter = Number(chunk.maxt - chunk.mint + 1n);
        const chunks = Math.floor(Number(chunk.end - chunk.mint) / (quarter * 4));
        if (chunks > 1) {
          const share = Number(chunk.end - chunk.mint) / chunks;
          chunk.end = BigInt(Math.trunc(Number(chunk.mint) + share));
        }
      }
      const full = chunk.appender.bytes().length > 1005 || chunk.appender.count >= 240;
      if (full || t >= chunk.end) chunk = this.#cut();
    }
    if (chunk === undefined) {
      const end = (t / 7_200_000n) * 7_200_000n + 7_200_000n;
      chunk = { appender: new XorAppender(), mint: t, maxt: t, end };
      this.#open = chunk;
    }
    chunk.appender.append(time, high, low);
    chunk.maxt = t;
  }

  /** The chunks so far. */
  get chunks(): ProbedChunk[] {
    if (this.#open === undefined) return this.#done;
    const { appender, mint, maxt } = this.#open;
    const bytes = Buffer.from(appender.bytes()).toString('hex');
    return [...this.#done, { mint: Number(mint), maxt: Number(maxt), bytes }];
  }

  #cut(): undefined {
    this.#done.push(...this.chunks.slice(-1));
    this.#open = undefined;
  }
}

/** A protobuf field of wire type 2. */
export function messageField(number: number, content: Uint8Array | string): Buffer {
  const bytes = Buffer.from(content);
  return Buffer.concat([protobufVarint((number << 3) | 2), protobufVarint(bytes.length), bytes]);
}

/** A protobuf varint; negative numbers take ten bytes. */
export function protobufVarint(value: number | bigint): Buffer {
  const out: number[] = [];
  let rest = BigInt.asUintN(64, BigInt(value));
  for (; rest >= 0x80n; rest >>= 7n) out.push(Number(rest & 0x7fn) | 0x80);
  out.push(Number(rest));
  return Buffer.from(out);
}

/** A Label field of a TimeSeries. */
export function labelField(name: string, value: string): Buffer {
  return messageField(1, Buffer.concat([messageField(1, name), messageField(2, value)]));
}

/** A Sample field of a TimeSeries. */
export function sampleField([t, high, low]: BitSample): Buffer {
  const value = Buffer.alloc(9);
  value[0] = 0x09;
  value.writeUInt32LE(low, 1);
  value.writeUInt32LE(high, 5);
  return messageField(2, Buffer.concat([value, Buffer.from([0x10]), protobufVarint(t)]));
}

/** The halves of a number's bits. Not for signalling NaNs. */
export function halvesOf(value: number): [high: number, low: number] {
  const bytes = Buffer.alloc(8);
  bytes.writeDoubleBE(value);
  return [bytes.readUInt32BE(0), bytes.readUInt32BE(4)];
}
