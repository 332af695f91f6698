/** Uploads that break off at every point: by errors, by answers that are lost, and by the death of the process. */
import { deepEqual, equal, ok } from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import type { Fault } from '../../test/support/faulty-bucket.ts';
import { shipperFixture } from '../../test/support/shipper-fixture.ts';
import { temporaryDirectory } from '../../test/support/temporary-directory.ts';
import { tinyUlid, writeTinyBlock } from '../../test/support/tiny-block.ts';
import { FakeClock } from '../lib/clock.ts';
import { nopLogger } from '../lib/log.ts';
import { Labels } from '../model/labels.ts';
import type { Bucket } from '../objstore/bucket.ts';
import { FilesystemBucket } from '../objstore/filesystem.ts';
import { readObject } from '../objstore/read-object.ts';
import { parseBlockMeta } from '../tsdb/block/meta.ts';
import { Shipper } from './shipper.ts';

const ulid = tinyUlid(1);
const FILES: Readonly<Record<string, string>> = {
  'chunks/000001': 'content of the first segment',
  'chunks/000002': 'and of the second',
  index: 'index of both',
};

/** Whether the bucket shows no block, or the whole of it and nothing else. */
async function checkWholeOrNone(bucket: Bucket): Promise<boolean> {
  const names = await Array.fromAsync(bucket.iter('', { recursive: true }));
  const expected = [...Object.keys(FILES), 'meta.json'].map((file) => `${ulid}/${file}`);
  ok(
    names.every((name) => expected.includes(name)),
    names.join(),
  );
  for (const [file, content] of Object.entries(FILES)) {
    if (!names.includes(`${ulid}/${file}`)) continue;
    equal(Buffer.from(await readObject(bucket, `${ulid}/${file}`)).toString(), content);
  }
  if (!names.includes(`${ulid}/meta.json`)) return false;
  deepEqual(names, expected);
  const text = Buffer.from(await readObject(bucket, `${ulid}/meta.json`)).toString();
  equal(parseBlockMeta(text, ulid).ulid, ulid);
  return true;
}

const FAULTS: readonly Fault[] = [{ kind: 'fail' }, { kind: 'lose answer' }];

for (const fault of FAULTS) {
  test(`shipper: requests ${fault.kind}, one after the other`, async () => {
    let n = 0;
    for (; ; n++) {
      using fixture = shipperFixture();
      writeTinyBlock(fixture.tsdb, { ulid });
      const { bucket } = fixture;
      bucket.plan = (_, i) => (i === n ? fault : undefined);
      const first = await fixture.shipper().sync();
      const reached = bucket.calls.length > n;
      const uploads = bucket.names('upload');
      if (uploads.includes(`${ulid}/meta.json`)) {
        equal(uploads.at(-1), `${ulid}/meta.json`);
        equal(uploads.length, 4);
      }
      bucket.plan = undefined;
      await checkWholeOrNone(bucket);
      if (!reached) {
        deepEqual(first.uploaded, [ulid]);
        break;
      }
      deepEqual([first.uploaded, first.failures.length], [[], 1], `request ${n}`);
      const links = join(fixture.tsdb, 'thanos/upload');
      deepEqual(existsSync(links) ? readdirSync(links) : [], []);

      const before = await fixture.objects();
      const there = await checkWholeOrNone(bucket);
      const from = bucket.calls.length;
      const second = await fixture.shipper().sync();
      deepEqual([second.uploaded, second.failures], [there ? [] : [ulid], []], `request ${n}`);
      const again = bucket.calls.slice(from).filter(({ operation }) => operation === 'upload');
      equal(again.at(-1)?.name, there ? undefined : `${ulid}/meta.json`);
      const twice = again.filter(({ name }) => before.includes(name));
      deepEqual(twice, [], `what arrived is not sent again, request ${n}`);
      equal(await checkWholeOrNone(bucket), true);
      deepEqual(await fixture.shipper().uploadedBlocks(), new Set([ulid]));
    }
    equal(n, 8, 'requests of a pass with one block of three files');
  });
}

test('shipper: kill -9 before each request', async () => {
  const script = fileURLToPath(new URL('../../test/support/hanging-shipper.ts', import.meta.url));
  let n = 0;
  for (; ; n++) {
    using tsdb = temporaryDirectory();
    using directory = temporaryDirectory();
    writeTinyBlock(tsdb.path, { ulid });
    const child = spawn(process.execPath, [script, tsdb.path, directory.path, String(n)], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const exited = once(child, 'exit');
    const [said] = (await once(child.stdout, 'data')) as [Buffer];
    child.kill('SIGKILL');
    await exited;
    const bucket = new FilesystemBucket(directory.path);
    const there = await checkWholeOrNone(bucket);
    if (said.toString() === 'done\n') {
      equal(there, true);
      break;
    }
    const file = join(tsdb.path, 'thanos.shipper.json');
    equal(existsSync(file), false);
    const shipper = new Shipper({
      directory: tsdb.path,
      bucket,
      labels: () => Labels.fromObject({ replica: 'a' }),
      source: 'receive',
      clock: new FakeClock(0),
      log: nopLogger,
    });
    const { uploaded, failures } = await shipper.sync();
    deepEqual([uploaded, failures], [there ? [] : [ulid], []], `request ${n}`);
    equal(await checkWholeOrNone(bucket), true);
    deepEqual(readdirSync(join(tsdb.path, 'thanos/upload')), []);
    ok(readFileSync(file, 'utf8').includes(ulid));
  }
  equal(n, 8, 'requests of a pass with one block of three files');
});
