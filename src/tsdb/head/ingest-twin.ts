/**
 * The ingest kernel in TypeScript: its specification and its fallback (src/kernels/ingest.as.ts), over the same memory.
 *
 * Same answers, same records, same chunk bytes; ingest-kernel.test.ts holds the two together. They differ in the hash,
 * and in times beyond 2^53 ms, which are doubles here. Values are two 32-bit halves and never a number.
 */
import type { IngestKernel } from '../../kernels/load.ts';
import { ArenaView } from './arena.ts';
import type { ArenaMemory } from './arena.ts';
import { H, S, STAGE } from './arena-layout.ts';
import { TwinAppender } from './ingest-twin-append.ts';
import { TwinParser, TwinVarints } from './ingest-twin-parse.ts';
import { TwinStager, bigEndianI64, bigEndianWord } from './ingest-twin-stage.ts';
import { TwinTable } from './ingest-twin-table.ts';

/** Makes the twin over an arena's memory. Like the kernel it keeps all state there. */
export function ingestTwin(memory: ArenaMemory): IngestKernel {
  const arena = new ArenaView(memory);
  const table = new TwinTable(arena);
  const stager = new TwinStager(arena);
  const appender = new TwinAppender(arena);
  const varints = new TwinVarints(arena.u8);
  const parser = new TwinParser(arena, table, stager, varints);
  const parts = { arena, table, appender, varints };
  return {
    hash: (h, p, length) => {
      table.hash(h, p, length);
      arena.set(h + H.hashLow, table.low);
      arena.set(h + H.hashHigh, table.high);
    },
    lookup: (h, key, length) => {
      table.hash(h, key, length);
      return table.find(h, key, length);
    },
    insert: (h, tagged) => table.insert(h, tagged),
    rehash: (h, at, capacity) => table.rehash(h, at, capacity),
    mapRef: (h, ref, series) => table.mapRef(h, ref, series),
    stageSampleAt: (h, series, at) => stager.stageAt(h, series, at),
    stage: (h, from, length) => parser.stage(h, from, length),
    freeBuffer: (h, at, sizeClass) => appender.freeBuffer(h, at, sizeClass),
    cutOpen: (h, series) => appender.cutOpen(h, series),
    addMeta: (h, series) => appender.addMeta(h, series),
    apply: (h) => appender.apply(h),
    replay: (h, from, length) => replay(parts, h, from, length),
    replaySeries: (h, from, length) => {
      // Each entry is left to the code that the kernel leaves unusual ones to.
      arena.set(h + H.stagedCount, 0);
      arena.set(h + H.resume, from);
      return from < length ? STAGE.miss : STAGE.done;
    },
  };
}

/** What replay works with. */
interface TwinParts {
  readonly arena: ArenaView;
  readonly table: TwinTable;
  readonly appender: TwinAppender;
  readonly varints: TwinVarints;
}

/**
 * Appends the samples of a WAL record (type 2) in the body buffer, from byte `from` (1 at first). Samples not newer
 * than their series' last are in chunks already and are passed over. Answers the position to go on from when the cut
 * list is full, `length` at the end, 0 for a malformed record, -1 when the arena is full.
 */
function replay(parts: TwinParts, h: number, from: number, length: number): number {
  const { arena, table, appender, varints } = parts;
  const { u8 } = arena;
  if (length === 1) return 1;
  if (length < 17) return 0;
  const body = arena.get(h + H.body);
  const end = body + length;
  const baseRef = bigEndianI64(u8, body + 1);
  const baseT = bigEndianI64(u8, body + 9);
  let pos = body + Math.max(from, 17);
  while (pos < end) {
    if (arena.get(h + H.cutCount) === arena.get(h + H.cutCapacity)) return pos - body;
    if (!varints.read(pos, end)) return 0;
    const ref = baseRef + varints.zigzag;
    if (!varints.read(varints.pos, end)) return 0;
    const t = baseT + varints.zigzag;
    pos = varints.pos + 8;
    if (pos > end) return 0;
    const series = ref < 0 || ref > 0xffffffff ? 0 : table.seriesOfRef(h, ref);
    if (series === 0) {
      arena.set(h + H.unknownRefs, arena.get(h + H.unknownRefs) + 1);
      continue;
    }
    const high = bigEndianWord(u8, pos - 8);
    const low = bigEndianWord(u8, pos - 4);
    if (t < arena.getI64(h + H.minValidTime)) continue;
    const lastT = arena.getI64(series + S.lastT);
    if (t > lastT) {
      if (!appender.append(h, series, t, low, high)) return -1;
    } else if (t === lastT && arena.u8[series + S.encoding] === 0) {
      // A chunk read from disk ends with a time only: the log still knows the value, which duplicates are judged by.
      arena.set(series + S.lastV, low);
      arena.set(series + S.lastV + 4, high);
    }
  }
  return length;
}
