/**
 * What a TSDB does on its own: cuts blocks from the head, notices blocks that came or went, lets blocks go that are
 * beyond retention. Here are the order of steps and the decisions; the work is done by {@link MaintenanceWork}, in
 * other threads or in this one.
 *
 * Every step can be the last one of the process: a block that was written is found by the next start, and the head
 * leaves out what blocks hold; a log that was not truncated is replayed once more; a block that was to go is listed
 * again.
 */
import type { Clock } from '../lib/clock.ts';
import { errorCode, errorText } from '../lib/errors.ts';
import type { Logger } from '../lib/log.ts';
import { compareUtf8 } from '../lib/utf8.ts';
import { newUlid } from '../model/ulid.ts';
import type { BlockListing, ListedBlock } from './block/list-blocks.ts';
import type { BlockCatalog } from './block-catalog.ts';
import type { CutRange } from './compact/cut-block.ts';
import { planCompaction } from './compact/plan.ts';
import type { PlannedCut } from './db.ts';
import { CHUNK_RANGE_MS as BLOCK_RANGE_MS } from './head/head-writer.ts';
import type { LatePlan } from './head/head-writer.ts';
import type { MaintenanceMetrics } from './maintenance-metrics.ts';
import { beyondRetention } from './retention.ts';
import type { RetentionLimits } from './retention.ts';
import type { CheckpointReport } from './wal/checkpoint.ts';

/** Late samples of a head by the places of their chunks: from..to, exclusive. */
export interface LatePart {
  readonly from: number;
  readonly to: number;
}

/** The work of maintenance. Each call is made after the one before it has ended. */
export interface MaintenanceWork {
  /** {@link Db.planCut}. */
  planCut(): Promise<PlannedCut | undefined>;
  /** Writes a block with a range of the head; undefined when the range is empty. */
  cut(range: CutRange, ulid: string): Promise<ListedBlock | undefined>;
  /** {@link Db.truncateHead}. */
  truncateHead(maxt: number): Promise<number>;
  /** {@link Db.planLateCut}. */
  planLateCut(): Promise<LatePlan | undefined>;
  /** Writes a block with late samples of a range in chunks with places from..to; undefined when there are none. */
  cutLate(range: CutRange, part: LatePart, ulid: string): Promise<ListedBlock | undefined>;
  /** {@link Db.truncateLate}. */
  truncateLate(plan: LatePlan): Promise<void>;
  /** {@link compactBlocks}: one block of several; undefined when no samples are left of them. */
  compact(blocks: readonly ListedBlock[], ulid: string): Promise<ListedBlock | undefined>;
  /** {@link Db.collectSeries}. */
  collectSeries(maxt: number): Promise<number>;
  /** {@link Db.freeCollected}. */
  freeCollected(): Promise<void>;
  /** {@link makeCheckpoint}, without what {@link Db.deadRefs} says may be left out, which is then forgotten. */
  checkpoint(mint: number, segment: number): Promise<CheckpointReport | undefined>;
  /** Names in the data directory: what tells whether a listing is worth its cost. */
  names(): Promise<readonly string[]>;
  /** The blocks in the data directory. */
  list(): Promise<BlockListing>;
  /** Bytes of the log and of head chunks. */
  headBytes(): Promise<number>;
  /** Deletes a block from the data directory. */
  remove(block: ListedBlock): Promise<void>;
  /** Resolves when every query that began before has ended. */
  drain(): Promise<void>;
}

/** What retention may do. */
export interface RetentionPolicy extends RetentionLimits {
  /** Whether a block may be removed as far as others are concerned: it is verified elsewhere, or has not to be. */
  readonly isSafe: (block: ListedBlock) => Promise<boolean>;
}

/** What maintenance is made of. */
export interface MaintenanceOptions {
  readonly catalog: BlockCatalog;
  readonly work: MaintenanceWork;
  readonly retention: RetentionPolicy;
  /** Lengths of block ranges (ms) that blocks are compacted to; none: they stay as they are, for a compactor's bucket. */
  readonly blockRanges?: readonly number[];
  readonly metrics: MaintenanceMetrics;
  readonly clock: Clock;
  readonly log: Logger;
}

/** Maintains one TSDB. One run at a time. */
export class TsdbMaintenance {
  readonly #options: MaintenanceOptions;
  /** Names in the directory at the last listing; opening has made the first. */
  #names: string | undefined;
  /** Blocks that were said to stay beyond retention. */
  readonly #kept = new Set<string>();

  constructor(options: MaintenanceOptions) {
    this.#options = options;
  }

  /** One round of everything. Never rejects: what fails is logged, counted and tried again in the next round. */
  async run(): Promise<void> {
    const { metrics } = this.#options;
    await this.#attempt('reload blocks', () => this.#reload(), metrics.reloadsFailed);
    await this.#attempt('cut block', () => this.#cutAll(), metrics.compactionsFailed);
    await this.#attempt('compact blocks', () => this.#compactAll(), metrics.compactionsFailed);
    await this.#attempt('apply retention', () => this.#retain(), metrics.retentionsFailed);
    metrics.show(this.#options.catalog);
  }

  async #attempt(
    what: string,
    step: () => Promise<void>,
    failed: { inc: () => void },
  ): Promise<void> {
    try {
      await step();
    } catch (thrown) {
      // The process ends: the next one takes up what is left.
      if (errorCode(thrown) === 'canceled') return;
      failed.inc();
      this.#options.log.error(`${what} failed, it is tried again`, { err: errorText(thrown) });
    }
  }

  /** Lists the directory when its names have changed, or a block in it could not be read. */
  async #reload(): Promise<void> {
    const { catalog, work, metrics, log } = this.#options;
    const names = [...(await work.names())].sort(compareUtf8).join('\n');
    this.#names ??= names;
    if (names === this.#names && catalog.broken.length === 0) return;
    metrics.reloads.inc();
    const { added, gone, broken } = catalog.take(await work.list());
    this.#names = names;
    for (const { meta } of added) log.info('block found', describe(meta));
    for (const { meta } of gone) log.info('block is gone', describe(meta));
    for (const { ulid, reason } of broken) {
      log.error('block cannot be read, answers over its time are partial', { ulid, err: reason });
    }
  }

  async #cutAll(): Promise<void> {
    const { catalog, work, metrics } = this.#options;
    for (;;) {
      const plan = await work.planCut();
      if (plan === undefined) return;
      // A round that failed behind this point has left the block, but not the head's truncation.
      if (plan.maxt > catalog.headMint) await this.#cut(plan);
      await work.drain();
      catalog.truncating(plan.maxt);
      catalog.truncated(await work.truncateHead(plan.maxt));
      metrics.headTruncations.inc();
      await this.#collect(plan);
      await this.#checkpoint(plan);
      await this.#cutLate();
    }
  }

  /**
   * Makes blocks of what came out of order, one a block range (prometheus tsdb/db.go compactOOO). Blocks of a round that
   * failed are found by the next listing: their samples are then in blocks and, until the next round, in the head.
   */
  async #cutLate(): Promise<void> {
    const { catalog, work, metrics, clock, log } = this.#options;
    const plan = await work.planLateCut();
    if (plan === undefined) return;
    const part = { from: catalog.lateFrom, to: plan.place };
    const blocks: ListedBlock[] = [];
    const first = Math.trunc(plan.mint / BLOCK_RANGE_MS) * BLOCK_RANGE_MS;
    for (let mint = first; mint <= plan.maxt; mint += BLOCK_RANGE_MS) {
      metrics.compactionsTriggered.inc();
      const range = { mint, maxt: mint + BLOCK_RANGE_MS };
      const block = await work.cutLate(range, part, newUlid(clock.now()));
      if (block === undefined) continue;
      blocks.push(block);
      metrics.compactions.inc();
      log.info('block cut of samples that came out of order', describe(block.meta));
    }
    catalog.addLate(blocks, plan.place);
    await work.drain();
    catalog.truncatingLate(plan.place);
    await work.truncateLate(plan);
  }

  async #cut(plan: PlannedCut): Promise<void> {
    const { catalog, work, metrics, clock, log } = this.#options;
    const begun = clock.monotonic();
    metrics.compactionsTriggered.inc();
    const block = await work.cut(plan, newUlid(clock.now()));
    catalog.addCut(block, plan.maxt);
    if (block === undefined) return;
    const seconds = (clock.monotonic() - begun) / 1000;
    metrics.compactions.inc();
    metrics.compactionSeconds.observe(seconds);
    log.info('block cut from the head', {
      ...describe(block.meta),
      bytes: block.bytes,
      duration: `${seconds.toFixed(3)}s`,
    });
  }

  async #compactAll(): Promise<void> {
    const { catalog, work, metrics, clock, log, blockRanges: ranges = [] } = this.#options;
    if (ranges.length === 0) return;
    for (;;) {
      const byUlid = [...catalog.blocks].sort((a, b) => compareUtf8(a.meta.ulid, b.meta.ulid));
      const planned = planCompaction(byUlid, { ranges });
      if (planned.length === 0) return;
      const begun = clock.monotonic();
      metrics.compactionsTriggered.inc();
      const block = await work.compact(planned, newUlid(clock.now()));
      catalog.replace(
        block,
        planned.map(({ meta }) => meta.ulid),
      );
      await work.drain();
      catalog.retired();
      for (const source of planned) await work.remove(source);
      const seconds = (clock.monotonic() - begun) / 1000;
      metrics.compactions.inc();
      metrics.compactionSeconds.observe(seconds);
      log.info('blocks compacted', {
        ...(block && describe(block.meta)),
        sources: planned.map(({ meta }) => meta.ulid).join(' '),
        duration: `${seconds.toFixed(3)}s`,
      });
    }
  }

  /** Series that got no samples since the block's end leave memory. */
  async #collect({ maxt }: PlannedCut): Promise<void> {
    const { work, log } = this.#options;
    const collected = await work.collectSeries(maxt);
    if (collected === 0) return;
    await work.drain();
    await work.freeCollected();
    log.info('series without samples left the head', { series: collected });
  }

  /** A log that stays long costs space and time at the next start, nothing else. */
  async #checkpoint({ maxt, segment }: PlannedCut): Promise<void> {
    const { work, metrics, log } = this.#options;
    try {
      const report = await work.checkpoint(maxt, segment);
      if (report === undefined) return;
      metrics.checkpoints.inc();
      log.info('WAL checkpoint made', {
        up_to_segment: report.segment,
        samples_kept: report.samplesKept,
        samples_dropped: report.samplesDropped,
        series_dropped: report.seriesDropped,
      });
    } catch (thrown) {
      if (errorCode(thrown) === 'canceled') throw thrown;
      metrics.checkpointsFailed.inc();
      log.error('WAL checkpoint failed, the log stays as it is', { err: errorText(thrown) });
    }
  }

  async #retain(): Promise<void> {
    const { catalog, work, retention, metrics } = this.#options;
    if (retention.timeMs <= 0 && retention.bytes <= 0) return;
    const byUlid = new Map(catalog.blocks.map((block) => [block.meta.ulid, block]));
    const candidates = catalog.blocks.map(({ meta, bytes }) => ({
      ulid: meta.ulid,
      mint: meta.minTime,
      maxt: meta.maxTime,
      bytes,
    }));
    const otherBytes = retention.bytes > 0 ? await work.headBytes() : 0;
    for (const { ulid, limit } of beyondRetention(candidates, retention, otherBytes)) {
      const block = byUlid.get(ulid) as ListedBlock;
      if (await this.#mayGo(block, limit)) {
        await this.#remove(block, limit);
        (limit === 'time' ? metrics.timeRetentions : metrics.sizeRetentions).inc();
      }
    }
  }

  async #mayGo({ meta, ...block }: ListedBlock, limit: string): Promise<boolean> {
    if (await this.#options.retention.isSafe({ meta, ...block })) return true;
    if (!this.#kept.has(meta.ulid)) {
      this.#kept.add(meta.ulid);
      this.#options.log.warn('block is beyond retention and stays: it is not verified elsewhere', {
        ...describe(meta),
        retention: limit,
      });
    }
    return false;
  }

  async #remove(block: ListedBlock, limit: string): Promise<void> {
    const { catalog, work, log } = this.#options;
    const { ulid } = block.meta;
    catalog.retire([ulid]);
    await work.drain();
    catalog.retired();
    await work.remove(block);
    this.#kept.delete(ulid);
    log.info('block removed', { ...describe(block.meta), retention: limit });
  }
}

function describe(meta: ListedBlock['meta']): Record<string, string | number> {
  return { ulid: meta.ulid, mint: meta.minTime, maxt: meta.maxTime, level: meta.compaction.level };
}
