/**
 * The WAL record of series that are not logged yet, in the arena: the kernel appends those that it makes, TypeScript the
 * others (docs/format/wal.md).
 */
import { sizeUvarint, writeUvarint } from '../../lib/varint.ts';
import { RECORD } from '../wal/records.ts';
import type { ArenaWriter } from './arena.ts';
import { H } from './arena-layout.ts';

const FIRST_BYTES = 1 << 20;

/** Makes the record's room. @throws CodedError unavailable when the arena is full. */
export function openSeriesRecord(arena: ArenaWriter): void {
  arena.setHeader(H.seriesRecord, arena.allocRegion(FIRST_BYTES));
  arena.setHeader(H.seriesRecordCapacity, FIRST_BYTES);
}

/** The record; empty when all series are logged. A view, valid until the next series. */
export function seriesRecord(arena: ArenaWriter): Uint8Array {
  const at = arena.header(H.seriesRecord);
  return arena.u8.subarray(at, at + arena.header(H.seriesRecordLength));
}

/** All series are logged. */
export function clearSeriesRecord(arena: ArenaWriter): void {
  arena.setHeader(H.seriesRecordLength, 0);
}

/**
 * Makes room for so many bytes of label texts.
 * @throws CodedError unavailable when the arena is full.
 */
export function reserveSeriesRecord(arena: ArenaWriter, textBytes: number): void {
  const length = arena.header(H.seriesRecordLength);
  const need = length + textBytes + 64;
  const have = arena.header(H.seriesRecordCapacity);
  if (need <= have) return;
  let capacity = have;
  while (capacity < need) capacity *= 2;
  const old = arena.header(H.seriesRecord);
  const fresh = arena.allocRegion(capacity);
  arena.u8.copyWithin(fresh, old, old + length);
  arena.setHeader(H.seriesRecord, fresh);
  arena.setHeader(H.seriesRecordCapacity, capacity);
  arena.freeRegion(old, have);
}

/** Appends a series: labels are name, value, … in canonical order. Room has been made. */
export function appendSeries(arena: ArenaWriter, ref: number, labels: readonly Uint8Array[]): void {
  const begin = arena.header(H.seriesRecord);
  const { u8, view } = arena;
  let at = begin + arena.header(H.seriesRecordLength);
  if (at === begin) u8[at++] = RECORD.series;
  view.setUint32(at, Math.floor(ref / 4294967296));
  view.setUint32(at + 4, ref);
  at = writeUvarint(u8, at + 8, labels.length / 2);
  for (const part of labels) {
    at = writeUvarint(u8, at, part.length);
    u8.set(part, at);
    at += part.length;
  }
  arena.setHeader(H.seriesRecordLength, at - begin);
}

/** Bytes that labels take in a record. */
export function recordedBytes(labels: readonly Uint8Array[]): number {
  let bytes = 0;
  for (const part of labels) bytes += part.length + sizeUvarint(part.length);
  return bytes;
}
