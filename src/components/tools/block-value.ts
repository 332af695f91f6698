/**
 * A block's meta.json as the value that `tools bucket ls --output=TEMPLATE` runs on, with the names and methods of
 * Thanos' Go structs (pkg/block/metadata/meta.go, prometheus tsdb/block.go).
 */
import { readThanos } from '../../bucket/meta.ts';
import type { BlockFile, ThanosMeta } from '../../bucket/meta.ts';
import { GoFunction, GoList, GoMap, GoStruct, fromJson } from '../../lib/go-template/value.ts';
import type { GoValue } from '../../lib/go-template/value.ts';
import { compareUtf8, encodeUtf8 } from '../../lib/utf8.ts';
import { xxhash64 } from '../../lib/xxhash64.ts';
import { ulidTime } from '../../model/ulid.ts';
import type { BlockDescription, BlockMeta } from '../../tsdb/block/meta.ts';
import { timeValue } from './time-value.ts';

/** The meta of a block; `path` names it in errors. @throws CodedError corrupt. */
export function blockValue(meta: BlockMeta, path: string): GoStruct {
  const block = {
    ULID: ulidValue(meta.ulid),
    MinTime: BigInt(meta.minTime),
    MaxTime: BigInt(meta.maxTime),
    Stats: statsValue(meta),
    Compaction: compactionValue(meta),
    Version: BigInt(meta.version),
  };
  return new GoStruct({
    // The template gets a pointer to a pointer.
    type: '**metadata.Meta',
    fields: {
      BlockMeta: new GoStruct({ type: 'tsdb.BlockMeta', fields: block }),
      Thanos: thanosValue(readThanos(meta, path)),
    },
    promoted: block,
    text: () => `${meta.ulid} (min time: ${meta.minTime}, max time: ${meta.maxTime})`,
  });
}

function ulidValue(ulid: string): GoStruct {
  return new GoStruct({
    type: 'ulid.ULID',
    fields: {},
    methods: { Time: new GoFunction([], () => BigInt(ulidTime(ulid))) },
    text: () => ulid,
  });
}

function count(value: number | undefined): bigint {
  return BigInt(value ?? 0);
}

function statsValue({ stats }: BlockMeta): GoStruct {
  return new GoStruct({
    type: 'tsdb.BlockStats',
    fields: {
      NumSamples: count(stats.numSamples),
      NumFloatSamples: count(stats.numFloatSamples),
      NumHistogramSamples: count(stats.numHistogramSamples),
      NumSeries: count(stats.numSeries),
      NumChunks: count(stats.numChunks),
      NumTombstones: count(stats.numTombstones),
    },
  });
}

function compactionValue({ compaction }: BlockMeta): GoStruct {
  const { level, sources = [], deletable = false, parents = [], failed = false } = compaction;
  return new GoStruct({
    type: 'tsdb.BlockMetaCompaction',
    fields: {
      Level: BigInt(level),
      Sources: new GoList(sources.map(ulidValue), '[]ulid.ULID'),
      Deletable: deletable,
      Parents: new GoList(parents.map(descriptionValue), '[]tsdb.BlockDesc'),
      Failed: failed,
      Hints: texts(compaction.hints),
    },
  });
}

function descriptionValue({ ulid, minTime, maxTime }: BlockDescription): GoStruct {
  return new GoStruct({
    type: 'tsdb.BlockDesc',
    fields: { ULID: ulidValue(ulid), MinTime: BigInt(minTime), MaxTime: BigInt(maxTime) },
  });
}

function texts(list: readonly string[] | undefined): GoList {
  return new GoList(list ?? [], '[]string');
}

function thanosValue(thanos: ThanosMeta): GoStruct {
  const { labels, downsample, index_stats: stats = {}, upload_time: uploaded } = thanos;
  const resolution = BigInt(downsample.resolution);
  return new GoStruct({
    type: 'metadata.Thanos',
    fields: {
      Version: count(thanos.version),
      Labels: new GoMap(new Map(Object.entries(labels)), { type: 'map[string]string', zero: '' }),
      Downsample: new GoStruct({
        type: 'metadata.ThanosDownsample',
        fields: { Resolution: resolution },
      }),
      Source: thanos.source,
      SegmentFiles: texts(thanos.segment_files),
      Files: new GoList((thanos.files ?? []).map(fileValue), '[]metadata.File'),
      Rewrites: rewrites(thanos.rewrites ?? []),
      IndexStats: new GoStruct({
        type: 'metadata.IndexStats',
        fields: {
          SeriesMaxSize: count(stats.series_max_size),
          ChunkMaxSize: count(stats.chunk_max_size),
        },
      }),
      Extensions: fromJson(thanos.extensions),
      UploadTime: timeValue(uploaded),
    },
    methods: {
      GroupKey: new GoFunction([], () => `${resolution}@${labelsHash(labels)}`),
      ResolutionString: new GoFunction([], () => resolution.toString()),
    },
  });
}

function fileValue({ rel_path, size_bytes, hash }: BlockFile): GoStruct {
  const hashValue =
    hash === undefined
      ? null
      : new GoStruct({
          type: '*metadata.ObjectHash',
          fields: { Func: hash.hashFunc, Value: hash.value },
        });
  return new GoStruct({
    type: 'metadata.File',
    fields: { RelPath: rel_path, SizeBytes: count(size_bytes), Hash: hashValue },
  });
}

/** What a rewrite came from; what it deleted and relabeled is carried as JSON. */
function rewrites(list: readonly unknown[]): GoValue {
  const items = list.map((item) => {
    const { sources, deletions_applied, relabels_applied } = item as Readonly<
      Record<string, unknown>
    >;
    return new GoStruct({
      type: 'metadata.Rewrite',
      fields: {
        Sources: fromJson(sources ?? []),
        DeletionsApplied: fromJson(deletions_applied ?? []),
        RelabelsApplied: fromJson(relabels_applied ?? []),
      },
    });
  });
  return new GoList(items, '[]metadata.Rewrite');
}

/** compat: the hash of a label set in the official build (tag slicelabels): each name and value with a byte 0xff behind. */
function labelsHash(labels: Readonly<Record<string, string>>): bigint {
  const sorted = Object.entries(labels).toSorted(([a], [b]) => compareUtf8(a, b));
  const end = Uint8Array.of(0xff);
  return xxhash64(Buffer.concat(sorted.flat().flatMap((text) => [encodeUtf8(text), end])));
}
