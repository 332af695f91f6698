/**
 * Plans as text to blocks: the documents of a stream, each one block or a list of blocks. Every field is checked, one
 * that nobody knows is refused, and errors name line and field.
 */
import { CodedError, errorText } from '../../lib/errors.ts';
import { parseGoDuration } from '../../lib/go-duration.ts';
import { compareUtf8 } from '../../lib/utf8.ts';
import { GENERATOR_TYPES } from './block-spec.ts';
import type { BlockSpec, GeneratorType, SeriesSpec } from './block-spec.ts';
import { readPlanTrees } from './plan-tree.ts';
import type { PlanNode, PlanScalar } from './plan-tree.ts';

/** COUNTER samples are drawn for so long at a time: an interval beyond it would give none. */
const COUNTER_BATCH_MS = 300_000;

/** limit: series of one entry, so that a slip of the keyboard does not fill the memory. */
const TARGETS_MAX = 10_000_000;

/** limit: samples of one series, whose chunks are in memory at once: 95 years at 15 s. */
const SAMPLES_MAX = 200_000_000;

/** limit: ms that have a date. */
const TIME_MAX = 8_640_000_000_000_000;

/**
 * The blocks of a plan, in its order; `source` names the text in errors, as in `stdin`.
 * @throws CodedError bad_data with line and field.
 */
export async function readPlan(text: string, source: string): Promise<BlockSpec[]> {
  const reader = new PlanReader(source);
  return (await readPlanTrees(text, source)).flatMap((tree) =>
    tree.kind === 'list'
      ? tree.items.map((item, i) => reader.block(item, `[${i}].`))
      : [reader.block(tree, '')],
  );
}

/** The values of a mapping by name; what is absent is null. */
type Fields = ReadonlyMap<string, PlanNode>;

class PlanReader {
  readonly #source: string;

  constructor(source: string) {
    this.#source = source;
  }

  block(node: PlanNode, at: string): BlockSpec {
    const block = this.#map(node, at === '' ? 'the block' : at.slice(0, -1), ['meta', 'series']);
    const meta = this.#part(block, 'meta', at, ['blockmeta', 'thanos']);
    const own = this.#part(meta, 'blockmeta', `${at}meta.`, BLOCK_META_FIELDS);
    const compaction = this.#part(own, 'compaction', `${at}meta.blockmeta.`, COMPACTION_FIELDS);
    this.#part(own, 'stats', `${at}meta.blockmeta.`, STATS_FIELDS);
    const series = block.get('series');
    const spec = {
      minTime: this.#time(own, 'mintime', `${at}meta.blockmeta.`),
      maxTime: this.#time(own, 'maxtime', `${at}meta.blockmeta.`),
      level: this.#integer(compaction, 'level', `${at}meta.blockmeta.compaction.`),
      thanos: this.#thanos(meta, `${at}meta.`),
      series: this.#list(series, `${at}series`).map((item, i) =>
        this.#series(item, `${at}series[${i}]`),
      ),
    };
    if (spec.series.length > 0) return spec;
    throw this.#bad(series ?? node, `${at}series is empty: a block needs at least one`);
  }

  #thanos(meta: Fields, at: string): BlockSpec['thanos'] {
    const thanos = this.#part(meta, 'thanos', at, THANOS_FIELDS);
    const inside = `${at}thanos.`;
    for (const name of ['segmentfiles', 'files', 'rewrites']) {
      const items = this.#list(thanos.get(name), inside + name);
      const [first] = items;
      if (first !== undefined) {
        throw this.#bad(first, `${inside}${name} must be empty: a new block has files of its own`);
      }
    }
    const version = this.#integer(thanos, 'version', inside);
    if (version !== 0 && version !== 1) {
      throw this.#bad(thanos.get('version'), `${inside}version is ${version}, expected 0 or 1`);
    }
    const downsample = this.#part(thanos, 'downsample', inside, ['resolution']);
    return {
      version,
      labels: this.#labels(thanos.get('labels'), `${inside}labels`),
      resolution: this.#integer(downsample, 'resolution', `${inside}downsample.`),
      source: this.#text(thanos, 'source', inside),
    };
  }

  #series(node: PlanNode, name: string): SeriesSpec {
    const fields = this.#map(node, name, SERIES_FIELDS);
    const at = `${name}.`;
    const series = {
      labels: this.#labels(fields.get('labels'), `${at}labels`),
      targets: this.#integer(fields, 'targets', at),
      type: this.#type(fields, at, node),
      minTime: this.#time(fields, 'mintime', at),
      maxTime: this.#time(fields, 'maxtime', at),
      jitter: this.#float(fields, 'jitter', at),
      // compat: Go cuts the interval to whole milliseconds.
      scrapeIntervalMs: Math.trunc(this.#duration(fields, 'scrapeInterval', at)),
      changeIntervalMs: Math.trunc(this.#duration(fields, 'changeInterval', at)),
      max: this.#float(fields, 'max', at),
      min: this.#float(fields, 'min', at),
    };
    if (series.targets < 0 || series.targets > TARGETS_MAX) {
      const range = `from 0 to ${TARGETS_MAX}`;
      throw this.#bad(
        fields.get('targets'),
        `${at}targets is ${series.targets}, expected ${range}`,
      );
    }
    if (series.scrapeIntervalMs <= 0) {
      const where = fields.get('scrapeInterval') ?? node;
      throw this.#bad(where, `${at}scrapeInterval must be 1ms or more`);
    }
    const samples = (series.maxTime - series.minTime) / series.scrapeIntervalMs;
    if (samples > SAMPLES_MAX) {
      const problem = `has ${Math.floor(samples)} samples, at most ${SAMPLES_MAX} can be made`;
      throw this.#bad(fields.get('maxtime') ?? node, `${name} ${problem}`);
    }
    if (series.type === 'COUNTER' && series.scrapeIntervalMs > COUNTER_BATCH_MS) {
      const where = fields.get('scrapeInterval');
      throw this.#bad(where, `${at}scrapeInterval must be 5m or less for the type COUNTER`);
    }
    return series;
  }

  #type(fields: Fields, at: string, series: PlanNode): GeneratorType {
    const text = this.#text(fields, 'type', at);
    const type = GENERATOR_TYPES.find((known) => known === text);
    if (type !== undefined) return type;
    const problem = `${at}type: unknown type: ${text}, expected ${GENERATOR_TYPES.join(', ')}`;
    throw this.#bad(fields.get('type') ?? series, problem);
  }

  #labels(node: PlanNode | undefined, name: string): [string, string][] {
    const labels = [...this.#map(node, name)].map(([label, value]): [string, string] => {
      if (value.kind !== 'scalar') throw this.#bad(value, `${name}.${label} must be a text`);
      return [label, isNull(value) ? '' : value.text];
    });
    return labels.toSorted(([a], [b]) => compareUtf8(a, b));
  }

  /** A mapping inside another one. */
  #part(fields: Fields, key: string, at: string, known: readonly string[]): Fields {
    return this.#map(fields.get(key), at + key, known);
  }

  #map(node: PlanNode | undefined, name: string, known?: readonly string[]): Fields {
    const fields = new Map<string, PlanNode>();
    if (node === undefined || (node.kind === 'scalar' && isNull(node))) return fields;
    if (node.kind !== 'map') throw this.#bad(node, `${name} must be a mapping`);
    for (const entry of node.entries) {
      if (known !== undefined && !known.includes(entry.key)) {
        const field = `${name} has an unknown field ${JSON.stringify(entry.key)}`;
        throw this.#bad(entry, `${field}, expected ${known.join(', ')}`);
      }
      if (fields.has(entry.key)) {
        throw this.#bad(entry, `${name} has ${JSON.stringify(entry.key)} twice`);
      }
      fields.set(entry.key, entry.value);
    }
    return fields;
  }

  #list(node: PlanNode | undefined, name: string): readonly PlanNode[] {
    if (node === undefined || (node.kind === 'scalar' && isNull(node))) return [];
    if (node.kind !== 'list') throw this.#bad(node, `${name} must be a list`);
    return node.items;
  }

  /** A scalar, undefined when it is absent or null. */
  #scalar(fields: Fields, key: string, at: string): PlanScalar | undefined {
    const node = fields.get(key);
    if (node === undefined) return undefined;
    if (node.kind !== 'scalar') throw this.#bad(node, `${at}${key} must be a single value`);
    return isNull(node) ? undefined : node;
  }

  #text(fields: Fields, key: string, at: string): string {
    return this.#scalar(fields, key, at)?.text ?? '';
  }

  #integer(fields: Fields, key: string, at: string): number {
    const node = this.#scalar(fields, key, at);
    if (node === undefined) return 0;
    const value = !node.quoted && /^[-+]?\d+$/.test(node.text) ? Number(node.text) : NaN;
    if (Number.isSafeInteger(value)) return value;
    throw this.#bad(node, `${at}${key} is ${shown(node)}, expected a whole number`);
  }

  /** Milliseconds since the epoch. */
  #time(fields: Fields, key: string, at: string): number {
    const value = this.#integer(fields, key, at);
    if (Math.abs(value) <= TIME_MAX) return value;
    throw this.#bad(fields.get(key), `${at}${key} is ${value}, expected a time in ms`);
  }

  #float(fields: Fields, key: string, at: string): number {
    const node = this.#scalar(fields, key, at);
    if (node === undefined) return 0;
    const number = /^[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?$/;
    const value = !node.quoted && number.test(node.text) ? Number(node.text) : NaN;
    if (Number.isFinite(value)) return value;
    throw this.#bad(node, `${at}${key} is ${shown(node)}, expected a number`);
  }

  /** Milliseconds. compat: a bare number is nanoseconds, as Go's durations are. */
  #duration(fields: Fields, key: string, at: string): number {
    const node = this.#scalar(fields, key, at);
    if (node === undefined) return 0;
    if (!node.quoted && /^-?\d+$/.test(node.text)) return Number(node.text) / 1e6;
    try {
      return parseGoDuration(node.text);
    } catch (thrown) {
      throw this.#bad(node, `${at}${key}: ${errorText(thrown)}`);
    }
  }

  #bad(node: { readonly line: number } | undefined, problem: string): CodedError {
    const place = node === undefined ? '' : `:${node.line}`;
    return new CodedError('bad_data', `${this.#source}${place}: ${problem}`);
  }
}

const SERIES_FIELDS = [
  'labels',
  'targets',
  'type',
  'mintime',
  'maxtime',
  'jitter',
  'scrapeInterval',
  'changeInterval',
  'max',
  'min',
];
const BLOCK_META_FIELDS = ['ulid', 'mintime', 'maxtime', 'stats', 'compaction', 'version'];
const COMPACTION_FIELDS = ['level', 'sources', 'deletable', 'parents', 'failed', 'hints'];
const STATS_FIELDS = [
  'numsamples',
  'numfloatsamples',
  'numhistogramsamples',
  'numseries',
  'numchunks',
  'numtombstones',
];
const THANOS_FIELDS = [
  'version',
  'labels',
  'downsample',
  'source',
  'segmentfiles',
  'files',
  'rewrites',
];

function isNull(node: PlanScalar): boolean {
  return !node.quoted && /^(?:|~|null|Null|NULL)$/.test(node.text);
}

function shown(node: PlanScalar): string {
  return JSON.stringify(node.text.slice(0, 100));
}
