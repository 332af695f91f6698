/** Histogram chunks, read by a second decoder as plain as can be: text of bits and bigints, by the format's page. */
import { deepEqual, equal, throws } from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { CorruptionError } from '../lib/errors.ts';
import { HistogramColumns } from '../model/histogram.ts';
import { HISTOGRAM_CASES } from '../../test/support/histogram-cases.ts';
import { histogramChunkHint } from './histogram-chunk-header.ts';
import { decodeHistogramChunk } from './histogram-decode.ts';
import { encodePlain, plainAt } from '../../test/support/plain-histogram.ts';
import type { PlainHistogram } from '../../test/support/plain-histogram.ts';
import { BitWriter } from './bit-writer.ts';
import { StartTimes } from './start-times.ts';
import { writeVarbitInt, writeVarbitUint } from './varbit.ts';

const SIZES = [0, 3, 6, 9, 12, 18, 25, 56, 64];

/** Reads bits as text. */
class Bits {
  #text: string;

  constructor(bytes: Uint8Array) {
    this.#text = Array.from(bytes, (byte) => byte.toString(2).padStart(8, '0')).join('');
  }

  take(n: number): string {
    if (n > this.#text.length) throw new Error('short');
    const taken = this.#text.slice(0, n);
    this.#text = this.#text.slice(n);
    return taken;
  }

  uint(n: number): bigint {
    return n === 0 ? 0n : BigInt(`0b${this.take(n)}`);
  }

  #size(): number {
    let ones = 0;
    while (ones < 8 && this.take(1) === '1') ones++;
    return SIZES[ones] ?? 0;
  }

  varbitUint(): bigint {
    return this.uint(this.#size());
  }

  varbitInt(): bigint {
    const size = this.#size();
    const value = this.uint(size);
    if (size === 64) return BigInt.asIntN(64, value);
    return size > 0 && value > 1n << BigInt(size - 1) ? value - (1n << BigInt(size)) : value;
  }

  varint(): bigint {
    let value = 0n;
    for (let shift = 0n, more = true; more; shift += 7n) {
      more = this.take(1) === '1';
      value |= this.uint(7) << shift;
    }
    return value % 2n === 1n ? -(value / 2n) - 1n : value / 2n;
  }
}

/** A value that is the XOR with the one before. */
class Xor {
  bits: bigint;
  #lead = 0;
  #size = 64;

  constructor(bits: bigint) {
    this.bits = bits;
  }

  next(from: Bits): bigint {
    if (from.take(1) === '0') return this.bits;
    if (from.take(1) === '1') {
      this.#lead = Number(from.uint(5));
      this.#size = Number(from.uint(6)) || 64;
    }
    const trail = 64 - this.#lead - this.#size;
    this.bits ^= from.uint(this.#size) << BigInt(trail);
    return this.bits;
  }
}

/** A number that grows: its growth changes by what is read. */
class Growing {
  value: bigint;
  #growth = 0n;

  constructor(value: bigint) {
    this.value = value;
  }

  next(change: bigint): bigint {
    this.#growth += change;
    this.value += this.#growth;
    return this.value;
  }
}

function double(bits: bigint): number {
  return new Float64Array(BigUint64Array.of(bits).buffer)[0] as number;
}

const STALE = 0x7ff0000000000002n;

function readLayout(
  bits: Bits,
): Required<
  Pick<
    PlainHistogram,
    'schema' | 'zeroThreshold' | 'positiveSpans' | 'negativeSpans' | 'customValues'
  >
> {
  const threshold = Number(bits.uint(8));
  const zeroThreshold =
    threshold === 0 ? 0 : threshold === 255 ? double(bits.uint(64)) : 2 ** (threshold - 244);
  const schema = Number(bits.varbitInt());
  const spans = (): [number, number][] =>
    Array.from({ length: Number(bits.varbitUint()) }, () => {
      const length = Number(bits.varbitUint());
      return [Number(bits.varbitInt()), length];
    });
  const positiveSpans = spans();
  const negativeSpans = spans();
  const customValues: number[] = [];
  if (schema === -53) {
    for (let left = bits.varbitUint(); left > 0n; left--) {
      const thousandths = bits.varbitUint();
      customValues.push(
        thousandths === 0n ? double(bits.uint(64)) : Number(thousandths - 1n) / 1000,
      );
    }
  }
  return { schema, zeroThreshold, positiveSpans, negativeSpans, customValues };
}

/** Decodes a chunk the plain way. */
function plainDecode(chunk: Uint8Array, encoding: number): PlainHistogram[] {
  const isFloat = encoding === 3 || encoding === 6;
  const hasStart = encoding > 4;
  const head = (((chunk[0] as number) << 8) | (chunk[1] as number)) & (hasStart ? 0x3fff : 0xffff);
  const hint = ((hasStart ? chunk[0] : chunk[2]) as number) >>> 6;
  const bits = new Bits(chunk.subarray(3));
  const out: PlainHistogram[] = [];
  if (head === 0) return out;
  const layout = readLayout(bits);
  const size = (spans: readonly (readonly [number, number])[]): number =>
    spans.reduce((sum, [, length]) => sum + length, 0);
  const [positives, negatives] = [size(layout.positiveSpans), size(layout.negativeSpans)];
  const t = new Growing(bits.varbitInt());
  const first = (): bigint => (isFloat ? bits.uint(64) : bits.varbitUint());
  const raw = (value: bigint): Growing | Xor => (isFloat ? new Xor(value) : new Growing(value));
  const count = raw(first());
  const zeroCount = raw(first());
  const sum = new Xor(bits.uint(64));
  const buckets = Array.from({ length: positives + negatives }, () =>
    isFloat ? new Xor(bits.uint(64)) : new Growing(bits.varbitInt()),
  );
  const next = (one: Growing | Xor): void => {
    if (one instanceof Xor) one.next(bits);
    else one.next(bits.varbitInt());
  };
  const number = (one: Growing | Xor): number =>
    one instanceof Xor ? double(one.bits) : Number(one.value);
  const absolute = (some: readonly (Growing | Xor)[]): number[] => {
    let running = 0;
    return some.map((one) => (isFloat ? number(one) : (running += number(one))));
  };
  let st = 0n;
  let behind = 0n;
  const changeOn = (chunk[2] as number) & 0x7f;
  for (let i = 0; i < head; i++) {
    const before = t.value;
    if (i > 0) {
      t.next(bits.varbitInt());
      next(count);
      next(zeroCount);
      sum.next(bits);
      if (sum.bits !== STALE) for (const bucket of buckets) next(bucket);
    }
    if (hasStart && i === 0 && (chunk[2] as number) >= 128) st = t.value - bits.varint();
    if (hasStart && changeOn > 0 && i >= changeOn) {
      behind = i === changeOn ? bits.varbitInt() : behind + bits.varbitInt();
      st = before - behind;
    }
    const stale = { t: Number(t.value), sum: 'stale' as const, st: Number(st) };
    if (sum.bits === STALE) out.push(stale);
    else {
      out.push({
        t: Number(t.value),
        hint: hint === 3 ? 'gauge' : i === 0 ? 'unknown' : 'notReset',
        ...layout,
        positive: absolute(buckets.slice(0, positives)),
        negative: absolute(buckets.slice(positives)),
        count: number(count),
        zeroCount: number(zeroCount),
        sum: double(sum.bits),
        st: Number(st),
      });
    }
  }
  return out;
}

/** Decodes a chunk that lies within other bytes, to the same form. */
function decode(chunk: Uint8Array, encoding: number): PlainHistogram[] {
  const bytes = new Uint8Array(chunk.length + 12).fill(0xff);
  bytes.set(chunk, 5);
  const columns = new HistogramColumns();
  const starts = new StartTimes();
  equal(
    decodeHistogramChunk(bytes, 5, chunk.length, encoding, columns, 'a test', starts),
    columns.length,
  );
  return Array.from({ length: columns.length }, (_, i) => {
    const st = starts.values[i] as number;
    equal(columns.isFloat[i], encoding === 3 || encoding === 6 ? 1 : 0);
    const sample = plainAt(columns, i);
    if (sample.sum !== 'stale') return { ...sample, st };
    // Nothing but time and sum is left of a stale marker.
    const { t, sum, ...rest } = sample;
    deepEqual(rest, {
      hint: 'unknown',
      schema: 0,
      zeroThreshold: 0,
      positiveSpans: [],
      positive: [],
      negativeSpans: [],
      negative: [],
      customValues: [],
      zeroCount: 0,
      count: 0,
    });
    return { t, sum, st };
  });
}

for (const encoding of [2, 3, 5, 6]) {
  test(`histogram decoder, encoding ${encoding}: the cases, by a plain second decoder`, () => {
    for (const [name, samples] of Object.entries(HISTOGRAM_CASES)) {
      const chunks = encodePlain(encoding, samples);
      const got = chunks.flatMap((chunk) => decode(chunk, encoding));
      deepEqual(
        got,
        chunks.flatMap((chunk) => plainDecode(chunk, encoding)),
        name,
      );
      // Nothing is lost: also those whose buckets were joined have what was given.
      deepEqual(
        got.map(({ t, sum, count, zeroCount, st }) => [t, sum, count, zeroCount, st]),
        samples.map(({ t, sum = 0, st = 0, zeroCount = 0, positive, negative }) => {
          const start = encoding > 4 ? st : 0;
          if (sum === 'stale') return [t, sum, undefined, undefined, start];
          const all = [zeroCount, ...(positive ?? []), ...(negative ?? [])];
          return [t, sum, all.reduce((a, b) => a + b), zeroCount, start];
        }),
        name,
      );
    }
  });
}

/** Histories whose buckets come, go and grow. */
const history = fc
  .record({
    schema: fc.constantFrom(-4, 0, 3, 8, -53),
    hint: fc.constantFrom('gauge' as const, 'unknown' as const),
    steps: fc.array(
      fc.record({
        step: fc.oneof(fc.constant(15000), fc.integer({ min: 1, max: 2 ** 35 })),
        positive: fc.uniqueArray(fc.integer({ min: 0, max: 12 }), { maxLength: 6 }),
        negative: fc.uniqueArray(fc.integer({ min: 0, max: 12 }), { maxLength: 3 }),
        more: fc.oneof(fc.nat(3), fc.nat(2 ** 40)),
        sum: fc.oneof(fc.constant('stale' as const), fc.double()),
        st: fc.nat(1),
      }),
      { minLength: 1, maxLength: 30 },
    ),
  })
  .map(({ schema, hint, steps }): PlainHistogram[] => {
    let t = 1_600_000_000_000;
    const counts = new Map<string, number>();
    const side = (sign: string, indexes: readonly number[], more: number): PlainHistogram => {
      const spans: [number, number][] = [];
      const values: number[] = [];
      let end = 0;
      for (const index of indexes.toSorted((a, b) => a - b)) {
        const key = `${sign}${index}`;
        counts.set(key, (counts.get(key) ?? 0) + more);
        values.push(counts.get(key) ?? 0);
        spans.push([index - end, 1]);
        end = index + 1;
      }
      return sign === '+'
        ? { t, positiveSpans: spans, positive: values }
        : { t, negativeSpans: spans, negative: values };
    };
    return steps.map(({ step, positive, negative, more, sum, st }) => {
      t += step;
      const both = {
        ...side('+', positive, more),
        ...side('-', schema < -4 ? [] : negative, more),
      };
      const customValues = schema === -53 ? [0.5, 1, 2, 1e9, Infinity] : [];
      return { ...both, hint, schema, customValues, sum, st: st * (t - 7) };
    });
  });

test('histogram chunks: random histories, by a plain second decoder', () => {
  fc.assert(
    fc.property(history, fc.constantFrom(2, 3, 5, 6), (samples, encoding) => {
      const chunks = encodePlain(encoding, samples);
      const got = chunks.flatMap((chunk) => decode(chunk, encoding));
      deepEqual(
        got,
        chunks.flatMap((chunk) => plainDecode(chunk, encoding)),
      );
      const nonEmpty = (values: readonly number[] = []): number[] => values.filter((v) => v !== 0);
      for (const [i, sample] of samples.entries()) {
        const back = got[i] as PlainHistogram;
        deepEqual([back.t, back.sum], [sample.t, sample.sum]);
        if (sample.sum === 'stale') continue;
        deepEqual(nonEmpty(back.positive), nonEmpty(sample.positive));
        deepEqual(nonEmpty(back.negative), nonEmpty(sample.negative));
      }
    }),
    { numRuns: 300 },
  );
});

test('histogram decoder: what the header says is read apart', () => {
  const [chunk] = encodePlain(2, [{ t: 1, hint: 'reset' }]);
  equal(histogramChunkHint(chunk as Uint8Array), 1);
  equal(decode(chunk as Uint8Array, 2)[0]?.hint, 'unknown');
  const [gauge] = encodePlain(6, [{ t: 1, hint: 'gauge' }]);
  equal(histogramChunkHint(gauge as Uint8Array, 0, 6), 3);
});

test('histogram decoder: reserved schemas come with the buckets of schema 8', () => {
  const [chunk] = encodePlain(2, [
    { t: 1, schema: 9, positiveSpans: [[1, 4]], positive: [1, 2, 3, 4], sum: 1 },
    { t: 2, schema: 9, positiveSpans: [[1, 4]], positive: [1, 2, 3, 5], sum: 2 },
    { t: 3, sum: 'stale' },
  ]);
  // Buckets 1 and 2 are one of half the resolution, 3 and 4 the next.
  const rows = decode(chunk as Uint8Array, 2);
  deepEqual(
    rows.map(({ t, schema, positiveSpans, positive }) => [t, schema, positiveSpans, positive]),
    [
      [1, 8, [[1, 2]], [3, 7]],
      [2, 8, [[1, 2]], [3, 8]],
      [3, undefined, undefined, undefined],
    ],
  );
});

test('histogram decoder: a chunk that ends early or lies takes nothing and leaves the columns', () => {
  const [sound] = encodePlain(2, HISTOGRAM_CASES['one layout'] ?? []);
  const chunk = sound as Uint8Array;
  const columns = new HistogramColumns();
  decodeHistogramChunk(chunk, 0, chunk.length, 2, columns);
  const before = { length: columns.length, bucketsLength: columns.bucketsLength };
  equal(before.length, 4);
  const f = (bytes: Uint8Array, message: RegExp, encoding = 2): void => {
    throws(
      () => decodeHistogramChunk(bytes, 0, bytes.length, encoding, columns, 'here'),
      (thrown) => {
        return thrown instanceof CorruptionError && message.test(thrown.message);
      },
    );
    equal(columns.length, before.length);
    equal(columns.bucketsLength, before.bucketsLength);
    equal(columns.layouts.length, 1);
  };
  for (let size = 0; size < chunk.length; size++)
    f(chunk.subarray(0, size), /\(here, offset \d+\)$/);
  f(new Uint8Array(2), /a histogram chunk of 2 bytes/);
  // A chunk of one sample, as far as its spans and bounds: they must not allocate what the bytes cannot hold.
  const g = (schema: number, message: RegExp, ...numbers: number[]): void => {
    const out = new BitWriter(64);
    out.bits(1, 16);
    out.bits(0, 16);
    writeVarbitInt(out, schema);
    // Counts, lengths and offsets in turn; none of the offsets is negative.
    for (const number of numbers) writeVarbitUint(out, number);
    f(out.bytes.subarray(0, out.byteLength + 8), message);
  };
  g(0, /spans in \d+ bits/, 2 ** 50);
  g(0, /a span of 33554431 buckets/, 1, 2 ** 25 - 1);
  g(0, /120 buckets in \d+ bits/, 2, 60, 0, 60, 0, 0);
  g(-53, /custom bounds in \d+ bits/, 0, 0, 30);
  g(53, /histogram schema 53/);
  g(-10, /histogram schema -10/);
  g(0, /span offset 4294967296/, 1, 1, 2 ** 32);
  throws(() => decodeHistogramChunk(chunk, 0, chunk.length, 1, columns), RangeError);
});
