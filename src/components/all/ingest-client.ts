/** The main thread's end of the ingest worker: opens TSDBs, writes to them, and says how a request ended. */
import { errorCode, errorText } from '../../lib/errors.ts';
import type { ErrorCode } from '../../lib/errors.ts';
import type { WriteOutcome, WriteService } from '../../http/write-service.ts';
import type { ComputePool } from '../../ops/compute-pool.ts';
import type { StageCounts } from '../../tsdb/head/arena-ingest.ts';
import type { LatePlan } from '../../tsdb/head/head-writer.ts';
import type {
  ForgetDeadRequest,
  IngestAnswers,
  MetadataRequest,
  OpenRequest,
  MatchersRequest,
  TruncateLateRequest,
  TruncateRequest,
  WritePayload,
} from './ingest-tasks.ts';

/** The name of the dedicated worker. */
export const INGEST_WORKER = 'ingest';

/** Figures that the write path counts. */
export interface WriteCounters {
  /** What is stored. */
  appended(what: 'float' | 'histogram', count: number): void;
  /** How many of these came out of order. */
  late(count: number): void;
  exemplars(count: number): void;
  /** What was refused, by reason. */
  refused(
    reason:
      | 'out_of_order'
      | 'duplicate'
      | 'out_of_bounds'
      | 'too_old'
      | 'histogram'
      | 'late_exemplar',
    count: number,
  ): void;
  invalidSeries(count: number): void;
}

/** Calls the ingest worker's tasks. */
export class IngestClient {
  readonly #pool: ComputePool;

  constructor(pool: ComputePool) {
    this.#pool = pool;
  }

  /** Opens a TSDB. @throws CodedError as Db.open. */
  open(request: OpenRequest): Promise<IngestAnswers['ingest.open']> {
    return this.#call('ingest.open', request);
  }

  /** Figures of a TSDB. */
  stats(name: string): Promise<IngestAnswers['ingest.stats']> {
    return this.#call('ingest.stats', name);
  }

  /** What of a head can become a block: {@link Db.planCut}. */
  planCut(name: string): Promise<IngestAnswers['ingest.planCut']> {
    return this.#call('ingest.planCut', name);
  }

  /** Takes what a block holds out of a head: {@link Db.truncateHead}. */
  truncateHead(db: string, maxt: number): Promise<IngestAnswers['ingest.truncateHead']> {
    const request: TruncateRequest = { db, maxt };
    return this.#call('ingest.truncateHead', request);
  }

  /** {@link Db.collectSeries}. */
  collectSeries(db: string, maxt: number): Promise<number> {
    const request: TruncateRequest = { db, maxt };
    return this.#call('ingest.collectSeries', request);
  }

  /** {@link Db.freeCollected}. */
  async freeCollected(name: string): Promise<void> {
    await this.#call('ingest.freeCollected', name);
  }

  /** {@link Db.deadRefs}. */
  deadRefs(name: string): Promise<IngestAnswers['ingest.deadRefs']> {
    return this.#call('ingest.deadRefs', name);
  }

  /** {@link Db.forgetDead}. */
  async forgetDead(db: string, segment: number): Promise<void> {
    const request: ForgetDeadRequest = { db, segment };
    await this.#call('ingest.forgetDead', request);
  }

  /** What came out of order and can become blocks: {@link Db.planLateCut}. */
  planLateCut(name: string): Promise<IngestAnswers['ingest.planLateCut']> {
    return this.#call('ingest.planLateCut', name);
  }

  /** {@link Db.truncateLate}. */
  async truncateLate(db: string, plan: LatePlan): Promise<void> {
    const request: TruncateLateRequest = { db, plan };
    await this.#call('ingest.truncateLate', request);
  }

  /** {@link Db.deleteSeries}. @throws CodedError bad_data, unavailable. */
  deleteSeries(request: MatchersRequest): Promise<number> {
    return this.#call('ingest.delete', request);
  }

  /** {@link Db.exemplars}. @throws CodedError bad_data. */
  exemplars(request: MatchersRequest): Promise<IngestAnswers['ingest.exemplars']> {
    return this.#call('ingest.exemplars', request);
  }

  /** {@link Db.metadata}. */
  metadata(request: MetadataRequest): Promise<IngestAnswers['ingest.metadata']> {
    return this.#call('ingest.metadata', request);
  }

  /** Closes all TSDBs. */
  async close(): Promise<void> {
    await this.#call('ingest.close', null);
  }

  /** Writes a request; its buffer moves to the worker. @throws CodedError as Db.write. */
  write(payload: WritePayload): Promise<StageCounts> {
    const { buffer } = payload.body;
    return this.#call('ingest.write', payload, buffer instanceof ArrayBuffer ? [buffer] : []);
  }

  /** The service that remote write handlers call, for one TSDB. */
  writeService(db: string, counters: WriteCounters): WriteService {
    return {
      write: async (body, { maxDecodedBytes, version }) => {
        try {
          const counts = await this.write({ db, body, compressed: true, maxDecodedBytes, version });
          count(counts, counters);
          return outcome(counts);
        } catch (thrown) {
          return failure(thrown);
        }
      },
    };
  }

  async #call<T extends keyof IngestAnswers>(
    task: T,
    payload: unknown,
    transfer: readonly ArrayBuffer[] = [],
  ): Promise<IngestAnswers[T]> {
    const value = await this.#pool.run(task, payload, { worker: INGEST_WORKER, transfer });
    return value as IngestAnswers[T];
  }
}

function count(counts: StageCounts, counters: WriteCounters): void {
  counters.appended('float', counts.accepted);
  if (counts.histograms > 0) counters.appended('histogram', counts.histograms);
  if (counts.late > 0) counters.late(counts.late);
  if (counts.exemplars > 0) counters.exemplars(counts.exemplars);
  if (counts.outOfOrder > 0) counters.refused('out_of_order', counts.outOfOrder);
  if (counts.conflicts > 0) counters.refused('duplicate', counts.conflicts);
  if (counts.tooOld > 0)
    counters.refused(counts.window ? 'too_old' : 'out_of_bounds', counts.tooOld);
  if (counts.invalidHistograms > 0) counters.refused('histogram', counts.invalidHistograms);
  if (counts.lateExemplars > 0) counters.refused('late_exemplar', counts.lateExemplars);
  if (counts.invalidSeries > 0) counters.invalidSeries(counts.invalidSeries);
}

/** How a request that was understood ended. Good samples are kept whatever else it held. */
function outcome(counts: StageCounts): WriteOutcome {
  const refused = counts.outOfOrder + counts.conflicts + counts.tooOld;
  const written = {
    samples: counts.accepted + counts.identical,
    histograms: counts.histograms + counts.identicalHistograms,
    exemplars: counts.exemplars,
  };
  const samples = written.samples + written.histograms + refused + counts.invalidHistograms;
  const series = counts.timeseries + counts.invalidSeries;
  const base = { series, samples, written };
  if (counts.invalidSeries > 0) {
    const what = `${counts.invalidSeries} of ${series} series were refused, the others were stored`;
    return { status: 400, message: `${counts.firstProblem} (${what})`, ...base };
  }
  if (counts.invalidHistograms > 0) {
    const what = `${counts.invalidHistograms} native histograms were refused, what else was good was stored`;
    return { status: 400, message: `${counts.firstProblem} (${what})`, ...base };
  }
  if (refused > 0) {
    const what = `${refused} of ${samples} samples were refused: ${reasons(counts)}; the others were stored`;
    return { status: 409, message: `${counts.firstProblem} (${what})`, ...base };
  }
  return { status: 200, message: '', ...base };
}

function reasons(counts: StageCounts): string {
  const parts: string[] = [];
  if (counts.outOfOrder > 0) parts.push(`${counts.outOfOrder} out of order`);
  if (counts.conflicts > 0)
    parts.push(`${counts.conflicts} with another value for a stored timestamp`);
  if (counts.tooOld > 0)
    parts.push(`${counts.tooOld} ${counts.window ? 'too old' : 'out of bounds'}`);
  return parts.join(', ');
}

function failure(thrown: unknown): WriteOutcome {
  const status = statusOf(thrown);
  return { status, message: errorText(thrown), series: 0, samples: 0 };
}

/** What senders are told about an error; what is not here is a bug of ours. */
const STATUS: Partial<Record<ErrorCode, WriteOutcome['status']>> = {
  bad_data: 400,
  too_large: 413,
  unavailable: 503,
  canceled: 503,
};

function statusOf(thrown: unknown): WriteOutcome['status'] {
  return STATUS[errorCode(thrown)] ?? 500;
}
