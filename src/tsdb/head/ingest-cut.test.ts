/** Where the ingest kernel and its twin cut chunks: Prometheus' rule in cases whose answers can be told by hand. */
import { deepEqual, equal, ok } from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import {
  ReferenceSeries,
  chunksOf,
  halvesOf,
  labelField,
  messageField,
  openHead,
  sampleField,
} from '../../../test/support/head-probe.ts';
import type { BitSample, ProbedChunk } from '../../../test/support/head-probe.ts';
import { temporaryDirectory } from '../../../test/support/temporary-directory.ts';
import { Random } from '../../lib/prng.ts';
import { CHUNK_RANGE_MS } from './head-writer.ts';

const HOUR = 3_600_000;
/** The start of a chunk range. */
const START = 236_111 * CHUNK_RANGE_MS;

for (const twin of [false, true]) {
  const name = twin ? 'twin' : 'kernel';

  /** Writes samples of one series, so many a request, and answers its chunks, which the reference makes, too. */
  const chunksFrom = (samples: readonly BitSample[], perRequest = 50): ProbedChunk[] => {
    using directory = temporaryDirectory();
    using opened = openHead(directory.path, { twin, arenaBytes: 64 << 20 });
    const reference = new ReferenceSeries();
    for (let i = 0; i < samples.length; i += perRequest) {
      const part = samples.slice(i, i + perRequest);
      const fields = [labelField('__name__', 'm'), ...part.map(sampleField)];
      equal(opened.head.write(messageField(1, Buffer.concat(fields))).accepted, part.length);
      for (const sample of part) reference.append(sample);
    }
    const chunks = chunksOf(opened)['{__name__="m"}'] ?? [];
    deepEqual(chunks, reference.chunks);
    return chunks;
  };
  const counts = (chunks: readonly ProbedChunk[]): number[] =>
    chunks.map(({ bytes }) => Buffer.from(bytes, 'hex').readUInt16BE());
  const steady = (from: number, step: number, count: number, value = 7): BitSample[] =>
    Array.from({ length: count }, (_, i) => [from + i * step, ...halvesOf(value)]);
  /** Doubles whose bits have nothing in common. */
  const randomDoubles = (from: number, step: number, count: number): BitSample[] => {
    const random = new Random(11);
    return Array.from({ length: count }, (_, i) => [from + i * step, random.u32(), random.u32()]);
  };

  test(`cut ${name}: a steady rate fills a range with chunks of equal length`, () => {
    const f = (samples: readonly BitSample[], want: readonly number[]): void => {
      deepEqual(counts(chunksFrom(samples)), want);
    };
    // Two hours at 15 s are 480 samples: four chunks of 120, and the range's end is the end of the fourth.
    f(steady(START, 15_000, 1000), [120, 120, 120, 120, 120, 120, 120, 120, 40]);
    // At 60 s a range has exactly 120, so no end inside it is predicted.
    f(steady(START, 60_000, 250), [120, 120, 10]);
    // At 1 s, 30 samples span 29 s: 7,200 s hold 62 times 4 × 29.001 s, so a chunk ends after 116.13 s.
    f(steady(START, 1000, 200), [117, 83]);
    const perSecond = chunksFrom(steady(START, 1000, 7201));
    ok(counts(perSecond).every((count) => count <= 120));
    equal(perSecond.at(-1)?.mint, START + CHUNK_RANGE_MS);
    // A single sample, and one sample a range.
    f(steady(START, 15_000, 1), [1]);
    f(steady(START, CHUNK_RANGE_MS, 5), [1, 1, 1, 1, 1]);
  });

  test(`cut ${name}: a range ends at its boundary, to the millisecond, on either side of 1970`, () => {
    const f = (times: readonly number[], want: readonly number[]): void => {
      const samples = times.map((t): BitSample => [t, ...halvesOf(t)]);
      deepEqual(
        chunksFrom(samples).map(({ mint }) => mint),
        want,
      );
    };
    f([START - 2, START - 1, START, START + 1], [START - 2, START]);
    f([START, START + CHUNK_RANGE_MS - 1, START + CHUNK_RANGE_MS], [START, START + CHUNK_RANGE_MS]);
    // Go's division truncates, so before 1970 a range ends a whole range later: -4 h + 1 to -2 h end at 0, and -2 h + 1
    // at 2 h.
    f([-4 * HOUR, -2 * HOUR - 1, -2 * HOUR, -1], [-4 * HOUR, -2 * HOUR]);
    f([-4 * HOUR + 1, -2 * HOUR, -1, 0, 1], [-4 * HOUR + 1, 0]);
    f([-2 * HOUR, -1, 0, 2 * HOUR - 1], [-2 * HOUR, 0]);
    f([-2 * HOUR + 1, -1, 0, 1, 2 * HOUR - 1, 2 * HOUR], [-2 * HOUR + 1, 2 * HOUR]);
  });

  test(`cut ${name}: at twice the target when samples come faster than predicted`, () => {
    // The first 30 at 15 s predict 120 in half an hour; then they come at 1 s.
    const samples = [
      ...steady(START, 15_000, 31),
      ...steady(START + 31 * 15_000 - 14_000, 1000, 900),
    ];
    const chunks = chunksFrom(samples);
    equal(counts(chunks)[0], 240);
  });

  test(`cut ${name}: near 1024 bytes when values do not compress`, () => {
    const chunks = chunksFrom(randomDoubles(START, 15_000, 2000), 7);
    const sizes = chunks.slice(0, -1).map(({ bytes }) => bytes.length / 2);
    // Nearly ten bytes a sample: 1005 bytes are reached before 120 samples, and never 1024.
    ok(counts(chunks).every((count) => count < 120));
    ok(sizes.filter((size) => size > 1005 && size <= 1024).length > sizes.length / 2);
    ok(sizes.every((size) => size <= 1024));
    // The same with samples a second or a millisecond apart, and with large gaps.
    ok(counts(chunksFrom(randomDoubles(START, 1000, 1000))).every((count) => count < 120));
    chunksFrom(randomDoubles(START, 1, 1000));
    chunksFrom(randomDoubles(-START, 60 * CHUNK_RANGE_MS, 300));
  });

  test(`cut ${name}: any steps and values, as the reference`, () => {
    const value = fc.oneof(
      fc.constantFrom(0, 1, -0, NaN, Infinity, 1e-310, 1e300, Math.PI),
      fc.double(),
    );
    const step = fc.oneof(
      fc.constant(15_000),
      fc.constantFrom(1, 8191, 8192, 8193, 65_535, 65_536, 65_537, 524_287, 524_288, 524_289),
      fc.integer({ min: 1, max: 2 ** 42 }),
    );
    const runs = fc.array(
      fc.record({ step, values: fc.array(value, { minLength: 1, maxLength: 90 }) }),
      { minLength: 1, maxLength: 12 },
    );
    fc.assert(
      fc.property(fc.integer({ min: -(2 ** 44), max: 2 ** 44 }), runs, (start, plan) => {
        let t = start;
        const samples = plan.flatMap((run) =>
          run.values.map((v): BitSample => [(t += run.step), ...halvesOf(v)]),
        );
        chunksFrom(samples);
      }),
      { numRuns: 40 },
    );
  });
}
