import assert from 'node:assert/strict';
import test from 'node:test';
import { encodeResult } from '../../http/json-result.ts';
import { NO_HISTOGRAMS } from '../../model/float-histogram/matrix-histograms.ts';
import { Labels } from '../../model/labels.ts';
import type { MatrixResult } from '../../promql/result.ts';
import { encodeInParts, encodePart, partsOf } from './encode-matrix.ts';
import type { RowEncoder } from './encode-matrix.ts';

/** A matrix of rows with so many samples. */
function matrix(lengths: readonly number[]): MatrixResult {
  const offsets = new Uint32Array(lengths.length + 1);
  for (const [i, length] of lengths.entries()) offsets[i + 1] = (offsets[i] as number) + length;
  const count = offsets[lengths.length] as number;
  return {
    type: 'matrix',
    labels: lengths.map((_, i) => Labels.fromPairs([['n\u00e9e', `"${i}"`]])),
    offsets,
    t: Float64Array.from({ length: count }, (_, i) => i * 1000),
    v: Float64Array.from({ length: count }, (_, i) => i / 7),
    histograms: NO_HISTOGRAMS,
  };
}

const encoder: RowEncoder = {
  elsewhere: async (rows, buffers) =>
    encodePart(structuredClone(rows, { transfer: buffers })).value as Uint8Array[],
  check: () => undefined,
};

const bytes = (pieces: readonly Uint8Array[]): string => Buffer.concat(pieces).toString();

const members = { stats: '{"x":1}', analysis: '{}' };

test('parts are the bytes of the whole', async () => {
  for (const lengths of [[5], [3, 0, 4], [100, 1, 1, 1], [1, 1, 1, 100], [7, 7, 7, 7, 7]]) {
    for (const parts of [1, 2, 3, 7]) {
      const whole = bytes(encodeResult(matrix(lengths), Infinity, members));
      const joined = await encodeInParts(matrix(lengths), parts, encoder, members);
      assert.equal(bytes(joined), whole, `${lengths.join()} in ${parts}`);
    }
  }
});

test('only what has many samples is split, and no further than there are rows and workers', () => {
  assert.equal(partsOf(matrix([25_000, 25_000]), 4), 1);
  assert.equal(partsOf(matrix([35_000, 35_000]), 4), 2);
  assert.equal(partsOf(matrix([35_000, 35_000, 35_000]), 2), 2);
  assert.equal(partsOf(matrix([70_000]), 4), 1);
  assert.equal(partsOf(matrix(Array.from({ length: 3000 }, () => 10)), 4), 1);
});
