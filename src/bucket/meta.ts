/**
 * Thanos' part of a block's meta.json (docs/format/thanos-meta.md): whose block it is, what it went through, which files
 * it has. It is the member `thanos` of the TSDB's meta.json (src/tsdb/block/meta.ts), which carries it as it stands.
 * Format: thanos pkg/block/metadata/meta.go.
 *
 * Members that this version does not know are properties like any other, at every depth, and are written again behind
 * those that it knows.
 */
import { CodedError } from '../lib/errors.ts';
import { parseRfc3339 } from '../lib/time-or-duration.ts';
import { compareUtf8 } from '../lib/utf8.ts';
import { Labels } from '../model/labels.ts';
import type { BlockMeta } from '../tsdb/block/meta.ts';

/** The program that uploaded a block, as we write it; others may be read. */
export type BlockSource =
  | 'sidecar'
  | 'receive'
  | 'compactor'
  | 'compactor.repair'
  | 'ruler'
  | 'bucket.repair'
  | 'bucket.rewrite'
  | 'bucket.upload';

/** Thanos' part of a meta.json, with the names of the format. */
export interface ThanosMeta {
  /** Absent means 1, the only one there is. */
  readonly version?: number;
  /** External labels: the producer, and the tenant. */
  readonly labels: Readonly<Record<string, string>>;
  readonly downsample: {
    /** ms: 0, 300000 or 3600000. */
    readonly resolution: number;
  };
  /** A {@link BlockSource}, '' when unknown, or what a later version has. */
  readonly source: string;
  /** Names in `chunks/`, ascending. Superseded by `files`. */
  readonly segment_files?: readonly string[];
  /** Every file of the block, by path. Absent in blocks of Thanos before 0.17. */
  readonly files?: readonly BlockFile[];
  /** Deletions and relabelings that were applied; carried as they stand. */
  readonly rewrites?: readonly unknown[];
  readonly index_stats?: IndexStats;
  /** Whatever somebody attached; carried as it stands. */
  readonly extensions?: unknown;
  /** RFC 3339 with up to nanoseconds; see {@link uploadTimeMs}. */
  readonly upload_time?: string;
}

/** A file of a block. */
export interface BlockFile {
  /** From the block's directory on, with slashes. */
  readonly rel_path: string;
  /** Absent for meta.json, which holds the list, and for empty files. */
  readonly size_bytes?: number;
  readonly hash?: FileHash;
}

/** The hash of a file's content. */
export interface FileHash {
  /** `SHA256`, or what a later version has. */
  readonly hashFunc: string;
  /** For SHA256 in hexadecimal digits, lower case. */
  readonly value: string;
}

/** Sizes that readers of an index plan with, in bytes; absent when not known. */
export interface IndexStats {
  /** Of a series entry. */
  readonly series_max_size?: number;
  readonly chunk_max_size?: number;
}

const VERSION = 1;

/** compat: Go's zero time, which its encoder does not leave out. */
const NO_TIME = '0001-01-01T00:00:00Z';

/** The order of Go's fields. */
const MEMBERS = [
  'version',
  'labels',
  'downsample',
  'source',
  'segment_files',
  'files',
  'rewrites',
  'index_stats',
  'extensions',
  'upload_time',
];
const FILE_MEMBERS = ['rel_path', 'size_bytes', 'hash'];
const HASH_MEMBERS = ['hashFunc', 'value'];
const STATS_MEMBERS = ['series_max_size', 'chunk_max_size'];

type JsonObject = Readonly<Record<string, unknown>>;

/**
 * Thanos' part of a meta; without labels when it has none, as the blocks of a Prometheus. `path` is for messages.
 * @throws CodedError corrupt that names path and field.
 */
export function readThanos(meta: BlockMeta, path: string): ThanosMeta {
  return new ThanosReader(path).read(meta.extra['thanos'] ?? {});
}

/** The external labels of a block. @throws CodedError corrupt. */
export function externalLabels(meta: BlockMeta, path: string): Labels {
  return Labels.fromObject(readThanos(meta, path).labels);
}

/** The meta with another Thanos part, which {@link encodeBlockMeta} then writes as Go does. */
export function withThanos(meta: BlockMeta, thanos: ThanosMeta): BlockMeta {
  const { version, labels, downsample, segment_files, files, rewrites, extensions } = thanos;
  const part = inOrder(MEMBERS, {
    ...thanos,
    version: version === 0 ? undefined : version,
    labels: sortedLabels(labels),
    downsample: inOrder(['resolution'], downsample),
    segment_files: orAbsent(segment_files),
    files: orAbsent(files)?.map(fileInOrder),
    rewrites: orAbsent(rewrites),
    index_stats: statsInOrder(thanos.index_stats ?? {}),
    extensions: extensions ?? undefined,
    upload_time: thanos.upload_time ?? NO_TIME,
  });
  // The first of what is not TSDB's own, as in Go.
  return { ...meta, extra: Object.assign({ thanos: part }, meta.extra, { thanos: part }) };
}

/** When a block was uploaded, ms since the epoch; undefined when the meta does not say. */
export function uploadTimeMs({ upload_time: text }: ThanosMeta): number | undefined {
  return text === undefined || text === NO_TIME ? undefined : parseRfc3339(text);
}

/** A time in ms as Go writes it: RFC 3339 in UTC without zeros at the end of the fraction. */
export function formatUploadTime(timeMs: number): string {
  return new Date(timeMs).toISOString().replace(/\.?0+Z$/, 'Z');
}

function fileInOrder(file: BlockFile): JsonObject {
  const { size_bytes: size, hash } = file;
  return inOrder(FILE_MEMBERS, {
    ...file,
    size_bytes: size === 0 ? undefined : size,
    hash: hash === undefined ? undefined : inOrder(HASH_MEMBERS, hash),
  });
}

function statsInOrder(stats: IndexStats): JsonObject {
  const { series_max_size: series, chunk_max_size: chunk } = stats;
  return inOrder(STATS_MEMBERS, {
    ...stats,
    series_max_size: series === 0 ? undefined : series,
    chunk_max_size: chunk === 0 ? undefined : chunk,
  });
}

/** The members that are there: known ones first, in the format's order. */
function inOrder(known: readonly string[], object: object): JsonObject {
  const members = Object.entries(object).filter(([, value]) => value !== undefined);
  const rank = ([name]: [string, unknown]): number => {
    const at = known.indexOf(name);
    return at === -1 ? known.length : at;
  };
  return Object.fromEntries(members.toSorted((a, b) => rank(a) - rank(b)));
}

function sortedLabels(labels: Readonly<Record<string, string>>): JsonObject {
  const sorted = Object.entries(labels).toSorted(([a], [b]) => compareUtf8(a, b));
  return Object.fromEntries(sorted);
}

function orAbsent<T>(list: readonly T[] | undefined): readonly T[] | undefined {
  return list === undefined || list.length === 0 ? undefined : list;
}

/** Checks what is there; null counts as absent, as for Go's decoder. */
class ThanosReader {
  readonly #path: string;

  constructor(path: string) {
    this.#path = path;
  }

  read(value: unknown): ThanosMeta {
    const root = this.#object('', value);
    const version = root['version'] === undefined ? VERSION : root['version'];
    if (version !== VERSION && version !== 0) {
      throw this.#wrong('version', version, `the version ${VERSION}`);
    }
    const downsample = this.#object('downsample', root['downsample'] ?? {});
    const list = <T>(name: string, item: (at: string, value: unknown) => T) =>
      root[name] === undefined ? {} : { [name]: this.#list(name, root[name], item) };
    return {
      ...root,
      labels: this.#labels(root['labels'] ?? {}),
      downsample: {
        ...downsample,
        resolution: this.#count('downsample.resolution', downsample['resolution'] ?? 0),
      },
      source: this.#text('source', root['source'] ?? ''),
      ...list('segment_files', (at, item) => this.#text(at, item)),
      ...list('files', (at, item) => this.#file(at, item)),
      ...list('rewrites', (_, item) => item),
      ...(root['index_stats'] !== undefined && { index_stats: this.#stats(root['index_stats']) }),
      ...(root['upload_time'] !== undefined && { upload_time: this.#time(root['upload_time']) }),
    };
  }

  #labels(value: unknown): Readonly<Record<string, string>> {
    const entries = Object.entries(this.#object('labels', value));
    return Object.fromEntries(
      entries.map(([name, label]) => [name, this.#text(`labels.${name}`, label)]),
    );
  }

  #file(at: string, value: unknown): BlockFile {
    const file = this.#object(at, value);
    const { size_bytes: size, hash } = file;
    return {
      ...file,
      rel_path: this.#text(`${at}.rel_path`, file['rel_path']),
      ...(size !== undefined && { size_bytes: this.#count(`${at}.size_bytes`, size) }),
      ...(hash !== undefined && { hash: this.#hash(`${at}.hash`, hash) }),
    };
  }

  #hash(at: string, value: unknown): FileHash {
    const hash = this.#object(at, value);
    return {
      ...hash,
      hashFunc: this.#text(`${at}.hashFunc`, hash['hashFunc']),
      value: this.#text(`${at}.value`, hash['value']),
    };
  }

  #stats(value: unknown): IndexStats {
    const stats = this.#object('index_stats', value);
    const known = STATS_MEMBERS.filter((name) => stats[name] !== undefined);
    const counts = known.map((name) => [name, this.#count(`index_stats.${name}`, stats[name])]);
    return { ...stats, ...(Object.fromEntries(counts) as IndexStats) };
  }

  /** An object without its members that are null. */
  #object(field: string, value: unknown): JsonObject {
    if (typeof value !== 'object' || value === null || Array.isArray(value)) {
      throw this.#wrong(field, value, 'an object');
    }
    return Object.fromEntries(Object.entries(value).filter(([, member]) => member !== null));
  }

  #list<T>(field: string, value: unknown, item: (at: string, value: unknown) => T): T[] {
    if (!Array.isArray(value)) throw this.#wrong(field, value, 'a list');
    return value.map((one: unknown, i) => item(`${field}[${i}]`, one));
  }

  #text(field: string, value: unknown): string {
    if (typeof value !== 'string') throw this.#wrong(field, value, 'a text');
    return value;
  }

  #time(value: unknown): string {
    const text = this.#text('upload_time', value);
    if (parseRfc3339(text) === undefined) throw this.#wrong('upload_time', value, 'a time');
    return text;
  }

  #count(field: string, value: unknown): number {
    if (typeof value !== 'number' || !Number.isSafeInteger(value) || value < 0) {
      throw this.#wrong(field, value, 'a count');
    }
    return value;
  }

  #wrong(field: string, value: unknown, want: string): CodedError {
    const name = field === '' ? 'thanos' : `thanos.${field}`;
    // A bigint stands for a number that a double cannot hold.
    const text = typeof value === 'bigint' ? value.toString() : JSON.stringify(value);
    const shown = value === undefined ? 'missing' : text.slice(0, 100);
    return new CodedError('corrupt', `${name} is ${shown}, want ${want} (${this.#path})`);
  }
}
