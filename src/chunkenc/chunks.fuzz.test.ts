/**
 * Mutated chunks of every encoding: what comes out is samples or a named error, no more than the bytes can hold, and the
 * same whatever lies behind them. More rounds: scripts/soak-fuzz.ts.
 */
import { deepEqual, equal, ok } from 'node:assert/strict';
import { test } from 'node:test';
import { CorruptionError } from '../lib/errors.ts';
import { Random } from '../lib/prng.ts';
import { HistogramColumns } from '../model/histogram.ts';
import { AGGREGATES, AggrParts, ENCODING_AGGR, joinAggrChunk } from './aggr-chunk.ts';
import { ENCODING_XOR, ENCODING_XOR2 } from './encodings.ts';
import { FLOAT_CASES } from '../../test/support/float-cases.ts';
import { FUZZ_CASES, FUZZ_SEED } from '../../test/support/mutation-fuzz.ts';
import { HISTOGRAM_CASES } from '../../test/support/histogram-cases.ts';
import { decodeHistogramChunk } from './histogram-decode.ts';
import { encodePlain } from '../../test/support/plain-histogram.ts';
import { StartTimes } from './start-times.ts';
import { transcodeChunk } from './transcode.ts';
import { XorScratch } from './xor-scratch.ts';
import { XorAppender } from './xor-twin.ts';
import { Xor2Appender } from './xor2.ts';

const CASES = FUZZ_CASES;
const SEED = FUZZ_SEED;

/** Flips bits, cuts, puts noise in, and changes the count. */
function mutate(chunk: Uint8Array, random: Random): Uint8Array {
  let bytes = Uint8Array.from(chunk);
  for (let left = 1 + random.below(4); left > 0; left--) {
    const at = random.below(bytes.length + 1);
    const noise = Array.from({ length: random.below(12) }, () =>
      random.below(3) === 0 ? 0xff : random.below(256),
    );
    const way = random.below(5);
    if (way === 0) bytes = bytes.slice(0, at);
    else if (way === 1) bytes.set(noise.slice(0, bytes.length - at), at);
    else if (way === 2)
      bytes = Uint8Array.from([...bytes.slice(0, at), ...noise, ...bytes.slice(at)]);
    else if (way === 3 && bytes.length > 1) bytes[random.below(2)] = random.below(256);
    else if (at < bytes.length) bytes[at] = (bytes[at] as number) ^ (1 << random.below(8));
  }
  return bytes;
}

function encodeFloats(encoding: number, samples: (typeof FLOAT_CASES)[string]): Uint8Array {
  const appender = encoding === ENCODING_XOR ? new XorAppender() : new Xor2Appender();
  for (const [t, value, st] of samples) {
    const words = new Uint32Array(Float64Array.of(value === 'stale' ? 0 : value).buffer);
    const [lo, hi] = value === 'stale' ? [2, 0x7ff00000] : words;
    appender.append(t, hi as number, lo as number, st);
  }
  return appender.bytes();
}

/** Sound chunks of an encoding. */
function soundChunks(encoding: number): Uint8Array[] {
  if (encoding === ENCODING_XOR || encoding === ENCODING_XOR2)
    return Object.values(FLOAT_CASES).map((samples) => encodeFloats(encoding, samples));
  if (encoding !== ENCODING_AGGR)
    return Object.values(HISTOGRAM_CASES).flatMap((samples) => encodePlain(encoding, samples));
  const floats = soundChunks(ENCODING_XOR);
  const histograms = soundChunks(3);
  return floats.map((data, i) =>
    joinAggrChunk([
      { encoding: ENCODING_XOR, data },
      { encoding: 3, data: histograms[i] as Uint8Array },
      undefined,
      undefined,
      { encoding: 3, data: histograms[i + 1] as Uint8Array },
    ]),
  );
}

const kernel = new XorScratch();
const twin = new XorScratch({ twin: true });

/** Decodes floats in the kernel and in its twin; undefined when they are refused. */
function decodeFloats(encoding: number, at: Place): unknown {
  const { bytes, offset, length } = at;
  const count = length < 2 ? 1 : ((bytes[offset] as number) << 8) | (bytes[offset + 1] as number);
  const [a, b] = [kernel, twin].map((scratch) => {
    scratch.clear();
    if (!scratch.append(bytes, offset, length, count, false, encoding)) return undefined;
    equal(scratch.length, count);
    ok(count <= length * 8, `${count} samples in ${length} bytes`);
    const values = new BigUint64Array(scratch.v.buffer, scratch.v.byteOffset, count);
    return { t: scratch.t.slice(0, count), bits: values.slice() };
  });
  equal(a === undefined, b === undefined);
  // Times far from now are not exact, and are rounded otherwise in the kernel.
  if (b?.t.every((t) => Math.abs(t) < 2 ** 51) === true) deepEqual(a, b);
  else deepEqual(a?.bits, b?.bits);
  return b;
}

interface Place {
  readonly bytes: Uint8Array;
  readonly offset: number;
  readonly length: number;
}

/** Decodes histograms. @throws CorruptionError */
function decodeHistograms(encoding: number, { bytes, offset, length }: Place): unknown {
  const columns = new HistogramColumns();
  const starts = new StartTimes();
  try {
    decodeHistogramChunk(bytes, offset, length, encoding, columns, 'fuzz', starts);
  } finally {
    ok(columns.length <= length * 8, `${columns.length} samples in ${length} bytes`);
    ok(columns.bucketsLength <= length * 8, `${columns.bucketsLength} buckets in ${length} bytes`);
    ok(columns.buckets.length <= length * 16 + 64, `room for ${columns.buckets.length} buckets`);
    ok(starts.values.length <= length * 16 + 16);
  }
  const { length: n, bucketsLength } = columns;
  return {
    t: columns.t.slice(0, n),
    sum: new BigUint64Array(columns.sum.buffer).slice(0, n),
    count: columns.count.slice(0, n),
    buckets: columns.buckets.slice(0, bucketsLength),
    layouts: columns.layouts,
    starts: starts.values.slice(0, n),
  };
}

/** Decodes a chunk of any encoding; undefined when it is refused. */
function decode(encoding: number, at: Place): unknown {
  if (encoding === ENCODING_XOR || encoding === ENCODING_XOR2) return decodeFloats(encoding, at);
  try {
    if (encoding !== ENCODING_AGGR) return decodeHistograms(encoding, at);
  } catch (thrown) {
    if (!(thrown instanceof CorruptionError)) throw thrown;
    return undefined;
  }
  const parts = new AggrParts();
  if (!parts.split(at.bytes, at.offset, at.length)) return undefined;
  return AGGREGATES.map((_, k) => {
    const [offset, length] = [parts.offsets[k] as number, parts.lengths[k] as number];
    if (length === 0) return 'none';
    ok(offset >= at.offset && offset + length <= at.offset + at.length);
    const part = { bytes: at.bytes, offset, length };
    const inner = parts.encodings[k] as number;
    return inner >= 1 && inner <= 6 ? decode(inner, part) : undefined;
  });
}

/** The chunk with other bytes around it. */
function within(chunk: Uint8Array, filler: number): Place {
  const bytes = new Uint8Array(chunk.length + 40).fill(filler);
  bytes.set(chunk, 7);
  return { bytes, offset: 7, length: chunk.length };
}

for (const encoding of [1, 2, 3, 4, 5, 6, ENCODING_AGGR]) {
  test(`fuzz: ${CASES} mutated chunks of encoding ${encoding}, seed ${SEED}`, () => {
    const random = new Random(SEED * 1000 + encoding);
    const sound = soundChunks(encoding);
    for (const chunk of sound) ok(decode(encoding, within(chunk, 0)) !== undefined);
    let refused = 0;
    for (let i = 0; i < CASES; i++) {
      const chunk = mutate(sound[random.below(sound.length)] as Uint8Array, random);
      const got = decode(encoding, within(chunk, 0));
      if (got === undefined) refused++;
      // What lies around the chunk does not matter, so that it was not used.
      deepEqual(decode(encoding, within(chunk, 0xff)), got);
      deepEqual(decode(encoding, { bytes: chunk, offset: 0, length: chunk.length }), got);
      try {
        const plain = transcodeChunk(encoding, chunk);
        ok(plain.data.length <= chunk.length * 12 + 32, `${chunk.length} to ${plain.data.length}`);
        if (encoding < 4 || encoding > 6) continue;
        // Refused after it was walked through: spans of a reserved schema overlap.
        const again = decode(plain.encoding, within(plain.data, 0));
        equal(again === undefined, got === undefined);
      } catch (thrown) {
        if (!(thrown instanceof CorruptionError)) throw thrown;
        equal(got, undefined);
      }
    }
    ok(refused > CASES / 20 && refused < CASES, `${refused} refused`);
  });
}
