import { deepEqual, equal, match, ok, rejects } from 'node:assert/strict';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { shipperFixture } from '../../test/support/shipper-fixture.ts';
import { tinyUlid, writeTinyBlock } from '../../test/support/tiny-block.ts';
import { CorruptionError } from '../lib/errors.ts';
import { Labels } from '../model/labels.ts';
import { encodeBlockMeta, parseBlockMeta } from '../tsdb/block/meta.ts';
import { readThanos } from './meta.ts';

const otherDisk =
  existsSync('/dev/shm') && statSync('/dev/shm').dev !== statSync('/tmp').dev
    ? false
    : 'there is no second file system at /dev/shm';

const [one, two, three] = [1, 2, 3].map(tinyUlid) as [string, string, string];

/** Names of the objects of a tiny block. */
function objectsOf(ulid: string): string[] {
  return ['chunks/000001', 'chunks/000002', 'index', 'meta.json'].map((file) => `${ulid}/${file}`);
}

test('shipper: a pass over what there is, the oldest first', async () => {
  using fixture = shipperFixture();
  const { tsdb, bucket } = fixture;
  const shipper = fixture.shipper();
  deepEqual((await shipper.sync()).uploaded, []);
  equal(readFileSync(fixture.file, 'utf8'), '{\n\t"version": 1,\n\t"uploaded": null\n}\n');

  writeTinyBlock(tsdb, { ulid: one, minTime: 7_200_000, maxTime: 14_400_000 });
  writeTinyBlock(tsdb, { ulid: two, minTime: 0, maxTime: 7_200_000 });
  writeTinyBlock(tsdb, { ulid: three, samples: 0 });
  writeTinyBlock(tsdb, { ulid: tinyUlid(4), level: 2 });
  mkdirSync(join(tsdb, `${tinyUlid(5)}.tmp-for-creation`));
  mkdirSync(join(tsdb, 'wal'));
  writeFileSync(join(tsdb, tinyUlid(6)), 'a file');
  const result = await shipper.sync();
  deepEqual([result.uploaded, result.failures], [[two, one], []]);
  deepEqual(await fixture.objects(), [...objectsOf(one), ...objectsOf(two)]);
  equal(await fixture.text(`${one}/chunks/000002`), 'and of the second');
  const meta = parseBlockMeta(await fixture.text(`${one}/meta.json`), one);
  deepEqual(readThanos(meta, one), {
    labels: { replica: 'a' },
    downsample: { resolution: 0 },
    source: 'receive',
    segment_files: ['000001', '000002'],
    files: [
      { rel_path: 'chunks/000001', size_bytes: 28 },
      { rel_path: 'chunks/000002', size_bytes: 17 },
      { rel_path: 'index', size_bytes: 13 },
      { rel_path: 'meta.json' },
    ],
    index_stats: {},
    upload_time: '2026-11-21T07:00:00Z',
  });
  // The block itself is as it was, and nothing else is left.
  equal(
    parseBlockMeta(readFileSync(join(tsdb, one, 'meta.json'), 'utf8'), 'x').extra['thanos'],
    undefined,
  );
  deepEqual(readdirSync(join(tsdb, 'thanos/upload')), []);
  equal(
    readFileSync(fixture.file, 'utf8'),
    `{\n\t"version": 1,\n\t"uploaded": [\n\t\t"${two}",\n\t\t"${one}"\n\t]\n}\n`,
  );
  deepEqual(await shipper.uploadedBlocks(), new Set([two, one]));

  bucket.calls.length = 0;
  deepEqual((await shipper.sync()).uploaded, []);
  deepEqual(bucket.calls, [], 'what is known to be there is not asked for');
  equal(await fixture.metric('uploads_total'), 2);
  equal(await fixture.metric('dir_syncs_total'), 3);
  equal(await fixture.metric('dir_sync_failures_total'), 0);
  equal(await fixture.metric('upload_compacted_done'), 0);
});

test('shipper: a block that compaction removed from the bucket does not come back', async () => {
  using fixture = shipperFixture();
  writeTinyBlock(fixture.tsdb, { ulid: one });
  await fixture.shipper().sync();
  for (const name of objectsOf(one)) await fixture.bucket.delete(name);
  deepEqual((await fixture.shipper().sync()).uploaded, []);
  deepEqual(await fixture.objects(), []);
  // Gone here, too: the file forgets it.
  rmSync(join(fixture.tsdb, one), { recursive: true });
  await fixture.shipper().sync();
  deepEqual(await fixture.shipper().uploadedBlocks(), new Set());
});

test('shipper: a file that is missing, half written or of another version is made anew', async () => {
  using fixture = shipperFixture();
  writeTinyBlock(fixture.tsdb, { ulid: one });
  await fixture.shipper().sync();
  const whole = readFileSync(fixture.file, 'utf8');
  const uploads = fixture.bucket.names('upload').length;
  const contents = [undefined, '', whole.slice(0, 30), '{"version":2,"uploaded":[]}', '[]', 'null'];
  for (const content of [...contents, '{"version":1,"uploaded":["x"]}', '{"version":1}']) {
    rmSync(fixture.file);
    if (content !== undefined) writeFileSync(fixture.file, content);
    writeFileSync(`${fixture.file}.tmp`, 'left by a killed process');
    const result = await fixture.shipper().sync();
    deepEqual([result.uploaded, result.failures], [[], []], String(content));
    equal(readFileSync(fixture.file, 'utf8'), whole, String(content));
    equal(existsSync(`${fixture.file}.tmp`), false);
  }
  equal(fixture.bucket.names('upload').length, uploads, 'nothing was sent again');
  equal(fixture.log.of('error').length, 6);
});

test('shipper: the name of the file, and a directory of empty blocks', async () => {
  using fixture = shipperFixture();
  const file = join(fixture.tsdb, 'own.json');
  writeTinyBlock(fixture.tsdb, { ulid: one, samples: 0 });
  const shipper = fixture.shipper({ metaFileName: 'own.json' });
  await shipper.sync();
  equal(readFileSync(file, 'utf8'), '{\n\t"version": 1,\n\t"uploaded": null\n}\n');
  deepEqual([await fixture.objects(), existsSync(fixture.file)], [[], false]);
});

test('shipper: external labels are required, and may change', async () => {
  using fixture = shipperFixture();
  writeTinyBlock(fixture.tsdb, { ulid: one });
  let labels = Labels.fromObject({});
  const shipper = fixture.shipper({ labels: () => labels });
  await rejects(shipper.sync(), {
    code: 'bad_data',
    message: 'empty external labels are not allowed for Thanos block.',
  });
  deepEqual(fixture.bucket.calls, []);
  equal(await fixture.metric('dir_sync_failures_total'), 1);
  labels = Labels.fromObject({ tenant: 'x', replica: 'b' });
  await shipper.sync();
  const meta = parseBlockMeta(await fixture.text(`${one}/meta.json`), one);
  deepEqual(readThanos(meta, one).labels, { replica: 'b', tenant: 'x' });
});

test('shipper: two producers and one bucket', async () => {
  using a = shipperFixture();
  using b = shipperFixture();
  writeTinyBlock(a.tsdb, { ulid: one });
  writeTinyBlock(b.tsdb, { ulid: two });
  await a.shipper().sync();
  const labels = (): Labels => Labels.fromObject({ replica: 'b' });
  await b.shipper({ bucket: a.bucket, labels }).sync();
  deepEqual(await a.objects(), [...objectsOf(one), ...objectsOf(two)]);
  const of = async (ulid: string): Promise<object> =>
    readThanos(parseBlockMeta(await a.text(`${ulid}/meta.json`), ulid), ulid).labels;
  deepEqual([await of(one), await of(two)], [{ replica: 'a' }, { replica: 'b' }]);
});

test('shipper: a Thanos part that a block has already', async () => {
  using fixture = shipperFixture();
  const directory = writeTinyBlock(fixture.tsdb, { ulid: one });
  const file = join(directory, 'meta.json');
  const meta = parseBlockMeta(readFileSync(file, 'utf8'), file);
  const thanos = { labels: { old: '1', replica: 'x' }, extensions: { e: 1 }, source: 'ruler' };
  writeFileSync(file, encodeBlockMeta({ ...meta, extra: { thanos, more: 2 } }));
  await fixture.shipper({ indexStats: async () => ({ series_max_size: 7 }) }).sync();
  const got = parseBlockMeta(await fixture.text(`${one}/meta.json`), one);
  equal(got.extra['more'], 2);
  const { labels, source, extensions, index_stats } = readThanos(got, one);
  deepEqual(
    { labels, source, extensions, index_stats },
    {
      labels: { old: '1', replica: 'a' },
      source: 'receive',
      extensions: { e: 1 },
      index_stats: { series_max_size: 7 },
    },
  );
});

test('shipper: index stats and hashes', async () => {
  using fixture = shipperFixture();
  writeTinyBlock(fixture.tsdb, { ulid: one });
  let seen: string[] = [];
  const indexStats = async (directory: string) => {
    seen = readdirSync(directory);
    return { series_max_size: 300, chunk_max_size: 0 };
  };
  await fixture.shipper({ indexStats, hash: 'SHA256', uploadConcurrency: 2 }).sync();
  deepEqual(seen, ['chunks', 'index']);
  const meta = parseBlockMeta(await fixture.text(`${one}/meta.json`), one);
  const { index_stats, files } = readThanos(meta, one);
  deepEqual(index_stats, { series_max_size: 300 });
  deepEqual(
    files?.map(({ hash }) => hash?.value.length),
    [64, 64, 64, undefined],
  );
});

test(
  'shipper: files are links, and copies where there can be none',
  { skip: otherDisk },
  async () => {
    using fixture = shipperFixture();
    const directory = writeTinyBlock(fixture.tsdb, { ulid: one });
    const linked: boolean[] = [];
    const indexStats = async (upload: string) => {
      linked.push(statSync(join(upload, 'index')).ino === statSync(join(directory, 'index')).ino);
      equal(readFileSync(join(upload, 'chunks/000001'), 'utf8'), 'content of the first segment');
      return {};
    };
    await fixture.shipper({ indexStats }).sync();
    const elsewhere = mkdtempSync('/dev/shm/thanos-ts-');
    try {
      rmSync(join(fixture.tsdb, 'thanos'), { recursive: true });
      symlinkSync(elsewhere, join(fixture.tsdb, 'thanos'));
      writeTinyBlock(fixture.tsdb, { ulid: two });
      deepEqual((await fixture.shipper({ indexStats }).sync()).uploaded, [two]);
      deepEqual(readdirSync(join(elsewhere, 'upload')), []);
    } finally {
      rmSync(elsewhere, { recursive: true });
    }
    deepEqual(linked, [true, false]);
    deepEqual(await fixture.objects(), [...objectsOf(one), ...objectsOf(two)]);
  },
);

test('shipper: what a killed process left in thanos/upload goes', async () => {
  using fixture = shipperFixture();
  const left = join(fixture.tsdb, 'thanos/upload', two);
  mkdirSync(join(left, 'chunks'), { recursive: true });
  writeFileSync(join(left, 'chunks/000001'), 'x');
  await fixture.shipper().sync();
  deepEqual(readdirSync(join(fixture.tsdb, 'thanos/upload')), []);
});

test('shipper: a damaged block does not hold up the others', async () => {
  using fixture = shipperFixture();
  const { tsdb } = fixture;
  writeTinyBlock(tsdb, { ulid: one, minTime: 1, maxTime: 2 });
  writeTinyBlock(tsdb, { ulid: two, minTime: 3, maxTime: 4 });
  writeTinyBlock(tsdb, { ulid: three, minTime: 5, maxTime: 6 });
  const bad = tinyUlid(4);
  writeTinyBlock(tsdb, { ulid: bad, minTime: 0, maxTime: 1 });
  writeFileSync(join(tsdb, one, 'meta.json'), '{"ulid":');
  rmSync(join(tsdb, two, 'index'));
  const indexStats = async (directory: string) => {
    if (directory.endsWith(bad)) throw new CorruptionError('bad magic', 'index', 0);
    return {};
  };
  const shipper = fixture.shipper({ indexStats });
  const result = await shipper.sync();
  deepEqual(result.uploaded, [three]);
  deepEqual(
    result.failures.map(({ ulid, corrupted }) => [ulid, corrupted]),
    [
      [one, true],
      [bad, true],
      [two, true],
    ],
  );
  deepEqual(await fixture.objects(), objectsOf(three));
  const errors = fixture.log.of('error');
  equal(errors.length, 3);
  ok(errors.some((line) => line.includes(`block=${two} err=index of block `)));
  equal(await fixture.metric('corrupted_blocks_total'), 3);
  equal(await fixture.metric('upload_failures_total'), 0);
  equal(await fixture.metric('dir_sync_failures_total'), 1);

  await shipper.sync();
  equal(fixture.log.of('error').length, 3, 'said once');
  equal(await fixture.metric('corrupted_blocks_total'), 6);
  const skipping = fixture.shipper({ indexStats, skipCorruptedBlocks: true });
  equal((await skipping.sync()).failures.length, 3);
  writeTinyBlock(tsdb, { ulid: two, minTime: 3, maxTime: 4 });
  deepEqual((await shipper.sync()).uploaded, [two]);
});

test('shipper: whether damaged blocks spoil a pass', async () => {
  for (const skipCorruptedBlocks of [false, true]) {
    using fixture = shipperFixture();
    const directory = writeTinyBlock(fixture.tsdb, { ulid: one });
    rmSync(join(directory, 'index'));
    await fixture.shipper({ skipCorruptedBlocks, uploadCompacted: true }).sync();
    equal(await fixture.metric('dir_syncs_total'), skipCorruptedBlocks ? 1 : 0);
    equal(await fixture.metric('dir_sync_failures_total'), skipCorruptedBlocks ? 0 : 1);
    equal(await fixture.metric('upload_compacted_done'), 0);
  }
});

test('shipper: a bucket that fails stops the pass, unless order does not matter', async () => {
  for (const allowOutOfOrderUploads of [false, true]) {
    using fixture = shipperFixture();
    writeTinyBlock(fixture.tsdb, { ulid: one, minTime: 1, maxTime: 2 });
    writeTinyBlock(fixture.tsdb, { ulid: two, minTime: 3, maxTime: 4 });
    const shipper = fixture.shipper({ allowOutOfOrderUploads });
    fixture.bucket.plan = ({ name }) => (name.startsWith(one) ? { kind: 'fail' } : undefined);
    const result = await shipper.sync();
    deepEqual(result.uploaded, allowOutOfOrderUploads ? [two] : []);
    deepEqual(
      result.failures.map(({ ulid, corrupted }) => [ulid, corrupted]),
      [[one, false]],
    );
    equal(await fixture.metric('upload_failures_total'), 1);
    equal(await fixture.metric('dir_syncs_total'), allowOutOfOrderUploads ? 1 : 0);
    fixture.bucket.plan = undefined;
    deepEqual((await shipper.sync()).uploaded, allowOutOfOrderUploads ? [one] : [one, two]);
    deepEqual(await shipper.uploadedBlocks(), new Set([one, two]));
  }
});

test('shipper: compacted blocks, as long as they overlap nothing', async () => {
  using fixture = shipperFixture();
  const { tsdb } = fixture;
  const options = { uploadCompacted: true };
  const [four, five] = [tinyUlid(4), tinyUlid(5)];
  writeTinyBlock(tsdb, { ulid: one, minTime: 0, maxTime: 100 });
  writeTinyBlock(tsdb, { ulid: two, minTime: 100, maxTime: 300, level: 2 });
  deepEqual((await fixture.shipper(options).sync()).uploaded, [one, two]);
  equal(await fixture.metric('upload_compacted_done'), 1);

  writeTinyBlock(tsdb, { ulid: three, minTime: 200, maxTime: 400, level: 3 });
  writeTinyBlock(tsdb, { ulid: four, minTime: 300, maxTime: 500, level: 2 });
  writeTinyBlock(tsdb, { ulid: five, minTime: 400, maxTime: 600, level: 2 });
  const result = await fixture.shipper(options).sync();
  deepEqual(result.uploaded, [four]);
  deepEqual(
    result.failures.map(({ ulid, error }) => [ulid, String(error)]),
    [
      [
        three,
        `CodedError: shipping compacted block ${three} is blocked; overlap spotted: block ${two} from 100 to 300`,
      ],
      [
        five,
        `CodedError: shipping compacted block ${five} is blocked; overlap spotted: block ${four} from 300 to 500`,
      ],
    ],
  );
  // Blocks of others, and other resolutions, do not count.
  const labels = (): Labels => Labels.fromObject({ replica: 'b' });
  rmSync(fixture.file);
  rmSync(join(tsdb, one), { recursive: true });
  rmSync(join(tsdb, two), { recursive: true });
  rmSync(join(tsdb, four), { recursive: true });
  const others = await fixture.shipper({ ...options, labels }).sync();
  deepEqual(others.uploaded, [three, five]);
  writeTinyBlock(tsdb, { ulid: tinyUlid(6), minTime: 450, maxTime: 460, level: 2 });
  const free = { ...options, allowOutOfOrderUploads: true };
  deepEqual((await fixture.shipper(free).sync()).uploaded, [tinyUlid(6)]);
});

test('shipper: what is in the bucket and damaged is sent again', async () => {
  using fixture = shipperFixture();
  const { bucket } = fixture;
  writeTinyBlock(fixture.tsdb, { ulid: one });
  await fixture.shipper().sync();
  const damages: readonly (() => Promise<void>)[] = [
    // Go's provider for directories writes in place, and may be killed.
    () => bucket.upload(`${one}/meta.json`, Buffer.from('{"ulid":')),
    () => bucket.upload(`${one}/index`, Buffer.from('half')),
    () => bucket.delete(`${one}/chunks/000002`),
  ];
  for (const damage of damages) {
    await damage();
    rmSync(fixture.file);
    deepEqual((await fixture.shipper().sync()).uploaded, [one]);
    match(fixture.log.of('warn').at(-1) ?? '', /damaged, it is uploaded again/);
    equal(await fixture.text(`${one}/index`), 'index of both');
    equal(await fixture.text(`${one}/chunks/000002`), 'and of the second');
    equal(parseBlockMeta(await fixture.text(`${one}/meta.json`), 'x').ulid, one);
    equal(await fixture.shipper().isSafeInBucket(one), true);
  }
  equal(fixture.log.of('warn').length, 3);
});

test('shipper: a block that is removed during a pass is no failure', async () => {
  using fixture = shipperFixture();
  const directory = writeTinyBlock(fixture.tsdb, { ulid: one, minTime: 1, maxTime: 2 });
  writeTinyBlock(fixture.tsdb, { ulid: two, minTime: 3, maxTime: 4 });
  fixture.bucket.plan = ({ operation, name }) => {
    if (operation === 'get' && name.startsWith(one)) rmSync(directory, { recursive: true });
    return undefined;
  };
  const result = await fixture.shipper().sync();
  deepEqual([result.uploaded, result.failures], [[two], []]);
  deepEqual(await fixture.objects(), objectsOf(two));
});

test('shipper: a block that is removed while it is uploaded is uploaded', async () => {
  using fixture = shipperFixture();
  const directory = writeTinyBlock(fixture.tsdb, { ulid: one });
  fixture.bucket.plan = ({ operation }) => {
    if (operation === 'upload') rmSync(directory, { recursive: true, force: true });
    return undefined;
  };
  deepEqual((await fixture.shipper().sync()).uploaded, [one]);
  deepEqual(await fixture.objects(), objectsOf(one));
});

test('shipper: one pass at a time, and an abort ends it', async () => {
  using fixture = shipperFixture();
  writeTinyBlock(fixture.tsdb, { ulid: one });
  writeTinyBlock(fixture.tsdb, { ulid: two, minTime: 7_200_000, maxTime: 14_400_000 });
  const shipper = fixture.shipper();
  const controller = new AbortController();
  fixture.bucket.plan = ({ operation, name }) => {
    if (operation === 'upload' && name === `${two}/index`) controller.abort();
    return undefined;
  };
  const first = shipper.sync({ signal: controller.signal });
  equal(shipper.sync(), first);
  await rejects(first, { code: 'canceled' });
  deepEqual(readdirSync(join(fixture.tsdb, 'thanos/upload')), []);
  // What was finished is known, what was not is no block.
  deepEqual(await shipper.uploadedBlocks(), new Set([one]));
  ok(!(await fixture.objects()).includes(`${two}/meta.json`));
  await rejects(shipper.sync({ signal: AbortSignal.abort() }), { code: 'canceled' });
  deepEqual((await shipper.sync()).uploaded, [two]);
});

test('shipper: a directory that cannot be read', async () => {
  using fixture = shipperFixture();
  const shipper = fixture.shipper({ directory: join(fixture.tsdb, 'none') });
  await rejects(shipper.sync(), { code: 'unavailable', message: /^list blocks in .*none: ENOENT/ });
  equal(await fixture.metric('dir_sync_failures_total'), 1);
});

test('shipper: which blocks are safe to delete', async () => {
  using fixture = shipperFixture();
  const directory = writeTinyBlock(fixture.tsdb, { ulid: one });
  const shipper = fixture.shipper();
  equal(await shipper.isSafeInBucket(one), false);
  await shipper.sync();
  equal(await shipper.isSafeInBucket(one), true);
  equal(await shipper.isSafeInBucket(two), false);
  writeFileSync(join(directory, 'index'), 'a longer index than the one that was uploaded');
  equal(await shipper.isSafeInBucket(one), false);
  rmSync(directory, { recursive: true });
  equal(await shipper.isSafeInBucket(one), true, 'by what its meta.json says');
  for (const name of objectsOf(one)) await fixture.bucket.delete(name);
  equal(await shipper.isSafeInBucket(one), false, 'uploaded once is not there now');
  fixture.bucket.plan = () => ({ kind: 'fail' });
  await rejects(shipper.isSafeInBucket(one), { code: 'unavailable' });
});
