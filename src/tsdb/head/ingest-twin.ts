/** The ingest kernel in TypeScript. */
import type { IngestKernel } from '../../kernels/load.ts';
import type { ArenaMemory } from './arena.ts';

/** Stub until written. */
export function ingestTwin(_memory: ArenaMemory): IngestKernel {
  throw new Error('the ingest kernel is missing: run `npm run build:kernels`');
}
