/**
 * Isolation: a select sees whole writes only. In-order samples of a series ascend, so its newest time when the select is
 * made says which of them it sees; what is appended later is newer. The times of all its series are taken between two
 * writes: the writer makes `applied` odd while the samples of a write become visible.
 */
import { readFence } from '../../lib/fence.ts';
import { shielded } from '../../lib/shield.ts';
import { H, HEADER, S } from './arena-layout.ts';
import type { ArenaView } from './arena.ts';

/** How often the times are taken while writes come in between, before the writer is asked to wait. */
const TRIES = 8;
/** limit: how long a reader waits for one write to end (ms). */
const WAIT_MS = 50;

/** The newest time of each series (ms), all as of one moment between two writes. */
export function newestTimes(
  views: readonly ArenaView[],
  found: readonly { readonly arena: number; readonly address: number }[],
): Float64Array {
  const times = new Float64Array(found.length);
  const first = views[0] as ArenaView;
  for (let n = 0; n < TRIES; n++) {
    const before = first.published(H.applied);
    if ((before & 1) === 1) {
      Atomics.wait(first.i32, (HEADER + H.applied) >>> 2, before | 0, WAIT_MS);
      continue;
    }
    takeTimes(views, found, times);
    readFence();
    if (first.published(H.applied) === before) return times;
  }
  // Whoever is ended while the writer waits for him would make it wait at each write.
  return shielded(() => takeAlone(views, found, times));
}

/** Holds the writer back, for as long as looking at the series takes. */
function takeAlone(
  views: readonly ArenaView[],
  found: readonly { readonly arena: number; readonly address: number }[],
  times: Float64Array,
): Float64Array {
  const first = views[0] as ArenaView;
  const waiting = (HEADER + H.waiting) >>> 2;
  Atomics.add(first.i32, waiting, 1);
  try {
    const begun = first.published(H.applied);
    if ((begun & 1) === 1) Atomics.wait(first.i32, (HEADER + H.applied) >>> 2, begun | 0, WAIT_MS);
    takeTimes(views, found, times);
  } finally {
    Atomics.sub(first.i32, waiting, 1);
    Atomics.notify(first.i32, waiting);
  }
  return times;
}

function takeTimes(
  views: readonly ArenaView[],
  found: readonly { readonly arena: number; readonly address: number }[],
  times: Float64Array,
): void {
  for (const [i, { arena, address }] of found.entries())
    times[i] = (views[arena] as ArenaView).getI64(address + S.lastT);
}

/**
 * Lets readers of an arena go first that wait for it. One that died while it waited must not stop the writes: the wait ends
 * by itself.
 */
export function letReadersGo({ i32 }: ArenaView): void {
  const waiting = (HEADER + H.waiting) >>> 2;
  const readers = Atomics.load(i32, waiting);
  if (readers > 0) Atomics.wait(i32, waiting, readers, WAIT_MS);
}

/** The writer's side: what happens in `apply` becomes visible to selects at once. */
export function applyIsolated(first: ArenaView, apply: () => void): void {
  letReadersGo(first);
  const applied = (HEADER + H.applied) >>> 2;
  Atomics.add(first.i32, applied, 1);
  try {
    apply();
  } finally {
    Atomics.add(first.i32, applied, 1);
    Atomics.notify(first.i32, applied);
  }
}
