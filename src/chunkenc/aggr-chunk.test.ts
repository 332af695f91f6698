import { deepEqual, equal, ok } from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { AGGREGATES, AggrParts, joinAggrChunk } from './aggr-chunk.ts';
import type { AggrPart } from './aggr-chunk.ts';
import { ENCODING_FLOAT_HISTOGRAM, ENCODING_XOR } from './encodings.ts';
import { decodeHistogramChunk } from './histogram-decode.ts';
import { encodePlain, plainAt } from '../../test/support/plain-histogram.ts';
import { HistogramColumns } from '../model/histogram.ts';

const part = fc.option(
  fc
    .tuple(fc.nat(255), fc.uint8Array({ minLength: 1, maxLength: 300 }))
    .map(([encoding, data]): AggrPart => ({ encoding, data })),
  { nil: undefined },
);

/** The parts of a chunk that lies at an offset of larger bytes; undefined when it is none. */
function split(chunk: Uint8Array, offset = 3): (AggrPart | undefined)[] | undefined {
  const bytes = new Uint8Array(offset + chunk.length + 5).fill(0xff);
  bytes.set(chunk, offset);
  const parts = new AggrParts();
  if (!parts.split(bytes, offset, chunk.length)) return undefined;
  return AGGREGATES.map((_, i) => {
    const [from, length] = [parts.offsets[i] as number, parts.lengths[i] as number];
    if (length === 0) return undefined;
    return { encoding: parts.encodings[i] as number, data: bytes.slice(from, from + length) };
  });
}

test('aggregate chunk: parts come back, those that are not there as well', () => {
  fc.assert(
    fc.property(fc.tuple(part, part, part, part, part), (parts) => {
      deepEqual(split(joinAggrChunk(parts)), parts);
    }),
  );
});

test('aggregate chunk: bytes as the format says', () => {
  const data = (...bytes: number[]): Uint8Array => Uint8Array.from(bytes);
  const sum = { encoding: 1, data: data(0, 1, 9) };
  const long = { encoding: 2, data: new Uint8Array(200).fill(7) };
  const chunk = joinAggrChunk([undefined, sum, undefined, undefined, long]);
  deepEqual([...chunk.subarray(0, 10)], [0, 3, 1, 0, 1, 9, 0, 0, 0xc8, 1]);
  equal(chunk.length, 6 + 2 + 3 + 200);
  deepEqual(split(data(0, 0, 0, 0, 0)), Array(5).fill(undefined));
});

test('aggregate chunk: cut or changed it is none, or another', () => {
  fc.assert(
    fc.property(
      fc.tuple(part, part, part, part, part),
      fc.nat(),
      fc.nat(255),
      (parts, where, x) => {
        const chunk = joinAggrChunk(parts);
        equal(split(chunk.subarray(0, where % chunk.length)), undefined);
        equal(split(Uint8Array.from([...chunk, x])), undefined);
        chunk[where % chunk.length] = x;
        const found = split(chunk) ?? [];
        for (const one of found) ok(one === undefined || one.data.length <= chunk.length);
      },
    ),
  );
});

test('aggregate chunk: parts of histograms, to columns and back', () => {
  const samples = [10, 20, 20].map((t, i) => ({
    t,
    hint: 'gauge' as const,
    schema: 2,
    positiveSpans: [[i, 2]] as const,
    positive: [i + 0.5, 2],
    sum: i,
  }));
  const sums = encodePlain(ENCODING_FLOAT_HISTOGRAM, samples);
  equal(sums.length, 1);
  const data = sums[0] as Uint8Array;
  const counts = Uint8Array.of(0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0);
  // A counter ends with its last sample twice, at one time.
  const chunk = joinAggrChunk([
    { encoding: ENCODING_XOR, data: counts },
    { encoding: ENCODING_FLOAT_HISTOGRAM, data },
    undefined,
    undefined,
    { encoding: ENCODING_FLOAT_HISTOGRAM, data },
  ]);
  const parts = new AggrParts();
  ok(parts.split(chunk, 0, chunk.length));
  for (const k of [1, 4]) {
    const columns = new HistogramColumns();
    const [from, length] = [parts.offsets[k] as number, parts.lengths[k] as number];
    equal(decodeHistogramChunk(chunk, from, length, parts.encodings[k] as number, columns), 3);
    const back = Array.from(samples, (_, i) => ({ ...plainAt(columns, i) }));
    deepEqual(
      back.map(({ t, positive }) => [t, positive]),
      [
        [10, [0.5, 2, 0, 0]],
        [20, [0, 1.5, 2, 0]],
        [20, [0, 0, 2.5, 2]],
      ],
    );
    deepEqual(encodePlain(ENCODING_FLOAT_HISTOGRAM, back), [data]);
  }
});
