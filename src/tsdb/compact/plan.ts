/**
 * Which blocks are to be compacted next: a decision about their metas, without I/O. Behaviour: prometheus tsdb/compact.go,
 * LeveledCompactor.Plan.
 *
 *   overlapping blocks ──► a full range of 6 h, 18 h, … ──► an old block with many tombstones
 */
import type { BlockCompaction, BlockMeta } from '../block/meta.ts';

/** Blocks of a head that held a part of its series only (Prometheus' own hints); they say nothing of where it begins. */
export const FROM_STALE_SERIES = 'from-stale-series';
export const FROM_SELECTED_SERIES = 'from-selected-series';

/** What the plan needs of a block; ListedBlock has it. */
export interface PlannedBlock {
  readonly meta: BlockMeta;
}

/** What a plan is made for. */
export interface PlanOptions {
  /** Lengths of block ranges in ms, ascending, each a multiple of the one before: {@link blockRanges}. */
  readonly ranges: readonly number[];
  /** Whether blocks that overlap are compacted, and before all others; true as in Prometheus. */
  readonly overlapping?: boolean;
  /** Answers true for a block that must stay as it is; neither it nor any block behind it in the list is looked at then. */
  readonly isExcluded?: (meta: BlockMeta) => boolean;
}

/** limit: lengths of ranges that Prometheus knows: 2 h to 4.5 years. */
const RANGE_STEPS = 10;
/** How many ranges make the next one. */
const RANGE_FACTOR = 3;
/** What part of its series a block may have tombstones for. */
const TOMBSTONES_MAX = 0.05;

/** `steps` lengths, the first of them `first`, each `factor` times the one before. */
export function exponentialRanges(first: number, steps: number, factor: number): number[] {
  return Array.from({ length: steps }, (_, i) => first * factor ** i);
}

/** The lengths of blocks between the shortest and the longest, both in ms: 2 h, 6 h, 18 h, … */
export function blockRanges({ minMs, maxMs }: { minMs: number; maxMs: number }): number[] {
  const longest = Math.max(minMs, maxMs);
  return exponentialRanges(minMs, RANGE_STEPS, RANGE_FACTOR).filter((range) => range <= longest);
}

/**
 * The blocks that are to become one, in order of their begin; none when there is nothing to do. `blocks` come in order of
 * their ULIDs, as {@link listBlocks} has them.
 */
export function planCompaction<B extends PlannedBlock>(
  blocks: readonly B[],
  { ranges, overlapping = true, isExcluded = () => false }: PlanOptions,
): B[] {
  if (ranges.length === 0) throw new RangeError('BUG: no block ranges');
  const excluded = blocks.findIndex(({ meta }) => isExcluded(meta));
  const open = excluded < 0 ? blocks : blocks.slice(0, excluded);
  // Blocks of some series only stay among themselves: mixed with others they would lose their hint, and the block would
  // seem to say that the log before its end is not needed.
  const classes = Map.groupBy(open, ({ meta }) => classOf(meta.compaction));
  for (const name of CLASSES) {
    const planned = planClass(classes.get(name) ?? [], ranges, overlapping);
    if (planned.length > 0) return planned;
  }
  return [];
}

/** In the order in which they are served. */
const CLASSES = ['whole', 'stale', 'selected'] as const;

function classOf({ hints = [] }: BlockCompaction): (typeof CLASSES)[number] {
  if (hints.includes(FROM_STALE_SERIES)) return 'stale';
  return hints.includes(FROM_SELECTED_SERIES) ? 'selected' : 'whole';
}

function planClass<B extends PlannedBlock>(
  blocks: readonly B[],
  ranges: readonly number[],
  overlapping: boolean,
): B[] {
  // A stable sort: of equal begins the older ULID goes first.
  const sorted = [...blocks].sort((a, b) => a.meta.minTime - b.meta.minTime);
  const clash = overlapping ? firstOverlap(sorted) : [];
  if (clash.length > 0) return clash;
  // The newest block stays for the length of a block, so that it can be backed up as it is.
  const old = sorted.slice(0, -1);
  const range = firstFullRange(old, ranges);
  return range.length > 0 ? range : tombstoned(old, ranges);
}

/** The first run of blocks that overlap, each with any of those before it. */
function firstOverlap<B extends PlannedBlock>(sorted: readonly B[]): B[] {
  let end = -Infinity;
  let found = -1;
  for (const [i, { meta }] of sorted.entries()) {
    const overlaps = meta.minTime < end;
    if (overlaps && found < 0) found = i - 1;
    if (!overlaps && found >= 0) return sorted.slice(found, i);
    end = Math.max(end, meta.maxTime);
  }
  return found < 0 ? [] : sorted.slice(found);
}

/**
 * The first range, shortest lengths first, that has several blocks and gets no more: they fill it from end to end, or
 * a newer block begins behind it.
 */
function firstFullRange<B extends PlannedBlock>(
  sorted: readonly B[],
  ranges: readonly number[],
): B[] {
  const newest = sorted.at(-1)?.meta.minTime ?? -Infinity;
  for (const length of ranges.slice(1)) {
    for (const part of splitByRange(sorted, length)) {
      if (part.length < 2 || part.some(({ meta }) => meta.compaction.failed === true)) continue;
      const mint = (part[0] as B).meta.minTime;
      const maxt = (part.at(-1) as B).meta.maxTime;
      if (maxt - mint === length || maxt <= newest) return part;
    }
  }
  return [];
}

/**
 * Blocks by the ranges of a length, counted from time 0, that they lie in; those that lie in none are left out. Blocks
 * [0,10) [10,20) [50,60) [90,100) and a length of 30 are [0,10) [10,20), [50,60), [90,100).
 */
function splitByRange<B extends PlannedBlock>(sorted: readonly B[], length: number): B[][] {
  const parts: B[][] = [];
  for (let i = 0; i < sorted.length;) {
    const end = (Math.floor((sorted[i] as B).meta.minTime / length) + 1) * length;
    const from = i;
    while (i < sorted.length && (sorted[i] as B).meta.maxTime <= end) i++;
    if (i > from) parts.push(sorted.slice(from, i));
    else i++;
  }
  return parts;
}

/** The newest block of some length with too many tombstones, or one that is deleted wholly behind all of those. */
function tombstoned<B extends PlannedBlock>(sorted: readonly B[], ranges: readonly number[]): B[] {
  const longEnough = ranges[Math.floor(ranges.length / 2)] as number;
  for (const block of sorted.toReversed()) {
    const { minTime, maxTime, stats } = block.meta;
    const { numTombstones = 0, numSeries = 0 } = stats;
    if (maxTime - minTime < longEnough) {
      // compat: shorter blocks are looked at no further, also when older ones are long.
      return numTombstones > 0 && numTombstones >= numSeries ? [block] : [];
    }
    if (numTombstones / (numSeries + 1) > TOMBSTONES_MAX) return [block];
  }
  return [];
}
