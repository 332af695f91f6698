/** Blocks on disk, read back by test/support; the samples are those of the Go program: test/golden/blockgen/PROVENANCE.md. */
import assert from 'node:assert/strict';
import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import test from 'node:test';
import { FakeClock } from '../../lib/clock.ts';
import { systemFiles } from '../../lib/file-layer.ts';
import type { FileLayer } from '../../lib/file-layer.ts';
import { CodedError } from '../../lib/errors.ts';
import { compareLabels } from '../../model/labels.ts';
import { readBlockMeta } from '../../tsdb/block/meta.ts';
import { readBlock } from '../../../test/support/block-frames.ts';
import { rawColumns } from '../../../test/support/block-columns.ts';
import { temporaryDirectory } from '../../../test/support/temporary-directory.ts';
import type { BlockSpec } from './block-spec.ts';
import { BlockGenerator } from './generate-block.ts';
import { readPlan } from './read-plan.ts';

const GOLDEN = new URL('../../../test/golden/blockgen/', import.meta.url);

async function goldenPlan(): Promise<BlockSpec> {
  const text = readFileSync(new URL('generators.plan.yaml', GOLDEN), 'utf8');
  const [block] = await readPlan(text, 'plan');
  assert.ok(block);
  return block;
}

interface GoldenSeries {
  readonly labels: Readonly<Record<string, string>>;
  readonly samples: readonly (readonly [number, string])[];
}

function generator(
  outputDirectory: string,
  files: FileLayer = systemFiles,
  signal = new AbortController().signal,
): BlockGenerator {
  const clock = new FakeClock(1_700_000_000_000);
  return new BlockGenerator({ outputDirectory, files, clock, signal });
}

test('a block holds the series and samples of the Go program', async () => {
  using directory = temporaryDirectory();
  const meta = await generator(directory.path).generate(await goldenPlan());
  const golden = JSON.parse(
    readFileSync(new URL('generators.samples.json', GOLDEN), 'utf8'),
  ) as GoldenSeries[];
  const block = join(directory.path, meta.ulid);
  const { series } = readBlock(block);
  assert.equal(series.length, golden.length);
  const bits = Buffer.alloc(8);
  for (const [i, one] of series.entries()) {
    const before = series[i - 1];
    if (before !== undefined) assert.ok(compareLabels(before.labels, one.labels) < 0);
    const want = golden.find(({ labels }) => {
      const entries = Object.entries(labels);
      return (
        entries.length === one.labels.size &&
        entries.every(([name, value]) => one.labels.get(name) === value)
      );
    });
    assert.ok(want, one.labels.toString());
    const columns = rawColumns(one);
    assert.ok(columns);
    const got = Array.from(columns.t, (t, k): [number, string] => {
      bits.writeDoubleBE(columns.v[k] as number);
      return [t, bits.toString('hex')];
    });
    assert.deepEqual(got, want.samples);
  }
  const times = golden.flatMap(({ samples }) => samples.map(([t]) => t));
  const written = readBlockMeta(block);
  assert.deepEqual(written, meta);
  assert.equal(written.minTime, Math.min(...times));
  assert.equal(written.maxTime, Math.max(...times) + 1);
  assert.equal(written.stats.numSamples, times.length);
  assert.equal(written.stats.numSeries, golden.length);
  assert.deepEqual(written.extra['thanos'], {
    labels: { Z: 'y', cluster: 'eu1' },
    downsample: { resolution: 0 },
    source: 'blockgen',
  });
});

test('whatever goes wrong, nothing is left', async () => {
  using directory = temporaryDirectory();
  const plan = await goldenPlan();
  const f = async (files: Partial<FileLayer>, want: RegExp, signal?: AbortSignal) => {
    const blocks = generator(directory.path, { ...systemFiles, ...files }, signal);
    await assert.rejects(blocks.generate(plan), want);
    assert.deepEqual(readdirSync(directory.path), []);
  };
  const full = (): never => {
    throw Object.assign(new Error('ENOSPC: no space left on device'), { code: 'ENOSPC' });
  };
  await f({ write: full }, /no space left on device/);
  await f({ fsync: full }, /no space left on device/);
  await f({ rename: full }, /no space left on device/);
  await f({ makeDirectory: full }, /no space left on device/);
  const stopped = AbortSignal.abort(new CodedError('canceled', 'stopped by SIGTERM'));
  await f({}, /stopped by SIGTERM/, stopped);
});

test('series that cannot be a block', async () => {
  using directory = temporaryDirectory();
  const plan = await goldenPlan();
  const f = async (series: BlockSpec['series'], want: RegExp) => {
    await assert.rejects(generator(directory.path).generate({ ...plan, series }), want);
    assert.deepEqual(readdirSync(directory.path), []);
  };
  const [first] = plan.series;
  assert.ok(first);
  await f([first, { ...first, type: 'GAUGE' }], /the plan has the series .*counter_steady.* twice/);
  await f([{ ...first, minTime: first.maxTime + 1 }], /no series appended; aborting\./);
});
