import { deepEqual, equal, throws } from 'node:assert/strict';
import { test } from 'node:test';
import { compressSync } from 'snappy';
import { goldenJson } from '../../../test/support/golden-json.ts';
import { mutate, testFuzz } from '../../../test/support/mutation-fuzz.ts';
import { CorruptionError } from '../../lib/errors.ts';
import { Random } from '../../lib/prng.ts';
import { writeUvarint } from '../../lib/varint.ts';
import { decodePostings, encodePostings } from './postings-codec.ts';

interface GoldenPostings {
  readonly name: string;
  readonly refs?: readonly number[];
  readonly count?: number;
  readonly steps?: readonly number[];
  readonly dss: string;
  readonly dvs: string;
}

const golden = goldenJson('index-cache/postings.json') as GoldenPostings[];

function idsOf({ refs, count = 0, steps = [] }: GoldenPostings): Uint32Array {
  if (refs !== undefined) return Uint32Array.from(refs);
  let id = 0;
  return Uint32Array.from({ length: count }, (_, i) => (id += steps[i % steps.length] ?? 0));
}

for (const item of golden) {
  test(`postings codec: ${item.name}, as Go has it`, () => {
    const ids = idsOf(item);
    deepEqual(decodePostings(Buffer.from(item.dss, 'base64')), ids);
    deepEqual(decodePostings(Buffer.from(item.dvs, 'base64')), ids);
    const encoded = encodePostings(ids);
    equal(Buffer.from(encoded.subarray(0, 3)).toString(), 'dss');
    deepEqual(decodePostings(encoded), ids);
  });
}

function dvs(content: Uint8Array): Buffer {
  return Buffer.concat([Buffer.from('dvs'), compressSync(content, { copyOutputData: true })]);
}

function varints(...values: readonly number[]): Uint8Array {
  const out = new Uint8Array(values.length * 10);
  let pos = 0;
  for (const value of values) pos = writeUvarint(out, pos, value);
  return out.subarray(0, pos);
}

test('postings codec: what is none', () => {
  const f = (bytes: Uint8Array, message: RegExp): void => {
    throws(
      () => decodePostings(bytes),
      (thrown) => thrown instanceof CorruptionError && message.test(thrown.message),
    );
  };
  f(new Uint8Array(), /neither dvs nor dss/);
  f(Buffer.from('dv'), /neither dvs nor dss/);
  f(Buffer.from('END\r\n'), /neither/);
  f(Buffer.from('dvs'), /bytes end/);
  f(Buffer.from('dss\0'), /corrupt/);
  f(dvs(Uint8Array.of(1, 0x80)), /without an end/);
  f(dvs(varints(2 ** 32)), /above 32 bits/);
  f(dvs(varints(2 ** 32 - 1, 1)), /above 32 bits/);
  f(dvs(Uint8Array.of(...Array.from({ length: 200 }, () => 0xff), 1)), /above 32 bits/);
  // A block that claims 4 GB.
  f(Buffer.concat([Buffer.from('dvs'), varints(2 ** 32 - 1), Buffer.alloc(20)]), /a block of/);
  deepEqual(decodePostings(dvs(varints(2 ** 32 - 1))), Uint32Array.of(2 ** 32 - 1));
});

const sound = golden
  .filter(({ refs }) => refs !== undefined)
  .map((item) => Buffer.from(item.dss, 'base64'));
const blocks = golden
  .filter(({ refs }) => refs !== undefined)
  .map((item) => Buffer.from(item.dvs, 'base64'));

testFuzz({
  name: 'cached postings, dss',
  run: (random, i) => decodeMutated(sound, random, i),
});
testFuzz({
  name: 'cached postings, dvs',
  run: (random, i) => decodeMutated(blocks, random, i),
});

function decodeMutated(samples: readonly Buffer[], random: Random, i: number): number {
  const bytes = mutate(samples[i % samples.length] ?? Buffer.alloc(0), random);
  decodePostings(bytes);
  return bytes.length;
}
