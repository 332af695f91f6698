/** What worker threads of the crash tests run: as src/cmd/worker.ts, over files that forget what was not fsynced. */
import { blockTasks } from '../../src/components/all/block-tasks.ts';
import { INGEST_WORKER } from '../../src/components/all/ingest-client.ts';
import { ingestTasks } from '../../src/components/all/ingest-tasks.ts';
import { MAINTENANCE_WORKER } from '../../src/components/all/maintenance.ts';
import { queryTasks } from '../../src/components/all/query-tasks.ts';
import type { AllWorkerData } from '../../src/components/all/all.ts';
import { Random } from '../../src/lib/prng.ts';
import { serveTasks } from '../../src/ops/worker-runtime.ts';
import { DroppingFiles } from './dropping-files.ts';

serveTasks((init, log) => {
  if (init.name === MAINTENANCE_WORKER) return blockTasks(log);
  if (init.name !== INGEST_WORKER) return queryTasks((init.data as AllWorkerData).query);
  const random = new Random(Number(process.env['DROPPING_SEED'] ?? 0));
  const writeBack = Number(process.env['DROPPING_WRITE_BACK'] ?? 0);
  return ingestTasks(log, new DroppingFiles(random, writeBack));
});
