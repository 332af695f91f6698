/**
 * What takes most of a head: series by metric name, values by label name, and so on (prometheus tsdb/index/postings.go,
 * MemPostings.Stats; tsdb/head.go). Any thread may look, beside the writer.
 */
import { compareUtf8 } from '../../lib/utf8.ts';
import type { ArenaMemory } from './arena.ts';
import { ArenaView } from './arena.ts';
import { H, HEADER, PAIR, S } from './arena-layout.ts';
import { PostingsReader } from './postings-reader.ts';

/** How often something occurs, or how much it takes. */
export interface Counted {
  readonly name: string;
  readonly value: number;
}

/** Cardinality of a head; lists hold so many entries at most, the largest first. */
export interface Cardinality {
  readonly numSeries: number;
  readonly numLabelPairs: number;
  readonly chunkCount: number;
  /** Times of its oldest and newest sample in ms; undefined when there is none. */
  readonly minTime: number | undefined;
  readonly maxTime: number | undefined;
  readonly seriesCountByMetricName: readonly Counted[];
  readonly labelValueCountByLabelName: readonly Counted[];
  /** Bytes of a label's values, each as often as there are series with it. */
  readonly memoryInBytesByLabelName: readonly Counted[];
  /** Names are `label=value`. */
  readonly seriesCountByLabelValuePair: readonly Counted[];
}

/** Counts what the arenas of a head hold. */
export function headCardinality(memories: readonly ArenaMemory[], limit: number): Cardinality {
  const metrics = new Map<string, number>();
  const values = new Map<string, number>();
  const bytes = new Map<string, number>();
  const pairs = new Map<string, number>();
  let numSeries = 0;
  let chunkCount = 0;
  let minTime = Infinity;
  let maxTime = -Infinity;
  for (const memory of memories) {
    const view = new ArenaView(memory);
    const reader = new PostingsReader(view);
    numSeries += reader.seriesCount - view.header(H.dead);
    chunkCount += countChunks(view, reader.seriesCount);
    minTime = Math.min(minTime, view.getI64(HEADER + H.mint));
    maxTime = Math.max(maxTime, view.getI64(HEADER + H.maxt));
    const count = view.published(H.pairCount);
    for (let number = 0; number < count; number++) {
      const at = view.record(view.header(H.pairSlabs), PAIR.bytes, number);
      const series = Atomics.load(view.i32, (at + PAIR.count) >>> 2);
      if (series === 0) continue;
      const name = reader.name(number);
      const value = reader.value(number);
      // A pair that several arenas have is one.
      if (!pairs.has(`${name}=${value}`)) add(values, name, 1);
      add(pairs, `${name}=${value}`, series);
      add(bytes, name, view.get(at + PAIR.valueLength) * series);
      if (name === '__name__') add(metrics, value, series);
    }
  }
  return {
    numSeries,
    numLabelPairs: pairs.size,
    chunkCount,
    minTime: minTime > maxTime ? undefined : minTime,
    maxTime: minTime > maxTime ? undefined : maxTime,
    seriesCountByMetricName: largest(metrics, limit),
    labelValueCountByLabelName: largest(values, limit),
    memoryInBytesByLabelName: largest(bytes, limit),
    seriesCountByLabelValuePair: largest(pairs, limit),
  };
}

function countChunks(view: ArenaView, seriesCount: number): number {
  let count = 0;
  for (let i = 0; i < seriesCount; i++) {
    const at = view.record(view.header(H.seriesSlabs), S.bytes, i);
    count += view.get(at + S.metaCount) + (view.get(at + S.chunk) === 0 ? 0 : 1);
  }
  return count;
}

function add(counts: Map<string, number>, name: string, value: number): void {
  counts.set(name, (counts.get(name) ?? 0) + value);
}

function largest(counts: ReadonlyMap<string, number>, limit: number): Counted[] {
  return [...counts]
    .sort((a, b) => b[1] - a[1] || compareUtf8(a[0], b[0]))
    .slice(0, limit)
    .map(([name, value]) => ({ name, value }));
}
