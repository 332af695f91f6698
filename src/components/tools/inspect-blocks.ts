/**
 * The table of `tools bucket inspect`: one row a block, sorted by columns. Columns and formats: thanos
 * cmd/thanos/tools_bucket.go (printBlockData).
 */
import { metaPath } from '../../bucket/block-path.ts';
import { readThanos } from '../../bucket/meta.ts';
import type { ThanosMeta } from '../../bucket/meta.ts';
import { formatGoDuration, parseGoDuration } from '../../lib/go-duration.ts';
import { parseRfc3339 } from '../../lib/time-or-duration.ts';
import { compareUtf8 } from '../../lib/utf8.ts';
import type { BlockMeta } from '../../tsdb/block/meta.ts';
import { formatLocalTime } from './local-time.ts';
import type { TextTable } from './text-table.ts';

/** The columns, in order. */
export const INSPECT_COLUMNS: readonly string[] = [
  'ULID',
  'FROM',
  'UNTIL',
  'RANGE',
  'UNTIL-DOWN',
  '#SERIES',
  '#SAMPLES',
  '#CHUNKS',
  'COMP-LEVEL',
  'COMP-FAILED',
  'LABELS',
  'RESOLUTION',
  'SOURCE',
];

/** How many ms a block must cover to be downsampled from a resolution; the coarsest one is downsampled no further. */
const DOWNSAMPLED_FROM_MS: ReadonlyMap<number, number> = new Map([
  [0, 40 * 3600_000],
  [300_000, 10 * 24 * 3600_000],
]);

/** What to show, and in which order. */
export interface InspectOptions {
  /** External labels that a block must have, with these values. */
  readonly selector: readonly (readonly [string, string])[];
  /** Columns, the first one first; blocks that are equal in all of them are in the order of their ULIDs. */
  readonly sortBy: readonly string[];
}

/** The table of blocks. @throws CodedError corrupt when a meta's Thanos part is wrong. */
export function inspectTable(metas: Iterable<BlockMeta>, options: InspectOptions): TextTable {
  const rows: string[][] = [];
  for (const meta of metas) {
    const thanos = readThanos(meta, metaPath(meta.ulid));
    const selected = options.selector.every(
      ([name, value]) => Object.hasOwn(thanos.labels, name) && thanos.labels[name] === value,
    );
    if (selected) rows.push(rowOf(meta, thanos));
  }
  const columns = [...options.sortBy, 'ULID'].map((name) => INSPECT_COLUMNS.indexOf(name));
  const order = new CellOrder();
  rows.sort((a, b) => {
    const column = columns.find((i) => a[i] !== b[i]) ?? 0;
    return order.compare(a[column] ?? '', b[column] ?? '');
  });
  return { header: INSPECT_COLUMNS, rows };
}

function rowOf(meta: BlockMeta, { labels, downsample, source }: ThanosMeta): string[] {
  const { ulid, minTime, maxTime, stats, compaction } = meta;
  const range = maxTime - minTime;
  const least = DOWNSAMPLED_FROM_MS.get(downsample.resolution);
  const sorted = Object.entries(labels).toSorted(([a], [b]) => compareUtf8(a, b));
  return [
    ulid,
    formatLocalTime(Math.trunc(minTime / 1000) * 1000),
    formatLocalTime(Math.trunc(maxTime / 1000) * 1000),
    formatGoDuration(range),
    least === undefined ? '-' : formatGoDuration(least - range),
    grouped(stats.numSeries),
    grouped(stats.numSamples),
    grouped(stats.numChunks),
    grouped(compaction.level),
    String(compaction.failed ?? false),
    sorted.map(([name, value]) => `${name}=${value}`).join(','),
    formatGoDuration(downsample.resolution),
    source,
  ];
}

/** A count with a comma before each three digits. */
function grouped(count = 0): string {
  return String(count).replaceAll(/(?<=\d)(?=(?:\d{3})+$)/g, ',');
}

/** What a cell means, as far as it means something. */
interface CellMeaning {
  readonly time: number | undefined;
  readonly duration: number | undefined;
  readonly count: number | undefined;
}

/** The order of cells: two times, durations or counts by what they mean, anything else as text. */
class CellOrder {
  readonly #meanings = new Map<string, CellMeaning>();

  compare(a: string, b: string): number {
    const [x, y] = [this.#meaning(a), this.#meaning(b)];
    if (x.time !== undefined && y.time !== undefined) return x.time - y.time;
    if (x.duration !== undefined && y.duration !== undefined) return x.duration - y.duration;
    if (x.count !== undefined && y.count !== undefined) return x.count - y.count;
    return compareUtf8(a, b);
  }

  #meaning(text: string): CellMeaning {
    let meaning = this.#meanings.get(text);
    if (meaning === undefined) {
      const digits = text.replaceAll(',', '');
      meaning = {
        time: parseRfc3339(text),
        duration: durationOf(text),
        count: /^\d+$/.test(digits) ? Number(digits) : undefined,
      };
      this.#meanings.set(text, meaning);
    }
    return meaning;
  }
}

function durationOf(text: string): number | undefined {
  try {
    return parseGoDuration(text);
  } catch {
    return undefined;
  }
}
