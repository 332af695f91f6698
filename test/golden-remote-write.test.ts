import assert from 'node:assert/strict';
import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import test from 'node:test';
import { fileURLToPath } from 'node:url';
import { uncompressSync } from 'snappy';
import { V2Translator } from '../src/tsdb/head/remote-write-v2.ts';
import { byText } from './support/golden-samples.ts';
import { meaningOfV1, meaningOfV2 } from './support/remote-write-meaning.ts';
import { startAll } from './support/server-process.ts';
import { temporaryDirectory } from './support/temporary-directory.ts';

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

interface RecordedBody {
  readonly file: string;
  readonly headers: Record<string, string>;
}

test(
  'golden bodies are taken over HTTP as they were sent, with all that they hold',
  { skip },
  async (t) => {
    using directory = temporaryDirectory();
    const all = await startAll({ dataDir: directory.path });
    t.after(() => all.process.stop('SIGKILL'));
    const index = JSON.parse(readFileSync(join(GOLDEN, 'index.json'), 'utf8')) as RecordedBody[];
    const bodies = readdirSync(GOLDEN).filter((file) => file.endsWith('.snappy'));
    assert.deepEqual(index.map(({ file }) => file).toSorted(byText), bodies.toSorted(byText));
    const sums = { samples: 0, histograms: 0, exemplars: 0 };
    for (const { file, headers } of index) {
      const body = readFileSync(join(GOLDEN, file));
      const address = `${all.write}/api/v1/write`;
      const response = await fetch(address, { method: 'POST', headers, body });
      assert.equal(response.status, 204, `${file}: ${await response.text()}`);
      if (!file.startsWith('v2-')) continue;
      const { series } = meaningOfV2(uncompressSync(body) as Buffer);
      for (const kind of ['samples', 'histograms', 'exemplars'] as const) {
        const want = series.reduce((sum, one) => sum + one[kind].length, 0);
        const written = response.headers.get(`x-prometheus-remote-write-${kind}-written`);
        // An exemplar that its series has already is taken, and not written again.
        if (kind === 'exemplars') assert.ok(Number(written) <= want, `${file}: ${kind}`);
        else assert.equal(Number(written), want, `${file}: ${kind}`);
        sums[kind] += want;
      }
    }
    t.diagnostic(`${bodies.length} bodies taken; of those of 2.0: ${JSON.stringify(sums)}`);
  },
);
