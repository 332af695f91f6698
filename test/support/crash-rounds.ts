/**
 * The crash test: load, SIGKILL at a random moment, restart on the same directory, every sample checked; again and
 * again. A seed makes the load and the moments; what the scheduler does is its own.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Random } from '../../src/lib/prng.ts';
import { CrashLedger } from './crash-ledger.ts';
import { CrashLoad } from './crash-load.ts';
import { readGroup, verifyLedger } from './crash-verify.ts';
import { complaints, openCopyInPrometheus } from './prometheus.ts';
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
   * Undefined for the system's files; else the WAL forgets what was not fsynced, and this is the probability that a
   * write reaches the disk by itself.
   */
  readonly droppingWriteBack?: number;
  /** Told how far it is. */
  readonly say: (line: string) => void;
}

/** What a crash test found. Problems make it fail. */
export interface CrashReport {
  readonly acknowledged: number;
  readonly kept: number;
  readonly lost: number;
  readonly missing: number;
  readonly chunks: number;
  readonly problems: readonly string[];
}

/** Load lasts up to so long before the kill, ms. */
const LOAD_MAX_MS = 1500;
/** A restart in so many is killed itself, so long after its start at most. */
const KILL_START_ONE_IN = 5;
const START_MAX_MS = 600;
/** Samples begin six hours ago, so that they cross the 2 h boundaries of chunks on the way. */
const BASE_AGO_MS = 6 * 3_600_000;

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
  readonly #sums = { acknowledged: 0, kept: 0, lost: 0, missing: 0, chunks: 0 };

  constructor(options: CrashOptions, directory: string) {
    this.#options = options;
    this.#directory = directory;
    this.#random = new Random(options.seed);
    this.#load = new CrashLoad(this.#ledger, this.#random);
  }

  async run(): Promise<CrashReport> {
    for (let round = 1; round <= this.#options.rounds && this.#problems.length === 0; round++) {
      if (this.#random.below(KILL_START_ONE_IN) === 0) await this.#killStart();
      const all = await this.#start(round);
      await this.#check(`round ${round}`);
      await this.#loadUntilKilled(all);
    }
    const all = await this.#start(this.#options.rounds + 1);
    const ours = await this.#check('after the last round');
    await all.process.stop();
    this.#all = undefined;
    // A Prometheus cuts the log off at a hole that it finds, and forgets all later segments.
    await this.#checkInPrometheus(ours);
    return { ...this.#sums, problems: this.#problems };
  }

  /** Ends what still runs. */
  async end(): Promise<void> {
    await this.#all?.process.stop('SIGKILL');
  }

  async #loadUntilKilled({ write, process: server }: ThanosAll): Promise<void> {
    let failure: unknown;
    const load = this.#load.run(write).catch((thrown: unknown) => (failure = thrown));
    await sleep(20 + this.#random.below(LOAD_MAX_MS));
    await server.stop('SIGKILL');
    this.#load.stop();
    await load;
    if (failure !== undefined) throw failure;
  }

  async #start(round: number): Promise<ThanosAll> {
    this.#all = await startAll({
      dataDir: this.#directory,
      command: this.#command(),
      args: [`--wal.fsync=${this.#options.fsync}`],
      env: this.#env(round),
    });
    const { output } = this.#all.process;
    for (const line of output.split('\n').filter((l) => /level=error|panic|read-only/.test(l))) {
      // A process that dies by SIGKILL leaves a torn end and no more; one whose machine dies may leave holes.
      const isHole = this.#mayHaveHoles && line.includes('the WAL is damaged');
      if (!isHole) this.#problems.push(`round ${round}: ${line}`);
    }
    const opened = /tsdb=default-tenant msg="TSDB opened".* chunks=(\d+)/.exec(output);
    this.#sums.chunks = Number(opened?.[1] ?? 0);
    return this.#all;
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
    ];
    const server = new ServerProcess(command, args, this.#env(0));
    await sleep(this.#random.below(START_MAX_MS));
    await server.stop('SIGKILL');
  }

  /** Checks every sample in the running server; answers its samples. */
  async #check(what: string): Promise<readonly RawSeries[]> {
    const { api } = this.#all as ThanosAll;
    const found = await verifyLedger(api, this.#ledger, this.#load.groups);
    const { acknowledged, missing, kept, lost } = found;
    for (const problem of found.problems) this.#problems.push(`${what}: ${problem}`);
    this.#sums.acknowledged = acknowledged;
    this.#sums.missing = missing;
    this.#sums.kept += kept;
    this.#sums.lost += lost;
    this.#options.say(
      `${what}: ${acknowledged} acknowledged samples, ${missing} missing, ` +
        `${kept} in doubt kept, ${lost} lost, ${this.#sums.chunks} chunks in files`,
    );
    return found.series;
  }

  async #checkInPrometheus(ours: readonly RawSeries[]): Promise<void> {
    const tsdb = join(this.#directory, 'tsdb', 'default-tenant');
    const prometheus = await openCopyInPrometheus(tsdb, join(this.#directory, 'prometheus'));
    try {
      const theirs: RawSeries[] = [];
      for (const group of this.#load.groups) {
        theirs.push(...(await readGroup(prometheus.api, this.#ledger, group)));
      }
      const { series, samples, differences } = compareRawSamples(ours, theirs);
      this.#options.say(`a real Prometheus has the same ${samples} samples of ${series} series`);
      for (const line of [...differences, ...complaints(prometheus)]) {
        this.#problems.push(`in a real Prometheus: ${line}`);
      }
    } finally {
      await prometheus.process.stop();
    }
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
