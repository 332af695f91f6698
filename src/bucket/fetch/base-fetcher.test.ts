import { deepEqual, equal, match, ok, rejects } from 'node:assert/strict';
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { setImmediate } from 'node:timers/promises';
import { FetchFixture, putMeta, thanosMeta } from '../../../test/support/fetch-fixture.ts';
import { temporaryDirectory } from '../../../test/support/temporary-directory.ts';
import { tinyUlid } from '../../../test/support/tiny-block.ts';
import { compareUtf8, encodeUtf8 } from '../../lib/utf8.ts';
import { encodeBlockMeta } from '../../tsdb/block/meta.ts';
import { RecursiveLister } from './recursive-lister.ts';

const BUSTS = 'thanos_blocks_meta_base_cache_busts_total';
const SYNCS = 'thanos_blocks_meta_base_syncs_total';

async function fill(fixture: FetchFixture, count: number): Promise<string[]> {
  const ulids = Array.from({ length: count }, (_, i) => tinyUlid(i + 1));
  for (const ulid of ulids) await putMeta(fixture.memory, thanosMeta({ ulid }));
  return ulids;
}

test('base fetcher: 1,000 blocks, and the requests they cost', async () => {
  using directory = temporaryDirectory();
  const fixture = new FetchFixture();
  const ulids = await fill(fixture, 1000);
  const base = fixture.base(directory.path);
  const view = await base.fetch();
  deepEqual([...view.metas.keys()], ulids);
  deepEqual(fixture.requests(), { iter: 1001, get: 1000 });
  await base.fetch();
  deepEqual(fixture.requests(), { iter: 1001 });
  // After a restart.
  const again = fixture.base(directory.path);
  deepEqual((await again.fetch()).metas, view.metas);
  deepEqual(fixture.requests(), { iter: 1001 });
  // By one listing.
  await fixture.base(directory.path, new RecursiveLister(fixture.bucket)).fetch();
  deepEqual(fixture.requests(), { iter: 1 });
  deepEqual([await fixture.value(SYNCS), await fixture.value(BUSTS)], [4, 0]);
  deepEqual(fixture.warnings(), []);
});

test('base fetcher: metas are read while the listing goes on', async () => {
  const fixture = new FetchFixture();
  const ulids = await fill(fixture, 100);
  const last = Promise.withResolvers<void>();
  fixture.bucket.plan = ({ operation, name }) => {
    if (operation === 'get') last.resolve();
    // The last listing waits for the first meta: it would for ever if metas came behind the listing.
    const hold = operation === 'iter' && name === `${ulids[99]}/`;
    return hold ? { kind: 'hold', until: last.promise } : undefined;
  };
  equal((await fixture.base().fetch()).metas.size, 100);
});

test('base fetcher: partial and broken blocks', async () => {
  const fixture = new FetchFixture();
  const [good, none, broken, foreign, marked, gone] = (await fill(fixture, 6)) as [
    string,
    string,
    string,
    string,
    string,
    string,
  ];
  const { memory } = fixture;
  await memory.upload(`${none}/index`, encodeUtf8('x'));
  await memory.delete(`${none}/meta.json`);
  await memory.upload(`${broken}/meta.json`, encodeUtf8('{"version": 1, "ulid": "01'));
  await memory.upload(
    `${foreign}/meta.json`,
    encodeUtf8(encodeBlockMeta(thanosMeta({ ulid: good }))),
  );
  await memory.upload(`${marked}/deletion-mark.json`, encodeUtf8('{}'));
  await memory.delete(`${marked}/meta.json`);
  fixture.bucket.plan = ({ operation, name }) => {
    // Deleted between its listing and the read.
    const isGone = operation === 'get' && name.startsWith(gone);
    return isGone ? { kind: 'hold', until: memory.delete(`${gone}/meta.json`) } : undefined;
  };
  const { metas, partial, listed, error, failedCount } = await fixture.base().fetch();
  deepEqual([[...metas.keys()], error, failedCount], [[good], undefined, 0]);
  deepEqual(
    [...partial].map(([ulid, { code }]) => [ulid, code]),
    [
      [none, 'not_found'],
      [broken, 'corrupt'],
      [foreign, 'corrupt'],
      [marked, 'not_found'],
      [gone, 'not_found'],
    ],
  );
  const text = (ulid: string) => partial.get(ulid)?.message ?? '';
  equal(text(none), `block ${none} has no meta file`);
  ok(text(broken).startsWith(`meta.json ${broken}/meta.json unmarshal: `), text(broken));
  match(text(broken), /: meta.json corrupted$/);
  match(text(foreign), /: meta.json corrupted$/);
  match(text(gone), /: meta.json not found$/);
  deepEqual([...(listed.get(marked)?.marks ?? [])], ['deletion']);
});

test('base fetcher: an incomplete view', async () => {
  using directory = temporaryDirectory();
  const fixture = new FetchFixture();
  const [a, b, c, d] = (await fill(fixture, 4)) as [string, string, string, string];
  const base = fixture.base(directory.path);
  await base.fetch();
  fixture.requests();
  // One block is new and cannot be read, one is of a later version, one cannot be listed, one has left.
  const [e, f] = [tinyUlid(5), tinyUlid(6)];
  await putMeta(fixture.memory, thanosMeta({ ulid: e }));
  const later = encodeBlockMeta(thanosMeta({ ulid: f })).replace('"version": 1', '"version": 2');
  await fixture.memory.upload(`${f}/meta.json`, encodeUtf8(later));
  await fixture.memory.delete(`${d}/meta.json`);
  fixture.bucket.plan = ({ operation, name }) => {
    const isHit = (operation === 'get' && name.startsWith(e)) || name === `${c}/`;
    return isHit ? { kind: 'fail' } : undefined;
  };
  const view = await base.fetch();
  deepEqual([...view.metas.keys()], [a, b]);
  equal(view.failedCount, 3);
  equal(
    view.error?.message,
    `incomplete view: 3 errors: list ${c}: injected fault; get meta file: ${e}/meta.json: injected fault; ` +
      `unexpected meta file: ${f}/meta.json version: 2`,
  );
  deepEqual([view.error.code, view.partial.size], ['unavailable', 0]);
  // Nothing was forgotten: not in memory, not on disk.
  deepEqual(readdirSync(join(directory.path, 'meta-syncer')).toSorted(compareUtf8), [a, b, c, d]);
  fixture.bucket.plan = undefined;
  await fixture.memory.delete(`${f}/meta.json`);
  fixture.requests();
  deepEqual([...(await base.fetch()).metas.keys()], [a, b, c, e]);
  deepEqual(fixture.requests(), { iter: 5, get: 1 });
  deepEqual(readdirSync(join(directory.path, 'meta-syncer')).toSorted(compareUtf8), [a, b, c, e]);
});

test('base fetcher: versions', async () => {
  const f = async (text: string, want: string | undefined, partial: number) => {
    const fixture = new FetchFixture();
    await fixture.memory.upload(`${tinyUlid(1)}/meta.json`, encodeUtf8(text));
    const view = await fixture.base().fetch();
    equal(view.error?.message, want === undefined ? want : `incomplete view: ${want}`, text);
    equal(view.partial.size, partial, text);
  };
  const path = `${tinyUlid(1)}/meta.json`;
  // json.Unmarshal takes these, and the version is the zero value or another one.
  await f('{}', `unexpected meta file: ${path} version: 0`, 0);
  await f('null', `unexpected meta file: ${path} version: 0`, 0);
  await f('{"version": 3, "ulid": 5}', `unexpected meta file: ${path} version: 3`, 0);
  const whole = encodeBlockMeta(thanosMeta({ ulid: tinyUlid(1) }));
  const thanos = whole
    .replace('"thanos": {', '"thanos": {"version": 2,')
    .replace('\t\t"version": 1,\n', '');
  await f(thanos, `unexpected thanos section of meta file: ${path} version: 2`, 0);
  // And these it does not.
  await f('', undefined, 1);
  await f('[]', undefined, 1);
  await f('{"version": "1"}', undefined, 1);
  await f(whole.slice(0, -5), undefined, 1);
});

test('base fetcher: a meta.json that was changed', async () => {
  using directory = temporaryDirectory();
  const fixture = new FetchFixture();
  const [ulid = ''] = await fill(fixture, 1);
  const base = fixture.base(directory.path);
  const maxTime = async (fetcher = base) => (await fetcher.fetch()).metas.get(ulid)?.maxTime;
  equal(await maxTime(), 7_200_000);
  fixture.clock.advance(1);
  await putMeta(fixture.memory, thanosMeta({ ulid, maxTime: 5 }));
  equal(await maxTime(), 5);
  equal(await fixture.value(BUSTS), 1);
  equal(await maxTime(), 5);
  equal(await fixture.value(BUSTS), 1);
  // While nobody looked: the copy is older than the object.
  const copy = join(directory.path, 'meta-syncer', ulid, 'meta.json');
  utimesSync(copy, 0, 0);
  fixture.clock.advance(1);
  await putMeta(fixture.memory, thanosMeta({ ulid, maxTime: 6 }));
  equal(await maxTime(fixture.base(directory.path)), 6);
  equal(await fixture.value(BUSTS), 2);
  equal(readFileSync(copy, 'utf8'), encodeBlockMeta(thanosMeta({ ulid, maxTime: 6 })));
});

test('base fetcher: copies that are damaged, and a disk that refuses', async () => {
  using directory = temporaryDirectory();
  const fixture = new FetchFixture();
  const [a, b, c, d] = (await fill(fixture, 4)) as [string, string, string, string];
  const cache = join(directory.path, 'meta-syncer');
  await fixture.base(directory.path).fetch();
  writeFileSync(join(cache, a, 'meta.json'), '');
  writeFileSync(join(cache, b, 'meta.json'), encodeBlockMeta(thanosMeta({ ulid: a })));
  mkdirSync(join(cache, tinyUlid(9)));
  mkdirSync(join(cache, 'not ours'));
  fixture.requests();
  const failed = 'best effort read of the local meta.json failed; removing cached block dir';
  equal((await fixture.base(directory.path).fetch()).metas.size, 4);
  deepEqual([fixture.requests(), fixture.warnings()], [{ iter: 5, get: 2 }, [failed, failed]]);
  deepEqual(readdirSync(cache).toSorted(compareUtf8), [a, b, c, d, 'not ours']);
  equal((await fixture.base(directory.path).fetch()).metas.size, 4);
  deepEqual([fixture.requests(), fixture.warnings()], [{ iter: 5 }, []]);

  // Nothing can be kept: no directory can be made there.
  const file = join(directory.path, 'file');
  writeFileSync(file, '');
  const [first, save] = [
    fixture.base(file),
    'best effort save of the meta.json to local dir failed; ignoring',
  ];
  equal((await first.fetch()).metas.size, 4);
  const warnings = fixture.warnings();
  ok(warnings.includes(save));
  equal(warnings.filter((text) => text === save).length, 1);
  equal((await first.fetch()).metas.size, 4);
  deepEqual(fixture.requests(), { iter: 10, get: 4 });
  fixture.warnings();
  // A copy that cannot be written whole leaves nothing.
  mkdirSync(join(directory.path, 'third', 'meta-syncer', a, 'meta.json.tmp', 'x'), {
    recursive: true,
  });
  equal((await fixture.base(join(directory.path, 'third')).fetch()).metas.size, 4);
  equal(existsSync(join(directory.path, 'third', 'meta-syncer', a, 'meta.json')), false);
  deepEqual(fixture.warnings(), [save]);
});

test('base fetcher: one pass for all who ask, until the last of them goes', async () => {
  const fixture = new FetchFixture();
  await fill(fixture, 3);
  const base = fixture.base();
  const [one, two] = await Promise.all([base.fetch(), base.fetch()]);
  equal(one, two);
  deepEqual([fixture.requests(), await fixture.value(SYNCS)], [{ iter: 4, get: 3 }, 1]);

  const gate = Promise.withResolvers<void>();
  fixture.bucket.plan = ({ name }) =>
    name === '' ? { kind: 'hold', until: gate.promise } : undefined;
  const [first, second] = [new AbortController(), new AbortController()];
  const canceled = rejects(base.fetch(first.signal), { code: 'canceled' });
  const kept = base.fetch(second.signal);
  first.abort();
  await canceled;
  gate.resolve();
  equal((await kept).metas.size, 3);

  fixture.requests();
  const never = Promise.withResolvers<void>();
  fixture.bucket.plan = ({ name }) =>
    name === '' ? { kind: 'hold', until: never.promise } : undefined;
  const last = new AbortController();
  const ended = rejects(base.fetch(last.signal), { code: 'canceled' });
  last.abort();
  await setImmediate();
  // Whoever asks now gets a pass of his own.
  fixture.bucket.plan = undefined;
  equal((await base.fetch()).metas.size, 3);
  never.resolve();
  await ended;
  deepEqual(fixture.requests(), { iter: 5 });
  await rejects(base.fetch(AbortSignal.abort()), { code: 'canceled' });
  deepEqual(fixture.requests(), {});
});

test('base fetcher: a bucket that cannot be listed', async () => {
  const fixture = new FetchFixture();
  await fill(fixture, 50);
  const base = fixture.base();
  fixture.bucket.plan = ({ name }) => (name === '' ? { kind: 'lose answer' } : undefined);
  await rejects(base.fetch(), {
    code: 'unavailable',
    message: 'BaseFetcher: iter bucket: injected fault',
  });
  fixture.bucket.plan = undefined;
  equal((await base.fetch()).metas.size, 50);
});

test('base fetcher: many failures are named in part', async () => {
  const fixture = new FetchFixture();
  await fill(fixture, 50);
  fixture.bucket.plan = ({ operation }) =>
    operation === 'get' ? { kind: 'cut', bytes: 3 } : undefined;
  const { error, metas, failedCount } = await fixture.base().fetch();
  deepEqual([metas.size, failedCount], [0, 50]);
  match(error?.message ?? '', /^incomplete view: 50 errors: get meta file: .*; and 40 more$/);
});
