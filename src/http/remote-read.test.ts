import assert from 'node:assert/strict';
import test from 'node:test';
import { compressSync, uncompressSync } from 'snappy';
import { decodeHistogramChunk } from '../chunkenc/histogram-decode.ts';
import { decodeXorTwin } from '../chunkenc/xor-twin.ts';
import type { EncodedChunk } from '../chunkenc/encoded-chunk.ts';
import { crc32c } from '../lib/crc32c.ts';
import { CodedError } from '../lib/errors.ts';
import { Random } from '../lib/prng.ts';
import { HistogramColumns, RESET_HINT } from '../model/histogram.ts';
import type { HistogramLayout } from '../model/histogram.ts';
import { Labels } from '../model/labels.ts';
import type { FloatColumns } from '../storage/storage.ts';
import type { Queryable, SelectRequest, SeriesSet } from '../storage/storage.ts';
import { HistogramMessages } from '../tsdb/head/histogram-message.ts';
import type { ChunkedSeriesSet } from './remote-read-chunks.ts';
import { FIRST_PAGE, readPage } from './remote-read.ts';
import type { ReadCursor, ReadOptions } from './remote-read-select.ts';
import { MemoryStorage } from '../../test/support/memory-storage.ts';
import {
  contentsOf as all,
  field,
  fieldsOf as fields,
  intOf as int,
  lastOf,
  varint,
} from '../../test/support/protobuf.ts';
import type { Field } from '../../test/support/protobuf.ts';

const labelsOf = (message: readonly Field[]) =>
  all(message, 1).map(
    (label) => all(fields(label), 1).join('') + '=' + all(fields(label), 2).join(''),
  );

/** A matcher in the words of a test, as in `=~ name value`. */
type TestMatcher = readonly [type: '=' | '!=' | '=~' | '!~', name: string, value: string];

const query = (mint: number, maxt: number, matchers: readonly TestMatcher[], ...more: Buffer[]) =>
  field(
    1,
    field(1, mint),
    field(2, maxt),
    ...matchers.map(([type, name, value]) =>
      field(3, field(1, ['=', '!=', '=~', '!~'].indexOf(type)), field(2, name), field(3, value)),
    ),
    ...more,
  );
const SAMPLES = field(2, 0);
const CHUNKS = field(2, 1);
const UP: TestMatcher = ['=', '__name__', 'up'];
const request = (...parts: readonly Buffer[]) => compressSync(Buffer.concat(parts));

const EXTERNAL = Labels.fromObject({ cluster: 'eu', replica: 'a' });

const options = (more: Partial<ReadOptions> = {}): ReadOptions => ({
  externalLabels: EXTERNAL,
  sampleLimit: 0,
  frameBytesMax: 1 << 20,
  pageBytesMax: 1 << 20,
  signal: new AbortController().signal,
  onWarning: (text) => assert.fail(text),
  ...more,
});

/** Histograms of a storage that has none: by the key of the labels. */
class WithHistograms implements Queryable {
  readonly inner = new MemoryStorage();
  readonly histograms = new Map<string, HistogramColumns>();
  readonly asked: SelectRequest[] = [];
  /** What series have as stored chunks, by the key of their labels. */
  readonly stored = new Map<string, readonly EncodedChunk[]>();
  closed = 0;

  floats(labels: Labels, t: readonly number[], v: readonly number[]): void {
    this.inner.append(labels, Float64Array.from(t), Float64Array.from(v));
  }
  async select(asked: SelectRequest): Promise<SeriesSet> {
    this.asked.push(asked);
    const set = await this.inner.select(asked);
    const extra: ChunkedSeriesSet = Object.create(set, {
      count: { value: set.count },
      labels: { value: (i: number) => set.labels(i) },
      load: { value: () => undefined },
      readFloats: {
        value: (i: number, into: FloatColumns) => set.readFloats(i, into, false),
      },
      readHistograms: {
        value: (i: number, into: HistogramColumns) => {
          into.clear();
          const from = this.histograms.get(set.labels(i).key) ?? new HistogramColumns();
          for (let k = 0; k < from.length; k++) into.addFrom(from, k);
        },
      },
      chunks: { value: (i: number) => this.stored.get(set.labels(i).key) },
      close: { value: () => void this.closed++ },
    }) as ChunkedSeriesSet;
    return extra;
  }
  openShared(): SeriesSet {
    throw new Error('not shared');
  }
  labelNames = () => this.inner.labelNames([]);
  labelValues = (name: string) => this.inner.labelValues(name, []);
}

const layout = (schema: number, positive: number[], negative: number[], custom: number[] = []) => {
  const spans = (list: number[]) => Int32Array.from(list);
  const count = (list: number[]) => list.reduce((n, x, i) => (i % 2 === 1 ? n + x : n), 0);
  const made: HistogramLayout = {
    schema,
    zeroThreshold: schema === -53 ? 0 : 0.001,
    positiveSpans: spans(positive),
    negativeSpans: spans(negative),
    customValues: Float64Array.from(custom),
    positiveCount: count(positive),
    negativeCount: count(negative),
  };
  return made;
};

function addHistogram(
  into: HistogramColumns,
  t: number,
  isFloat: boolean,
  made: HistogramLayout,
  buckets: readonly number[],
  hint: number = RESET_HINT.unknown,
): void {
  const i = into.add(made);
  const total = buckets.reduce((a, b) => a + b, 0);
  into.t[i] = t;
  into.sum[i] = total * 1.5;
  const zero = made.schema === -53 ? 0 : 2;
  into.zeroCount[i] = zero;
  into.count[i] = total + zero;
  into.hint[i] = hint;
  into.isFloat[i] = isFloat ? 1 : 0;
  into.buckets.set(buckets, into.start[i]);
}

const rows = (columns: HistogramColumns) =>
  Array.from({ length: columns.length }, (_, i) => {
    const { positiveCount, negativeCount, ...at } = columns.layoutAt(i);
    const start = columns.start[i] as number;
    const buckets = columns.buckets.slice(start, start + positiveCount + negativeCount);
    const { t, sum, count, zeroCount, isFloat } = columns;
    return {
      t: t[i],
      sum: sum[i],
      count: count[i],
      zero: zeroCount[i],
      isFloat: isFloat[i],
      at,
      buckets,
    };
  });

async function readSamples(storage: Queryable, body: Uint8Array, more?: Partial<ReadOptions>) {
  const page = await readPage(storage, body, FIRST_PAGE, options(more));
  assert.equal(page.contentType, 'application/x-protobuf');
  assert.equal(page.contentEncoding, 'snappy');
  assert.equal(page.next, undefined);
  const bytes = uncompressSync(Buffer.concat(page.pieces)) as Buffer;
  return all(fields(bytes), 1).map((result) =>
    all(fields(result), 1).map((series) => {
      const one = fields(series);
      const samples = all(one, 2).map((sample) => {
        const parts = fields(sample);
        return [int(parts, 2), (lastOf(parts, 1) as Buffer).toString('hex')];
      });
      const histograms = new HistogramColumns();
      const messages = new HistogramMessages();
      for (const bytes4 of all(one, 4)) {
        assert.equal(messages.read(bytes4, 0, bytes4.length, histograms), '');
      }
      return { labels: labelsOf(one), samples, histograms };
    }),
  );
}

const hex = (value: number) => {
  const bytes = Buffer.alloc(8);
  bytes.writeDoubleLE(value);
  return bytes.toString('hex');
};

test('samples: queries, labels, values', async () => {
  const storage = new WithHistograms();
  storage.floats(Labels.fromObject({ __name__: 'up', job: 'a' }), [1000, 2000, 3000], [1, -0, NaN]);
  storage.floats(
    Labels.fromObject({ __name__: 'up', job: 'b', replica: 'own' }),
    [-5, 2000],
    [0, 1e300],
  );
  storage.floats(Labels.fromObject({ __name__: 'x' }), [2000], [7]);
  const stale = new Float64Array(1);
  new Uint32Array(stale.buffer).set([2, 0x7ff00000]);
  storage.inner.append(Labels.fromObject({ __name__: 'gone' }), Float64Array.of(2000), stale);
  const f = async (matchers: TestMatcher[], range: [number, number], want: unknown[]) => {
    const [result] = await readSamples(storage, request(query(...range, matchers)));
    assert.deepEqual(
      result?.map(({ labels, samples }) => [...labels, ...samples]),
      want,
    );
  };
  const a = ['__name__=up', 'cluster=eu', 'job=a', 'replica=a'];
  const b = ['__name__=up', 'cluster=eu', 'job=b', 'replica=own'];
  const x = ['__name__=x', 'cluster=eu', 'replica=a'];
  await f(
    [UP],
    [2000, 3000],
    [
      [...a, [2000, hex(-0)], [3000, hex(NaN)]],
      [...b, [2000, hex(1e300)]],
    ],
  );
  await f(
    [UP],
    [-10, 1000],
    [
      [...a, [1000, hex(1)]],
      [...b, [-5, hex(0)]],
    ],
  );
  await f([UP], [4000, 5000], []);
  await f(
    [['=', '__name__', 'gone']],
    [0, 9000],
    [['__name__=gone', 'cluster=eu', 'replica=a', [2000, '020000000000f07f']]],
  );
  await f(
    [
      ['=~', '__name__', 'up|x'],
      ['!~', 'job', 'b'],
    ],
    [2000, 2000],
    [
      [...a, [2000, hex(-0)]],
      [...x, [2000, hex(7)]],
    ],
  );
  // An external label with its value is as if it were absent; any other matcher sees that it is not stored.
  await f(
    [
      ['=', 'cluster', 'eu'],
      ['=', '__name__', 'x'],
    ],
    [0, 9000],
    [[...x, [2000, hex(7)]]],
  );
  await f(
    [
      ['=', 'cluster', 'us'],
      ['=', '__name__', 'x'],
    ],
    [0, 9000],
    [],
  );
  await f(
    [
      ['=~', 'cluster', 'eu'],
      ['=', '__name__', 'x'],
    ],
    [0, 9000],
    [],
  );
  await f([['=', 'replica', 'a'], UP], [2000, 2000], [[...a, [2000, hex(-0)]]]);
  await f([['=', 'replica', 'own'], UP], [2000, 2000], [[...b, [2000, hex(1e300)]]]);
  // Several queries have a result each, in their order.
  const three = request(
    query(0, 9000, [['=', '__name__', 'x']]),
    query(5, 6, [UP]),
    query(2000, 2000, [UP]),
  );
  assert.deepEqual(
    (await readSamples(storage, three)).map((result) => result.length),
    [1, 0, 2],
  );
  assert.deepEqual(await readSamples(storage, request(SAMPLES)), []);
  assert.equal(storage.closed, storage.asked.length);
});

test('hints', async () => {
  const storage = new WithHistograms();
  storage.floats(Labels.fromObject({ __name__: 'up' }), [1000, 2000, 3000], [1, 2, 3]);
  const hints = (...parts: Buffer[]) => request(query(0, 9000, [UP], field(4, ...parts)));
  const times = async (body: Uint8Array) =>
    (await readSamples(storage, body))[0]?.[0]?.samples.map(([t]) => t);
  assert.deepEqual(await times(hints(field(2, 'rate'), field(3, 1500), field(4, 2500))), [2000]);
  assert.deepEqual(await times(hints(field(2, 'rate'))), [1000, 2000, 3000]);
  assert.deepEqual(await times(hints(field(3, -5), field(4, 99_000))), [1000, 2000, 3000]);
  assert.deepEqual(await times(hints(field(2, 'series'))), []);
  assert.deepEqual(
    storage.asked.map(({ mint, maxt }) => [mint, maxt]),
    [
      [1500, 2500],
      [0, 9000],
      [0, 9000],
      [0, 9000],
    ],
  );
});

test('samples: histograms', async () => {
  const storage = new WithHistograms();
  const labels = Labels.fromObject({ __name__: 'h' });
  storage.floats(labels, [1], [1]);
  const columns = new HistogramColumns();
  const wide = layout(2, [-3, 2, 4, 1], [0, 1]);
  addHistogram(columns, 1000, false, wide, [1, 0, 5, 3], RESET_HINT.reset);
  addHistogram(columns, 2000, false, wide, [2, 1, 5, 4], RESET_HINT.notReset);
  addHistogram(columns, 3000, true, wide, [0.5, 1e9, 0, 2.25], RESET_HINT.gauge);
  addHistogram(columns, 4000, true, layout(-53, [0, 3], [], [0.1, 1]), [1, 2, 3]);
  addHistogram(columns, 5000, false, layout(0, [], []), []);
  storage.histograms.set(labels.key, columns);
  const [result] = await readSamples(storage, request(query(0, 9000, [['=', '__name__', 'h']])));
  const got = result?.[0]?.histograms ?? new HistogramColumns();
  assert.deepEqual(rows(got), rows(columns));
  assert.deepEqual([...got.hint.subarray(0, 5)], [1, 2, 3, 0, 0]);
});

test('the sample limit holds for each query', async () => {
  const storage = new WithHistograms();
  storage.floats(Labels.fromObject({ __name__: 'up', a: '1' }), [1, 2], [1, 2]);
  storage.floats(Labels.fromObject({ __name__: 'up', a: '2' }), [1, 2], [1, 2]);
  const body = request(query(0, 9, [UP]), query(0, 9, [UP]));
  assert.equal((await readSamples(storage, body, { sampleLimit: 4 })).length, 2);
  await assert.rejects(readSamples(storage, body, { sampleLimit: 3 }), {
    code: 'bad_data',
    message: 'exceeded sample limit (3)',
  });
  assert.equal(storage.closed, storage.asked.length);
});

/** A frame's message, taken apart. */
interface Frame {
  readonly query: number;
  readonly labels: readonly string[];
  readonly chunks: readonly {
    readonly mint: number;
    readonly maxt: number;
    readonly type: number;
    readonly data: Buffer;
  }[];
}

function framesOf(stream: Buffer): Frame[] {
  const frames: Frame[] = [];
  let at = 0;
  while (at < stream.length) {
    let size = 0;
    for (let scale = 1; ; scale *= 128) {
      const byte = stream.readUInt8(at++);
      size += (byte & 127) * scale;
      if (byte < 128) break;
    }
    const sum = stream.readUInt32BE(at);
    const message = stream.subarray(at + 4, at + 4 + size);
    assert.equal(crc32c(message), sum);
    at += 4 + size;
    const response = fields(message);
    const [series, ...others] = all(response, 1);
    assert.deepEqual(others, []);
    const one = fields(series as Buffer);
    const chunks = all(one, 2).map((bytes) => {
      const chunk = fields(bytes);
      const data = all(chunk, 4)[0] as Buffer;
      return { mint: int(chunk, 1), maxt: int(chunk, 2), type: int(chunk, 3), data };
    });
    frames.push({ query: int(response, 2), labels: labelsOf(one), chunks });
  }
  return frames;
}

/** All pages of an answer in chunks. */
async function readFrames(storage: Queryable, body: Uint8Array, more?: Partial<ReadOptions>) {
  const pieces: Uint8Array[] = [];
  let pages = 0;
  for (let next: ReadCursor | undefined = FIRST_PAGE; next !== undefined; pages++) {
    const page = await readPage(storage, body, structuredClone(next), options(more));
    assert.equal(
      page.contentType,
      'application/x-streamed-protobuf; proto=prometheus.ChunkedReadResponse',
    );
    assert.equal(page.contentEncoding, '');
    pieces.push(...page.pieces);
    next = page.next;
  }
  return { frames: framesOf(Buffer.concat(pieces)), pages };
}

function decodeFloats({ type, data, mint, maxt }: Frame['chunks'][number]): [number, number][] {
  assert.equal(type, 1);
  const count = data.readUInt16BE(0);
  const t = new Float64Array(count);
  const v = new Float64Array(count);
  const output = { t, halves: new Uint32Array(v.buffer) };
  assert.equal(decodeXorTwin(data, 0, data.length, count, output, 0, false), count);
  assert.deepEqual([mint, maxt], [t[0], t.at(-1)]);
  return Array.from({ length: count }, (_, i) => [t[i] as number, v[i] as number]);
}

test('chunks: frames, their size, external labels, several queries', async () => {
  const storage = new WithHistograms();
  const n = 1000;
  const t = Array.from({ length: n }, (_, i) => 1795241195000 + i * 15_000 + (i % 7));
  const long = t.map((time, i): [number, number] => [time, Math.sin(i)]);
  storage.floats(
    Labels.fromObject({ __name__: 'up', job: 'a' }),
    t,
    long.map(([, v]) => v),
  );
  storage.floats(
    Labels.fromObject({ __name__: 'up', job: 'b', cluster: 'own' }),
    t.slice(0, 2),
    [0, 1],
  );
  const all2 = query(0, 2e12, [UP]);
  const body = request(
    all2,
    query(0, 2e12, [['=', '__name__', 'no']]),
    all2,
    field(2, varint(7), varint(1), varint(0)),
  );
  const f = async (
    frameBytesMax: number,
    pageBytesMax: number,
    frameCount: number,
    pageCount: number,
  ) => {
    const { frames, pages } = await readFrames(storage, body, { frameBytesMax, pageBytesMax });
    assert.equal(frames.length, frameCount);
    assert.equal(pages, pageCount);
    for (const index of [0, 2]) {
      const own = frames.filter((frame) => frame.query === index);
      const a = own.filter((frame) => frame.labels.includes('job=a'));
      assert.deepEqual(a[0]?.labels, ['__name__=up', 'cluster=eu', 'job=a', 'replica=a']);
      const chunks = a.flatMap((frame) => frame.chunks);
      assert.deepEqual(
        chunks.map((chunk) => chunk.data.readUInt16BE(0)),
        [...Array<number>(8).fill(120), 40],
      );
      assert.deepEqual(chunks.flatMap(decodeFloats), long);
      const b = own.find((frame) => !frame.labels.includes('job=a'));
      assert.deepEqual(b?.labels, ['__name__=up', 'cluster=own', 'job=b', 'replica=a']);
      assert.deepEqual(b?.chunks.flatMap(decodeFloats), [
        [t[0], 0],
        [t[1], 1],
      ]);
    }
  };
  await f(1 << 20, 1 << 20, 4, 1);
  // A frame takes chunks until it is full: one when nothing fits, two of some 1,100 bytes in 2,000.
  await f(1, 1 << 20, 2 * (9 + 1), 1);
  await f(2000, 1 << 20, 2 * (5 + 1), 1);
  await f(1 << 20, 1, 4, 4);
  // Series b comes first: the order is that of the labels that are stored.
  await f(1 << 20, 5000, 4, 2);
  assert.equal(storage.closed, storage.asked.length);
});

test('chunks: histograms, and series with both', async () => {
  const storage = new WithHistograms();
  const labels = Labels.fromObject({ __name__: 'h' });
  const narrow = layout(1, [0, 2], []);
  const columns = new HistogramColumns();
  addHistogram(columns, 1000, false, narrow, [1, 2]);
  addHistogram(columns, 2000, false, narrow, [2, 2]);
  addHistogram(columns, 3000, true, narrow, [2.5, 2]);
  addHistogram(columns, 6000, true, narrow, [3.5, 2]);
  storage.floats(labels, [500, 600, 4000, 5000, 7000], [1, 2, 3, 4, 5]);
  storage.histograms.set(labels.key, columns);
  const body = request(query(0, 9000, [['=', '__name__', 'h']]), CHUNKS);
  const { frames } = await readFrames(storage, body);
  const chunks = frames.flatMap((frame) => frame.chunks);
  assert.deepEqual(
    chunks.map(({ type, mint, maxt }) => [type, mint, maxt]),
    [
      [1, 500, 600],
      [2, 1000, 2000],
      [3, 3000, 3000],
      [1, 4000, 5000],
      [3, 6000, 6000],
      [1, 7000, 7000],
    ],
  );
  const floats = chunks.filter(({ type }) => type === 1).flatMap(decodeFloats);
  assert.deepEqual(floats, [
    [500, 1],
    [600, 2],
    [4000, 3],
    [5000, 4],
    [7000, 5],
  ]);
  const decoded = new HistogramColumns();
  for (const { type, data } of chunks) {
    if (type > 1) decodeHistogramChunk(data, 0, data.length, type, decoded, 'test');
  }
  assert.deepEqual(rows(decoded), rows(columns));
});

test('chunks: as they are stored, unless a client may not know them', async () => {
  const storage = new WithHistograms();
  const labels = Labels.fromObject({ __name__: 'up' });
  storage.floats(labels, [1000], [1]);
  const body = request(query(0, 9000, [UP]), CHUNKS);
  const types = async (encoding: number) => {
    const data = Uint8Array.of(0, 1, 9, 9);
    storage.stored.set(labels.key, [{ mint: 3, maxt: 4, encoding, count: 1, data }]);
    const { frames } = await readFrames(storage, body);
    return frames[0]?.chunks.map(({ type, mint, maxt }) => [type, mint, maxt]);
  };
  assert.deepEqual(await types(1), [[1, 3, 4]]);
  assert.deepEqual(await types(3), [[3, 3, 4]]);
  assert.deepEqual(await types(4), [[1, 1000, 1000]]);
});

test('pages go on behind the last series, whatever comes in between', async () => {
  const storage = new WithHistograms();
  const add = (job: string) =>
    storage.floats(Labels.fromObject({ __name__: 'up', job }), [1000], [1]);
  for (const job of ['b', 'd', 'f']) add(job);
  const body = request(query(0, 9000, [UP]), CHUNKS);
  const jobs: string[] = [];
  let next: ReadCursor | undefined = FIRST_PAGE;
  while (next !== undefined) {
    const page = await readPage(storage, body, next, options({ pageBytesMax: 1 }));
    for (const { labels } of framesOf(Buffer.concat(page.pieces))) jobs.push(labels[2] as string);
    next = page.next;
    add(`${jobs.length}`);
    add('e');
  }
  assert.deepEqual(jobs, ['job=b', 'job=d', 'job=e', 'job=f']);
});

test('what is no request', async () => {
  const storage = new WithHistograms();
  const f = async (body: Uint8Array, message: string | RegExp) => {
    await assert.rejects(readPage(storage, body, FIRST_PAGE, options()), (thrown) => {
      assert.ok(thrown instanceof CodedError && thrown.code === 'bad_data');
      if (typeof message === 'string') assert.equal(thrown.message, message);
      else assert.match(thrown.message, message);
      return true;
    });
  };
  await f(Buffer.alloc(0), 'snappy: corrupt input');
  await f(Buffer.of(0xff, 0xff, 0xff, 0xff), 'snappy: corrupt input');
  await f(
    Buffer.concat([varint(40_000_000), Buffer.alloc(9)]),
    'snappy: decoded length 40000000 exceeds limit 33554432',
  );
  await f(Buffer.of(5, 0xff, 0xff), /^snappy: /);
  await f(
    request(Buffer.of(0x0a, 9, 1)),
    'malformed read request: not a prometheus.ReadRequest at byte 2 of 3',
  );
  await f(request(query(0, 1, [UP], field(3, field(1, 4)))), 'invalid matcher type');
  await f(request(query(0, 1, [['=~', 'a', '(']])), /missing/);
  await f(
    request(field(2, 2), field(2, 9)),
    'server does not support any of the requested response types: [2 9]; supported: map[SAMPLES:{} STREAMED_XOR_CHUNKS:{}]',
  );
});

test('mutated requests are answered or refused', async () => {
  const seed = 99;
  const random = new Random(seed);
  const storage = new WithHistograms();
  storage.floats(Labels.fromObject({ __name__: 'up', job: 'a' }), [1, 2, 3], [1, 2, 3]);
  const hints = field(
    4,
    field(1, 1000),
    field(2, 'rate'),
    field(3, 1),
    field(4, 2),
    field(5, 'job'),
  );
  const plain = Buffer.concat([query(1, 3, [UP, ['=~', 'job', 'a|b']], hints), CHUNKS]);
  let answered = 0;
  for (let round = 0; round < 3000; round++) {
    const mutant = Buffer.from(plain);
    for (let k = random.below(3); k >= 0; k--)
      mutant[random.below(mutant.length)] = random.below(256);
    try {
      await readPage(storage, compressSync(mutant), FIRST_PAGE, options());
      answered++;
    } catch (thrown) {
      assert.ok(
        thrown instanceof CodedError && thrown.code === 'bad_data',
        `seed ${seed} round ${round}: ${String(thrown)}`,
      );
    }
  }
  assert.ok(answered > 300 && answered < 2700);
});

test('an aborted signal ends it', async () => {
  const storage = new WithHistograms();
  storage.floats(Labels.fromObject({ __name__: 'up' }), [1], [1]);
  const signal = AbortSignal.abort();
  for (const type of [SAMPLES, CHUNKS]) {
    const page = readPage(
      storage,
      request(query(0, 9, [UP]), type),
      FIRST_PAGE,
      options({ signal }),
    );
    await assert.rejects(page, { code: 'canceled' });
  }
  assert.equal(storage.closed, 2);
});
