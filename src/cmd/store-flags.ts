/** The flag table of `thanos store`. Names, kinds and defaults: thanos cmd/thanos/store.go. */
import type { CommandSpec, FlagSpec } from '../ops/flag-spec.ts';
import { configFlags, objstoreFlags } from './config-flags.ts';
import { GLOBAL_FLAGS } from './global-flags.ts';
import { grpcServerFlags } from './grpc-flags.ts';
import { httpFlags } from './http-flags.ts';
import { requestLoggingFlags } from './request-logging-flags.ts';

const LIMITS: readonly FlagSpec[] = [
  {
    name: 'store.limits.request-series',
    kind: 'int',
    default: '0',
    help: 'How many series one call for series may touch before it fails. 0: any number.',
  },
  {
    name: 'store.limits.request-samples',
    kind: 'int',
    default: '0',
    help: 'How many samples one call for series may be answered with before it fails, counted as 120 a chunk. 0: any number.',
  },
];

const MEMORY: readonly FlagSpec[] = [
  {
    name: 'data-dir',
    kind: 'string',
    default: './data',
    help: 'Directory for index-headers and copies of meta.json files. It can be removed: what is missing is made again.',
  },
  {
    name: 'cache-index-header',
    kind: 'bool',
    default: 'true',
    help: 'Whether index-headers are kept on disk, so that a restart need not make them again; otherwise they are in memory.',
  },
  {
    name: 'index-cache-size',
    kind: 'bytes',
    default: '250MB',
    help: 'Size of the index cache in memory, when --index-cache.config says nothing else.',
  },
  ...configFlags(
    'index-cache.config',
    'the configuration of the index cache in YAML: type, config',
  ),
  ...configFlags(
    'store.caching-bucket.config',
    'the configuration of a cache in front of the bucket in YAML: type, config',
  ).map((flag) => ({ ...flag, hidden: true })),
  {
    name: 'chunk-pool-size',
    kind: 'bytes',
    default: '2GB',
    help: 'How many bytes of chunks, and of series that have to be sorted, all calls may hold at once; a call that needs more fails.',
  },
  {
    name: 'store.grpc.touched-series-limit',
    kind: 'int',
    default: '0',
    help: 'Deprecated: see --store.limits.request-series.',
  },
  {
    name: 'store.grpc.series-sample-limit',
    kind: 'int',
    default: '0',
    help: 'Deprecated: see --store.limits.request-samples.',
  },
  {
    name: 'store.grpc.downloaded-bytes-limit',
    kind: 'bytes',
    default: '0',
    help: 'How many bytes one call may take from bucket and caches before it fails. 0: any number.',
  },
  {
    name: 'store.grpc.series-max-concurrency',
    kind: 'int',
    default: '20',
    help: 'How many calls for series are answered at once; others wait.',
  },
];

const SYNC: readonly FlagSpec[] = [
  {
    name: 'sync-block-duration',
    kind: 'duration',
    goDuration: true,
    default: '15m',
    help: 'How often the bucket is looked at for blocks that came or went.',
  },
  {
    name: 'block-discovery-strategy',
    kind: 'enum',
    values: ['concurrent', 'recursive'],
    default: 'concurrent',
    help: 'How blocks are found. concurrent: the directory of each block is listed, many at once. recursive: everything in the bucket is listed in one go, with fewer requests and for longer.',
  },
  {
    name: 'block-sync-concurrency',
    kind: 'int',
    default: '20',
    help: 'How many blocks are loaded at once; at least 1.',
  },
  {
    name: 'block-meta-fetch-concurrency',
    kind: 'int',
    default: '32',
    help: 'How many meta.json files are read at once.',
  },
  {
    name: 'debug.series-batch-size',
    kind: 'int',
    default: '10000',
    hidden: true,
    help: 'How many series entries of a block are read at a time.',
  },
  {
    name: 'debug.estimated-max-series-size',
    kind: 'int',
    default: '65536',
    hidden: true,
    help: 'How many bytes are read for a series entry whose size is not known.',
  },
  {
    name: 'debug.estimated-max-chunk-size',
    kind: 'int',
    default: '16000',
    hidden: true,
    help: 'How many bytes are read for a chunk whose size is not known.',
  },
  {
    name: 'min-time',
    kind: 'time',
    default: '0000-01-01T00:00:00Z',
    help: 'Only data from this time on is served: a time as in RFC 3339, or a duration to be added to the present, as -6w.',
  },
  {
    name: 'max-time',
    kind: 'time',
    default: '9999-12-31T23:59:59Z',
    help: 'Only data up to this time is served: a time as in RFC 3339, or a duration to be added to the present.',
  },
  ...configFlags(
    'selector.relabel-config',
    'relabeling rules in YAML that select blocks by their external labels and __block_id: keep, drop, hashmod',
  ),
  {
    name: 'store.index-header-posting-offsets-in-mem-sampling',
    kind: 'int',
    default: '32',
    hidden: true,
    help: 'One of so many values of a label is kept in memory of each index-header.',
  },
  {
    name: 'consistency-delay',
    kind: 'duration',
    default: '0s',
    help: 'How old a block must be to be served; for object stores that show new objects late.',
  },
  {
    name: 'ignore-deletion-marks-delay',
    kind: 'duration',
    default: '24h',
    help: 'How long a block is still served after it was marked for deletion. At most half of the delete delay of the compactor.',
  },
];

const HEADERS: readonly FlagSpec[] = [
  {
    name: 'store.enable-index-header-lazy-reader',
    kind: 'bool',
    help: 'Whether an index-header is opened when a query needs it, and closed when none has for a while.',
  },
  {
    name: 'store.index-header-lazy-reader-idle-timeout',
    kind: 'duration',
    goDuration: true,
    default: '5m',
    hidden: true,
    help: 'After how long without a query such an index-header is closed. 0: never.',
  },
  {
    name: 'store.enable-lazy-expanded-postings',
    kind: 'bool',
    help: 'Whether postings stay where they are that take more bytes than the series they would exclude.',
  },
  {
    name: 'store.posting-group-max-key-series-ratio',
    kind: 'float',
    default: '100',
    help: 'With lazily expanded postings: those of a matcher stay where they are when there are this many times more of its values than series. 0: whatever their number.',
  },
  {
    name: 'store.index-header-lazy-download-strategy',
    kind: 'enum',
    values: ['eager', 'lazy'],
    default: 'eager',
    help: 'With the lazy reader: whether index-headers are made when a block is loaded (eager), or when a query needs them (lazy).',
  },
];

const WEB: readonly FlagSpec[] = [
  {
    name: 'web.disable',
    kind: 'bool',
    help: 'Whether to leave out the viewer and the API of blocks.',
  },
  {
    name: 'web.external-prefix',
    kind: 'string',
    default: '',
    help: 'Prefix of links and redirects of the viewer, behind a proxy that takes it away.',
  },
  {
    name: 'web.prefix-header',
    kind: 'string',
    default: '',
    help: 'Request header that holds such a prefix. Only for proxies that set it themselves.',
  },
  {
    name: 'web.disable-cors',
    kind: 'bool',
    help: 'Whether to leave out the headers that let pages of other origins use the API.',
  },
  {
    name: 'bucket-web-label',
    kind: 'string',
    help: 'External label by which the viewer groups blocks.',
  },
  {
    name: 'matcher-cache-size',
    kind: 'int',
    default: '0',
    help: 'How many compiled matchers are kept. 0: none.',
  },
  {
    name: 'disable-admin-operations',
    kind: 'bool',
    help: 'Whether the API refuses to mark blocks.',
  },
];

/** `thanos store`. */
export const storeCommand: CommandSpec = {
  name: 'thanos store',
  description: 'Serve the blocks of an object store to queries: the store gateway.',
  flags: [
    ...GLOBAL_FLAGS,
    ...httpFlags(),
    ...grpcServerFlags(),
    ...LIMITS,
    ...MEMORY,
    ...objstoreFlags(),
    ...objstoreFlags('-parquet'),
    ...SYNC,
    ...HEADERS,
    ...WEB,
    ...requestLoggingFlags(),
  ],
};
