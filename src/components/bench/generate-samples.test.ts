/** The samples that Go's thanosbench makes of the same plan: test/golden/blockgen/PROVENANCE.md. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import test from 'node:test';
import { decodeXorTwin } from '../../chunkenc/xor-twin.ts';
import { generateSamples, seriesSeed } from './generate-samples.ts';
import { GoRandom } from './go-random.ts';
import { readPlan } from './read-plan.ts';
import { SampleEncoder } from './sample-encoder.ts';

const GOLDEN = new URL('../../../test/golden/blockgen/', import.meta.url);

interface GoldenSeries {
  readonly labels: Readonly<Record<string, string>>;
  readonly samples: readonly (readonly [number, string])[];
}

/** Samples of chunks as times and bits in hexadecimal digits. */
function decode(encoder: SampleEncoder): [number, string][] {
  return encoder.finish().flatMap(({ data, count }) => {
    const t = new Float64Array(count);
    const halves = new Uint32Array(2 * count);
    assert.equal(decodeXorTwin(data, 0, data.length, count, { t, halves }, 0, false), count);
    const hex = (half: number): string => half.toString(16).padStart(8, '0');
    return Array.from(t, (time, i): [number, string] => [
      time,
      hex(halves[2 * i + 1] as number) + hex(halves[2 * i] as number),
    ]);
  });
}

test('every generator makes the samples of the Go program, bit for bit', async () => {
  const [block] = await readPlan(
    readFileSync(new URL('generators.plan.yaml', GOLDEN), 'utf8'),
    'plan',
  );
  const golden = JSON.parse(
    readFileSync(new URL('generators.samples.json', GOLDEN), 'utf8'),
  ) as GoldenSeries[];
  const random = new GoRandom();
  const encoder = new SampleEncoder();
  let found = 0;
  for (const spec of block?.series ?? []) {
    const name = spec.labels.find(([label]) => label === '__name__')?.[1];
    const targets = golden.filter(({ labels }) => labels['__name__'] === name);
    assert.equal(targets.length, Math.max(1, spec.targets), String(name));
    for (const { labels, samples } of targets) {
      const target = Number(labels['__blockgen_target__']);
      encoder.reset();
      random.seed(seriesSeed(spec.labels, target, block?.thanos.labels ?? []));
      generateSamples(spec, random, encoder);
      assert.deepEqual(decode(encoder), samples, `${name} ${target}`);
      found++;
    }
  }
  assert.equal(found, golden.length);
});

test('a range that ends before it begins has no samples', () => {
  const encoder = new SampleEncoder();
  const spec = {
    labels: [],
    targets: 1,
    type: 'GAUGE',
    minTime: 1,
    maxTime: 0,
    jitter: 0,
    scrapeIntervalMs: 1000,
    changeIntervalMs: 0,
    max: 1,
    min: 0,
  } as const;
  generateSamples(spec, new GoRandom(), encoder);
  assert.deepEqual(encoder.finish(), []);
});
