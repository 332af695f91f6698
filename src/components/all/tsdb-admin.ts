/** One TSDB of the process as the API asks it about itself and changes it. */
import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import type {
  HeadCardinality,
  MatcherSpec,
  MetadataEntry,
  ReplayStatus,
  SeriesExemplars,
  TsdbService,
} from '../../http/tsdb-service.ts';
import { fromSpecs, toSpecs } from '../../http/matcher-specs.ts';
import type { Clock } from '../../lib/clock.ts';
import { CodedError } from '../../lib/errors.ts';
import { Labels } from '../../model/labels.ts';
import { newUlid } from '../../model/ulid.ts';
import { matchersFor } from '../../storage/merged.ts';
import { plainMeta } from '../../tsdb/block/block-metas.ts';
import type { ListedBlock } from '../../tsdb/block/list-blocks.ts';
import type { CleanRequest, DeleteRequest, SnapshotRequest } from './block-tasks.ts';
import type { IngestClient } from './ingest-client.ts';
import type { LocalTsdb } from './local-tsdb.ts';
import type { BlockClient } from './maintenance.ts';
import type { QueryClient } from './query-client.ts';

/** What it is made of. */
export interface TsdbAdminOptions {
  readonly tsdb: LocalTsdb;
  /** Its place among the TSDBs that queries read. */
  readonly number: number;
  readonly externalLabels: Labels;
  readonly ingest: IngestClient;
  readonly blocks: BlockClient;
  readonly queries: QueryClient;
  readonly clock: Clock;
}

/** Answers from the ingest worker, a compute worker and the maintenance worker. */
export class TsdbAdmin implements TsdbService {
  readonly #options: TsdbAdminOptions;

  constructor(options: TsdbAdminOptions) {
    this.#options = options;
  }

  async metadata(metric: string | undefined): Promise<readonly MetadataEntry[]> {
    const { ingest, tsdb } = this.#options;
    const families = await ingest.metadata({ db: tsdb.name, metric });
    return families.map(([family, about]) => ({ family, ...about }));
  }

  async exemplars(
    matcherSets: readonly (readonly MatcherSpec[])[],
    startMs: number,
    endMs: number,
  ): Promise<readonly SeriesExemplars[]> {
    const { ingest, tsdb, externalLabels } = this.#options;
    const left = matcherSets
      .map((specs) => matchersFor(externalLabels, fromSpecs(specs)))
      .filter((matchers) => matchers !== undefined);
    if (left.length === 0) return [];
    const range = { mint: startMs, maxt: endMs };
    const found = await ingest.exemplars({ db: tsdb.name, matcherSets: left.map(toSpecs), range });
    return found.map(({ labels, exemplars }) => ({
      seriesLabels: Labels.fromPairs([...new Labels(labels), ...externalLabels]).pairs,
      exemplars: exemplars.map(({ labels: own, t, value }) => ({
        labels: own,
        timestampMs: t,
        value,
      })),
    }));
  }

  headStats(limit: number): Promise<HeadCardinality> {
    return this.#options.queries.cardinality({ tsdb: this.#options.number, limit });
  }

  async blocks(): Promise<readonly object[]> {
    return this.#options.tsdb.catalog.blocks.map(({ meta }) => plainMeta(meta));
  }

  async replayStatus(): Promise<ReplayStatus> {
    return this.#options.tsdb.replayStatus;
  }

  async deleteSeries(
    matcherSets: readonly (readonly MatcherSpec[])[],
    mint: number,
    maxt: number,
  ): Promise<void> {
    const { ingest, tsdb, blocks } = this.#options;
    this.#requireWritable();
    const range = { mint, maxt };
    await tsdb.exclusive(async () => {
      const reached = tsdb.catalog.blocks.filter(
        ({ meta }) => meta.minTime <= maxt && meta.maxTime > mint,
      );
      if (reached.length > 0) {
        const directories = reached.map(({ directory }) => directory);
        const request: DeleteRequest = { directories, matcherSets, range };
        tsdb.catalog.revise(await blocks.run('blocks.delete', request));
      }
      await ingest.deleteSeries({ db: tsdb.name, matcherSets, range });
    });
  }

  async cleanTombstones(): Promise<void> {
    const { tsdb } = this.#options;
    this.#requireWritable();
    await tsdb.exclusive(async () => {
      for (const block of tsdb.catalog.blocks) await this.#clean(block);
    });
  }

  async snapshot(skipHead: boolean): Promise<string> {
    const { tsdb, blocks, ingest, clock } = this.#options;
    const name = snapshotName(clock.now());
    const target = join(tsdb.directory, 'snapshots', name);
    await tsdb.exclusive(async () => {
      const { mint, maxt } = skipHead
        ? { mint: undefined, maxt: undefined }
        : await ingest.stats(tsdb.name);
      const request: SnapshotRequest = {
        blocks: tsdb.catalog.blocks.map(({ directory }) => directory),
        target,
        // compat: the block ends behind its newest sample, because ranges of blocks are half open.
        ...(mint !== undefined &&
          maxt !== undefined && {
            head: {
              handle: tsdb.handle.head,
              range: { mint, maxt: maxt + 1 },
              ulid: newUlid(clock.now()),
            },
          }),
      };
      await blocks.run('blocks.snapshot', request);
    });
    return name;
  }

  /** Puts a block without its deleted samples in the place of one that has tombstones. */
  async #clean(block: ListedBlock): Promise<void> {
    const { tsdb, blocks, clock } = this.#options;
    const { directory, catalog } = tsdb;
    const ulid = newUlid(clock.now());
    const request: CleanRequest = { block: block.directory, directory, ulid };
    const done = await blocks.run('blocks.clean', request);
    if (done.kind === 'no tombstones') return;
    catalog.replace(done.kind === 'rewritten' ? done.block : undefined, [block.meta.ulid]);
    await tsdb.drain();
    catalog.retired();
    await blocks.run('blocks.remove', block.directory);
  }

  #requireWritable(): void {
    if (this.#options.tsdb.readOnly)
      throw new CodedError('unavailable', 'the TSDB is read-only, nothing in it is changed');
  }
}

/** compat: the time and a random number, as Prometheus names snapshots. */
function snapshotName(now: number): string {
  const time = new Date(now).toISOString().replaceAll(/[-:]|\.\d+/g, '');
  return `${time}-${randomBytes(8).toString('hex')}`;
}
