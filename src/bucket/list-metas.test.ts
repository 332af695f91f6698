import { deepEqual, equal, match, ok, rejects } from 'node:assert/strict';
import { test } from 'node:test';
import { FaultyBucket } from '../../test/support/faulty-bucket.ts';
import { tinyMeta, tinyUlid } from '../../test/support/tiny-block.ts';
import { encodeUtf8 } from '../lib/utf8.ts';
import type { LogValue, Logger } from '../lib/log.ts';
import { nopLogger } from '../lib/log.ts';
import { Matcher } from '../model/matcher.ts';
import type { Bucket } from '../objstore/bucket.ts';
import { MemoryBucket } from '../objstore/memory.ts';
import type { BlockMeta } from '../tsdb/block/meta.ts';
import { encodeBlockMeta } from '../tsdb/block/meta.ts';
import { filterDeletionMarks } from './filter-deletion-marks.ts';
import { filterByLabels } from './filter-labels.ts';
import { filterByTime } from './filter-time.ts';
import { fetchMeta, fetchMetas } from './list-metas.ts';
import { writeMark } from './markers.ts';
import { withThanos } from './meta.ts';

/** Puts a block's meta.json into a bucket. */
async function putMeta(bucket: Bucket, meta: BlockMeta, labels = {}): Promise<string> {
  const part = { labels, downsample: { resolution: 0 }, source: 'receive' };
  const text = encodeBlockMeta(withThanos(meta, part));
  await bucket.upload(`${meta.ulid}/meta.json`, encodeUtf8(text));
  return meta.ulid;
}

test('fetch metas: whole, partial and corrupt blocks, and what is no block', async () => {
  const bucket = new MemoryBucket();
  const [a, b, c, d, e, f] = [1, 2, 3, 4, 5, 6].map(tinyUlid) as [
    string,
    string,
    string,
    string,
    string,
    string,
  ];
  await putMeta(bucket, tinyMeta({ ulid: c }));
  await putMeta(bucket, tinyMeta({ ulid: a }));
  await bucket.upload(`${b}/index`, encodeUtf8('x'));
  await bucket.upload(`${d}/meta.json`, encodeUtf8('{"ulid": "01'));
  await bucket.upload(`${e}/meta.json`, encodeUtf8(encodeBlockMeta(tinyMeta({ ulid: a }))));
  const wrong = { ...tinyMeta({ ulid: f }), extra: { thanos: { labels: 1 } } };
  await bucket.upload(`${f}/meta.json`, encodeUtf8(encodeBlockMeta(wrong)));
  await bucket.upload('debug/metas/x.json', encodeUtf8('x'));
  await bucket.upload(`${tinyUlid(7).toLowerCase()}x/meta.json`, encodeUtf8('x'));
  await bucket.upload(tinyUlid(8), encodeUtf8('an object, not a directory'));

  const progress: string[] = [];
  const onProgress = ({ done, total }: { done: number; total: number }): void => {
    progress.push(`${done}/${total}`);
  };
  const found = await fetchMetas(bucket, { onProgress });
  deepEqual([...found.metas.keys()], [a, c]);
  deepEqual([...found.partial.keys()], [b]);
  deepEqual([...found.corrupt.keys()], [d, e, f]);
  match(String(found.corrupt.get(d)), /not JSON: .*meta\.json/);
  ok(String(found.corrupt.get(e)).includes(`ulid is ${a}, want the block's own`));
  match(String(found.corrupt.get(f)), /thanos\.labels is 1, want an object/);
  deepEqual(progress, ['1/6', '2/6', '3/6', '4/6', '5/6', '6/6']);
  const some = await fetchMetas(bucket, { wanted: (ulid) => ulid > b });
  deepEqual([...some.metas.keys(), some.partial.size], [c, 0]);
});

test('fetch metas: so many at once, and one request a block', async () => {
  const bucket = new FaultyBucket(new MemoryBucket());
  for (let i = 1; i <= 40; i++) await putMeta(bucket, tinyMeta({ ulid: tinyUlid(i) }));
  bucket.calls.length = 0;
  let gate = Promise.withResolvers<void>();
  let waiting = 0;
  const seen: number[] = [];
  bucket.plan = ({ operation }) => {
    if (operation !== 'get') return undefined;
    if (++waiting === 8) {
      // Whoever comes while these wait was let in too early.
      setImmediate(() => {
        seen.push(waiting);
        waiting = 0;
        gate.resolve();
        gate = Promise.withResolvers<void>();
      });
    }
    return { kind: 'hold', until: gate.promise };
  };
  const { metas } = await fetchMetas(bucket, { concurrency: 8 });
  equal(metas.size, 40);
  deepEqual(seen, [8, 8, 8, 8, 8]);
  deepEqual([bucket.names('get').length, bucket.calls.length], [40, 41]);
});

test('fetch metas: a failure spoils the view, and ends the rest', async () => {
  const bucket = new FaultyBucket(new MemoryBucket());
  for (let i = 1; i <= 40; i++) await putMeta(bucket, tinyMeta({ ulid: tinyUlid(i) }));
  bucket.calls.length = 0;
  bucket.plan = ({ name }) => (name.startsWith(tinyUlid(3)) ? { kind: 'fail' } : undefined);
  await rejects(fetchMetas(bucket, { concurrency: 2 }), {
    code: 'unavailable',
    message: `read ${tinyUlid(3)}/meta.json: injected fault`,
  });
  ok(bucket.names('get').length < 10, `${bucket.names('get').length} were read`);
  bucket.plan = ({ operation }) => (operation === 'iter' ? { kind: 'fail' } : undefined);
  await rejects(fetchMetas(bucket), /injected/);
  bucket.plan = undefined;
  await rejects(fetchMetas(bucket, { signal: AbortSignal.abort() }), { code: 'canceled' });
  const controller = new AbortController();
  const aborted = fetchMetas(bucket, {
    signal: controller.signal,
    concurrency: 1,
    onProgress: ({ done }) => (done === 5 ? controller.abort() : undefined),
  });
  await rejects(aborted, { code: 'canceled' });
});

test('fetch meta: of one block', async () => {
  const bucket = new MemoryBucket();
  const meta = tinyMeta({ ulid: tinyUlid(1) });
  await putMeta(bucket, meta, { a: 'b' });
  equal((await fetchMeta(bucket, meta.ulid)).maxTime, meta.maxTime);
  await rejects(fetchMeta(bucket, tinyUlid(2)), { code: 'not_found' });
});

test('filter by time: blocks that touch the range', () => {
  const metas = new Map(
    [
      [0, 100],
      [100, 200],
      [200, 300],
    ].map(([minTime = 0, maxTime = 0], i) => {
      const meta = tinyMeta({ ulid: tinyUlid(i + 1), minTime, maxTime });
      return [meta.ulid, meta];
    }),
  );
  // thanos pkg/block/fetcher.go: MaxTime >= min && MinTime <= max.
  const f = (mint: number, maxt: number, want: number[]): void => {
    const kept = [...filterByTime(metas, { mint, maxt }).values()];
    deepEqual(
      kept.map(({ minTime }) => minTime),
      want,
      `${mint} to ${maxt}`,
    );
  };
  f(-Infinity, Infinity, [0, 100, 200]);
  f(101, 199, [100]);
  f(100, 199, [0, 100]);
  f(101, 200, [100, 200]);
  f(301, Infinity, []);
  f(-Infinity, -1, []);
});

test('filter by labels', async () => {
  const bucket = new MemoryBucket();
  const a = await putMeta(bucket, tinyMeta({ ulid: tinyUlid(1) }), { cluster: 'x', replica: 'a' });
  const b = await putMeta(bucket, tinyMeta({ ulid: tinyUlid(2) }), { cluster: 'y' });
  const { metas } = await fetchMetas(bucket);
  const f = (matchers: Matcher[], want: string[]): void => {
    deepEqual([...filterByLabels(metas, matchers).keys()], want);
  };
  f([], [a, b]);
  f([new Matcher('=', 'cluster', 'x')], [a]);
  f([new Matcher('=~', 'cluster', 'x|y'), new Matcher('=', 'replica', '')], [b]);
  f([new Matcher('=', 'cluster', 'z')], []);
});

test('filter deletion marks: after a delay, and whatever the mark looks like', async () => {
  const bucket = new MemoryBucket();
  const ids = [1, 2, 3, 4].map(tinyUlid);
  const [none = '', fresh = '', old = '', broken = ''] = ids;
  for (const ulid of ids) await putMeta(bucket, tinyMeta({ ulid }));
  const mark = (id: string, time: number) =>
    writeMark(bucket, { kind: 'deletion', id, time, details: '', reason: '' });
  await mark(fresh, 9_000_000);
  await mark(old, 8_999_000);
  await bucket.upload(`${broken}/deletion-mark.json`, encodeUtf8('{'));
  const { metas } = await fetchMetas(bucket);
  const warnings: (LogValue | undefined)[] = [];
  const log: Logger = { ...nopLogger, warn: (_, fields) => warnings.push(fields?.['block']) };
  const kept = async (delayMs: number): Promise<string[]> => {
    const result = await filterDeletionMarks(bucket, metas, { delayMs, now: 9_001_000, log });
    deepEqual([...result.marks.keys()], [fresh, old]);
    return [...result.metas.keys()];
  };
  deepEqual(await kept(1_000_000), ids);
  deepEqual(await kept(1000), [none, fresh, broken]);
  deepEqual(await kept(0), [none, broken]);
  deepEqual(warnings, [broken, broken, broken]);
  const failing = new FaultyBucket(bucket, () => ({ kind: 'fail' }));
  const options = { delayMs: 0, now: 0, log };
  await rejects(filterDeletionMarks(failing, metas, options), { code: 'unavailable' });
});
