/** A TSDB with its maintenance and its reader in one thread: what `thanos all` spreads over workers. */
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { FakeClock } from '../../src/lib/clock.ts';
import { systemFiles } from '../../src/lib/file-layer.ts';
import type { FileLayer } from '../../src/lib/file-layer.ts';
import { nopLogger } from '../../src/lib/log.ts';
import type { Logger } from '../../src/lib/log.ts';
import { Matcher } from '../../src/model/matcher.ts';
import { ProcessMetrics } from '../../src/ops/metrics.ts';
import { FloatColumns } from '../../src/storage/storage.ts';
import { BlockCatalog, FileNumbers } from '../../src/tsdb/block-catalog.ts';
import { listBlocks } from '../../src/tsdb/block/list-blocks.ts';
import { createTable } from '../../src/tsdb/block-table.ts';
import { PageCache } from '../../src/tsdb/chunks/page-cache.ts';
import { compactBlocks } from '../../src/tsdb/compact/compact-blocks.ts';
import { cutBlock } from '../../src/tsdb/compact/cut-block.ts';
import { Db } from '../../src/tsdb/db.ts';
import { createArenaMemory } from '../../src/tsdb/head/arena.ts';
import type { ArenaMemory } from '../../src/tsdb/head/arena.ts';
import { TsdbMaintenance } from '../../src/tsdb/maintenance.ts';
import type { MaintenanceWork, RetentionPolicy } from '../../src/tsdb/maintenance.ts';
import { MaintenanceFamilies } from '../../src/tsdb/maintenance-metrics.ts';
import { TsdbReader } from '../../src/tsdb/tsdb-reader.ts';
import type { TsdbHandle } from '../../src/tsdb/tsdb-reader.ts';
import { makeCheckpoint } from '../../src/tsdb/wal/checkpoint.ts';
import type { FsyncPolicy } from '../../src/tsdb/wal/group-commit.ts';
import { encodeWriteRequest } from './write-request.ts';

/** Samples by series. */
export type Rows = Record<string, [number, number][]>;

/** Settings of a test. */
export interface MaintainedOptions {
  readonly directory: string;
  readonly clock?: FakeClock;
  readonly files?: FileLayer;
  readonly log?: Logger;
  readonly retention?: Partial<RetentionPolicy>;
  readonly outOfOrderWindowMs?: number;
  readonly exemplarsMax?: number;
  readonly memorySnapshot?: boolean;
  /** Bytes of the head's memory: 64 MiB by default. */
  readonly arenaBytes?: number;
  /** `segment` by default. */
  readonly fsync?: FsyncPolicy;
  readonly blockRanges?: readonly number[];
  /** Stands around the work, to fail a step of it. */
  readonly wrap?: (work: MaintenanceWork) => MaintenanceWork;
}

/** An open TSDB. */
export class MaintainedTsdb implements Disposable {
  readonly db: Db;
  readonly memories: readonly ArenaMemory[];
  readonly catalog: BlockCatalog;
  /** What readers are made of, and share. */
  readonly handle: TsdbHandle;
  readonly cache: PageCache;
  readonly reader: TsdbReader;
  readonly maintenance: TsdbMaintenance;
  readonly metrics = new ProcessMetrics();
  readonly work: MaintenanceWork;

  constructor(options: MaintainedOptions) {
    const { directory, files = systemFiles, log = nopLogger, clock = new FakeClock(0) } = options;
    const memories = [createArenaMemory(options.arenaBytes ?? 64 << 20)];
    this.memories = memories;
    const { outOfOrderWindowMs = 0, exemplarsMax = 0, fsync = 'segment' } = options;
    const { memorySnapshot = false } = options;
    const settings = { fsync, outOfOrderWindowMs, exemplarsMax, memorySnapshot };
    this.db = Db.open({ directory, memories, ...settings, files, log, clock });
    const { listing, headMint, takesLate } = this.db.report;
    const table = createTable();
    this.catalog = new BlockCatalog(table, new FileNumbers());
    this.catalog.take(listing);
    if (takesLate) this.catalog.takeLate();
    if (headMint > -Infinity) this.catalog.setHeadMint(headMint);
    this.cache = new PageCache(PageCache.allocate(4 << 20));
    const head = { number: 0, memories, chunksDirectory: join(directory, 'chunks_head') };
    this.handle = { head, table };
    this.reader = new TsdbReader(this.handle, this.cache);
    const work: MaintenanceWork = {
      planCut: async () => this.db.planCut(),
      cut: async (range, ulid) => cutBlock(head, range, { directory, ulid, files }),
      truncateHead: (maxt) => this.db.truncateHead(maxt),
      planLateCut: async () => this.db.planLateCut(),
      cutLate: async (range, part, ulid) => cutBlock(head, range, { directory, ulid, files, part }),
      truncateLate: async (plan) => this.db.truncateLate(plan),
      compact: async (sources, ulid) =>
        compactBlocks(
          sources.map((block) => block.directory),
          { directory, ulid, files },
        ),
      collectSeries: (maxt) => this.db.collectSeries(maxt),
      freeCollected: async () => this.db.freeCollected(),
      checkpoint: async (mint, segment) => {
        const report = makeCheckpoint({
          directory: join(directory, 'wal'),
          mint,
          openSegment: segment,
          dead: this.db.deadRefs(),
          files,
          log,
        });
        if (report !== undefined) this.db.forgetDead(report.segment);
        return report;
      },
      names: async () => readdirSync(directory),
      list: async () => listBlocks(directory),
      headBytes: async () => 0,
      remove: async ({ meta }) => files.remove(join(directory, meta.ulid)),
      drain: async () => undefined,
    };
    this.work = options.wrap?.(work) ?? work;
    this.maintenance = new TsdbMaintenance({
      catalog: this.catalog,
      work: this.work,
      retention: { timeMs: 0, bytes: 0, isSafe: async () => true, ...options.retention },
      blockRanges: options.blockRanges ?? [],
      metrics: new MaintenanceFamilies(this.metrics).of('t'),
      clock,
      log,
    });
  }

  /** Writes one sample of each series. */
  async write(samples: Record<string, [number, number]>): Promise<number> {
    const series = Object.entries(samples).map(([name, sample]) => ({
      labels: [['__name__', name]] as [string, string][],
      samples: [sample],
    }));
    return (await this.db.writeDecoded(encodeWriteRequest(series))).accepted;
  }

  /** Every sample in a range, all by default. */
  async read(mint = -1e15, maxt = 1e15): Promise<Rows> {
    const matchers = [new Matcher('=~', '__name__', '.+')];
    const set = await this.reader.select({ matchers, mint, maxt });
    const columns = new FloatColumns();
    const rows: Rows = {};
    for (let i = 0; i < set.count; i++) {
      set.readFloats(i, columns, false);
      const { t, v, length } = columns;
      rows[set.labels(i).toString()] = [...t.subarray(0, length)].map((x, k) => [x, v[k] ?? NaN]);
    }
    set.close();
    return rows;
  }

  /** The ranges of the blocks, in hours. */
  get ranges(): [number, number][] {
    const hour = 3_600_000;
    return this.catalog.blocks.map(({ meta }) => [meta.minTime / hour, meta.maxTime / hour]);
  }

  /** A counter or gauge of maintenance. */
  async metric(name: string): Promise<number> {
    const samples = await this.metrics.snapshot();
    return samples.find((sample) => sample.name === `prometheus_tsdb_${name}`)?.value ?? NaN;
  }

  [Symbol.dispose](): void {
    this.close();
  }

  close(): void {
    this.reader.close();
    this.db.close();
  }
}
