/**
 * Directories that a killed Prometheus 3.14 left, with records of all types: what is read from them is what that Prometheus
 * answered, from the head, from blocks that were cut from it, and after another start.
 */
import assert from 'node:assert/strict';
import { chmodSync, cpSync, existsSync, readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { gunzipSync } from 'node:zlib';
import { HistogramColumns } from '../src/model/histogram.ts';
import { Matcher } from '../src/model/matcher.ts';
import { FloatColumns } from '../src/storage/storage.ts';
import { MaintainedTsdb } from './support/maintained-tsdb.ts';
import { apiNumber, compareSamples, histogramText, readAnswer } from './support/golden-samples.ts';
import type { Answer } from './support/golden-samples.ts';
import { temporaryDirectory } from './support/temporary-directory.ts';

const GOLDEN = fileURLToPath(new URL('../../shared/golden/head', import.meta.url));
const skip = existsSync(GOLDEN) ? false : 'the golden data (../shared/golden) are not here';
const HOUR = 3_600_000;

/** The golden data may be read-only. */
function copyWritable(from: string, to: string): void {
  cpSync(from, to, { recursive: true });
  for (const name of readdirSync(to, { recursive: true, encoding: 'utf8' }))
    chmodSync(join(to, name), 0o755);
}

async function readAll(tsdb: MaintainedTsdb): Promise<Answer> {
  const answer: Answer = new Map();
  const matchers = [new Matcher('=', 'job', 'head')];
  const set = await tsdb.reader.select({ matchers, mint: -1e15, maxt: 1e15 });
  const floats = new FloatColumns();
  const histograms = new HistogramColumns();
  for (let i = 0; i < set.count; i++) {
    const samples = new Map<number, string>();
    set.readFloats(i, floats, true);
    for (let k = 0; k < floats.length; k++)
      samples.set(floats.t[k] as number, apiNumber(floats.v[k]));
    set.readHistograms(i, histograms, true);
    for (let k = 0; k < histograms.length; k++)
      samples.set(histograms.t[k] as number, histogramText(histograms, k));
    answer.set(JSON.stringify(Object.fromEntries(set.labels(i))), samples);
  }
  set.close();
  return answer;
}

for (const [name, count] of [
  ['all-records-snappy', 8426],
  ['all-records-zstd-st', 2400],
] as const) {
  test(`golden ${name}: what is read is what Prometheus answered`, { skip }, async (t) => {
    using directory = temporaryDirectory();
    const path = join(directory.path, 'tsdb');
    copyWritable(join(GOLDEN, name), path);
    const want = readAnswer(join(GOLDEN, `${name}.samples.json.gz`));
    const options = { directory: path, outOfOrderWindowMs: HOUR, exemplarsMax: 1000 };
    {
      using tsdb = new MaintainedTsdb(options);
      assert.equal(tsdb.db.report.readOnlyReason, '');
      assert.equal(compareSamples(await readAll(tsdb), want), count, 'from the head');
      if (name === 'all-records-snappy') assert.equal(compareExemplars(tsdb, name), 160);
    }
    {
      using tsdb = new MaintainedTsdb(options);
      assert.equal(compareSamples(await readAll(tsdb), want), count, 'after another start');
      // A sample far ahead: the head's parts before it become blocks.
      await tsdb.write({ far_ahead: [1_710_009_000_000 + 12 * HOUR, 1] });
      await tsdb.maintenance.run();
      assert.ok(tsdb.catalog.blocks.length > 0);
      const hints = tsdb.catalog.blocks.flatMap(({ meta }) => meta.compaction.hints ?? []);
      assert.equal(hints.includes('from-out-of-order'), name === 'all-records-snappy');
      assert.equal(compareSamples(await readAll(tsdb), want), count, 'from blocks');
      t.diagnostic(
        `${count} samples and histograms agree, from ${tsdb.catalog.blocks.length} blocks too`,
      );
    }
    using tsdb = new MaintainedTsdb(options);
    assert.equal(compareSamples(await readAll(tsdb), want), count, 'blocks after another start');
  });
}

interface ApiExemplars {
  readonly seriesLabels: Record<string, string>;
  readonly exemplars: readonly {
    readonly labels: Record<string, string>;
    readonly value: string;
    readonly timestamp: number;
  }[];
}

function compareExemplars(tsdb: MaintainedTsdb, name: string): number {
  const file = gunzipSync(readFileSync(join(GOLDEN, `${name}.exemplars.json.gz`))).toString();
  const { data } = JSON.parse(file) as { data: ApiExemplars[] };
  const want = data.map(({ seriesLabels, exemplars }) => [
    seriesLabels,
    exemplars.map(({ labels, value, timestamp }) => [
      labels,
      Number(value),
      Math.round(timestamp * 1000),
    ]),
  ]);
  const sets = [[new Matcher('=', 'job', 'head')]];
  const found = tsdb.db.exemplars(sets, { mint: -1e15, maxt: 1e15 });
  const got = found.map(({ labels, exemplars }) => [
    toObject(labels),
    exemplars.map((one) => [toObject(one.labels), one.value, one.t]),
  ]);
  assert.deepEqual(got, want);
  return found.reduce((sum, { exemplars }) => sum + exemplars.length, 0);
}

function toObject(labels: readonly string[]): Record<string, string> {
  const out: Record<string, string> = {};
  for (let i = 0; i < labels.length; i += 2) out[labels[i] as string] = labels[i + 1] as string;
  return out;
}
