/** A disk that fills up: writes are refused with a sentence, everything else goes on, and nothing acknowledged is lost. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { TestContext } from 'node:test';
import { CrashLedger } from '../support/crash-ledger.ts';
import { verifyLedger } from '../support/crash-verify.ts';
import { RemoteWriteSender } from '../support/remote-write-sender.ts';
import type { WriteAnswer } from '../support/remote-write-sender.ts';
import { startAll } from '../support/server-process.ts';
import type { ThanosAll } from '../support/server-process.ts';
import { MountedDisk, mountSmallDisk } from '../support/small-disk.ts';
import { temporaryDirectory } from '../support/temporary-directory.ts';

const GROUP = 'disk';
const SERIES = 200;
/** Enough that a request cuts chunks. */
const SAMPLES = 30;

test('disk full: 503 with a sentence, queries go on, and nothing is lost', async (t) => {
  using directory = temporaryDirectory();
  const unavailable = mountSmallDisk(directory.path, 8 << 20);
  if (unavailable !== undefined) return t.skip(unavailable);
  using mounted = new MountedDisk(directory.path);
  const run = new DiskRun(t, mounted.path);

  await run.start();
  mounted.addBallast();
  const refused = await run.writeUntilRefused();
  assert.match(refused.text, /^write WAL: ENOSPC: no space left on device.*\n$/);
  await run.verify('while the disk is full');
  // A smaller request may find room; whatever is answered must be so.
  for (let i = 0; i < 20; i++) await run.write(1 + (i % 3));
  await run.verify('after more attempts');
  assert.equal((await fetch(`${run.api}/-/ready`)).status, 200);

  mounted.removeBallast();
  for (let i = 0; i < 5; i++) assert.equal((await run.write(SAMPLES)).status, 200);
  await run.verify('with room again');
  assert.equal(await run.stop(), 0);
  await run.start();
  await run.verify('after a restart');

  mounted.addBallast();
  await run.writeUntilRefused();
  await run.stop('SIGKILL');
  mounted.fill();
  await run.start();
  await run.verify('killed while full, started without room');
  assert.equal((await run.write(1)).status, 503);
  mounted.removeBallast();
  for (let i = 0; i < 5; i++) assert.equal((await run.write(SAMPLES)).status, 200);

  mounted.addBallast();
  await run.writeUntilRefused();
  assert.equal(await run.stop(), 0);
  mounted.removeBallast();
  await run.start();
  await run.verify('stopped while full');
  assert.equal((await run.write(SAMPLES)).status, 200);
});

/** A server on the disk, and what it was sent. */
class DiskRun {
  readonly #t: TestContext;
  readonly #dataDir: string;
  readonly #ledger = new CrashLedger(Date.now() - 3_600_000);
  readonly #series: readonly number[];
  #all: ThanosAll | undefined;
  #sender: RemoteWriteSender | undefined;

  constructor(t: TestContext, dataDir: string) {
    this.#t = t;
    this.#dataDir = dataDir;
    this.#series = Array.from({ length: SERIES }, () => this.#ledger.addSeries(GROUP));
  }

  get api(): string {
    return this.#all?.api ?? '';
  }

  async start(): Promise<void> {
    this.#all = await startAll({ dataDir: this.#dataDir });
    const { process: server, write } = this.#all;
    this.#t.after(() => server.stop('SIGKILL'));
    this.#sender = new RemoteWriteSender(write);
  }

  async stop(signal?: NodeJS.Signals): Promise<number | string | undefined> {
    await this.#sender?.close();
    return this.#all?.process.stop(signal);
  }

  /** Sends one request with some samples of every series, and a new series. */
  async write(samples: number): Promise<WriteAnswer> {
    const series = [...this.#series, this.#ledger.addSeries(GROUP)];
    const stretches = series.map((number) => this.#ledger.take(number, samples));
    const answer = await this.#sender?.send(this.#ledger.request(stretches));
    assert.ok(answer !== undefined);
    if (answer.status === 200) this.#ledger.acknowledge(stretches);
    else {
      assert.equal(answer.status, 503, answer.text);
      this.#ledger.refuse(stretches);
    }
    return answer;
  }

  async writeUntilRefused(): Promise<WriteAnswer> {
    for (let i = 0; i < 2000; i++) {
      const answer = await this.write(SAMPLES);
      if (answer.status !== 200) return answer;
    }
    throw new Error('the disk does not fill up');
  }

  /** Checks every sample. */
  async verify(when: string): Promise<void> {
    const { acknowledged, problems } = await verifyLedger(this.api, this.#ledger, [GROUP]);
    this.#t.diagnostic(`${when}: ${acknowledged} acknowledged samples are there`);
    assert.deepEqual(problems, [], when);
    assert.ok(acknowledged > 0, when);
  }
}
