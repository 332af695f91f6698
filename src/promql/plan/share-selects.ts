/**
 * `rate(x[5m]) / rate(x[1h])` over half a day finds the series of x once: scans whose matchers are the same use one select, when
 * the samples of one are most of those of the other. Each scan still reads for itself, and bounds its windows itself.
 */
import { COUNTER_FUNCTIONS, type CounterView } from '../funcs/counter-view.ts';
import { mapPlan, planChildren } from './node.ts';
import type { PlanNode, QueryPlan, ScanNode, SelectPlan } from './node.ts';

/**
 * limits: a scan may read so much more than it needs, ms, or so large a part of what it needs. perf: over 1,500 series in blocks,
 * an instant `rate(x[5m]) / rate(x[1h])` that shared took 31 ms in place of 26, `[15m]` as long as before, `x / x` 25 in
 * place of 26; over two hours of steps `[1h]` took as long as before: decoding an hour costs more than finding series.
 */
const EXTRA_MS = 900_000;
const EXTRA_PART = 0.5;

/** The plan with fewer selects, numbered anew. */
export function shareSelects({ root, selects }: QueryPlan, counterView: CounterView): QueryPlan {
  const scans: ScanNode[] = [];
  const apart = new Set<number>();
  visit(root, (node) => {
    if (node.kind !== 'scan') return;
    scans.push(node);
    if (dependsOnRange(node, counterView)) apart.add(node.select.index);
  });
  const shareable = scans.map(({ select }) => select).filter(({ index }) => !apart.has(index));
  const hosts = findHosts(shareable);
  if (hosts.size === 0) return { root, selects };
  const kept = selects
    .filter(({ index }) => !hosts.has(index))
    .map((select, index) => ({ old: select.index, select: { ...select, index } }));
  const renumbered = new Map(kept.map(({ old, select }) => [old, select]));
  const now = ({ index }: SelectPlan): SelectPlan =>
    renumbered.get(hosts.get(index) ?? index) as SelectPlan;
  const moved = mapPlan(root, (node) =>
    node.kind === 'scan' || node.kind === 'raw' ? { ...node, select: now(node.select) } : node,
  );
  return { root: moved, selects: kept.map(({ select }) => select) };
}

/**
 * Whether more samples than asked for would change what a scan gives. timestamp() with `@` sees what was fetched for its
 * offset; extended ranges look for the samples beside theirs; Thanos' counters and the hints of histograms without buckets
 * begin with the first sample that is read.
 */
function dependsOnRange({ func, extension, statsOnly }: ScanNode, view: CounterView): boolean {
  if (func === 'timestamp' || func === 'start_timestamp') return true;
  if (extension !== 'none' || statsOnly) return true;
  return view === 'thanos' && COUNTER_FUNCTIONS.has(func);
}

/** The select that serves another one's scan, by their numbers. */
function findHosts(selects: readonly SelectPlan[]): Map<number, number> {
  const hosts = new Map<number, number>();
  const byMatchers = Map.groupBy(selects, matchersKey);
  for (const same of byMatchers.values()) {
    const kept: SelectPlan[] = [];
    // The widest first, so that what serves is never served itself.
    const widest = same.toSorted((a, b) => width(b) - width(a) || a.index - b.index);
    for (const select of widest) {
      const host = kept.find((other) => serves(other, select));
      if (host === undefined) kept.push(select);
      else hosts.set(select.index, host.index);
    }
  }
  return hosts;
}

function serves(host: SelectPlan, guest: SelectPlan): boolean {
  // Without a range nothing is selected at all.
  if (guest.mint > guest.maxt || guest.mint < host.mint || guest.maxt > host.maxt) return false;
  return width(host) - width(guest) <= Math.max(EXTRA_MS, width(guest) * EXTRA_PART);
}

function width({ mint, maxt }: SelectPlan): number {
  return maxt - mint + 1;
}

function matchersKey({ matchers }: SelectPlan): string {
  const keys = matchers.map(({ name, type, value }) => JSON.stringify([name, type, value]));
  // tidy: bare-sort: only that the order is the same for the same matchers matters.
  return keys.sort().join(' ');
}

function visit(node: PlanNode, see: (node: PlanNode) => void): void {
  see(node);
  for (const child of planChildren(node)) visit(child, see);
}
