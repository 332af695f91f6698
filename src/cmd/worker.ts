/** What worker threads run: registers every task by name. */
import { blockTasks } from '../components/all/block-tasks.ts';
import { ingestTasks } from '../components/all/ingest-tasks.ts';
import { INGEST_WORKER } from '../components/all/ingest-client.ts';
import { MAINTENANCE_WORKER } from '../components/all/maintenance.ts';
import { queryTasks } from '../components/all/query-tasks.ts';
import type { AllWorkerData } from '../components/all/all.ts';
import { serveTasks } from '../ops/worker-runtime.ts';

serveTasks((init, log) => {
  const { query } = init.data as AllWorkerData;
  if (init.name === INGEST_WORKER) return ingestTasks(log);
  if (init.name === MAINTENANCE_WORKER) return blockTasks(log);
  return queryTasks(query);
});
