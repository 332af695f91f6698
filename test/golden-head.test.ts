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
const AGREED_MIN = 206;
const NON_EMPTY_MIN = 170;

/**
 * Of two series with one value topk takes the one that comes first, which in Prometheus' head is the one that was created
 * first, and in ours the one whose labels do. By query: what we take, what was recorded.
 */
const TIES: ReadonlyMap<string, readonly [string, string]> = new Map([
  [
    'topk(5, count by (__name__) ({__name__=~".+"}))',
    ['go_gc_heap_allocs_by_size_bytes_bucket', 'go_gc_heap_frees_by_size_bytes_bucket'],
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

  const counts = { agreed: 0, nonEmpty: 0, histograms: 0 };
  for (const file of ['head-fixed', 'head-fuzz']) {
    for (const golden of readGoldenQueries(join(GOLDEN, 'queries', `${file}.jsonl.gz`))) {
      const query = queryOf(golden);
      const response = await fetch(`${all.api}${golden.path}?${golden.params}`);
      const [ours = '', recorded = ''] = TIES.get(query) ?? [];
      const text = await response.text();
      const got = JSON.parse(ours === '' ? text : text.replaceAll(ours, recorded)) as GoldenAnswer;
      const problem = compareAnswers(got, golden.response);
      if (problem === undefined) {
        counts.agreed++;
        if (isNonEmpty(golden.response)) counts.nonEmpty++;
        if (/"histograms?":/.test(text)) counts.histograms++;
      }
      await t.test(query, () => assert.equal(problem, undefined));
    }
  }
  const { agreed, nonEmpty, histograms } = counts;
  t.diagnostic(
    `${agreed} answers agree, ${nonEmpty} of them not empty, ${histograms} with histograms`,
  );

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
