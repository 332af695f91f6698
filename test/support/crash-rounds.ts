/**
 * The crash test: mixed load, SIGKILL at a random moment, restart on the same directory, every sample checked; again and
 * again. In some rounds time has jumped ahead, so that blocks are cut under the load, and the kill waits for that. A seed
 * makes the load and the moments; what the scheduler does is its own.
 */
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Random } from '../../src/lib/prng.ts';
import { CrashLedger, noSums } from './crash-ledger.ts';
import type { CrashSums } from './crash-ledger.ts';
import { CrashLoad } from './crash-load.ts';
import { readGroup, verifyLedger } from './crash-verify.ts';
import { AS_OURS, complaints, openCopyInPrometheus } from './prometheus.ts';
import { compareRawSamples } from './raw-samples.ts';
import type { RawSeries } from './raw-samples.ts';
import { ROOT, ServerProcess, SOURCE_COMMAND, startAll } from './server-process.ts';
import type { ThanosAll } from './server-process.ts';

/** How a crash test runs. */
export interface CrashOptions {
  readonly seed: number;
  readonly rounds: number;
  readonly fsync: 'segment' | 'interval' | 'always';
  /**
   * Undefined for the system's files; else the logs forget what was not fsynced, and this is the probability that a
   * write reaches the disk by itself.
   */
  readonly droppingWriteBack?: number;
  /** Told how far it is. */
  readonly say: (line: string) => void;
}

/** What a crash test found. Problems make it fail. */
export interface CrashReport extends CrashSums {
  /** Chunks that were found in files, at the most. */
  readonly chunks: number;
  /** Blocks at the end, and kills while one was written. */
  readonly blocks: number;
  readonly killedCuts: number;
  /** Deletions that were acknowledged. */
  readonly deletions: number;
  readonly problems: readonly string[];
}

/** Load lasts up to so long before the kill, ms. */
const LOAD_MAX_MS = 800;
/** A restart in so many is killed itself, so long after its start at most. */
const KILL_START_ONE_IN = 5;
const START_MAX_MS = 600;
/** Before a round in so many time jumps: by enough that what was there becomes a block, and part of a block more. */
const JUMP_ONE_IN = 3;
const HOUR_MS = 3_600_000;
const JUMP_MS = 3 * HOUR_MS;
const JUMP_RANDOM_MS = HOUR_MS;
/** Samples begin days ago, so that they do not reach the present. */
const BASE_AGO_MS = 14 * 24 * HOUR_MS;
/** A kill waits so long for a block to be begun, and so long behind that at most, ms. */
const CUT_WAIT_MS = 1500;
const CUT_MAX_MS = 60;

const ARGS: readonly string[] = [
  '--tsdb.out-of-order.time-window=1h',
  '--tsdb.block-reload-interval=250ms',
  '--tsdb.retention=0d',
  '--web.enable-admin-api',
];

/** Runs a crash test. @throws Error when the server does not come up, or answers what it must not. */
export async function runCrashRounds(options: CrashOptions): Promise<CrashReport> {
  const directory = mkdtempSync(join(tmpdir(), 'thanos-crash-'));
  const run = new CrashRun(options, directory);
  try {
    return await run.run();
  } finally {
    await run.end();
    rmSync(directory, { recursive: true, force: true });
  }
}

class CrashRun {
  readonly #options: CrashOptions;
  readonly #directory: string;
  readonly #random: Random;
  readonly #ledger = new CrashLedger(Date.now() - BASE_AGO_MS);
  readonly #load: CrashLoad;
  readonly #problems: string[] = [];
  #all: ThanosAll | undefined;
  readonly #sums = { ...noSums(), chunks: 0, killedCuts: 0 };
  /** Chunks that the newest start found in files. */
  #chunks = 0;

  constructor(options: CrashOptions, directory: string) {
    this.#options = options;
    this.#directory = directory;
    this.#random = new Random(options.seed);
    this.#load = new CrashLoad(this.#ledger, this.#random, { mixed: true });
  }

  async run(): Promise<CrashReport> {
    for (let round = 1; round <= this.#options.rounds && this.#problems.length === 0; round++) {
      if (this.#random.below(KILL_START_ONE_IN) === 0) await this.#killStart();
      const all = await this.#start(round);
      await this.#check(round, `round ${round}`);
      const jumps = round > 1 && this.#random.below(JUMP_ONE_IN) === 0;
      this.#load.jump(jumps ? JUMP_MS + this.#random.below(JUMP_RANDOM_MS) : 0);
      await this.#loadUntilKilled(all, jumps);
    }
    const all = await this.#start(this.#options.rounds + 1);
    const ours = await this.#check(0, 'after the last round');
    await all.process.stop();
    this.#all = undefined;
    // A Prometheus cuts the log off at a hole that it finds, and forgets all later segments.
    await this.#checkInPrometheus(ours);
    const { deletions } = this.#load;
    return { ...this.#sums, deletions, blocks: this.#blocks.length, problems: this.#problems };
  }

  /** Ends what still runs. */
  async end(): Promise<void> {
    await this.#all?.process.stop('SIGKILL');
  }

  async #loadUntilKilled(all: ThanosAll, cuts: boolean): Promise<void> {
    let failure: unknown;
    const load = this.#load.run(all).catch((thrown: unknown) => (failure = thrown));
    if (!cuts) await sleep(20 + this.#random.below(LOAD_MAX_MS));
    else {
      const deadline = performance.now() + CUT_WAIT_MS;
      while (!this.#isCutting() && performance.now() < deadline) await sleep(1);
      await sleep(this.#random.below(CUT_MAX_MS));
    }
    await all.process.stop('SIGKILL');
    if (this.#isCutting()) this.#sums.killedCuts++;
    this.#load.stop();
    await load;
    if (failure !== undefined) throw failure;
  }

  get #tsdb(): string {
    return join(this.#directory, 'tsdb', 'default-tenant');
  }

  get #blocks(): readonly string[] {
    return readdirSync(this.#tsdb).filter((name) => /^[0-9A-Z]{26}$/.test(name));
  }

  #isCutting(): boolean {
    return readdirSync(this.#tsdb).some((name) => name.endsWith('.tmp-for-creation'));
  }

  async #start(round: number): Promise<ThanosAll> {
    this.#all = await startAll({
      dataDir: this.#directory,
      command: this.#command(),
      args: this.#args,
      env: this.#env(round),
    });
    const { output } = this.#all.process;
    for (const line of output.split('\n').filter((l) => /level=error|panic|read-only/.test(l))) {
      // A process that dies by SIGKILL leaves a torn end and no more; one whose machine dies may leave holes.
      const isHole = this.#mayHaveHoles && line.includes('the WAL is damaged');
      if (!isHole) this.#problems.push(`round ${round}: ${line}`);
    }
    const opened = /tsdb=default-tenant msg="TSDB opened".* chunks=(\d+)/.exec(output);
    this.#chunks = Number(opened?.[1] ?? 0);
    this.#sums.chunks = Math.max(this.#sums.chunks, this.#chunks);
    return this.#all;
  }

  get #args(): readonly string[] {
    return [`--wal.fsync=${this.#options.fsync}`, ...ARGS];
  }

  get #mayHaveHoles(): boolean {
    return (this.#options.droppingWriteBack ?? 0) > 0;
  }

  async #killStart(): Promise<void> {
    const [command, ...before] = this.#command();
    const address = '127.0.0.1:0';
    const args = [
      ...before,
      'all',
      `--data-dir=${this.#directory}`,
      `--http-address=${address}`,
      `--remote-write.address=${address}`,
      '--grpc-address=127.0.0.1:0',
      ...this.#args,
    ];
    const server = new ServerProcess(command, args, this.#env(0));
    await sleep(this.#random.below(START_MAX_MS));
    await server.stop('SIGKILL');
  }

  /** Checks every sample in the running server; answers its samples. */
  async #check(round: number, what: string): Promise<readonly RawSeries[]> {
    const { api } = this.#all as ThanosAll;
    const form = round % 5 === 0 ? 'samples' : 'chunks';
    const found = await verifyLedger(api, this.#ledger, this.#load.groups, form);
    const { acknowledged, histograms, late, deleted, missing, kept, lost } = found;
    for (const problem of found.problems) this.#problems.push(`${what}: ${problem}`);
    Object.assign(this.#sums, { acknowledged, histograms, late, deleted, missing });
    this.#sums.kept += kept;
    this.#sums.lost += lost;
    this.#options.say(
      `${what}: ${acknowledged} acknowledged samples (${histograms} histograms, ${late} late), ` +
        `${missing} missing, ${deleted} deleted, ${kept} in doubt kept, ${lost} lost, ` +
        `${this.#chunks} chunks in files, ${this.#blocks.length} blocks`,
    );
    return found.series;
  }

  async #checkInPrometheus(ours: readonly RawSeries[]): Promise<void> {
    const copy = join(this.#directory, 'prometheus');
    const prometheus = await openCopyInPrometheus(this.#tsdb, copy, AS_OURS);
    try {
      const theirs: RawSeries[] = [];
      for (const group of this.#load.groups) {
        theirs.push(...(await readGroup(prometheus.api, this.#ledger, group)));
      }
      const known = (all: readonly RawSeries[]): RawSeries[] =>
        all.filter((series) => !this.#isBeyondPrometheus(series));
      const { series, samples, differences } = compareRawSamples(known(ours), known(theirs));
      this.#options.say(`a real Prometheus has the same ${samples} samples of ${series} series`);
      // Of a request without an answer, late samples may be logged and their new series not.
      const complained = complaints(prometheus).filter(
        (line) => !line.includes('msg="Unknown series references for ooo WAL replay"'),
      );
      for (const line of [...differences, ...complained]) {
        this.#problems.push(`in a real Prometheus: ${line}`);
      }
    } finally {
      await prometheus.process.stop();
    }
  }

  /**
   * Prometheus 2.42 passes over histograms in the log of what came out of order; later ones read them. And what that log
   * says is in a chunk it takes to be there once there is any later chunk: where the machine dies, chunks get lost.
   */
  #isBeyondPrometheus({ metric }: RawSeries): boolean {
    const { kind, takesLate } = this.#ledger.describe(Number(metric['series']));
    return takesLate && (kind !== 'float' || this.#options.droppingWriteBack !== undefined);
  }

  #command(): readonly [string, ...string[]] {
    if (this.#options.droppingWriteBack === undefined) return SOURCE_COMMAND;
    return [process.execPath, join(ROOT, 'test/support/dropping-main.ts')];
  }

  #env(round: number): Record<string, string> {
    return {
      DROPPING_SEED: String(this.#options.seed * 1000 + round),
      DROPPING_WRITE_BACK: String(this.#options.droppingWriteBack ?? 0),
    };
  }
}
