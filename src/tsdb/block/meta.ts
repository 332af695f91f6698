/**
 * meta.json of a block (docs/format/block.md): what it holds, where it came from. Prometheus tsdb/block.go (BlockMeta)
 * is the format's home; Thanos adds a member `thanos` to it, which passes through here as it stands.
 *
 * Fields are checked by hand: every start reads the meta.json of every block before anything is served.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { CodedError, CorruptionError, errorText } from '../../lib/errors.ts';
import type { FileLayer } from '../../lib/file-layer.ts';
import { isUlid } from '../../model/ulid.ts';
import { writeFileDurably } from './durable-file.ts';

/** The file's name in the directory of the block. */
export const META_FILE = 'meta.json';

/** The version that we read and write. */
export const META_VERSION = 1;

/** Counts of what a block holds; absent is 0. */
export interface BlockStats {
  readonly numSamples?: number;
  readonly numFloatSamples?: number;
  readonly numHistogramSamples?: number;
  readonly numSeries?: number;
  readonly numChunks?: number;
  readonly numTombstones?: number;
}

/** A block by name and range. */
export interface BlockDescription {
  readonly ulid: string;
  /** ms, inclusive. */
  readonly minTime: number;
  /** ms, exclusive. */
  readonly maxTime: number;
}

/** How a block came about. */
export interface BlockCompaction {
  /** 1 for a block that was cut from a head, one more with each compaction. */
  readonly level: number;
  /** The blocks of level 1 that went into it, itself for one of those. */
  readonly sources?: readonly string[];
  /** Its compaction gave no samples, so it may be deleted. */
  readonly deletable?: boolean;
  /** The blocks that it was made from directly. */
  readonly parents?: readonly BlockDescription[];
  /** An earlier compaction of it failed. */
  readonly failed?: boolean;
  /** `from-out-of-order` and the like. */
  readonly hints?: readonly string[];
}

/** The content of meta.json. Times beyond 2^53 are as close as doubles get. */
export interface BlockMeta extends BlockDescription {
  readonly stats: BlockStats;
  readonly compaction: BlockCompaction;
  readonly version: number;
  /** Members that are not TSDB's own, `thanos` among them, carried as they stand. */
  readonly extra: Readonly<Record<string, unknown>>;
}

type JsonObject = Readonly<Record<string, unknown>>;

const STATS_FIELDS = [
  'numSamples',
  'numFloatSamples',
  'numHistogramSamples',
  'numSeries',
  'numChunks',
  'numTombstones',
] as const;

const OWN_MEMBERS = new Set(['ulid', 'minTime', 'maxTime', 'stats', 'compaction', 'version']);

/**
 * Reads the text of a meta.json; `path` is for error messages.
 * @throws CorruptionError that names the path and what is wrong with which field.
 */
export function parseBlockMeta(text: string, path: string): BlockMeta {
  return new MetaParser(text, path).parse();
}

class MetaParser {
  readonly #text: string;
  readonly #path: string;

  constructor(text: string, path: string) {
    this.#text = text;
    this.#path = path;
  }

  parse(): BlockMeta {
    const root = this.#object('', this.#json());
    // First, because another version may have other fields.
    if (root['version'] !== META_VERSION) {
      throw this.#wrong('version', root['version'], `the version ${META_VERSION}`);
    }
    const stats = this.#object('stats', root['stats'] ?? {});
    const counts = STATS_FIELDS.filter((name) => present(stats[name])).map((name) => [
      name,
      this.#count(`stats.${name}`, stats[name]),
    ]);
    return {
      ...this.#description('', root),
      stats: Object.fromEntries(counts) as BlockStats,
      compaction: this.#compaction(this.#object('compaction', root['compaction'] ?? {})),
      version: META_VERSION,
      extra: Object.fromEntries(Object.entries(root).filter(([name]) => !OWN_MEMBERS.has(name))),
    };
  }

  #json(): unknown {
    try {
      return JSON.parse(this.#text, keepExact);
    } catch (thrown) {
      const message = errorText(thrown);
      const offset = /at position (\d+)/.exec(message)?.[1];
      const at = offset === undefined ? this.#text.length : Number(offset);
      throw new CorruptionError(`not JSON: ${message}`, this.#path, at);
    }
  }

  #compaction(object: JsonObject): BlockCompaction {
    const { sources, deletable, parents, failed, hints } = object;
    return {
      level: this.#count('compaction.level', object['level'] ?? 0),
      ...(present(sources) && {
        sources: this.#list('compaction.sources', sources, (at, item) => this.#ulid(at, item)),
      }),
      ...(present(deletable) && {
        deletable: this.#boolean('compaction.deletable', deletable),
      }),
      ...(present(parents) && {
        parents: this.#list('compaction.parents', parents, (at, item) =>
          this.#description(`${at}.`, this.#object(at, item)),
        ),
      }),
      ...(present(failed) && { failed: this.#boolean('compaction.failed', failed) }),
      ...(present(hints) && {
        hints: this.#list('compaction.hints', hints, (at, item) => this.#string(at, item)),
      }),
    };
  }

  #description(prefix: string, object: JsonObject): BlockDescription {
    return {
      ulid: this.#ulid(`${prefix}ulid`, object['ulid']),
      minTime: this.#time(`${prefix}minTime`, object['minTime']),
      maxTime: this.#time(`${prefix}maxTime`, object['maxTime']),
    };
  }

  #object(field: string, value: unknown): JsonObject {
    if (typeof value !== 'object' || value === null || Array.isArray(value)) {
      throw this.#wrong(field, value, 'an object');
    }
    return value as JsonObject;
  }

  #list<T>(field: string, value: unknown, item: (at: string, value: unknown) => T): T[] {
    if (!Array.isArray(value)) throw this.#wrong(field, value, 'a list');
    return value.map((one: unknown, i) => item(`${field}[${i}]`, one));
  }

  #ulid(field: string, value: unknown): string {
    if (typeof value !== 'string' || !isUlid(value)) throw this.#wrong(field, value, 'a ULID');
    return value;
  }

  #string(field: string, value: unknown): string {
    if (typeof value !== 'string') throw this.#wrong(field, value, 'a text');
    return value;
  }

  #boolean(field: string, value: unknown): boolean {
    if (typeof value !== 'boolean') throw this.#wrong(field, value, 'true or false');
    return value;
  }

  #time(field: string, value: unknown): number {
    const number = numberOf(value);
    if (!Number.isInteger(number)) throw this.#wrong(field, value, 'a time in ms');
    return number;
  }

  #count(field: string, value: unknown): number {
    const number = numberOf(value);
    if (!Number.isInteger(number) || number < 0) throw this.#wrong(field, value, 'a count');
    return number;
  }

  #wrong(field: string, value: unknown, want: string): CorruptionError {
    const shown = value === undefined ? 'missing' : JSON.stringify(value, writeExact).slice(0, 100);
    const name =
      field
        .split('.')
        .at(-1)
        ?.replace(/\[\d+\]$/, '') ?? '';
    const at = Math.max(0, this.#text.indexOf(JSON.stringify(name)));
    const subject = field === '' ? 'the content' : field;
    return new CorruptionError(`${subject} is ${shown}, want ${want}`, this.#path, at);
  }
}

/** Go's decoder takes null for an absent member. */
function present(value: unknown): boolean {
  return value !== undefined && value !== null;
}

/** Integers that a double cannot hold become bigints, so that members we only carry are written as they were. */
function keepExact(_: string, value: unknown, context?: { readonly source?: string }): unknown {
  const source = context?.source;
  if (typeof value !== 'number' || source === undefined || Number.isSafeInteger(value))
    return value;
  return /^-?\d+$/.test(source) ? BigInt(source) : value;
}

/** The number of a value that {@link keepExact} has left; NaN when it is none. */
function numberOf(value: unknown): number {
  return typeof value === 'number' || typeof value === 'bigint' ? Number(value) : NaN;
}

/**
 * The text of a meta.json as the Go programs write it: tabs, the order of Go's fields, what is empty left out. With a
 * member `thanos` there is a line feed at the end, as Thanos has it; without there is none, as in Prometheus.
 */
export function encodeBlockMeta(meta: BlockMeta): string {
  const { stats, compaction, extra } = meta;
  const counts = STATS_FIELDS.map((name) => [name, stats[name]]).filter(([, count]) => count);
  const root = Object.fromEntries([
    ...Object.entries(describe(meta)),
    ['stats', Object.fromEntries(counts)],
    ['compaction', describeCompaction(compaction)],
    ['version', meta.version],
    ...Object.entries(extra),
  ]);
  // compat: encoding/json escapes these in texts; they occur nowhere else.
  const text = JSON.stringify(root, writeExact, '\t').replaceAll(
    /[<>&\u2028\u2029]/g,
    (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
  return Object.hasOwn(extra, 'thanos') ? `${text}\n` : text;
}

/** The engine has it, the compiler's library does not name it yet. */
const { rawJSON } = JSON as typeof JSON & { rawJSON: (text: string) => unknown };

function writeExact(_: string, value: unknown): unknown {
  return typeof value === 'bigint' ? rawJSON(value.toString()) : value;
}

function describe({ ulid, minTime, maxTime }: BlockDescription): JsonObject {
  return { ulid, minTime: int64(minTime), maxTime: int64(maxTime) };
}

function describeCompaction(compaction: BlockCompaction): JsonObject {
  const { level, sources = [], deletable, parents = [], failed, hints = [] } = compaction;
  return {
    level,
    ...(sources.length > 0 && { sources }),
    ...(deletable === true && { deletable }),
    ...(parents.length > 0 && { parents: parents.map(describe) }),
    ...(failed === true && { failed }),
    ...(hints.length > 0 && { hints }),
  };
}

/** A time as an i64 that Go can read, also where the double stands for one beyond 2^53. */
function int64(t: number): number | bigint {
  if (Number.isSafeInteger(t)) return t;
  if (t >= 2 ** 63) return 2n ** 63n - 1n;
  return t <= -(2 ** 63) ? -(2n ** 63n) : BigInt(t);
}

/**
 * Reads the meta.json of a block's directory.
 * @throws CorruptionError, or CodedError unavailable when the file cannot be read (not_found when there is none).
 */
export function readBlockMeta(directory: string): BlockMeta {
  const path = join(directory, META_FILE);
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (thrown) {
    const missing = (thrown as NodeJS.ErrnoException).code === 'ENOENT';
    const code = missing ? 'not_found' : 'unavailable';
    throw new CodedError(code, `read ${path}: ${errorText(thrown)}`, { cause: thrown });
  }
  return parseBlockMeta(text, path);
}

/**
 * Writes the meta.json of a block's directory: whole, or not at all, and durable when it returns.
 * @throws CodedError unavailable; the file is then as it was.
 */
export function writeBlockMeta(files: FileLayer, directory: string, meta: BlockMeta): void {
  writeFileDurably(files, directory, META_FILE, Buffer.from(encodeBlockMeta(meta)));
}
