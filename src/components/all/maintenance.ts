/** The main thread's end of maintenance: one TSDB's steps, carried out by the ingest and the maintenance worker. */
import { readdir } from 'node:fs/promises';
import { orAbort, throwIfAborted } from '../../lib/abort.ts';
import type { ComputePool } from '../../ops/compute-pool.ts';
import type { ListedBlock } from '../../tsdb/block/list-blocks.ts';
import type { HeadHandle } from '../../tsdb/head/chunk-source.ts';
import type { MaintenanceWork } from '../../tsdb/maintenance.ts';
import type { BlockAnswers, CheckpointRequest, CompactRequest, CutRequest } from './block-tasks.ts';
import type { IngestClient } from './ingest-client.ts';

/** The name of the dedicated worker. Not beside its tasks, whose modules the main thread does not need. */
export const MAINTENANCE_WORKER = 'maintenance';

/** What the work of one TSDB needs. */
export interface WorkOptions {
  readonly name: string;
  readonly directory: string;
  readonly head: HeadHandle;
  readonly ingest: IngestClient;
  readonly blocks: BlockClient;
  /** Resolves when every query that began before has ended. */
  readonly drain: () => Promise<void>;
}

/** Calls the maintenance worker's tasks. */
export class BlockClient {
  readonly #pool: ComputePool;
  readonly #ending = new AbortController();
  #started = false;

  constructor(pool: ComputePool) {
    this.#pool = pool;
  }

  /** Fires when the process ends: nobody should wait any more. */
  get signal(): AbortSignal {
    return this.#ending.signal;
  }

  /** Ends what is under way, without a trace of it, and refuses more. */
  end(): void {
    this.#ending.abort();
  }

  /**
   * Runs a task; the worker is started by the first one, and anew when it has died.
   * @throws CodedError as the task throws it; canceled after the end.
   */
  async run<T extends keyof BlockAnswers>(task: T, payload: unknown): Promise<BlockAnswers[T]> {
    throwIfAborted(this.signal);
    if (!this.#started) {
      this.#started = true;
      // What dies with it is under a temporary name; the task that ran fails and is tried again.
      this.#pool.dedicate(MAINTENANCE_WORKER, () => (this.#started = false));
    }
    const options = { worker: MAINTENANCE_WORKER, signal: this.signal };
    const value = await this.#pool.run(task, payload, options);
    return value as BlockAnswers[T];
  }
}

/** The work of one TSDB's maintenance. */
export function maintenanceWork(options: WorkOptions): MaintenanceWork {
  const { name, directory, head, ingest, blocks, drain } = options;
  return {
    planCut: () => ingest.planCut(name),
    cut: (range, ulid) => {
      const request: CutRequest = { directory, head, range, ulid };
      return blocks.run('blocks.cut', request);
    },
    truncateHead: (maxt) => ingest.truncateHead(name, maxt),
    planLateCut: () => ingest.planLateCut(name),
    cutLate: (range, part, ulid) => {
      const request: CutRequest = { directory, head, range, ulid, part };
      return blocks.run('blocks.cut', request);
    },
    truncateLate: (plan) => ingest.truncateLate(name, plan),
    compact: (sources, ulid) => {
      const request: CompactRequest = {
        sources: sources.map((block) => block.directory),
        directory,
        ulid,
      };
      return blocks.run('blocks.compact', request);
    },
    collectSeries: (maxt) => ingest.collectSeries(name, maxt),
    freeCollected: () => ingest.freeCollected(name),
    checkpoint: async (mint, segment) => {
      const dead = await ingest.deadRefs(name);
      const request: CheckpointRequest = { directory, mint, segment, dead };
      const report = await blocks.run('blocks.checkpoint', request);
      if (report !== undefined) await ingest.forgetDead(name, report.segment);
      return report;
    },
    names: () => readdir(directory),
    list: () => blocks.run('blocks.list', directory),
    headBytes: () => blocks.run('blocks.headBytes', directory),
    remove: async (block: ListedBlock) => {
      await blocks.run('blocks.remove', block.directory);
    },
    drain: () => orAbort(drain(), blocks.signal),
  };
}
