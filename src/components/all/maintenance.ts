/** The main thread's end of maintenance: one TSDB's steps, carried out by the ingest and the maintenance worker. */
import { readdir } from 'node:fs/promises';
import type { ComputePool } from '../../ops/compute-pool.ts';
import type { ListedBlock } from '../../tsdb/block/list-blocks.ts';
import type { HeadHandle } from '../../tsdb/head/chunk-source.ts';
import type { MaintenanceWork } from '../../tsdb/maintenance.ts';
import { MAINTENANCE_WORKER } from './block-tasks.ts';
import type { BlockAnswers, CheckpointRequest, CutRequest } from './block-tasks.ts';
import type { IngestClient } from './ingest-client.ts';

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
  #started = false;

  constructor(pool: ComputePool) {
    this.#pool = pool;
  }

  /** Runs a task; the worker is started by the first one, and anew when it has died. */
  async run<T extends keyof BlockAnswers>(task: T, payload: unknown): Promise<BlockAnswers[T]> {
    if (!this.#started) {
      this.#started = true;
      // What dies with it is under a temporary name; the task that ran fails and is tried again.
      this.#pool.dedicate(MAINTENANCE_WORKER, () => (this.#started = false));
    }
    const value = await this.#pool.run(task, payload, { worker: MAINTENANCE_WORKER });
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
    checkpoint: (mint, segment) => {
      const request: CheckpointRequest = { directory, mint, segment };
      return blocks.run('blocks.checkpoint', request);
    },
    names: () => readdir(directory),
    list: () => blocks.run('blocks.list', directory),
    headBytes: () => blocks.run('blocks.headBytes', directory),
    remove: async (block: ListedBlock) => {
      await blocks.run('blocks.remove', block.directory);
    },
    drain,
  };
}
