import assert from 'node:assert/strict';
import test from 'node:test';
import fc from 'fast-check';
import { XorAppender } from '../../chunkenc/xor-twin.ts';
import { SampleEncoder } from './sample-encoder.ts';

interface Sample {
  readonly t: number;
  readonly v: number;
}

/** Chunks of 120 samples by the specification of the format. */
function expectedChunks(samples: readonly Sample[]): { bytes: string; from: number; to: number }[] {
  const chunks = [];
  const double = new Float64Array(1);
  const [halves] = [new Uint32Array(double.buffer)];
  for (let i = 0; i < samples.length; i += 120) {
    const part = samples.slice(i, i + 120);
    const appender = new XorAppender();
    for (const { t, v } of part) {
      double[0] = v;
      appender.append(t, halves[1] as number, halves[0] as number);
    }
    chunks.push({
      bytes: Buffer.from(appender.bytes()).toString('hex'),
      from: part[0]?.t ?? NaN,
      to: part.at(-1)?.t ?? NaN,
    });
  }
  return chunks;
}

function checkChunks(encoder: SampleEncoder, samples: readonly Sample[]): void {
  const got = encoder.finish();
  const want = expectedChunks(samples);
  assert.deepEqual(
    got.map(({ data, mint, maxt }) => ({
      bytes: Buffer.from(data).toString('hex'),
      from: mint,
      to: maxt,
    })),
    want,
  );
  assert.equal(
    got.reduce((sum, { count }) => sum + count, 0),
    samples.length,
  );
  assert.ok(got.every(({ encoding }) => encoding === 1));
}

/** Steps of every size class of a delta of deltas, values that share bits and values that do not. */
const step = fc.oneof(
  fc.constant(15_000),
  fc.integer({ min: 1, max: 20_000 }),
  fc.integer({ min: 1, max: 2 ** 20 }),
  fc.integer({ min: 1, max: 2 ** 40 }),
);
const value = fc.oneof(
  fc.double({ noNaN: true }),
  fc.integer({ min: -5, max: 5 }),
  fc.constantFrom(0, -0, Infinity, -Infinity, 5e-324, 1e300),
);

test('samples one by one give the chunks of the specification', () => {
  const encoder = new SampleEncoder();
  const start = fc.integer({ min: -(2 ** 45), max: 2 ** 45 });
  const steps = fc.array(fc.tuple(step, value), { maxLength: 400, size: 'max' });
  fc.assert(
    fc.property(start, steps, (t0, pairs) => {
      let t = t0;
      const samples = pairs.map(([dt, v]) => ({ t: (t += dt), v }));
      encoder.reset();
      for (const sample of samples) encoder.append(sample.t, sample.v);
      checkChunks(encoder, samples);
    }),
    { numRuns: 60 },
  );
});

test('runs give the chunks of their samples one by one', () => {
  const encoder = new SampleEncoder();
  const run = fc.record({
    gap: step,
    every: fc.constantFrom(1, 15_000, 60_000),
    count: fc.oneof(fc.integer({ min: 0, max: 5 }), fc.integer({ min: 100, max: 500 })),
    v: value,
  });
  fc.assert(
    fc.property(fc.array(run, { maxLength: 8 }), (runs) => {
      const samples: Sample[] = [];
      encoder.reset();
      let t = 1_600_000_000_000;
      for (const { gap, every, count, v } of runs) {
        t += gap;
        encoder.appendRun(t, every, count, v);
        for (let i = 0; i < count; i++) samples.push({ t: t + i * every, v });
        t += count * every;
      }
      checkChunks(encoder, samples);
    }),
    { numRuns: 100 },
  );
});

test('a long series grows the buffer', () => {
  const encoder = new SampleEncoder();
  const samples = Array.from({ length: 30_000 }, (_, i) => ({ t: i * 1000, v: Math.sin(i) }));
  for (const sample of samples) encoder.append(sample.t, sample.v);
  checkChunks(encoder, samples);
});
