/**
 * Changes to the index of a head that are no appends (docs/format/head-arena.md, "Publishing"): under the index' epoch,
 * which is odd meanwhile. Readers that looked at the index beside it look again.
 */
import { readFence } from '../../lib/fence.ts';
import { enterShield, leaveShield } from '../../lib/shield.ts';
import { H, HEADER, PAIR } from './arena-layout.ts';
import type { ArenaView, ArenaWriter } from './arena.ts';
import { letReadersGo } from './newest-times.ts';

const EPOCH = (HEADER + H.indexEpoch) >>> 2;
const WAITING = (HEADER + H.waiting) >>> 2;
/** limit: how long one side waits for the other (ms). */
const WAIT_MS = 50;
/** How often a reader looks again before it asks the writer to wait. */
const TRIES = 4;

/** Runs a change. Readers that wait for their turn go first. */
export function changeIndex(arena: ArenaWriter, change: () => void): void {
  letReadersGo(arena);
  Atomics.add(arena.i32, EPOCH, 1);
  try {
    change();
  } finally {
    Atomics.add(arena.i32, EPOCH, 1);
    Atomics.notify(arena.i32, EPOCH);
  }
}

/** The epoch of an index, which is even: waits while it is being changed. */
export function indexEpoch(view: ArenaView): number {
  for (;;) {
    const epoch = Atomics.load(view.i32, EPOCH);
    if ((epoch & 1) === 0) return epoch;
    Atomics.wait(view.i32, EPOCH, epoch, WAIT_MS);
  }
}

/**
 * What `look` finds in the indexes of arenas, none of which changed meanwhile; `onChange` is called before it looks at one
 * that has changed since the epochs given, which are brought up to date.
 */
export function lookStably<T>(
  views: readonly ArenaView[],
  epochs: number[],
  onChange: (arena: number) => void,
  look: () => T,
): T {
  let held = false;
  try {
    for (let n = 1; ; n++) {
      if (n > TRIES && !held) {
        enterShield();
        held = true;
        for (const view of views) Atomics.add(view.i32, WAITING, 1);
      }
      for (const [arena, view] of views.entries()) {
        const epoch = indexEpoch(view);
        if (epoch === epochs[arena]) continue;
        epochs[arena] = epoch;
        onChange(arena);
      }
      const found = look();
      readFence();
      if (views.every((view, arena) => Atomics.load(view.i32, EPOCH) === epochs[arena]))
        return found;
    }
  } finally {
    if (held) {
      for (const view of views) release(view);
      leaveShield();
    }
  }
}

function release(view: ArenaView): void {
  Atomics.sub(view.i32, WAITING, 1);
  Atomics.notify(view.i32, WAITING);
}

/** The place of a pair's number in the table of pairs; -1 when it is not there. */
export function pairPlace(arena: ArenaWriter, hash: number, number: number): number {
  const table = arena.header(H.pairTable) >>> 2;
  const mask = arena.u32[table] as number;
  for (let i = (hash & mask) >>> 0; ; i = (i + 1) & mask) {
    const entry = arena.u32[table + 1 + i] as number;
    if (entry === 0) return -1;
    if (entry === number + 1) return i;
  }
}

/** Empties a place of the table of pairs, and moves entries behind it that would not be found any more. */
export function removePair(arena: ArenaWriter, place: number): void {
  const { u32 } = arena;
  const table = arena.header(H.pairTable) >>> 2;
  const mask = u32[table] as number;
  let hole = place;
  for (let i = (place + 1) & mask; ; i = (i + 1) & mask) {
    const entry = u32[table + 1 + i] as number;
    if (entry === 0) break;
    const at = arena.record(arena.header(H.pairSlabs), PAIR.bytes, entry - 1);
    const ideal = (arena.get(at + PAIR.hash) & mask) >>> 0;
    if (((i - ideal) & mask) < ((i - hole) & mask)) continue;
    u32[table + 1 + hole] = entry;
    hole = i;
  }
  u32[table + 1 + hole] = 0;
}
