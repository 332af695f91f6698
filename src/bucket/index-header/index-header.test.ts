import { deepEqual, equal, ok, rejects } from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { crc32c } from '@node-rs/crc32';
import { CodedError, CorruptionError } from '../../lib/errors.ts';
import { Random } from '../../lib/prng.ts';
import { Labels } from '../../model/labels.ts';
import { MemoryBucket } from '../../objstore/memory.ts';
import { BytesSource } from '../../tsdb/index/byte-source.ts';
import { IndexReader } from '../../tsdb/index/index-reader.ts';
import { LabelStore } from '../../tsdb/index/label-store.ts';
import { buildBlock } from '../../../test/support/block-builder.ts';
import { encodeIndexV1 } from '../../../test/support/index-v1.ts';
import { FUZZ_CASES, FUZZ_SEED, damage, mutate } from '../../../test/support/mutation-fuzz.ts';
import { varint } from '../../../test/support/protobuf.ts';
import { randomLabelSets } from '../../../test/support/stored-block.ts';
import { temporaryDirectory } from '../../../test/support/temporary-directory.ts';
import { buildHeader } from './build.ts';
import { HeaderInMemory } from './header-bytes.ts';
import type { HeaderBytes } from './header-bytes.ts';
import { openIndexHeader } from './index-header.ts';
import type { IndexHeader } from './index-header.ts';

const ULID = '01M7YF2Z91SGB2KEBY4MJJ0436';

async function headerOf(index: Uint8Array): Promise<Buffer> {
  const bucket = new MemoryBucket();
  await bucket.upload(`${ULID}/index`, index);
  return buildHeader({ bucket, ulid: ULID });
}

function openHeader(bytes: Buffer, sampling?: number): Promise<IndexHeader> {
  return openIndexHeader(new HeaderInMemory('header', bytes), sampling);
}

function indexV2(sets: readonly Labels[]): Buffer {
  using directory = temporaryDirectory();
  const series = sets.map((labels) => ({ labels: labels.toObject(), chunks: [[[1, 1]]] as const }));
  return readFileSync(join(buildBlock(directory.path, series).directory, 'index'));
}

function indexV1(sets: readonly Labels[]): Buffer {
  return encodeIndexV1(
    sets.map((labels, i) => ({ labels, chunks: [{ mint: i, maxt: i + 1, ref: 8 + i }] })),
  );
}

function readerOf(index: Buffer): IndexReader {
  return new IndexReader(new BytesSource(index), 'index', new LabelStore());
}

/** The list that a range of an index begins with. */
function listIn(index: Buffer, { start, end }: { start: number; end: number }): number[] {
  const listEnd = start + 8 + index.readUInt32BE(start);
  ok(listEnd <= end && end < index.length, `${listEnd} is at most ${end}`);
  const count = index.readUInt32BE(start + 4);
  return Array.from({ length: count }, (_, i) => index.readUInt32BE(start + 8 + i * 4));
}

/** What a header finds is what a reader of the whole index finds. */
async function compareWithReader(index: Buffer, header: IndexHeader): Promise<void> {
  const reader = readerOf(index);
  const { postings, symbols } = header;
  deepEqual(postings.names, reader.labelNames());
  for (const name of ['', ...postings.names]) {
    const values = name === '' ? [''] : reader.labelValues(name);
    const seen: string[] = [];
    const lists: number[][] = [];
    await postings.each(name, (value, start, end) => {
      seen.push(value);
      lists.push(listIn(index, { start, end }));
    });
    deepEqual(seen, values);
    deepEqual(
      lists,
      values.map((value) => [...reader.postings(name, value)]),
    );
    const others = values.flatMap((value) => [`${value}!`, value.slice(0, -1)]);
    const asked = ['', ...values.toReversed(), ...others, '\u{10ffff}', ...values.slice(0, 1)];
    for (const [i, range] of (await postings.find(name, asked)).entries()) {
      const value = asked[i] as string;
      const want = values.includes(value) ? [...reader.postings(name, value)] : undefined;
      deepEqual(range && listIn(index, range), want, `${name}=${value}`);
    }
  }
  deepEqual(await postings.find('no such name', ['', 'a']), [undefined, undefined]);
  await postings.each('no such name', () => {
    throw new Error('nothing is there to be visited');
  });
  equal(symbols.count, [...reader.symbols].length);
}

for (const seed of [1, 2, 3]) {
  test(`what a header finds is what the index has, seed ${seed}`, async () => {
    const random = new Random(seed);
    const sets = randomLabelSets(random, 20 + random.below(400));
    for (const index of [indexV2(sets), indexV1(sets)]) {
      const bytes = await headerOf(index);
      for (const sampling of [1, 2, 32, 1000]) {
        await compareWithReader(index, await openHeader(bytes, sampling));
      }
    }
  });

  test(`symbols by their references, seed ${seed}`, async () => {
    const random = new Random(seed);
    // Long ones, too: references that lie far apart are read apart.
    const long = Array.from({ length: 40 }, (_, i) =>
      Labels.fromObject({ long: `${i}${'x'.repeat(random.below(9000))}` }),
    );
    const sets = [...long, ...randomLabelSets(random, 300)];
    const index = indexV2(sets);
    const all = [...readerOf(index).symbols];
    const { symbols } = await openHeader(await headerOf(index));
    for (const share of [1, 2, 10, 100, all.length]) {
      const wanted = all.flatMap((_, i) => (random.below(share) === 0 ? [i] : []));
      const texts = await symbols.texts(wanted);
      deepEqual(
        [...texts].map(([n, text]) => [n, text.toString()]),
        wanted.map((n) => [n, all[n]]),
      );
    }
    await rejects(symbols.texts([0, all.length]), CorruptionError);
    deepEqual([...(await symbols.texts([]))], []);
  });
}

test('symbols of version 1, by their places', async () => {
  const sets = [
    Labels.fromObject({ a: 'x'.repeat(300), b: '' }),
    Labels.fromObject({ a: 'y', longer: 'z'.repeat(70_000) }),
  ];
  const index = indexV1(sets);
  const { symbols } = await openHeader(await headerOf(index));
  const places = new Map<number, string>();
  for (let at = 13; places.size < new Set(sets.flatMap(({ pairs }) => pairs)).size;) {
    const start = at;
    let length = 0;
    for (let shift = 0, more = true; more; shift += 7) {
      const byte = index[at++] as number;
      length += (byte & 127) * 2 ** shift;
      more = byte > 127;
    }
    places.set(start, index.toString('utf8', at, at + length));
    at += length;
  }
  const texts = await symbols.texts([...places.keys()]);
  deepEqual(
    [...texts].map(([at, text]) => [at, text.toString()]),
    [...places],
  );
  for (const reference of [0, 12, index.length, 2 ** 31, 2 ** 40]) {
    await rejects(symbols.texts([reference]), CorruptionError, String(reference));
  }
});

/** A header with sections of this content, whose checksums are right. */
function headerWith(symbols: Buffer, table: Buffer): Buffer {
  const section = (content: Buffer): Buffer => {
    const frame = Buffer.alloc(8);
    frame.writeUInt32BE(content.length, 0);
    frame.writeUInt32BE(crc32c(content), 4);
    return Buffer.concat([frame.subarray(0, 4), content, frame.subarray(4)]);
  };
  const toc = Buffer.alloc(52);
  for (const [i, at] of [5, 100, 0, 0, 100, 5000].entries())
    toc.writeBigUInt64BE(BigInt(at), i * 8);
  toc.writeUInt32BE(crc32c(toc.subarray(0, 48)), 48);
  const start = Buffer.from('baaad79201020000000000001388', 'hex');
  const end = Buffer.alloc(20);
  end.writeBigUInt64BE(14n, 0);
  end.writeBigUInt64BE(BigInt(14 + symbols.length + 8), 8);
  end.writeUInt32BE(crc32c(end.subarray(0, 16)), 16);
  return Buffer.concat([start, section(symbols), section(table), toc, end]);
}

function u32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
}

const text = (value: string): Buffer => Buffer.concat([varint(value.length), Buffer.from(value)]);
const entry = (name: string, value: string, list: number): Buffer =>
  Buffer.concat([varint(2), text(name), text(value), varint(list)]);
const SYMBOLS = Buffer.concat([u32(2), text('a'), text('b')]);
const TABLE = Buffer.concat([u32(2), entry('', '', 100), entry('a', 'b', 140)]);

test('sections that say what they do not have', async (t) => {
  const good = await openHeader(headerWith(SYMBOLS, TABLE));
  deepEqual(await good.postings.find('a', ['b']), [{ start: 140, end: 5000 }]);
  const f = (name: string, symbols: Buffer, table: Buffer, message: RegExp): Promise<void> =>
    t.test(name, () =>
      rejects(openHeader(headerWith(symbols, table)), (thrown) => {
        ok(thrown instanceof CorruptionError, String(thrown));
        ok(message.test(thrown.message), thrown.message);
        return true;
      }),
    );
  const early = /symbol table ends/;
  await f(
    'more symbols than there are',
    Buffer.concat([u32(3), SYMBOLS.subarray(4)]),
    TABLE,
    early,
  );
  await f('4 G symbols', Buffer.concat([u32(2 ** 32 - 1), SYMBOLS.subarray(4)]), TABLE, early);
  await f('a symbol that is too long', Buffer.concat([u32(1), varint(50)]), TABLE, early);
  await f('a symbol of 2^60 bytes', Buffer.concat([u32(1), varint(2 ** 60)]), TABLE, early);
  const table = (count: number, ...entries: Buffer[]): Buffer =>
    Buffer.concat([u32(count), ...entries]);
  const tableEnds = /postings offset table ends/;
  await f('more entries than there are', SYMBOLS, table(3, TABLE.subarray(4)), tableEnds);
  await f('half an entry', SYMBOLS, table(1, entry('a', 'b', 1).subarray(0, 3)), tableEnds);
  await f('three strings', SYMBOLS, table(1, varint(3), text('a')), /no pair/);
  const order = /not in order/;
  await f(
    'a name twice',
    SYMBOLS,
    table(3, entry('a', 'b', 1), entry('b', 'b', 2), entry('a', 'c', 3)),
    order,
  );
  const many = (...values: string[]): Buffer =>
    table(values.length, ...values.map((value, i) => entry('a', value, i)));
  const values = Array.from({ length: 33 }, (_, i) => String(i + 100));
  await f('values in another order', SYMBOLS, many('z', ...values.slice(1)), order);
});

test('entries that are longer than a window', async () => {
  const value = 'v'.repeat(700_000);
  const names = ['a', 'n'.repeat(300_000), 'z'];
  const entries = names.flatMap((name, i) => [
    entry(name, '1', 100 + i * 100),
    entry(name, value, 150 + i * 100),
  ]);
  const symbols = [text('a'), text('s'.repeat(600_000)), text('t')];
  const header = await openHeader(
    headerWith(Buffer.concat([u32(3), ...symbols]), Buffer.concat([u32(6), ...entries])),
  );
  deepEqual(header.postings.names, names);
  for (const [i, name] of names.entries()) {
    deepEqual(await header.postings.find(name, [value, '1']), [
      { start: 150 + i * 100, end: i === 2 ? 5000 : 200 + i * 100 },
      { start: 100 + i * 100, end: 150 + i * 100 },
    ]);
  }
  equal((await header.symbols.texts([2])).get(2)?.toString(), 't');
  equal((await header.symbols.texts([1])).get(1)?.length, 600_000);
});

/** A header whose symbols are followed by zeros up to half a GiB; counts reads. */
class VastHeader implements HeaderBytes {
  readonly path = 'header';
  readonly size: number;
  readonly lengths: number[] = [];
  readonly #bytes: Buffer;
  readonly #zerosAt: number;
  readonly #zeros = Buffer.alloc(64 << 20);

  constructor(symbols: Buffer) {
    const zeros = 512 << 20;
    this.#bytes = headerWith(symbols, TABLE);
    this.#zerosAt = 18 + symbols.length;
    this.#bytes.writeUInt32BE(symbols.length + zeros, 14);
    this.#bytes.writeBigUInt64BE(BigInt(14 + symbols.length + zeros + 8), this.#bytes.length - 12);
    const toc = this.#bytes.subarray(-20, -4);
    this.#bytes.writeUInt32BE(crc32c(toc), this.#bytes.length - 4);
    this.size = this.#bytes.length + zeros;
  }

  read(offset: number, length: number): Promise<Buffer> {
    this.lengths.push(length);
    const behind = offset + length - this.#zerosAt;
    if (behind <= 0) return Promise.resolve(this.#bytes.subarray(offset, offset + length));
    if (offset >= this.#zerosAt + (512 << 20)) {
      const from = offset - (512 << 20);
      return Promise.resolve(this.#bytes.subarray(from, from + length));
    }
    if (offset >= this.#zerosAt) return Promise.resolve(this.#zeros.subarray(0, length));
    const begin = this.#bytes.subarray(offset, this.#zerosAt);
    return Promise.resolve(Buffer.concat([begin, this.#zeros.subarray(0, behind)]));
  }

  opened(): void {}

  close(): Promise<void> {
    return Promise.resolve();
  }
}

test('counts and lengths that a flipped bit made wrong', async (t) => {
  const f = (name: string, symbols: Buffer, message: RegExp, bytesMost: number): Promise<void> =>
    t.test(name, async () => {
      const bytes = new VastHeader(symbols);
      await rejects(openIndexHeader(bytes), (thrown) => {
        ok(thrown instanceof CorruptionError, String(thrown));
        ok(message.test(thrown.message), thrown.message);
        return true;
      });
      const sum = bytes.lengths.reduce((all, length) => all + length, 0);
      ok(sum <= bytesMost, `${sum} bytes read`);
      ok(Math.max(...bytes.lengths) <= 64 << 20);
    });
  // Without the symbols being passed over, this would copy 500 GB.
  await f('fewer symbols than there are', SYMBOLS, /checksum/, 513 << 20);
  const vast = Buffer.concat([u32(2), varint(2 ** 40), text('a')]);
  await f('a symbol without end', vast, /entry without end/, 129 << 20);
  const long = Buffer.concat([u32(2), varint(60 << 20)]);
  await f('a symbol of 60 MiB', long, /checksum/, 513 << 20);
});

/** Everything that a header can be asked; throws what is found to be wrong. */
async function ask(header: IndexHeader): Promise<unknown> {
  const { postings, symbols } = header;
  const found: unknown[] = [];
  for (const name of ['', ...postings.names]) {
    const values: string[] = [];
    await postings.each(name, (value, start, end) => {
      values.push(value);
      found.push([name, value, start, end]);
    });
    found.push(await postings.find(name, values));
  }
  const references = Array.from({ length: symbols.count }, (_, i) => i);
  if (header.ends.indexVersion !== 1) found.push([...(await symbols.texts(references))]);
  return found;
}

test(`fuzz: ${FUZZ_CASES} mutated headers, seed ${FUZZ_SEED}`, async (t) => {
  const random = new Random(FUZZ_SEED * 7919 + 2);
  const sets = randomLabelSets(random, 60);
  const sound = await Promise.all([indexV2(sets), indexV1(sets)].map(headerOf));
  const answers = await Promise.all(sound.map(async (bytes) => ask(await openHeader(bytes, 4))));
  let refused = 0;
  for (let i = 0; i < FUZZ_CASES; i++) {
    const which = random.below(2);
    const bytes = sound[which] as Buffer;
    const resealed = random.below(2) === 0;
    try {
      const changed = resealed
        ? reseal(bytes, random)
        : random.below(2) === 0
          ? damage(bytes, random)
          : mutate(bytes, random);
      const answer = await ask(await openHeader(changed, 4));
      // Checksums cover everything but the versions and the copy of an offset at the begin.
      if (!resealed && which === changed[5]) deepEqual(answer, answers[which]);
    } catch (thrown) {
      if (!(thrown instanceof CodedError)) throw new Error(`case ${i}`, { cause: thrown });
      refused++;
    }
  }
  t.diagnostic(`${refused} of ${FUZZ_CASES} refused`);
  ok(refused > FUZZ_CASES * 0.5 && refused < FUZZ_CASES, `${refused} refused`);
});

/** Mutates one of the sections, and gives it a checksum that is right. */
function reseal(bytes: Buffer, random: Random): Buffer {
  const table = Number(bytes.readBigUInt64BE(bytes.length - 12));
  const symbols = bytes.subarray(18, 14 + 4 + bytes.readUInt32BE(14));
  const entries = bytes.subarray(table + 4, table + 4 + bytes.readUInt32BE(table));
  const out =
    random.below(2) === 0
      ? headerWith(mutate(symbols, random), entries)
      : headerWith(symbols, mutate(entries, random));
  out[5] = bytes[5] as number;
  return out;
}
