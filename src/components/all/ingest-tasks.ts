/** Tasks of the ingest worker: it owns the TSDBs of the process, each by name. */
import { fromSpecs } from '../../http/matcher-specs.ts';
import type { MatcherSpec } from '../../http/tsdb-service.ts';
import { systemFiles } from '../../lib/file-layer.ts';
import type { FileLayer } from '../../lib/file-layer.ts';
import type { Logger } from '../../lib/log.ts';
import type { Task } from '../../ops/worker-runtime.ts';
import { Db } from '../../tsdb/db.ts';
import type { DbStats, OpenReport, PlannedCut } from '../../tsdb/db.ts';
import type { StageCounts } from '../../tsdb/head/arena-ingest.ts';
import type { SeriesExemplars } from '../../tsdb/head/exemplar-search.ts';
import type { LatePlan } from '../../tsdb/head/head-writer.ts';
import type { FamilyMetadata } from '../../tsdb/head/metadata-store.ts';
import type { TimeRange } from '../../storage/storage.ts';
import type { ArenaMemory } from '../../tsdb/head/arena.ts';
import type { DeadRefs } from '../../tsdb/wal/checkpoint.ts';
import type { FsyncPolicy } from '../../tsdb/wal/group-commit.ts';

/** What `ingest.open` takes. */
export interface OpenRequest {
  readonly name: string;
  readonly directory: string;
  readonly memories: readonly ArenaMemory[];
  readonly fsync: FsyncPolicy;
  /** {@link DbOptions.outOfOrderWindowMs}. */
  readonly outOfOrderWindowMs: number;
  /** {@link DbOptions.exemplarsMax}. */
  readonly exemplarsMax: number;
  /** {@link DbOptions.memorySnapshot}. */
  readonly memorySnapshot: boolean;
}

/** What `ingest.write` takes. The body is one request, snappy-compressed or not. */
export interface WritePayload {
  readonly db: string;
  readonly body: Uint8Array;
  readonly compressed: boolean;
  readonly maxDecodedBytes: number;
  /** Which of the two messages of remote write it is; 1 unless it is given. */
  readonly version?: 1 | 2;
}

/** What `ingest.truncateHead` takes. */
export interface TruncateRequest {
  readonly db: string;
  readonly maxt: number;
}

/** What `ingest.forgetDead` takes: the segment that a checkpoint stands for. */
export interface ForgetDeadRequest {
  readonly db: string;
  readonly segment: number;
}

/** What `ingest.truncateLate` takes. */
export interface TruncateLateRequest {
  readonly db: string;
  readonly plan: LatePlan;
}

/** What `ingest.delete` and `ingest.exemplars` take: matchers, and a range of time (ms, inclusive). */
export interface MatchersRequest {
  readonly db: string;
  readonly matcherSets: readonly (readonly MatcherSpec[])[];
  readonly range: TimeRange;
}

/** What `ingest.metadata` takes: all families or one. */
export interface MetadataRequest {
  readonly db: string;
  readonly metric?: string | undefined;
}

/** Answers of the tasks by name. */
export interface IngestAnswers {
  readonly 'ingest.open': OpenReport;
  readonly 'ingest.write': StageCounts;
  readonly 'ingest.stats': DbStats;
  readonly 'ingest.planCut': PlannedCut | undefined;
  readonly 'ingest.truncateHead': number;
  readonly 'ingest.collectSeries': number;
  readonly 'ingest.freeCollected': null;
  readonly 'ingest.deadRefs': DeadRefs;
  readonly 'ingest.forgetDead': null;
  readonly 'ingest.planLateCut': LatePlan | undefined;
  readonly 'ingest.truncateLate': null;
  readonly 'ingest.delete': number;
  readonly 'ingest.exemplars': readonly SeriesExemplars[];
  readonly 'ingest.metadata': readonly [string, FamilyMetadata][];
  readonly 'ingest.close': null;
}

/** The tasks; `files` is the layer under everything that must be durable. */
export function ingestTasks(log: Logger, files: FileLayer = systemFiles): Record<string, Task> {
  const dbs = new Map<string, Db>();
  const find = (name: string): Db => {
    const db = dbs.get(name);
    if (db === undefined) throw new Error(`BUG: no TSDB ${name}`);
    return db;
  };
  return {
    'ingest.open': (request: OpenRequest): OpenReport => {
      const db = Db.open({ ...request, files, log: log.with({ tsdb: request.name }) });
      dbs.set(request.name, db);
      return db.report;
    },
    'ingest.write': (payload: WritePayload): Promise<StageCounts> => {
      const db = find(payload.db);
      const { body, compressed, maxDecodedBytes, version = 1 } = payload;
      return compressed ? db.write(body, { maxDecodedBytes, version }) : db.writeDecoded(body);
    },
    'ingest.stats': (name: string): DbStats => find(name).stats(),
    'ingest.planCut': (name: string): PlannedCut | undefined => find(name).planCut(),
    'ingest.truncateHead': ({ db, maxt }: TruncateRequest): Promise<number> =>
      find(db).truncateHead(maxt),
    'ingest.collectSeries': ({ db, maxt }: TruncateRequest): Promise<number> =>
      find(db).collectSeries(maxt),
    'ingest.freeCollected': (name: string): null => {
      find(name).freeCollected();
      return null;
    },
    'ingest.deadRefs': (name: string): DeadRefs => find(name).deadRefs(),
    'ingest.forgetDead': ({ db, segment }: ForgetDeadRequest): null => {
      find(db).forgetDead(segment);
      return null;
    },
    'ingest.planLateCut': (name: string): LatePlan | undefined => find(name).planLateCut(),
    'ingest.truncateLate': ({ db, plan }: TruncateLateRequest): null => {
      find(db).truncateLate(plan);
      return null;
    },
    'ingest.delete': ({ db, matcherSets, range }: MatchersRequest): Promise<number> =>
      find(db).deleteSeries(matcherSets.map(fromSpecs), range),
    'ingest.exemplars': ({ db, matcherSets, range }: MatchersRequest): readonly SeriesExemplars[] =>
      find(db).exemplars(matcherSets.map(fromSpecs), range),
    'ingest.metadata': ({ db, metric }: MetadataRequest): readonly [string, FamilyMetadata][] =>
      find(db).metadata(metric),
    'ingest.close': (): null => {
      for (const db of dbs.values()) db.close();
      dbs.clear();
      return null;
    },
  };
}
