/**
 * `thanos all` on the directory of a live Prometheus 3.14, native histograms and exemplars included: the WAL replays,
 * recorded queries get the recorded answers, and writing goes on behind what is there.
 */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { chmodSync, cpSync, existsSync, readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import {
  compareAnswers,
  holdsHistograms,
  isNonEmpty,
  queryOf,
  readGoldenQueries,
} from './support/golden-answers.ts';
import type { GoldenAnswer } from './support/golden-answers.ts';
import { RemoteWriteSender } from './support/remote-write-sender.ts';
import { startAll } from './support/server-process.ts';
import { temporaryDirectory } from './support/temporary-directory.ts';

const GOLDEN = fileURLToPath(new URL('../../shared/golden', import.meta.url));
const skip = existsSync(GOLDEN) ? false : 'the golden data (../shared/golden) are not here';

/** What agrees today: may only grow. */
const AGREED_MIN = 198;
const NON_EMPTY_MIN = 165;

const NO_HISTOGRAMS = 'the samples that count are native histograms, which are not read yet';
const NO_HISTOGRAM_INFO = 'the annotation is about native histograms, which are not read yet';

/** Queries whose recorded answers hold no histogram, but come from some. One that agrees must leave the list. */
const NOT_YET: ReadonlyMap<string, string> = new Map([
  [
    'histogram_quantile(0.9, sum(rate(prometheus_http_request_duration_seconds[5m])))',
    NO_HISTOGRAMS,
  ],
  [
    'min by (instance) (count by (integration) (alertmanager_notification_latency_seconds))',
    NO_HISTOGRAMS,
  ],
  ['quantile (0.9, prometheus_notifications_latency_histogram_seconds)', NO_HISTOGRAM_INFO],
  ['(alertmanager_notification_latency_seconds{integration!~"di.*"}) != 2', NO_HISTOGRAM_INFO],
  [
    'stddev without (instance) ((alertmanager_nflog_query_duration_seconds) * 0.1)',
    NO_HISTOGRAM_INFO,
  ],
]);

test('golden answers over the WAL of a Prometheus', { skip }, async (t) => {
  using directory = temporaryDirectory();
  const copy = join(directory.path, 'prometheus');
  copyWritable(join(GOLDEN, 'head/prometheus-data-dir'), copy);
  const before = hashFiles(copy);
  const all = await startAll({
    dataDir: join(directory.path, 'data'),
    args: [`--tsdb.path=${copy}`, '--tsdb.retention=100y'],
  });
  t.after(() => all.process.stop('SIGKILL'));

  const counts = { agreed: 0, nonEmpty: 0, notYet: 0 };
  for (const file of ['head-fixed', 'head-fuzz']) {
    for (const golden of readGoldenQueries(join(GOLDEN, 'queries', `${file}.jsonl.gz`))) {
      const query = queryOf(golden);
      const response = await fetch(`${all.api}${golden.path}?${golden.params}`);
      const got = (await response.json()) as GoldenAnswer;
      const problem = compareAnswers(got, golden.response);
      const reason = notYet(query, got, golden.response);
      if (problem !== undefined && reason !== undefined) {
        counts.notYet++;
        t.diagnostic(`not yet: ${golden.path} ${query}: ${reason}`);
        continue;
      }
      if (problem === undefined) counts.agreed++;
      if (problem === undefined && isNonEmpty(golden.response)) counts.nonEmpty++;
      await t.test(query, () => {
        assert.equal(problem, undefined);
        assert.ok(!NOT_YET.has(query), 'it agrees now: take it off the list NOT_YET');
      });
    }
  }
  const { agreed, nonEmpty, notYet: missing } = counts;
  t.diagnostic(`${agreed} answers agree, ${nonEmpty} of them not empty; ${missing} not yet`);

  await t.test('enough was compared', () => {
    assert.ok(agreed >= AGREED_MIN, `${agreed} agree, at least ${AGREED_MIN} must`);
    assert.ok(nonEmpty >= NON_EMPTY_MIN, `${nonEmpty} not empty, at least ${NON_EMPTY_MIN} must`);
  });

  await t.test('writes are taken, and the files that were there are as they were', async () => {
    const sender = new RemoteWriteSender(all.write);
    const samples = [[Date.now(), 1]] as const;
    const answer = await sender.send([{ labels: [['__name__', 'up']], samples }]);
    await sender.close();
    assert.equal(answer.status, 200, answer.text);
    assert.equal(await all.process.stop(), 0, all.process.output);
    const after = hashFiles(copy);
    for (const [name, hash] of Object.entries(before)) assert.equal(after[name], hash, name);
    assert.ok(Object.keys(after).includes('wal/00000001'));
  });
});

/** Why a difference is expected of this version; undefined when it is not. */
function notYet(query: string, got: GoldenAnswer, want: GoldenAnswer): string | undefined {
  if (got.error?.includes('is not implemented yet') === true) return got.error;
  if (holdsHistograms(want)) return 'the recorded answer holds native histograms';
  return NOT_YET.get(query);
}

/** The golden data may be read-only. */
function copyWritable(from: string, to: string): void {
  cpSync(from, to, { recursive: true });
  for (const name of readdirSync(to, { recursive: true, encoding: 'utf8' })) {
    chmodSync(join(to, name), 0o755);
  }
  chmodSync(to, 0o755);
}

/** The digest of each file by its path; directories have none. */
function hashFiles(directory: string): Record<string, string> {
  const hashes: Record<string, string> = {};
  for (const entry of readdirSync(directory, { recursive: true, withFileTypes: true })) {
    const path = join(entry.parentPath, entry.name);
    const name = path.slice(directory.length + 1);
    hashes[name] = entry.isDirectory()
      ? 'directory'
      : createHash('sha256').update(readFileSync(path)).digest('hex');
  }
  return hashes;
}
