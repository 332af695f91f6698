/**
 * The writer of head-concurrency.test.ts: fills a TSDB in its own thread as fast as it can. Series i gets the samples
 * (n, n * 7 + i) for n = 0, 1, 2, …, so a reader can tell whether what it sees was ever true.
 */
import { parentPort, workerData } from 'node:worker_threads';
import { must } from '../../src/lib/assert.ts';
import { systemFiles } from '../../src/lib/file-layer.ts';
import { nopLogger } from '../../src/lib/log.ts';
import { Db } from '../../src/tsdb/db.ts';
import type { ArenaMemory } from '../../src/tsdb/head/arena.ts';
import { encodeWriteRequest } from './write-request.ts';

/** What the worker is started with. */
export interface HeadWriting {
  readonly directory: string;
  readonly memories: readonly ArenaMemory[];
  readonly series: number;
  readonly samples: number;
}

const { directory, memories, series, samples } = workerData as HeadWriting;
const db = Db.open({ directory, memories, fsync: 'segment', files: systemFiles, log: nopLogger });
const port = must(parentPort, 'a worker');
port.postMessage('open');
for (let n = 0; n < samples; n++) {
  // New series keep appearing while the others grow.
  const known = Math.min(series, 1 + Math.floor((n * series) / (samples / 2)));
  const request = Array.from({ length: known }, (_, i) => ({
    labels: [
      ['__name__', 'm'],
      ['i', String(i).padStart(4, '0')],
    ] as const,
    samples: [[n, n * 7 + i]] as const,
  }));
  await db.writeDecoded(encodeWriteRequest(request));
}
db.close();
port.postMessage('done');
