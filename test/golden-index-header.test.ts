/** Index-headers of blocks as Thanos made them. Without the golden data every test is skipped. */
import { equal, ok } from 'node:assert/strict';
import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { buildHeader, writeHeader } from '../src/bucket/index-header/build.ts';
import { HeaderInMemory, openHeaderFile } from '../src/bucket/index-header/header-bytes.ts';
import { openIndexHeader } from '../src/bucket/index-header/index-header.ts';
import { FilesystemBucket } from '../src/objstore/filesystem.ts';
import { ROOT } from './support/server-process.ts';
import { temporaryDirectory } from './support/temporary-directory.ts';

const GOLDEN = join(ROOT, '../shared/golden');
const HEADERS = join(GOLDEN, 'index-header');
const skip = existsSync(HEADERS) ? false : `no recorded index-headers in ${HEADERS}`;

for (const ulid of skip ? [] : readdirSync(HEADERS)) {
  test(`index-header of ${ulid}`, async () => {
    using directory = temporaryDirectory();
    const bucket = new FilesystemBucket(join(GOLDEN, 'bucket'));
    const want = readFileSync(join(HEADERS, ulid, 'index-header'));
    ok((await buildHeader({ bucket, ulid })).equals(want));
    const file = join(directory.path, ulid, 'index-header');
    await writeHeader({ bucket, ulid }, file);
    ok(readFileSync(file).equals(want));
    for (const bytes of [new HeaderInMemory(file, want), await openHeaderFile(file)]) {
      const header = await openIndexHeader(bytes);
      ok(header.postings.names.includes('__name__'));
      await header.close();
    }
    await bucket.close();
  });
}

test('index-headers are there', { skip }, () => {
  equal(readdirSync(HEADERS).length > 0, true);
});
