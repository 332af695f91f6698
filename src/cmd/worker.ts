/** What worker threads run: registers every task by name. */
import { ingestTasks } from '../components/all/ingest-tasks.ts';
import { INGEST_WORKER } from '../components/all/ingest-client.ts';
import { queryTasks } from '../components/all/query-tasks.ts';
import type { AllWorkerData } from '../components/all/all.ts';
import { serveTasks } from '../ops/worker-runtime.ts';

serveTasks((init, log) => {
  if (init.name === INGEST_WORKER) return ingestTasks(log);
  return queryTasks((init.data as AllWorkerData).query);
});
