import { deepEqual, equal } from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { crc32c } from '@node-rs/crc32';
import { AGGREGATES, joinAggrChunk } from '../../chunkenc/aggr-chunk.ts';
import type { AggrPart } from '../../chunkenc/aggr-chunk.ts';
import { kernelImplementations } from '../../kernels/load.ts';
import { Random } from '../../lib/prng.ts';
import { xxhash64 } from '../../lib/xxhash64.ts';
import { buildBlock, xorChunk } from '../../../test/support/block-builder.ts';
import { readBlock } from '../../../test/support/block-frames.ts';
import { FUZZ_CASES, FUZZ_SEED, damage, mutate } from '../../../test/support/mutation-fuzz.ts';
import { PROMETHEUS_CHUNKS } from '../../../test/support/prometheus-chunks.ts';
import { field, varint } from '../../../test/support/protobuf.ts';
import { temporaryDirectory } from '../../../test/support/temporary-directory.ts';
import { ChunkFramer, FRAME_STATUS } from './frame-chunks.ts';
import type { ChunkColumns } from './frame-chunks.ts';
import type { FrameSink } from './frame-sink.ts';

const KERNEL = new ChunkFramer();
const TWIN = new ChunkFramer({ twin: true });
const MIB = 1 << 20;

interface Chunk {
  readonly encoding: number;
  readonly data: Uint8Array;
  readonly mint?: number;
  readonly maxt?: number;
}

/** As a segment has it. */
function frameOf({ encoding, data }: Chunk): Buffer {
  const content = Buffer.concat([Buffer.of(encoding), data]);
  const sum = Buffer.alloc(4);
  sum.writeUInt32BE(crc32c(content));
  return Buffer.concat([varint(data.length), content, sum]);
}

interface Segment {
  readonly bytes: Buffer;
  readonly columns: ChunkColumns;
}

/** Chunks one behind the other, from `base` of a segment on, with so many bytes between them. */
function segmentOf(chunks: readonly Chunk[], base = 0, gap = 0): Segment {
  const parts: Buffer[] = [];
  let at = base;
  const offsets = chunks.map((chunk) => {
    const bytes = frameOf(chunk);
    parts.push(bytes, Buffer.alloc(gap, 0x55));
    const offset = at;
    at += bytes.length + gap;
    return offset;
  });
  return {
    bytes: Buffer.concat(parts),
    columns: {
      offsets: Uint32Array.from(offsets),
      mint: Float64Array.from(chunks, ({ mint = 1 }) => mint),
      maxt: Float64Array.from(chunks, ({ maxt = 2 }) => maxt),
    },
  };
}

interface Outcome {
  readonly messages: readonly string[];
  readonly code: number;
  readonly detail: number;
}

/** Messages by chunk, as hex. */
class Messages implements FrameSink {
  readonly texts: string[] = [];

  append(bytes: Uint8Array, ends: ArrayLike<number>, from: number): void {
    let before = 0;
    for (let i = 0; i < ends.length; i++) {
      const end = ends[i] as number;
      this.texts[from + i] = Buffer.from(bytes.subarray(before, end)).toString('hex');
      before = end;
    }
    equal(before, bytes.length, 'the last message ends where the bytes end');
  }
}

function run(framer: ChunkFramer, { bytes, columns }: Segment, mask: number, base = 0): Outcome {
  const into = new Messages();
  const to = columns.offsets.length;
  const done = framer.frame(bytes, base, columns, { from: 0, to }, mask, into);
  equal(into.texts.length, done, 'there is a message for each chunk that is done');
  return { messages: into.texts, ...framer.status };
}

/** What both of them answer, which is the same. */
function runBoth(segment: Segment, mask: number, base = 0): Outcome {
  const want = run(TWIN, segment, mask, base);
  deepEqual(run(KERNEL, segment, mask, base), want);
  return want;
}

/** The varint of a value of 64 bits. */
function bigVarint(value: bigint): Buffer {
  const out: number[] = [];
  let rest = BigInt.asUintN(64, value);
  for (; rest >= 128n; rest >>= 7n) out.push(Number(rest & 127n) | 128);
  return Buffer.from([...out, Number(rest)]);
}

/** Chunk {1 type, 2 data, 3 hash} in a field. */
function chunkField(number: number, encoding: number, data: Uint8Array): Buffer {
  return field(
    number,
    encoding === 1 ? '' : field(1, encoding - 1),
    field(2, Buffer.from(data)),
    Buffer.concat([Buffer.of(0x18), bigVarint(xxhash64(data))]),
  );
}

/** The message by proto/thanos/types.proto: Series.chunks of AggrChunk. */
function message({ mint = 1, maxt = 2 }: Chunk, ...parts: Buffer[]): string {
  const times = [mint === 0 ? '' : field(1, mint), maxt === 0 ? '' : field(2, maxt)];
  return field(2, ...times, ...parts).toString('hex');
}

const raw = (chunk: Chunk): string => message(chunk, chunkField(3, chunk.encoding, chunk.data));

function noise(random: Random, length: number): Buffer {
  return Buffer.from(Uint8Array.from({ length }, () => random.below(256)));
}

test('the kernel is there: what follows compares it with its twin', () => {
  const own = kernelImplementations().find(({ kernel }) => kernel === 'store-chunks');
  equal(own?.impl, 'wasm');
});

test('chunks of all encodings that pass, of many lengths', () => {
  const random = new Random(1);
  const lengths = [0, 1, 3, 4, 7, 8, 31, 32, 33, 63, 64, 100, 126, 127, 128, 129, 16_383, 16_384];
  for (const encoding of [1, 2, 3]) {
    const chunks = lengths.map((length) => ({ encoding, data: noise(random, length) }));
    const { messages, code } = runBoth(segmentOf(chunks), 0);
    equal(code, FRAME_STATUS.ok);
    deepEqual(messages, chunks.map(raw));
  }
});

test('times: zero is left out, negative ones take ten bytes', () => {
  const data = Buffer.from('data');
  const times = [
    0,
    1,
    -1,
    127,
    128,
    1_700_000_000_000,
    -62_135_596_800_000,
    2 ** 53 - 1,
    1 - 2 ** 53,
  ];
  const chunks = times.flatMap((mint) => times.map((maxt) => ({ encoding: 1, data, mint, maxt })));
  deepEqual(runBoth(segmentOf(chunks), 0).messages, chunks.map(raw));
});

test('times that no int64 has do no harm', () => {
  const data = Buffer.from('x');
  const f = (ms: number, want: bigint): void => {
    const { messages } = runBoth(segmentOf([{ encoding: 1, data, mint: ms, maxt: 1 }]), 0);
    const mint = Buffer.concat([Buffer.of(0x08), bigVarint(want)]);
    deepEqual(messages, [field(2, mint, field(2, 1), chunkField(3, 1, data)).toString('hex')]);
  };
  f(2 ** 63, 2n ** 63n - 1n);
  f(2 ** 70, 2n ** 63n - 1n);
  f(-(2 ** 63), -(2n ** 63n));
  f(-(2 ** 70), -(2n ** 63n));
});

test('aggregates: every mask over every choice of parts', () => {
  const random = new Random(2);
  for (let present = 0; present < 32; present++) {
    const parts = AGGREGATES.map((_, a): AggrPart | undefined =>
      ((present >> a) & 1) === 0
        ? undefined
        : { encoding: 1 + random.below(3), data: noise(random, 1 + random.below(200)) },
    );
    const chunk = { encoding: 0xff, data: joinAggrChunk(parts) };
    for (let mask = 0; mask < 32; mask++) {
      const { messages, code, detail } = runBoth(segmentOf([chunk]), mask);
      const missing = AGGREGATES.findIndex((_, a) => ((mask & ~present) >> a) & 1);
      if (missing >= 0) {
        deepEqual({ messages, code, detail }, { messages: [], code: 4, detail: missing });
        continue;
      }
      const wanted = parts.flatMap((part, a) =>
        part === undefined || ((mask >> a) & 1) === 0
          ? []
          : [chunkField(4 + a, part.encoding, part.data)],
      );
      deepEqual({ messages, code }, { messages: [message(chunk, ...wanted)], code: 0 });
    }
  }
});

test('more chunks than a run of the kernel has room for, and larger ones', () => {
  const random = new Random(3);
  const small = (): Chunk => ({ encoding: 1, data: noise(random, random.below(90)) });
  const f = (chunks: readonly Chunk[], base = 0, gap = 0): void => {
    const { messages, code } = runBoth(segmentOf(chunks, base, gap), 0, base);
    equal(code, FRAME_STATUS.ok);
    deepEqual(messages, chunks.map(raw));
  };
  const many = Array.from({ length: 9000 }, small);
  f(many);
  f(many, 2 ** 31);
  f(many.slice(0, 300), 4096, 20_000);
  const sizes = [MIB / 2 - 1, MIB / 2, MIB - 10, MIB - 8, MIB - 4, MIB - 3, MIB, 3 * MIB];
  for (const size of sizes) {
    const large = { encoding: 2, data: Buffer.alloc(size, 0xa5) };
    f([large]);
    f([small(), large, small(), small()], 7);
    f([small(), large, large, small()]);
  }
  f(Array.from({ length: 5000 }, () => ({ encoding: 1, data: Buffer.alloc(0) })));
});

test('a part of the chunks', () => {
  const chunks = Array.from({ length: 20 }, (_, i) => ({ encoding: 1, data: Buffer.alloc(i, i) }));
  const segment = segmentOf(chunks, 100);
  for (const framer of [KERNEL, TWIN]) {
    const into = new Messages();
    equal(framer.frame(segment.bytes, 100, segment.columns, { from: 5, to: 9 }, 0, into), 9);
    deepEqual(into.texts.slice(5), chunks.slice(5, 9).map(raw));
  }
});

test('what stops it', async (t) => {
  const good = { encoding: 1, data: Buffer.from('some bytes of a chunk') };
  const f = (
    name: string,
    second: Buffer,
    want: { readonly code: number; readonly detail: number },
    mask = 0,
  ): Promise<void> =>
    t.test(name, () => {
      const first = frameOf(good);
      const segment = {
        bytes: Buffer.concat([first, second]),
        columns: {
          offsets: Uint32Array.of(0, first.length),
          mint: Float64Array.of(1, 1),
          maxt: Float64Array.of(2, 2),
        },
      };
      const { messages, code, detail } = runBoth(segment, mask);
      deepEqual({ messages, code, detail }, { messages: [raw(good)], ...want });
    });
  const whole = frameOf(good);
  const malformed = { code: FRAME_STATUS.malformed, detail: 0 };
  const short = (detail: number) => ({ code: FRAME_STATUS.short, detail });
  await f('nothing is there', Buffer.alloc(0), short(16));
  await f('half a length', Buffer.of(0x80), short(17));
  await f('no data', whole.subarray(0, 1), short(whole.length));
  await f('a byte is missing', whole.subarray(0, -1), short(whole.length));
  const damaged = Buffer.from(whole);
  damaged[5] = 0;
  await f('a wrong byte', damaged, { code: FRAME_STATUS.badChecksum, detail: 0 });
  await f('a length without end', Buffer.alloc(5, 0xff), malformed);
  await f('a length of 1 GiB', Buffer.of(0x80, 0x80, 0x80, 0x80, 0x04, 0, 0), malformed);
  await f('a length of 2^32', Buffer.of(0x80, 0x80, 0x80, 0x80, 0x10, 1, 0, 0), malformed);
  await f('a length of half a GiB', Buffer.of(0x80, 0x80, 0x80, 0x80, 0x02), short(2 ** 29 + 10));
  const other = (encoding: number) => ({ code: FRAME_STATUS.otherEncoding, detail: encoding });
  for (const encoding of [0, 4, 5, 6, 7, 254]) {
    await f(`encoding ${encoding}`, frameOf({ ...good, encoding }), other(encoding));
  }
  const aggr = (...parts: Buffer[]): Buffer =>
    frameOf({ encoding: 0xff, data: Buffer.concat(parts) });
  const count = Buffer.of(2, 1, 7, 7);
  const none = Buffer.of(0);
  const rest = [none, none, none, none];
  await f('an aggregate of a newer encoding', aggr(Buffer.of(1, 4, 7), ...rest), other(4), 1);
  await f('too few aggregates', aggr(count, none, none), malformed);
  await f('too few aggregates, one of them is wanted', aggr(none, none), malformed, 1);
  await f('bytes behind the aggregates', aggr(count, ...rest, none), malformed, 1);
  await f('an aggregate that is too long', aggr(Buffer.of(9, 1, 7), ...rest), malformed, 1);
  await f(
    'a length of 4 GiB',
    aggr(Buffer.of(0xff, 0xff, 0xff, 0xff, 0x0f), ...rest),
    malformed,
    1,
  );
  await f(
    'a length of 2^32 - 2',
    aggr(Buffer.of(0xfe, 0xff, 0xff, 0xff, 0x0f), ...rest),
    malformed,
    1,
  );
  await f(
    'a length of 2^32 + 2',
    aggr(Buffer.of(0x82, 0x80, 0x80, 0x80, 0x10, 1, 7, 7), ...rest),
    malformed,
    1,
  );
  const most = Buffer.of(...Array.from({ length: 9 }, () => 0xff), 1);
  await f('a length of 2^64 - 1', aggr(most, ...rest), malformed, 1);
  const beyond = Buffer.of(...Array.from({ length: 9 }, () => 0x80), 2);
  await f('a length of 2^64', aggr(beyond, ...rest), malformed);
  const padded = Buffer.of(...Array.from({ length: 9 }, () => 0x80), 0);
  await f(
    'a zero of ten bytes',
    aggr(padded, ...rest),
    { code: FRAME_STATUS.noAggregate, detail: 0 },
    1,
  );
  await f('a length without end', aggr(Buffer.alloc(12, 0xff)), malformed, 1);
  await f(
    'the last one is malformed, the first one is missing',
    aggr(none, none, none, none, Buffer.of(9)),
    malformed,
    1,
  );
});

test('real segment files', () => {
  using directory = temporaryDirectory();
  const random = new Random(4);
  const floats = Array.from({ length: 40 }, (_, i) => ({
    labels: { __name__: 'm', i: String(i) },
    chunks: Array.from({ length: 5 }, (_c, c) =>
      xorChunk(
        Array.from({ length: 60 }, (_s, s) => [c * 1000 + s - 2500, random.float()] as const),
      ),
    ),
  }));
  const others = Object.entries(PROMETHEUS_CHUNKS)
    .filter(([name]) => name < '4')
    .map(([name, texts]) => ({
      labels: { __name__: 'other', name },
      chunks: texts.map((text, i) => ({
        mint: i * 10,
        maxt: i * 10 + 5,
        encoding: Number(name[0]),
        count: 1,
        data: Buffer.from(text, 'hex'),
      })),
    }));
  const { directory: block } = buildBlock(directory.path, [...floats, ...others]);
  const chunks = readBlock(block).series.flatMap((one) => one.chunks);
  deepEqual(new Set(chunks.map(({ encoding }) => encoding)), new Set([1, 2, 3]));
  const segment = {
    bytes: readFileSync(join(block, 'chunks/000001')),
    columns: {
      offsets: Uint32Array.from(chunks, ({ ref }) => ref),
      mint: Float64Array.from(chunks, ({ mint }) => mint),
      maxt: Float64Array.from(chunks, ({ maxt }) => maxt),
    },
  };
  deepEqual(runBoth(segment, 0).messages, chunks.map(raw));
});

test('a shard is the hash modulo the count', () => {
  const random = new Random(5);
  const counts = [1, 2, 3, 7, 16, 1000, 2 ** 31, 2 ** 32 - 1, 2 ** 53 - 1];
  for (const length of [0, 1, 4, 8, 31, 32, 33, 500, MIB, MIB + 1]) {
    const bytes = noise(random, length);
    const hash = xxhash64(bytes);
    for (const count of length < MIB ? counts : [1000]) {
      const want = Number(hash % BigInt(count));
      equal(KERNEL.shard(bytes, count), want, `${length} bytes, ${count} shards`);
      equal(TWIN.shard(bytes, count), want);
    }
  }
});

/** A chunk of any kind. */
function anyChunk(random: Random): Chunk {
  const data = (): Buffer => noise(random, random.below(60));
  if (random.below(2) === 0) return { encoding: random.below(5), data: data() };
  const parts = AGGREGATES.map((): AggrPart | undefined =>
    random.below(5) === 0 ? undefined : { encoding: 1 + random.below(4), data: data() },
  );
  return { encoding: 0xff, data: joinAggrChunk(parts) };
}

/** Mutates a chunk's content, and gives it a checksum that is right. */
function resealed(chunk: Chunk, random: Random): Buffer {
  const content = Buffer.concat([Buffer.of(chunk.encoding), chunk.data]);
  const [encoding = 0, ...data] = mutate(content, random);
  return frameOf({ encoding, data: Buffer.from(data) });
}

test(`fuzz: ${FUZZ_CASES} mutated segments, seed ${FUZZ_SEED}`, (t) => {
  const random = new Random(FUZZ_SEED * 7919 + 1);
  const codes = new Map<number, number>();
  for (let i = 0; i < FUZZ_CASES; i++) {
    const chunks = Array.from({ length: 1 + random.below(4) }, () => anyChunk(random));
    const frames = chunks.map(frameOf);
    const at = random.below(frames.length);
    if (random.below(2) === 0) frames[at] = resealed(chunks[at] as Chunk, random);
    let offset = 0;
    const offsets = frames.map(({ length }) => (offset += length) - length);
    let bytes: Buffer = Buffer.concat(frames);
    const way = random.below(4);
    if (way === 0) bytes = damage(bytes, random);
    else if (way === 1) bytes = bytes.subarray(0, random.below(bytes.length + 1));
    const segment = {
      bytes,
      columns: {
        offsets: Uint32Array.from(offsets),
        mint: Float64Array.from(offsets, () => random.u32() - 2 ** 31),
        maxt: Float64Array.from(offsets, () => random.u32() - 2 ** 31),
      },
    };
    const mask = random.below(32);
    try {
      const { code } = runBoth(segment, mask);
      codes.set(code, (codes.get(code) ?? 0) + 1);
    } catch (thrown) {
      throw new Error(`case ${i}: ${bytes.toString('hex')}, mask ${mask}`, { cause: thrown });
    }
  }
  t.diagnostic(JSON.stringify(Object.fromEntries(codes)));
  // Each outcome but `full` comes about.
  deepEqual(new Set(codes.keys()), new Set([0, 1, 2, 3, 4, 5]));
});
