/** The flag table of `thanos all`. */
import type { CommandSpec, FlagSpec } from '../ops/flag-spec.ts';
import { objstoreFlags } from './config-flags.ts';
import { GLOBAL_FLAGS } from './global-flags.ts';
import { grpcServerFlags } from './grpc-flags.ts';
import { httpFlags } from './http-flags.ts';
import { requestLoggingFlags } from './request-logging-flags.ts';

const STORAGE = 'Storage';
const BUCKET = 'Bucket';
const WRITE = 'Remote write';
const QUERY = 'Query';
const HTTP = 'HTTP';
const GRPC = 'gRPC';

const flags: readonly FlagSpec[] = [
  ...GLOBAL_FLAGS,
  {
    name: 'data-dir',
    kind: 'string',
    default: './data',
    group: STORAGE,
    help: 'Directory that holds everything this process keeps.',
  },
  {
    name: 'tsdb.path',
    kind: 'string',
    placeholder: '<data-dir>/tsdb/default-tenant',
    group: STORAGE,
    help: 'Data directory of the TSDB.',
  },
  {
    name: 'tsdb.retention',
    kind: 'duration',
    default: '15d',
    group: STORAGE,
    help: 'How long to retain raw samples on local storage. 0d - disables the retention policy (i.e. infinite retention).',
  },
  {
    name: 'tsdb.max-retention-bytes',
    kind: 'bytes',
    default: '0',
    group: STORAGE,
    help: 'Maximum number of bytes that can be retained for blocks. 0 disables size-based retention. Whatever retention says, a block stays until the bucket has it.',
  },
  {
    name: 'label',
    kind: 'string',
    repeatable: true,
    default: ['replica="0"'],
    placeholder: 'name="value"',
    group: STORAGE,
    help: 'External labels that identify this process in the blocks it makes (repeated).',
  },
  {
    name: 'wal.fsync',
    kind: 'enum',
    values: ['segment', 'interval', 'always'],
    default: 'segment',
    group: STORAGE,
    help: 'When the write-ahead log is forced to disk: segment (when one is full, as Prometheus does; survives the death of the process), interval (every 100 ms) or always (before each answer); the last two survive the death of the machine.',
  },
  {
    name: 'tsdb.out-of-order.time-window',
    kind: 'duration',
    default: '0s',
    group: STORAGE,
    help: 'How far behind the newest sample of the TSDB samples may come that are older than the newest one of their series. 0s: they are refused. Blocks made of them overlap others.',
  },
  {
    name: 'tsdb.max-exemplars',
    kind: 'int',
    default: '100000',
    group: STORAGE,
    help: 'How many exemplars are kept in memory; the oldest give way to new ones. 0 keeps none.',
  },
  {
    name: 'tsdb.memory-snapshot-on-shutdown',
    kind: 'bool',
    hidden: true,
    group: STORAGE,
    help: 'Whether the head is written to a snapshot when the process ends, which the next start reads in place of most of the log.',
  },
  {
    name: 'tsdb.block-reload-interval',
    kind: 'duration',
    default: '1m',
    hidden: true,
    group: STORAGE,
    help: 'How often the head is looked at for blocks to cut, and the data directory for blocks that came or went.',
  },
  ...objstoreFlags().map((flag) => ({
    ...flag,
    group: BUCKET,
    help: `${flag.help} Without one, blocks go to <data-dir>/bucket.`,
  })),
  {
    name: 'shipper.upload-compacted',
    kind: 'bool',
    default: 'true',
    group: BUCKET,
    help: 'Ship blocks that were compacted before, too, as long as they overlap none that the bucket has: those of an adopted directory.',
  },
  {
    name: 'hash-func',
    kind: 'enum',
    values: ['', 'SHA256'],
    default: '',
    group: BUCKET,
    help: 'Specify which hash function to use when calculating the hashes of produced files. If no function has been specified, it does not happen. Possible values are: "", "SHA256".',
  },
  ...httpFlags('127.0.0.1:10902').map((flag) => ({ ...flag, group: HTTP })),
  ...requestLoggingFlags().map((flag) => ({ ...flag, group: HTTP })),
  {
    name: 'web.disable-cors',
    kind: 'bool',
    group: HTTP,
    help: 'Whether to disable CORS headers to be set by Thanos. By default Thanos sets CORS headers to be allowed by all.',
  },
  {
    name: 'web.enable-admin-api',
    kind: 'bool',
    group: HTTP,
    help: 'Whether the API may delete series, clean tombstones and take snapshots.',
  },
  ...grpcServerFlags('127.0.0.1:10901').map((flag) => ({ ...flag, group: GRPC })),
  {
    name: 'remote-write.address',
    kind: 'string',
    default: '127.0.0.1:19291',
    group: WRITE,
    help: 'Address to listen on for remote write requests.',
  },
  {
    name: 'remote-write.max-body-size',
    kind: 'bytes',
    default: '64MB',
    group: WRITE,
    help: 'Largest remote write request that is accepted, decompressed.',
  },
  {
    name: 'query.replica-label',
    kind: 'string',
    repeatable: true,
    default: ['replica'],
    placeholder: 'QUERY.REPLICA-LABEL',
    group: QUERY,
    help: 'Labels to treat as a replica indicator along which data is deduplicated (repeated).',
  },
  {
    name: 'query.timeout',
    kind: 'duration',
    default: '2m',
    group: QUERY,
    help: 'Maximum time to process query by query node.',
  },
  {
    name: 'query.max-concurrent',
    kind: 'int',
    default: '20',
    group: QUERY,
    help: 'Maximum number of queries processed concurrently by query node.',
  },
  {
    name: 'query.max-concurrent-select',
    kind: 'int',
    default: '4',
    idle: true,
    group: QUERY,
    help: 'Accepted for the sake of thanos query: the selects of a query find their series in one thread, without waiting.',
  },
  {
    name: 'query.promql-engine',
    kind: 'enum',
    values: ['prometheus', 'thanos'],
    default: 'prometheus',
    group: QUERY,
    help: 'The engine of requests that name none. There is one, with the answers of prometheus; by the name of thanos it explains and analyzes queries.',
  },
  {
    name: 'query.mode',
    kind: 'enum',
    values: ['local'],
    default: 'local',
    group: QUERY,
    help: 'PromQL query mode. One of: local.',
  },
  {
    name: 'query.default-evaluation-interval',
    kind: 'duration',
    default: '1m',
    group: QUERY,
    help: 'Set default evaluation interval for sub queries.',
  },
  {
    name: 'query.active-query-path',
    kind: 'string',
    placeholder: '<data-dir>',
    group: QUERY,
    help: 'Directory to log currently active queries in the queries.active file.',
  },
  {
    name: 'query.log-file',
    kind: 'string',
    group: QUERY,
    help: "File that a JSON line is added to for each query, as to the query_log_file of Prometheus' configuration. Without one there is no query log.",
  },
  {
    name: 'enable-feature',
    kind: 'string',
    repeatable: true,
    default: [],
    placeholder: 'ENABLE-FEATURE',
    group: QUERY,
    help: 'Comma separated experimental feature names to enable (repeated). Those with an effect: promql-binop-fill-modifiers, promql-delayed-name-removal, promql-experimental-functions, promql-extended-range-selectors, promql-per-step-stats, type-and-unit-labels.',
  },
  {
    name: 'query.lookback-delta',
    kind: 'duration',
    default: '5m',
    group: QUERY,
    help: 'The maximum lookback duration for retrieving metrics during expression evaluations.',
  },
  {
    name: 'query.max-samples',
    kind: 'int',
    default: '50000000',
    group: QUERY,
    help: 'Maximum number of samples a single query can load into memory; the query fails when it would load more.',
  },
  {
    name: 'storage.remote.read-sample-limit',
    kind: 'int',
    default: '50000000',
    group: QUERY,
    help: 'How many samples one query of a remote read may be answered with, where samples are asked for and not chunks. 0: any number.',
  },
  {
    name: 'storage.remote.read-concurrent-limit',
    kind: 'int',
    default: '10',
    group: QUERY,
    help: 'How many remote reads are answered at once; further ones wait.',
  },
  {
    name: 'storage.remote.read-max-bytes-in-frame',
    kind: 'int',
    default: '1048576',
    group: QUERY,
    help: 'How large a frame of chunks may be in answers to remote reads, its last chunk apart.',
  },
];

/** `thanos all`: everything in one process. */
export const allCommand: CommandSpec = {
  name: 'thanos all',
  description:
    'Run every component in one process: remote write, storage, queries, the StoreAPI and the HTTP API on one machine.',
  flags,
};
