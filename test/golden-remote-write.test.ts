import assert from 'node:assert/strict';
import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import test from 'node:test';
import { fileURLToPath } from 'node:url';
import { uncompressSync } from 'snappy';
import { V2Translator } from '../src/tsdb/head/remote-write-v2.ts';
import { meaningOfV1, meaningOfV2 } from './support/remote-write-meaning.ts';

const GOLDEN = fileURLToPath(new URL('../../shared/golden/remote-write', import.meta.url));
const skip = existsSync(GOLDEN) ? false : 'the golden data (../shared/golden) are not here';

test('golden bodies of remote write 2.0 mean the same when they are translated', { skip }, () => {
  const translator = new V2Translator();
  const files = readdirSync(GOLDEN).filter((file) => file.startsWith('v2-'));
  assert.equal(files.length, 8);
  for (const file of files) {
    const body = uncompressSync(readFileSync(join(GOLDEN, file))) as Buffer;
    const got = translator.translate(body, 1 << 20);
    // Prometheus sends metadata only with --enable-feature=metadata-wal-records.
    const want = meaningOfV2(body);
    assert.deepEqual(meaningOfV1(got.body), want, file);
    assert.equal(got.series, want.series.length);
    assert.deepEqual([got.refusedSeries, got.refusedExemplars, got.firstProblem], [0, 0, '']);
  }
});
