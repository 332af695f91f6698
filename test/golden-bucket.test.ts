/**
 * A bucket and metrics of the real Thanos: what it wrote is read, and what is written is the same. Without the golden
 * data every test is skipped.
 */
import { deepEqual, equal, match } from 'node:assert/strict';
import {
  cpSync,
  existsSync,
  globSync,
  readFileSync,
  readdirSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { fetchMetas } from '../src/bucket/list-metas.ts';
import { externalLabels, readThanos, uploadTimeMs, withThanos } from '../src/bucket/meta.ts';
import type { ThanosMeta } from '../src/bucket/meta.ts';
import { registerShipperMetrics } from '../src/bucket/shipper-metrics.ts';
import { Labels } from '../src/model/labels.ts';
import { registerBucketMetrics } from '../src/objstore/bucket-metrics.ts';
import { FilesystemBucket } from '../src/objstore/filesystem.ts';
import { ProcessMetrics } from '../src/ops/metrics.ts';
import { encodeBlockMeta, parseBlockMeta } from '../src/tsdb/block/meta.ts';
import { shipperFixture } from './support/shipper-fixture.ts';

const GOLDEN = fileURLToPath(new URL('../../shared/golden', import.meta.url));
const BUCKET = join(GOLDEN, 'bucket');
const skip = existsSync(GOLDEN) ? false : 'the golden data (../shared/golden) are not here';

test('golden bucket: listing, sizes, metas', { skip }, async () => {
  const bucket = new FilesystemBucket(BUCKET);
  const blocks = readdirSync(BUCKET);
  deepEqual(
    await Array.fromAsync(bucket.iter('')),
    blocks.map((name) => `${name}/`),
  );
  for (const block of blocks) {
    const names = await Array.fromAsync(bucket.iter(block, { recursive: true }));
    deepEqual(
      names,
      ['chunks/000001', 'index', 'meta.json'].map((file) => `${block}/${file}`),
    );
    for (const name of names) {
      equal((await bucket.attributes(name)).size, statSync(join(BUCKET, name)).size);
    }
  }
  const { metas, partial, corrupt } = await fetchMetas(bucket);
  deepEqual([...metas.keys()], blocks);
  deepEqual([partial.size, corrupt.size], [0, 0]);
  equal(metas.get('01M7YF2ZE24Q0RESYAH07PVC9Y')?.minTime, 1_699_999_217_000);
});

test('golden bucket: meta.json is written as it was', { skip }, () => {
  const files = globSync('{bucket,vertical}/*/meta.json', { cwd: GOLDEN });
  equal(files.length, 7);
  for (const file of files) {
    const text = readFileSync(join(GOLDEN, file), 'utf8');
    const meta = parseBlockMeta(text, file);
    const thanos = readThanos(meta, file);
    equal(encodeBlockMeta(withThanos(meta, thanos)), text, file);
    equal(encodeBlockMeta(withThanos({ ...meta, extra: {} }, shuffled(thanos))), text, file);
  }
});

/** The same values with every member in another place. */
function shuffled(thanos: ThanosMeta): ThanosMeta {
  const files = thanos.files?.map(({ rel_path, ...rest }) => ({ ...rest, rel_path }));
  const labels = Object.fromEntries(Object.entries(thanos.labels).toReversed());
  const changed = { ...thanos, ...(files !== undefined && { files }), labels };
  const { downsample, source, ...rest } = changed;
  return { ...Object.fromEntries(Object.entries(rest).toReversed()), labels, source, downsample };
}

test('golden bucket: what a meta.json says', { skip }, () => {
  const file = join(BUCKET, '01M7YF2ZK8XRHYKTKAQ923MTET/meta.json');
  const meta = parseBlockMeta(readFileSync(file, 'utf8'), file);
  const thanos = readThanos(meta, file);
  deepEqual(thanos.labels, { cluster: 'golden', replica: 'a' });
  deepEqual(thanos.downsample, { resolution: 300_000 });
  deepEqual(thanos.index_stats, { series_max_size: 256, chunk_max_size: 13_370 });
  deepEqual(thanos.files?.[1], { rel_path: 'index', size_bytes: 5928 });
  equal(uploadTimeMs(thanos), Date.UTC(2026, 10, 21, 7, 10, 47, 488));
  equal(externalLabels(meta, file).get('replica'), 'a');
});

test('golden bucket: what Thanos shipped, shipped again', { skip }, async () => {
  for (const ulid of ['01M7YF2Z91SGB2KEBY4MJJ0436', '01M7YF2ZE24Q0RESYAH07PVC9Y']) {
    using fixture = shipperFixture();
    const golden = readFileSync(join(BUCKET, ulid, 'meta.json'), 'utf8');
    const local = join(fixture.tsdb, ulid);
    for (const file of ['chunks/000001', 'index']) {
      cpSync(join(BUCKET, ulid, file), join(local, file), { recursive: true });
    }
    const meta = parseBlockMeta(golden, ulid);
    const { replica = '' } = readThanos(meta, ulid).labels;
    writeFileSync(join(local, 'meta.json'), encodeBlockMeta({ ...meta, extra: {} }));
    const labels = Labels.fromObject({ replica, cluster: 'golden' });
    const options = { labels: () => labels, source: 'bucket.upload' } as const;
    const result = await fixture.shipper(options).sync();
    deepEqual([result.uploaded, result.failures], [[ulid], []]);
    const time = /"upload_time": "[^"]*"/;
    const uploaded = await fixture.text(`${ulid}/meta.json`);
    equal(uploaded.replace(time, ''), golden.replace(time, ''));
    match(uploaded, /"upload_time": "2026-11-21T07:00:00Z"/);
    for (const file of ['chunks/000001', 'index']) {
      const { size } = await fixture.bucket.attributes(`${ulid}/${file}`);
      equal(size, statSync(join(BUCKET, ulid, file)).size);
    }
  }
});

test('golden metrics: those of buckets and of the shipper', { skip }, async () => {
  const golden = JSON.parse(readFileSync(join(GOLDEN, 'metrics/metrics.json'), 'utf8')) as Readonly<
    Record<string, Readonly<Record<string, { readonly type: string; readonly labels: string[] }>>>
  >;
  const want = Object.entries(golden['sidecar'] ?? {})
    .filter(([name]) => /^thanos_(?:objstore|shipper)_/.test(name))
    .map(([name, { type, labels }]) => ({ name, type, labels }));
  equal(want.length, 12);
  const registry = new ProcessMetrics();
  registerBucketMetrics(registry)('fs');
  registerShipperMetrics(registry);
  const got = (await registry.collect()).map(({ name, type, samples }) => {
    const labels = [...new Map(samples[0]?.labels).keys()].filter((label) => label !== 'le');
    return { name, type, labels };
  });
  deepEqual(
    got,
    want.toSorted((a, b) => (a.name < b.name ? -1 : 1)),
  );
});
