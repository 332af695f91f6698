/** One TSDB of the process, on the main thread: opened, maintained, with the blocks that its readers see. */
import { join } from 'node:path';
import type { Clock } from '../../lib/clock.ts';
import type { Logger } from '../../lib/log.ts';
import { BlockCatalog } from '../../tsdb/block-catalog.ts';
import type { FileNumbers } from '../../tsdb/block-catalog.ts';
import { createTable } from '../../tsdb/block-table.ts';
import { createArenaMemory } from '../../tsdb/head/arena.ts';
import { TsdbMaintenance } from '../../tsdb/maintenance.ts';
import type { RetentionPolicy } from '../../tsdb/maintenance.ts';
import type { MaintenanceMetrics } from '../../tsdb/maintenance-metrics.ts';
import type { TsdbHandle } from '../../tsdb/tsdb-reader.ts';
import type { OpenRequest } from './ingest-tasks.ts';
import type { IngestClient } from './ingest-client.ts';
import { maintenanceWork } from './maintenance.ts';
import type { BlockClient } from './maintenance.ts';

/** What a TSDB is made of. */
export interface LocalTsdbOptions {
  /** Distinguishes the heads of the process in the page cache: 0, 1, … */
  readonly number: number;
  readonly name: string;
  readonly directory: string;
  readonly headBytesMax: number;
  readonly files: FileNumbers;
  readonly log: Logger;
}

/** How it stores. */
export type TsdbSettings = Pick<
  OpenRequest,
  'fsync' | 'outOfOrderWindowMs' | 'exemplarsMax' | 'memorySnapshot'
>;

/** How it is maintained. */
export interface MaintainOptions {
  readonly ingest: IngestClient;
  readonly blocks: BlockClient;
  readonly drain: () => Promise<void>;
  /** What retention may remove; asked for when it is known whether the directory is adopted. */
  readonly retention: (adopted: boolean) => RetentionPolicy;
  /** {@link MaintenanceOptions.blockRanges}. */
  readonly blockRanges: readonly number[];
  readonly metrics: MaintenanceMetrics;
  readonly clock: Clock;
}

/** A TSDB that is opened once. */
export class LocalTsdb {
  readonly name: string;
  readonly directory: string;
  /** What workers read it by. */
  readonly handle: TsdbHandle;
  readonly catalog: BlockCatalog;
  readonly #log: Logger;
  #readOnly = true;
  #exclusive: Promise<unknown> = Promise.resolve();
  #drain: () => Promise<void> = () => Promise.resolve();
  #segments = { first: 0, last: 0 };
  #opened = false;
  #maintenance: TsdbMaintenance | undefined;

  constructor(options: LocalTsdbOptions) {
    const { number, name, directory, headBytesMax, files, log } = options;
    this.name = name;
    this.directory = directory;
    this.#log = log.with({ tsdb: name });
    const head = {
      number,
      memories: [createArenaMemory(headBytesMax)],
      chunksDirectory: join(directory, 'chunks_head'),
    };
    this.handle = { head, table: createTable() };
    this.catalog = new BlockCatalog(this.handle.table, files);
  }

  /** How far replay is: it is one step for whoever asks. */
  get replayStatus(): { readonly min: number; readonly max: number; readonly current: number } {
    const { first, last } = this.#segments;
    return { min: first, max: last, current: this.#opened ? last : first };
  }

  /** Resolves when every query that began before has ended. */
  drain(): Promise<void> {
    return this.#drain();
  }

  /** Whether nothing in the directory may be changed; true before it is opened. */
  get readOnly(): boolean {
    return this.#readOnly;
  }

  /** Replays the log, lists the blocks and says what there is. @throws CodedError as Db.open. */
  async open(settings: TsdbSettings, options: MaintainOptions): Promise<void> {
    const { name, directory } = this;
    const { ingest, blocks, drain, retention, blockRanges, metrics, clock } = options;
    const { head } = this.handle;
    const begun = clock.monotonic();
    const { memories } = head;
    this.#drain = drain;
    const report = await ingest.open({ name, directory, memories, ...settings });
    this.#readOnly = report.readOnlyReason !== '';
    this.#segments = report.segments;
    this.#opened = true;
    this.catalog.take(report.listing);
    if (report.takesLate) this.catalog.takeLate();
    if (report.headMint > -Infinity) this.catalog.setHeadMint(report.headMint);
    metrics.show(this.catalog);
    this.#describe(report, clock.monotonic() - begun, clock.now());
    this.#maintenance = new TsdbMaintenance({
      catalog: this.catalog,
      work: maintenanceWork({ name, directory, head, ingest, blocks, drain }),
      retention: retention(report.adopted),
      blockRanges: this.#readOnly ? [] : blockRanges,
      metrics,
      clock,
      log: this.#log,
    });
  }

  /** One round of cutting, reloading and retention. Never rejects. */
  async maintain(): Promise<void> {
    await this.exclusive(async () => this.#maintenance?.run());
  }

  /** Runs what changes blocks, one after the other and not beside maintenance. */
  exclusive<T>(work: () => Promise<T>): Promise<T> {
    const running = this.#exclusive.then(work, work);
    this.#exclusive = running;
    return running;
  }

  #describe(report: Awaited<ReturnType<IngestClient['open']>>, ms: number, now: number): void {
    const { blocks, broken } = report.listing;
    const path = this.directory;
    for (const { ulid, reason } of broken) {
      this.#log.error('block cannot be read, answers over its time are partial', {
        ulid,
        err: reason,
      });
    }
    if (report.adopted) this.#listContents(report);
    this.#log.info('TSDB opened', {
      path,
      blocks: blocks.length,
      series: report.series,
      chunks: report.chunks,
      wal_samples: report.samples,
      duration: `${(ms / 1000).toFixed(3)}s`,
    });
    if (report.headMint > now) {
      this.#log.warn('blocks reach into the future: samples before their end are refused', {
        path,
        until: new Date(report.headMint).toISOString(),
      });
    }
    if (report.readOnlyReason !== '') {
      this.#log.warn('TSDB is read-only, writes are refused', {
        path,
        reason: report.readOnlyReason,
      });
    }
  }

  /** Says what an adopted directory holds, before anything is done with it. */
  #listContents({ listing, contents }: Awaited<ReturnType<IngestClient['open']>>): void {
    const found = Object.entries(contents).map(([what, count]) => `${what}: ${count}`);
    const samples = listing.blocks.reduce((sum, { meta }) => sum + (meta.stats.numSamples ?? 0), 0);
    this.#log.info('adopted a directory with data of another program', {
      path: this.directory,
      blocks: listing.blocks.length,
      block_samples: samples,
      log: found.join(', '),
    });
  }
}
