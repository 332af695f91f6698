/**
 * Store.Series over the blocks of a bucket. Behaviour, texts and codes: thanos pkg/store/bucket.go (BucketStore.Series),
 * pkg/store/telemetry.go.
 */
import { throwIfAborted } from '../../lib/abort.ts';
import { errorText } from '../../lib/errors.ts';
import type { Histogram } from '../../lib/metrics.ts';
import type { Matcher } from '../../model/matcher.ts';
import { GrpcError } from '../../ops/grpc/status.ts';
import { LimitError } from '../../bucket/read/limits.ts';
import { mergeChunks } from '../../bucket/read/merge-chunks.ts';
import { mergeSeries } from '../../bucket/read/merge-series.ts';
import type { SeriesSource } from '../../bucket/read/merge-series.ts';
import type { ExpandedPostings } from '../../bucket/read/expand-postings.ts';
import type { SeriesRun } from '../../bucket/read/series-run.ts';
import type { ReadCall } from '../../bucket/read/stored-block.ts';
import { AGGREGATE_BITS } from '../../bucket/read/frame-chunks.ts';
import { encodeAny } from '../../rpc/store/any-message.ts';
import { decodeRequestHints, encodeResponseHints } from '../../rpc/store/block-hints.ts';
import type { BlockRequestHints } from '../../rpc/store/block-hints.ts';
import type { SeriesRequest, WantedAggregate } from '../../rpc/store/series-request.ts';
import type { StoreSeriesCall } from '../../rpc/store/store-api.ts';
import { SeriesWriter } from '../../rpc/store/series-writer.ts';
import { queryStats } from './query-stats.ts';
import { blockPostings, blockRuns, newReadCall } from './block-call.ts';
import type { LoadedBlock } from './loaded-block.ts';
import { observeCall } from './observe-call.ts';
import { shardTest } from './shard-test.ts';
import type { CallCompany, StoreCallOptions } from './store-options.ts';

/** A block of a call, and its series. */
interface SelectedBlock {
  readonly block: LoadedBlock;
  readonly matchers: readonly Matcher[];
}

/** limit: what runs of one block hold before they are sent; there may be many blocks in a call. */
const RUN_BYTES_MAX = 4 << 20;
const RUN_BYTES_MIN = 64 << 10;
/** limit: what the runs of all blocks of a call hold, about, two of each. */
const CALL_BYTES = 32 << 20;

/** Answers a call; `company` is asked for when its turn has come. @throws GrpcError. */
export async function answerSeries(
  request: SeriesRequest,
  call: StoreSeriesCall,
  options: StoreCallOptions,
  company?: () => Promise<CallCompany>,
): Promise<void> {
  const { gate, metrics, clock } = options;
  const asked = clock.monotonic();
  metrics.pendingRequests.inc();
  try {
    await gate.run(call.signal, async () => {
      metrics.gateDuration.observe((clock.monotonic() - asked) / 1000);
      metrics.gateTotal.inc();
      metrics.gateInFlight.inc();
      try {
        await new SeriesAnswer(request, call, options, await company?.()).run();
      } finally {
        metrics.gateInFlight.dec();
      }
    });
  } finally {
    metrics.pendingRequests.dec();
  }
}

class SeriesAnswer {
  readonly #request: SeriesRequest;
  readonly #call: StoreSeriesCall;
  readonly #options: StoreCallOptions;
  readonly #read: ReadCall;
  readonly #without: ReadonlySet<string>;
  readonly #writer: SeriesWriter;
  readonly #times: { readonly mint: number; readonly maxt: number };
  readonly #hints: BlockRequestHints | undefined;
  readonly #company: CallCompany | undefined;
  readonly #sentChunkSize: Histogram;

  constructor(
    request: SeriesRequest,
    call: StoreSeriesCall,
    options: StoreCallOptions,
    company: CallCompany | undefined,
  ) {
    this.#request = request;
    this.#call = call;
    this.#options = options;
    this.#company = company;
    this.#read = newReadCall(options, call);
    this.#sentChunkSize = options.metrics.sentChunkSize.with(call.tenant);
    this.#without = new Set(request.withoutReplicaLabels);
    this.#writer = new SeriesWriter((parts) => call.write(parts), request.responseBatchSize);
    this.#hints =
      request.hints === undefined ? undefined : decodeRequestHints('series', request.hints);
    const served = options.timeRange();
    this.#times = {
      mint: Math.max(request.mint, served.mint),
      maxt: Math.min(request.maxt, served.maxt),
    };
  }

  async run(): Promise<void> {
    const { cost } = this.#read;
    const selected = this.#select();
    // A block that leaves meanwhile stays until this call has ended.
    const held = selected.map(({ block }) => block.hold());
    try {
      const expanded = await this.#expandAll(selected);
      cost.blocksQueried = selected.length;
      await this.#send(selected, expanded);
      for (const text of this.#company?.warnings ?? []) await this.#writer.warning(text);
      await this.#sendHints(selected);
      await this.#writer.flush();
    } finally {
      this.#writer.close();
      for (const letGo of held) letGo();
      observeCall(this.#options, this.#call.tenant, cost);
    }
    const { metrics } = this.#options;
    metrics.seriesRequested.observe(cost.mergedSeries);
    metrics.chunksRequested.observe(cost.mergedChunks);
  }

  #select(): SelectedBlock[] {
    const { matchers, maxResolutionMs } = this.#request;
    const blockMatchers = this.#hints?.blockMatchers ?? [];
    const selected: SelectedBlock[] = [];
    for (const set of this.#options.store.sets) {
      const ofSeries = set.seriesMatchers(matchers);
      if (ofSeries === undefined) continue;
      const blocks = set.blocksFor(
        this.#times,
        maxResolutionMs,
        (block) => block.satisfies(blockMatchers) && this.#company?.isHeld(block) !== true,
      );
      for (const block of blocks) selected.push({ block, matchers: ofSeries });
    }
    return selected;
  }

  /** The postings of all blocks, which are asked for side by side; undefined for one that failed where that is tolerated. */
  async #expandAll(selected: readonly SelectedBlock[]): Promise<(ExpandedPostings | undefined)[]> {
    const { clock } = this.#options;
    const begin = clock.monotonic();
    const outcomes = await Promise.allSettled(
      selected.map(({ block, matchers }) =>
        blockPostings(block, matchers, this.#read, this.#options, this.#without).catch(
          (thrown: unknown) => this.#fail(expansionError(block, thrown, this.#call.signal)),
        ),
      ),
    );
    this.#read.cost.getAllMs = clock.monotonic() - begin;
    return outcomes.map((one) => {
      if (one.status === 'rejected') throw one.reason;
      return one.value;
    });
  }

  async #send(
    selected: readonly SelectedBlock[],
    expanded: readonly (ExpandedPostings | undefined)[],
  ): Promise<void> {
    const { clock } = this.#options;
    const begin = clock.monotonic();
    const found = selected.flatMap(({ block }, i) => {
      const postings = expanded[i];
      return postings !== undefined && postings.postings.length > 0 ? [{ block, postings }] : [];
    });
    const runBytes = Math.max(
      RUN_BYTES_MIN,
      Math.min(RUN_BYTES_MAX, CALL_BYTES / 2 / Math.max(1, found.length)),
    );
    const streams = found.map(({ block, postings }) => this.#stream(block, postings, runBytes));
    const others = this.#company?.streams ?? [];
    await mergeSeries(
      [...others, ...streams],
      (sources) => this.#emit(sources),
      (run) => this.#writer.release(() => run.release()),
    );
    this.#read.cost.mergeMs = clock.monotonic() - begin;
  }

  /** The series of a block; failures say which one it was. */
  async *#stream(
    block: LoadedBlock,
    postings: ExpandedPostings,
    runBytes: number,
  ): AsyncGenerator<SeriesRun> {
    const { skipChunks, aggregates, limit, shard } = this.#request;
    const request = {
      ...this.#times,
      skipChunks,
      aggregates: aggregateMask(aggregates),
      rules: { external: block.externalLabels.drop(this.#without), without: this.#without },
      isWanted: shard === undefined ? undefined : shardTest(shard, this.#options.framer),
      limit,
      batchSize: this.#options.batchSize,
      runBytes,
    };
    try {
      yield* blockRuns(block, postings, request, this.#read, this.#options);
    } catch (thrown) {
      this.#fail(streamError(block, thrown, this.#call.signal));
    }
  }

  /** A block failed: that is a warning, or the end of the call. */
  #fail(error: unknown): undefined {
    if (this.#company?.isTolerant !== true || this.#call.signal.aborted) throw error;
    this.#company.warnings.push(errorText(error));
    return undefined;
  }

  #emit(sources: readonly SeriesSource[]): boolean | Promise<boolean> {
    const { cost } = this.#read;
    const { limit, skipChunks } = this.#request;
    if (limit > 0 && cost.mergedSeries >= limit) return false;
    throwIfAborted(this.#call.signal);
    const { run, at } = sources[0] as SeriesSource;
    const labels = run.labels.subarray(run.labelStarts[at], run.labelStarts[at + 1]);
    const parts: Uint8Array[] = [labels];
    let bytes = labels.length;
    cost.mergedSeries++;
    if (!skipChunks) {
      const chunks = mergeChunks(sources);
      parts.push(...chunks.pieces);
      bytes += chunks.bytes;
      cost.mergedChunks += chunks.count;
      this.#sentChunkSize.observe(chunks.bytes);
    }
    const room = this.#writer.series(parts, bytes);
    return room === undefined ? true : room.then(() => true);
  }

  /** compat: Go's gateway sends hints to nobody; here whoever asks for figures gets them. */
  async #sendHints(selected: readonly SelectedBlock[]): Promise<void> {
    if (this.#hints?.queryStats !== true) return;
    const { cost } = this.#read;
    const hints = encodeResponseHints('series', {
      queriedBlocks: selected.map(({ block }) => block.ulid),
      queryStats: queryStats(cost),
      blockRequests: cost.blocks,
    });
    await this.#writer.hints(encodeAny(hints));
  }
}

/** Aggregates as bits; raw samples have none: they come whatever is asked for. */
function aggregateMask(aggregates: readonly WantedAggregate[]): number {
  const bits: Readonly<Record<WantedAggregate, number>> = {
    raw: 0,
    count: AGGREGATE_BITS.COUNT,
    sum: AGGREGATE_BITS.SUM,
    min: AGGREGATE_BITS.MIN,
    max: AGGREGATE_BITS.MAX,
    counter: AGGREGATE_BITS.COUNTER,
  };
  return aggregates.reduce((mask, name) => mask | bits[name], 0);
}

/** The end of a call whose postings could not be had. */
function expansionError(block: LoadedBlock, thrown: unknown, signal: AbortSignal): unknown {
  if (signal.aborted || thrown instanceof GrpcError) return thrown;
  const prefix = `fetch postings for block ${block.ulid}: `;
  if (thrown instanceof LimitError) {
    const where = thrown.message.startsWith('exceeded series')
      ? ''
      : 'expanded matching posting: fetch and expand postings: get postings: ';
    return new GrpcError('ResourceExhausted', prefix + where + exhausted(thrown), {
      cause: thrown,
    });
  }
  const text = `${prefix}expanded matching posting: ${errorText(thrown)}`;
  return new GrpcError('Aborted', text, { cause: thrown });
}

/** The end of a call whose series broke off. */
function streamError(block: LoadedBlock, thrown: unknown, signal: AbortSignal): unknown {
  if (signal.aborted || thrown instanceof GrpcError) return thrown;
  const prefix = `receive series from ${block.ulid}: `;
  if (thrown instanceof LimitError) {
    return new GrpcError('ResourceExhausted', prefix + exhausted(thrown), { cause: thrown });
  }
  return new GrpcError('Unknown', prefix + errorText(thrown), { cause: thrown });
}

/** compat: how Go prints an error of gRPC inside another text. */
function exhausted({ message }: LimitError): string {
  return `rpc error: code = ResourceExhausted desc = ${message}`;
}
