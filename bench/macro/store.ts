/**
 * `store`: `thanos store` over 1,000 small blocks, near and 50 ms away, cold and warm: how long until it is ready. Then over a day of 4,700
 * series: what the six compared queries cost in requests and bytes, how fast chunks go over the loopback interface, and the memory
 * of all that. Goals: docs/design/0001.
 */
import { execFileSync } from 'node:child_process';
import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fromBinary } from '@bufbuild/protobuf';
import { Matcher } from '../../src/model/matcher.ts';
import type { Bucket } from '../../src/objstore/bucket.ts';
import { openBucket, parseBucketConfig } from '../../src/objstore/config.ts';
import { GrpcChannel } from '../../src/ops/grpc/channel.ts';
import { SeriesResponseSchema } from '../../src/gen/store_pb.ts';
import { decodeResponseHints, encodeRequestHints } from '../../src/rpc/store/block-hints.ts';
import type { BlockResponseHints } from '../../src/rpc/store/block-hints.ts';
import { encodeSeriesRequest } from '../../src/rpc/store/series-request.ts';
import type { SeriesRequest } from '../../src/rpc/store/series-request.ts';
import { s3ConfigText, startLatencyS3 } from '../../test/support/latency-bucket.ts';
import { startStore } from '../../test/support/server-process.ts';
import type { ThanosStore } from '../../test/support/server-process.ts';
import { temporaryDirectory } from '../../test/support/temporary-directory.ts';
import { addThanosMetas, writeSmallBlocks } from '../../test/support/bucket-blocks.ts';
import { forgetPeak, memoryMib } from '../../test/support/process-memory.ts';
import { BLOCKS_END_MS } from './query-blocks.ts';

const SMALL_BLOCKS = 1000;
const HOUR_MS = 3_600_000;
const LABELS = { cluster: 'bench', replica: '0' };

type Line = Readonly<Record<string, unknown>>;
type Command = readonly [string, ...string[]];

/** Runs the bench on a server command and gives its lines. */
export async function* benchStore(command: Command): AsyncGenerator<Line> {
  using directory = temporaryDirectory();
  yield* readyLines(command, directory.path);
  yield* readLines(command, directory.path);
}

async function* readyLines(command: Command, directory: string): AsyncGenerator<Line> {
  const blocks = join(directory, 'small');
  writeSmallBlocks(blocks, SMALL_BLOCKS);
  addThanosMetas(blocks, LABELS);
  const near = filesystemConfig(blocks);
  yield* coldAndWarm(command, { where: 'filesystem', bucket: near, data: join(directory, 'near') });
  await using s3 = await startLatencyS3();
  s3.conditions.firstByteMs = 0;
  await copyAll(blocks, s3ConfigText(s3.host));
  s3.conditions.firstByteMs = 50;
  const far = s3ConfigText(s3.host);
  yield* coldAndWarm(
    command,
    { where: 'S3, 50 ms', bucket: far, data: join(directory, 'far') },
    () => s3.seen.length,
  );
}

async function* coldAndWarm(
  command: Command,
  {
    where,
    bucket,
    data,
  }: { readonly where: string; readonly bucket: string; readonly data: string },
  requests: () => number = () => 0,
): AsyncGenerator<Line> {
  for (const state of ['cold', 'warm']) {
    const before = requests();
    const begun = performance.now();
    const store = await startStore({ dataDir: data, bucket, command });
    const readyMs = Math.round(performance.now() - begun);
    const memory = Math.round(memoryMib(store.process.pid, 'VmHWM'));
    await store.process.stop();
    yield {
      bench: 'store',
      table: 'ready',
      where,
      state,
      blocks: SMALL_BLOCKS,
      ready_ms: readyMs,
      goal_ms: GOALS[where]?.[state],
      requests: requests() - before,
      peak_mib: memory,
    };
  }
}

const GOALS: Readonly<Record<string, Readonly<Record<string, number>>>> = {
  filesystem: { cold: 2000, warm: 500 },
  'S3, 50 ms': { cold: 20_000, warm: 2000 },
};

async function* readLines(command: Command, directory: string): AsyncGenerator<Line> {
  const blocks = join(directory, 'day');
  const script = join(import.meta.dirname, 'write-query-blocks.ts');
  execFileSync(process.execPath, [script, blocks]);
  addThanosMetas(blocks, LABELS);
  const store = await startStore({
    dataDir: join(directory, 'day-data'),
    bucket: filesystemConfig(blocks),
    command,
  });
  try {
    yield* costLines(store);
    yield* throughputLines(store);
  } finally {
    await store.process.stop();
  }
}

/** What the select of each compared query asks for: matchers, and hours before the end. */
const SELECTS: readonly { readonly matchers: readonly Matcher[]; readonly hours: number }[] = [
  { matchers: [new Matcher('=', '__name__', 'http_requests_total')], hours: 24 },
  { matchers: [new Matcher('=', '__name__', 'http_request_duration_seconds_bucket')], hours: 24 },
  { matchers: [new Matcher('=', '__name__', 'container_memory_usage_bytes')], hours: 6 },
  { matchers: [new Matcher('=~', '__name__', 'container_(cpu|memory)_usage.*')], hours: 6 },
  { matchers: [new Matcher('=', '__name__', 'container_memory_usage_bytes')], hours: 7 },
  {
    matchers: [
      new Matcher('=', '__name__', 'http_requests_total'),
      new Matcher('=', 'code', '200'),
      new Matcher('=', 'pod', 'pod-7'),
    ],
    hours: 6,
  },
];

async function* costLines(store: ThanosStore): AsyncGenerator<Line> {
  for (const { matchers, hours } of SELECTS) {
    const answer = await ask(store, request(matchers, hours));
    const stats = answer.hints;
    yield {
      bench: 'store',
      table: 'cost',
      select: `{${matchers.join(',')}}`,
      hours,
      blocks: stats?.queriedBlocks.length,
      series: stats?.queryStats?.mergedSeriesCount,
      chunks: stats?.queryStats?.mergedChunksCount,
      gets:
        (stats?.queryStats?.postingsFetchCount ?? 0) +
        (stats?.queryStats?.seriesFetchCount ?? 0) +
        (stats?.queryStats?.chunksFetchCount ?? 0),
      fetched_bytes:
        (stats?.queryStats?.postingsFetchedSizeSum ?? 0) +
        (stats?.queryStats?.seriesFetchedSizeSum ?? 0) +
        (stats?.queryStats?.chunksFetchedSizeSum ?? 0),
      answer_bytes: answer.bytes,
      ms: Math.round(answer.ms * 10) / 10,
    };
  }
}

/** limit: of a day of all series, as often as makes seconds. */
const ROUNDS = 8;

async function* throughputLines(store: ThanosStore): AsyncGenerator<Line> {
  const everything = request([new Matcher('=~', '__name__', '.+')], 24);
  await ask(store, everything);
  await sleep(500);
  forgetPeak(store.process.pid);
  const before = store.process.cpuSeconds();
  const rates: number[] = [];
  let bytes = 0;
  for (let round = 0; round < ROUNDS; round++) {
    const answer = await ask(store, everything);
    bytes += answer.bytes;
    rates.push(answer.bytes / 1e6 / (answer.ms / 1000));
  }
  rates.sort((a, b) => a - b);
  yield {
    bench: 'store',
    table: 'throughput',
    answer_mb: Math.round(bytes / ROUNDS / 1e5) / 10,
    mb_per_second: Math.round(rates[Math.floor(ROUNDS / 2)] as number),
    best_mb_per_second: Math.round(rates.at(-1) as number),
    goal_mb_per_second: 400,
    server_cpu_seconds_per_gb:
      Math.round(((store.process.cpuSeconds() - before) / (bytes / 1e9)) * 100) / 100,
    peak_mib: Math.round(memoryMib(store.process.pid, 'VmHWM')),
  };
}

function request(matchers: readonly Matcher[], hours: number): Uint8Array {
  const asked: SeriesRequest = {
    mint: BLOCKS_END_MS - hours * HOUR_MS,
    maxt: BLOCKS_END_MS,
    matchers,
    maxResolutionMs: 0,
    aggregates: ['raw'],
    partialResponse: 'abort',
    skipChunks: false,
    hints: encodeRequestHints('series', { blockMatchers: [], queryStats: true }),
    withoutReplicaLabels: [],
    limit: 0,
    responseBatchSize: 64,
  };
  return encodeSeriesRequest(asked);
}

interface Answer {
  readonly ms: number;
  readonly bytes: number;
  readonly hints: BlockResponseHints | undefined;
}

async function ask(store: ThanosStore, message: Uint8Array): Promise<Answer> {
  const channel = new GrpcChannel(store.grpc);
  try {
    const begun = performance.now();
    let bytes = 0;
    let last: Uint8Array = new Uint8Array(0);
    const call = channel.serverStream('/thanos.Store/Series', message);
    for (let batch = await call.nextBatch(); batch !== undefined; batch = await call.nextBatch()) {
      for (const one of batch) bytes += one.length;
      last = batch.at(-1) ?? last;
    }
    const ms = performance.now() - begun;
    return { ms, bytes: bytes - last.length, hints: hintsOf(last) };
  } finally {
    channel.close();
  }
}

function hintsOf(message: Uint8Array): BlockResponseHints | undefined {
  const { result } = fromBinary(SeriesResponseSchema, message);
  if (result.case !== 'hints') return undefined;
  const { typeUrl, value } = result.value;
  return decodeResponseHints('series', { typeUrl, value });
}

function filesystemConfig(directory: string): string {
  return `{type: FILESYSTEM, config: {directory: ${directory}}}`;
}

/** Uploads a directory. */
async function copyAll(directory: string, config: string): Promise<void> {
  const parsed = await parseBucketConfig({ text: config, name: 'bench' });
  const bucket: Bucket = await openBucket(parsed);
  for (const entry of readdirSync(directory, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile()) continue;
    const file = join(entry.parentPath, entry.name);
    await bucket.upload(file.slice(directory.length + 1), readFileSync(file));
  }
  await bucket.close();
}
