import { deepEqual, equal, throws } from 'node:assert/strict';
import { test } from 'node:test';
import { META_VERSION } from '../block/meta.ts';
import type { BlockMeta } from '../block/meta.ts';
import { FROM_OUT_OF_ORDER } from './cut-block.ts';
import {
  FROM_SELECTED_SERIES,
  FROM_STALE_SERIES,
  blockRanges,
  exponentialRanges,
  planCompaction,
} from './plan.ts';
import type { PlanOptions } from './plan.ts';

const HOUR = 3_600_000;
const RANGES = blockRanges({ minMs: 2 * HOUR, maxMs: 18 * HOUR });

const HINTS: Readonly<Record<string, string>> = {
  stale: FROM_STALE_SERIES,
  selected: FROM_SELECTED_SERIES,
  late: FROM_OUT_OF_ORDER,
};

/** `2..4` is a block of hours 2 to 4; behind it may stand `!` (failed), `~` and a hint, `#` tombstones `/` series. */
const BLOCK = /^(-?\d+)\.\.(-?\d+)(!?)(?:~(\w+))?(?:#(\d+)\/(\d+))?$/;

function block(text: string): { name: string; meta: BlockMeta } {
  const [, from, to, failed, hint, tombstones = '0', series = '100'] = BLOCK.exec(text) ?? [];
  const hints = hint === undefined ? {} : { hints: [HINTS[hint] ?? ''] };
  return {
    name: `${from}..${to}`,
    meta: {
      ulid: '',
      minTime: Number(from) * HOUR,
      maxTime: Number(to) * HOUR,
      stats: { numSeries: Number(series), numTombstones: Number(tombstones) },
      compaction: { level: 1, ...(failed === '!' && { failed: true }), ...hints },
      version: META_VERSION,
      extra: {},
    },
  };
}

function plan(blocks: string, want: string, options: Partial<PlanOptions> = {}): void {
  const parsed = blocks === '' ? [] : blocks.split(' ').map(block);
  const planned = planCompaction(parsed, { ranges: RANGES, ...options });
  equal(planned.map(({ name }) => name).join(' '), want, blocks);
}

test('plan: lengths of blocks', () => {
  deepEqual(exponentialRanges(2, 4, 3), [2, 6, 18, 54]);
  deepEqual(blockRanges({ minMs: 2, maxMs: 54 }), [2, 6, 18, 54]);
  deepEqual(blockRanges({ minMs: 2, maxMs: 53 }), [2, 6, 18]);
  deepEqual(blockRanges({ minMs: 2, maxMs: 1 }), [2]);
  deepEqual(blockRanges({ minMs: 2, maxMs: 1e9 }).length, 10);
  throws(() => planCompaction([], { ranges: [] }), RangeError);
});

test('plan: blocks that fill a range, or that a newer block shows to be all of it', () => {
  plan('', '');
  plan('0..2', '');
  // The newest is left alone, and what is before it does not fill six hours.
  plan('0..2 2..4 4..6', '');
  plan('0..2 2..4 4..6 6..8', '0..2 2..4 4..6');
  // In any order.
  plan('6..8 4..6 0..2 2..4', '0..2 2..4 4..6');
  // A gap: the range is known to get no more only when a block behind it is not the newest.
  plan('0..2 4..6 6..8', '0..2 4..6');
  plan('0..2 2..4 6..8', '');
  plan('0..2 2..4 6..8 8..10', '0..2 2..4');
  plan('2..4 4..6 12..14 14..16', '2..4 4..6');
  // One block in a range is no work.
  plan('0..2 6..8 12..14 18..20', '');
  plan('0..2 6..8 12..14 18..20 20..22', '0..2 6..8 12..14');
  plan('0..2 18..20 36..38 54..56', '');
  // Ranges begin at multiples of their length, also before 1970.
  plan('4..6 6..8 8..10 10..12', '');
  plan('-6..-4 -4..-2 -2..0 0..2', '-6..-4 -4..-2 -2..0');
  // Short lengths first; then blocks of six hours become one of eighteen.
  plan('0..6 6..12 12..18 18..20', '0..6 6..12 12..18');
  plan('0..6 6..12 12..14 14..16 16..18 18..20', '12..14 14..16 16..18');
  // Longer than any range, or across the end of one: passed over.
  plan('0..54 54..56 56..58 58..60 60..62', '54..56 56..58 58..60');
  plan('0..2 2..4 5..7 8..10 18..20 20..22', '0..2 2..4');
  // A single range: nothing to become longer.
  plan('0..2 2..4 4..6 6..8', '', { ranges: [2 * HOUR] });
});

test('plan: a range with a block whose compaction failed is passed over', () => {
  plan('0..2 2..4! 4..6 6..8', '');
  plan('0..2 2..4! 4..6 6..8 8..10 10..12 12..14', '6..8 8..10 10..12');
});

test('plan: blocks that overlap go first, the newest of them, too', () => {
  plan('0..2 1..3', '0..2 1..3');
  plan('0..2 1..3', '', { overlapping: false });
  plan('0..2 0..2', '0..2 0..2');
  // Touching is not overlapping.
  plan('0..2 2..4', '');
  plan('0..2 2..4 4..6 6..8 7..9', '6..8 7..9');
  // A run ends where a block begins behind all before it; the next run waits.
  plan('0..2 1..4 3..6 6..8 7..9', '0..2 1..4 3..6');
  // Inside a long one, with others between that touch neither.
  plan('0..20 2..4 6..8 20..22', '0..20 2..4 6..8');
  // One that failed, too.
  plan('0..2 4..6! 5..7', '4..6 5..7');
});

test('plan: blocks with many tombstones', () => {
  // More than 5 % of the series and one more.
  plan('0..18#6/100 18..20', '0..18');
  plan('0..18#5/100 18..20', '');
  // The newest is left alone.
  plan('0..18 18..36#50/100', '');
  // The middle one of the lengths is long enough.
  plan('0..6#6/100 18..20', '0..6');
  plan('0..2#6/100 18..20', '');
  // Too short, but nothing is left of it.
  plan('0..2#100/100 18..20', '0..2');
  plan('0..2#0/0 18..20', '');
  // From the newest to the oldest, up to the first that is too short.
  plan('0..18#50/100 18..36#50/100 36..38', '18..36');
  plan('0..18#50/100 18..20 36..38', '');
});

test('plan: blocks of some series only stay among themselves, and after the others', () => {
  plan('0..2 0..2~stale', '');
  plan('0..2 0..2~stale 1..3~stale', '0..2 1..3');
  plan('0..2 0..2~stale 1..3~stale 1..4', '0..2 1..4');
  plan('4..6~selected 5..7~selected 0..2~stale 1..3~stale', '0..2 1..3');
  plan('4..6~selected 5..7~selected 0..2~stale 2..4~stale', '4..6 5..7');
  // Of each kind the newest is left alone.
  plan('0..2~stale 2..4~stale 4..6~stale 6..8', '');
  plan('0..2~stale 2..4~stale 4..6~stale 6..8~stale 8..10', '0..2 2..4 4..6');
  // Out of order is no such kind.
  plan('0..2 0..2~late', '0..2 0..2');
});

test('plan: from an excluded block on nothing is looked at', () => {
  const isExcluded = ({ minTime }: BlockMeta): boolean => minTime === 6 * HOUR;
  plan('0..2 2..4 4..6 6..8', '', { isExcluded });
  plan('0..2 2..4 4..6 5..7 6..8', '4..6 5..7', { isExcluded });
  plan('6..8 0..2 1..3', '', { isExcluded });
});
