/** Series of blocks by ranged reads, against blocks that are read whole: sizes of reads, limits, damage, ends. */
import { deepEqual, equal, ok, rejects } from 'node:assert/strict';
import { test } from 'node:test';
import { Random } from '../../lib/prng.ts';
import { joinAggrChunk } from '../../chunkenc/aggr-chunk.ts';
import { CorruptionError } from '../../lib/errors.ts';
import { Labels, compareLabels } from '../../model/labels.ts';
import { MemoryBucket } from '../../objstore/memory.ts';
import { Matcher } from '../../model/matcher.ts';
import { buildBlock, xorChunk } from '../../../test/support/block-builder.ts';
import type { TestSeries } from '../../../test/support/block-builder.ts';
import { readBlock } from '../../../test/support/block-frames.ts';
import type { BlockSeries } from '../../../test/support/block-frames.ts';
import { FaultyBucket, injectedError } from '../../../test/support/faulty-bucket.ts';
import { until } from '../../../test/support/grpc-peers.ts';
import { PROMETHEUS_CHUNKS } from '../../../test/support/prometheus-chunks.ts';
import { contentsOf, fieldsOf, intOf } from '../../../test/support/protobuf.ts';
import type { Field } from '../../../test/support/protobuf.ts';
import { putBlock, readCall, storeBlock } from '../../../test/support/stored-block.ts';
import { temporaryDirectory } from '../../../test/support/temporary-directory.ts';
import { blockSeries } from './block-series.ts';
import type { BlockSeriesRequest } from './block-series.ts';
import { BufferPool } from './buffer-pool.ts';
import { expandPostings } from './expand-postings.ts';
import type { LazyExpansion } from './expand-postings.ts';
import { ChunkFramer } from './frame-chunks.ts';
import { encodeAggrChunk } from './frame-chunks-twin.ts';
import { encodeLabels } from './label-bytes.ts';
import { ByteBudget, Limiter } from './limits.ts';
import type { ReadCall } from './stored-block.ts';
import type { SeriesRun } from './series-run.ts';

const NOTHING_ELSE = { external: Labels.fromObject({}), without: new Set<string>() };
const FRAMERS = { kernel: new ChunkFramer(), twin: new ChunkFramer({ twin: true }) };

/** 300 series with one to four chunks of some samples each. */
function someSeries(random: Random): TestSeries[] {
  return Array.from({ length: 300 }, (_, i) => ({
    labels: {
      __name__: 'm',
      i: String(i),
      even: String(i % 2),
      ...(i % 7 === 0 ? { long: 'x'.repeat(random.below(400)) } : {}),
    },
    chunks: Array.from({ length: 1 + random.below(4) }, (_c, c) =>
      xorChunk(
        Array.from({ length: 1 + random.below(100) }, (_s, s) => [c * 1000 + s, random.float()]),
      ),
    ),
  }));
}

/** A series as it is sent, hex. */
interface Sent {
  readonly labels: string;
  readonly chunks: readonly string[];
}

const sentOf = ({ labels, chunks }: BlockSeries, mint = -Infinity, maxt = Infinity): Sent => ({
  labels: encodeLabels(labels).toString('hex'),
  chunks: chunks
    .filter((chunk) => chunk.maxt >= mint && chunk.mint <= maxt)
    .map(({ encoding, data, ...times }) =>
      Buffer.from(
        encodeAggrChunk(times.mint, times.maxt, [{ tag: 0x1a, encoding, data }]),
      ).toString('hex'),
    ),
});

function sentRun(run: SeriesRun): Sent[] {
  return Array.from({ length: run.count }, (_, i) => {
    const { frames } = run;
    const chunks: string[] = [];
    const end = frames === undefined ? 0 : (run.chunkStarts[i + 1] as number);
    for (let c = run.chunkStarts[i] as number; c < end; c++) {
      const part = frames?.parts[frames.part[c] as number] as Uint8Array;
      chunks.push(Buffer.from(part.subarray(frames?.start[c], frames?.end[c])).toString('hex'));
    }
    const labels = run.labels.toString('hex', run.labelStarts[i], run.labelStarts[i + 1]);
    return { labels, chunks };
  });
}

interface Options {
  readonly matchers?: readonly Matcher[];
  readonly lazy?: LazyExpansion;
  readonly request?: Partial<BlockSeriesRequest>;
  readonly call?: Partial<ReadCall>;
  readonly budget?: ByteBudget;
  readonly framer?: ChunkFramer;
  readonly onRefetch?: (what: 'series' | 'chunk') => void;
  /** Stops after so many runs. */
  readonly runs?: number;
}

type Stored = Awaited<ReturnType<typeof storeBlock>>;

/** Everything that a block answers. The budget is empty afterwards, whatever happens. */
async function read({ block, header }: Stored, options: Options = {}): Promise<Sent[]> {
  const { budget = new ByteBudget('budget', 0), onRefetch = () => undefined } = options;
  const call = readCall(options.call);
  const matchers = options.matchers ?? [new Matcher('=', '__name__', 'm')];
  const out: Sent[] = [];
  try {
    const expanded = await expandPostings(block, header, matchers, call, options.lazy);
    const runs = blockSeries(
      block,
      header,
      expanded,
      {
        mint: -1e15,
        maxt: 1e15,
        skipChunks: false,
        aggregates: 0,
        rules: NOTHING_ELSE,
        isWanted: undefined,
        limit: 0,
        batchSize: 64,
        runBytes: 16_384,
        ...options.request,
      },
      call,
      {
        framer: options.framer ?? FRAMERS.kernel,
        pool: new BufferPool(64 << 20),
        budget,
        onSeriesRefetch: () => onRefetch('series'),
        onChunkRefetch: () => onRefetch('chunk'),
        onOverfetch: () => undefined,
        onSeriesRead: () => undefined,
        onChunksRead: () => undefined,
        now: () => 0,
      },
    );
    let left = options.runs ?? Infinity;
    for await (const run of runs) {
      ok(budget.used > 0, 'what is handed out is counted');
      out.push(...sentRun(run));
      run.release();
      if (--left === 0) break;
    }
  } finally {
    await until(() => budget.used === 0);
  }
  return out;
}

test('any sizes of reads bring the same', async (t) => {
  using directory = temporaryDirectory();
  const some = someSeries(new Random(1)).slice(0, 100);
  const handle = buildBlock(directory.path, some, { segmentBytesMax: 60_000 });
  const want = readBlock(handle.directory).series.map((one) => sentOf(one));
  ok(handle.segments > 1);
  for (const [name, framer] of Object.entries(FRAMERS)) {
    for (const seriesBytesMax of [1, 7, 30, 64 * 1024]) {
      for (const chunkBytesMax of [1, 9, 100, 16_000]) {
        await t.test(`${name}, ${seriesBytesMax}, ${chunkBytesMax}`, async () => {
          const stored = await storeBlock(handle.directory, { seriesBytesMax, chunkBytesMax });
          const refetched = { series: 0, chunk: 0 };
          const onRefetch = (what: 'series' | 'chunk'): void => void refetched[what]++;
          for (const batchSize of [1, 10_000]) {
            const request = { batchSize, runBytes: batchSize * 100 };
            deepEqual(await read(stored, { framer, request, onRefetch }), want);
          }
          equal(refetched.series > 0, seriesBytesMax < 64);
          equal(
            refetched.chunk > 0,
            chunkBytesMax < 100 || (chunkBytesMax === 100 && refetched.chunk > 0),
          );
        });
      }
    }
  }
});

test('few requests for much', async () => {
  using directory = temporaryDirectory();
  const handle = buildBlock(directory.path, someSeries(new Random(1)));
  const stored = await storeBlock(handle.directory);
  await read(stored, { request: { batchSize: 10_000, runBytes: 1 << 30 } });
  deepEqual(
    stored.bucket.ranges.map(({ name }) => name.slice(27)),
    ['index', 'index', 'chunks/000001'],
  );
});

test('a part of the time, of the series, of the chunks', async () => {
  using directory = temporaryDirectory();
  const handle = buildBlock(directory.path, someSeries(new Random(2)));
  const stored = await storeBlock(handle.directory);
  const { series } = readBlock(handle.directory);
  const times = { mint: 1050, maxt: 2000 };
  const inTime = series
    .map((one) => sentOf(one, times.mint, times.maxt))
    .filter(({ chunks }) => chunks.length > 0);
  ok(inTime.length > 0 && inTime.length < series.length);
  deepEqual(await read(stored, { request: times }), inTime);
  const withoutChunks = inTime.map(({ labels }) => ({ labels, chunks: [] }));
  deepEqual(await read(stored, { request: { ...times, skipChunks: true } }), withoutChunks);
  deepEqual(await read(stored, { request: { mint: 1e6, maxt: 1e7 } }), []);
  // The limit is on the series that match, as in Go; those without chunks in the range are among them.
  deepEqual(
    await read(stored, { request: { limit: 7 } }),
    series.slice(0, 7).map((one) => sentOf(one)),
  );
  const isWanted = ({ to, from }: { to: number; from: number }): boolean => (to - from) % 2 === 0;
  const wanted = series.filter(({ labels }) => encodeLabels(labels).length % 2 === 0);
  deepEqual(
    await read(stored, { request: { isWanted } }),
    wanted.map((one) => sentOf(one)),
  );
});

test('lazily expanded postings bring the same series', async () => {
  using directory = temporaryDirectory();
  const handle = buildBlock(directory.path, someSeries(new Random(3)));
  const stored = await storeBlock(handle.directory, { seriesBytesMax: 512 });
  const matchers = [
    new Matcher('=', '__name__', 'm'),
    new Matcher('!=', 'even', '1'),
    new Matcher('=~', 'i', '[12].*'),
    new Matcher('=', 'long', ''),
  ];
  const reasons: string[] = [];
  const lazy = {
    matchRatio: 0.5,
    maxKeySeriesRatio: 0.001,
    onLazy: (reason: string) => void reasons.push(reason),
  };
  const want = readBlock(handle.directory)
    .series.filter(({ labels }) => matchers.every((one) => one.matches(labels.get(one.name))))
    .map((one) => sentOf(one));
  ok(want.length > 10);
  deepEqual(await read(stored, { matchers, lazy }), want);
  ok(reasons.length > 0);
  deepEqual(await read(stored, { matchers, lazy, request: { limit: 5 } }), want.slice(0, 5));
  const withoutChunks = want.map(({ labels }) => ({ labels, chunks: [] }));
  deepEqual(await read(stored, { matchers, lazy, request: { skipChunks: true } }), withoutChunks);
});

test('chunks that are shared out over several segments in any order', async () => {
  using directory = temporaryDirectory();
  const random = new Random(4);
  // Large chunks of noise: reads end inside them.
  const series = Array.from({ length: 12 }, (_, i) => ({
    labels: { __name__: 'm', i: String(i) },
    chunks: Array.from({ length: 3 }, (_c, c) => ({
      mint: c * 10,
      maxt: c * 10 + 1,
      encoding: 1,
      count: 1,
      data: Buffer.alloc(1 + random.below(3) * 700_000, i * 3 + c),
    })),
  }));
  const handle = buildBlock(directory.path, series, { segmentBytesMax: 2_000_000 });
  const want = readBlock(handle.directory).series.map((one) => sentOf(one));
  ok(handle.segments > 3);
  for (const framer of Object.values(FRAMERS)) {
    const stored = await storeBlock(handle.directory, { chunkBytesMax: 10_000 });
    deepEqual(await read(stored, { framer, request: { runBytes: 1 << 30 } }), want);
  }
});

test('chunks of newer encodings become older ones', async () => {
  using directory = temporaryDirectory();
  const chunkOf = (name: string) => ({
    mint: 1,
    maxt: 2,
    encoding: Number(name[0]),
    count: 1,
    data: Buffer.from((PROMETHEUS_CHUNKS[name] as readonly string[])[0] as string, 'hex'),
  });
  const names = Object.keys(PROMETHEUS_CHUNKS).filter((name) => /^[456] /.test(name));
  ok(names.length > 3);
  const handle = buildBlock(
    directory.path,
    names.map((name) => ({ labels: { __name__: 'm', name }, chunks: [chunkOf(name)] })),
  );
  const stored = await storeBlock(handle.directory);
  const found = await read(stored);
  equal(found.length, names.length);
  const sorted = names
    .map((name) => ({ name, labels: Labels.fromObject({ __name__: 'm', name }) }))
    .toSorted((a, b) => compareLabels(a.labels, b.labels));
  let compared = 0;
  for (const [i, { name, labels }] of sorted.entries()) {
    equal(found[i]?.labels, encodeLabels(labels).toString('hex'));
    const [, content] = fieldsOf(Buffer.from(found[i]?.chunks[0] as string, 'hex'))[0] as Field;
    const [raw] = contentsOf(fieldsOf(content as Buffer), 3);
    const parts = fieldsOf(raw as Buffer);
    // Types: 0 is XOR, 1 histogram, 2 float histogram.
    const type = Number(name[0]) - 4;
    equal(intOf(parts, 1), type, name);
    // What Prometheus makes of the same samples with the older encoding.
    const old = PROMETHEUS_CHUNKS[`${type + 1}${name.slice(1)}`];
    if (old?.length !== 1) continue;
    equal(contentsOf(parts, 2)[0]?.toString('hex'), old[0], name);
    compared++;
  }
  ok(compared > 5, `${compared} compared`);
});

test('limits have the texts of Thanos, and nothing stays behind', async (t) => {
  using directory = temporaryDirectory();
  const handle = buildBlock(directory.path, someSeries(new Random(5)));
  const stored = await storeBlock(handle.directory);
  const f = (name: string, options: Options, message: RegExp): Promise<void> =>
    t.test(name, () => rejects(read(stored, options), { code: 'too_large', message }));
  /** Numbers of bytes as N, but for the limit. */
  const g = (
    name: string,
    options: Options,
    limit: number,
    texts: readonly string[],
  ): Promise<void> =>
    t.test(name, () =>
      rejects(read(stored, options), ({ message }: Error) => {
        const shape = message.replace(`${limit} `, 'LIMIT ').replace(/\d+/u, 'N');
        ok(texts.includes(shape), message);
        return true;
      }),
    );
  const chunks = new Limiter(100);
  await f(
    'chunks',
    { call: { chunksLimit: chunks } },
    /^exceeded chunks limit: limit 100 violated \(got \d+\)$/,
  );
  for (const bytes of [1, 2000, 40_000, 60_000]) {
    await g(
      `${bytes} bytes`,
      { call: { bytesLimit: new Limiter(bytes) } },
      bytes,
      ['postings', 'series', 'chunks'].map(
        (what) => `exceeded bytes limit while fetching ${what}: limit LIMIT violated (got N)`,
      ),
    );
  }
  const lazy = { matchRatio: 0.5, maxKeySeriesRatio: 0.001, onLazy: () => undefined };
  const matchers = [new Matcher('=', '__name__', 'm'), new Matcher('=~', 'i', '.*1.*')];
  await f(
    'series of lazily expanded postings',
    { matchers, lazy, call: { seriesLimit: new Limiter(10) } },
    /^exceeded series limit: limit 10 violated \(got \d+\)$/,
  );
  for (const limit of [10, 3000, 20_000, 60_000]) {
    await g(
      `a budget of ${limit} bytes`,
      { budget: new ByteBudget('chunk pool exhausted', limit), request: { runBytes: 1 << 30 } },
      limit,
      ['chunk pool exhausted: N of LIMIT bytes would be in use'],
    );
  }
});

test('whoever stops early leaves nothing behind', async () => {
  using directory = temporaryDirectory();
  const handle = buildBlock(directory.path, someSeries(new Random(6)));
  const stored = await storeBlock(handle.directory);
  const want = readBlock(handle.directory).series.map((one) => sentOf(one));
  for (const runs of [1, 2, 3]) {
    const some = await read(stored, { runs });
    deepEqual(some, want.slice(0, some.length));
    ok(some.length < want.length);
  }
  const rules = { external: Labels.fromObject({ even: 'x' }), without: new Set<string>() };
  await read(stored, { runs: 1, request: { rules } });
});

test('a bucket that fails, at any request', async () => {
  using directory = temporaryDirectory();
  const handle = buildBlock(directory.path, someSeries(new Random(7)).slice(0, 80));
  const stored = await storeBlock(handle.directory);
  const want = readBlock(handle.directory).series.map((one) => sentOf(one));
  const faulty = new FaultyBucket(stored.bucket);
  const block = { ...stored.block, bucket: faulty };
  await read({ ...stored, block });
  const requests = faulty.calls.splice(0).length;
  ok(requests > 5);
  for (let n = 0; n < requests; n++) {
    faulty.plan = (_call, i) => (i === n ? { kind: 'fail', error: injectedError() } : undefined);
    await rejects(read({ ...stored, block }), { message: 'injected fault' }, `request ${n}`);
    faulty.plan = undefined;
    faulty.calls.splice(0);
  }
  for (let n = 0; n < requests; n++) {
    const controller = new AbortController();
    faulty.plan = (_call, i) => {
      if (i === n) controller.abort();
      return undefined;
    };
    const { signal } = controller;
    await rejects(read({ ...stored, block }, { call: { signal } }), { code: 'canceled' });
    faulty.calls.splice(0);
  }
  faulty.plan = undefined;
  deepEqual(await read({ ...stored, block }), want);
});

test('damaged objects: an error that names them, never another answer', async (t) => {
  using directory = temporaryDirectory();
  const handle = buildBlock(directory.path, someSeries(new Random(8)).slice(0, 60));
  const stored = await storeBlock(handle.directory);
  const want = readBlock(handle.directory).series.map((one) => sentOf(one));
  const { ulid } = stored.block;
  const read1 = (name: string): Promise<Uint8Array> =>
    stored.bucket.getRange(name, { offset: 0, length: 1 << 30 });
  const objects = {
    index: Buffer.from(await read1(`${ulid}/index`)),
    'chunks/000001': Buffer.from(await read1(`${ulid}/chunks/000001`)),
  };
  const { toc } = stored.header.ends;
  // What is checked with the header is not read again; bytes between entries mean nothing.
  const ranges = {
    index: [toc.series, toc.postingsTable],
    'chunks/000001': [8, objects['chunks/000001'].length],
  };
  const random = new Random(8);
  const bucket = new MemoryBucket();
  await putBlock(bucket, handle.directory, ulid);
  const block = { ...stored.block, bucket, seriesBytesMax: 50, chunkBytesMax: 60 };
  for (const name of ['index', 'chunks/000001'] as const) {
    for (const way of ['a bit flips', 'cut short']) {
      await t.test(`${name}: ${way}`, async () => {
        let refused = 0;
        for (let i = 0; i < 80; i++) {
          const bytes = Buffer.from(objects[name]);
          const [from, to] = ranges[name] as [number, number];
          const at = from + random.below(to - from);
          const changed = way === 'cut short' ? bytes.subarray(0, at) : bytes;
          if (way === 'a bit flips') bytes[at] = (bytes[at] as number) ^ (1 << random.below(8));
          await bucket.upload(`${ulid}/${name}`, changed);
          try {
            deepEqual(await read({ ...stored, block }), want, `byte ${at}`);
          } catch (thrown) {
            ok(thrown instanceof CorruptionError, `byte ${at}: ${String(thrown)}`);
            ok(thrown.message.includes(`${ulid}/${name}`), thrown.message);
            refused++;
          }
        }
        await bucket.upload(`${ulid}/${name}`, objects[name]);
        // What is between the chunks or entries and never read may be anything.
        ok(refused > 20, `${refused} of 80 refused`);
      });
    }
    await t.test(`${name}: gone`, async () => {
      await bucket.delete(`${ulid}/${name}`);
      await rejects(read({ ...stored, block }), {
        code: 'not_found',
        message: `object "${ulid}/${name}" does not exist`,
      });
      await bucket.upload(`${ulid}/${name}`, objects[name]);
    });
  }
  deepEqual(await read({ ...stored, block }), want);
});

test('a length that a flipped bit made huge does not read the world', async () => {
  using directory = temporaryDirectory();
  const handle = buildBlock(directory.path, someSeries(new Random(9)).slice(0, 60));
  const stored = await storeBlock(handle.directory);
  const { ulid } = stored.block;
  const { toc } = stored.header.ends;
  const index = Buffer.from(
    await stored.bucket.getRange(`${ulid}/index`, { offset: 0, length: 1 << 30 }),
  );
  // The first entry: its length, 2^49 now.
  index.set(Buffer.from('80808080808002', 'hex'), Math.ceil(toc.series / 16) * 16);
  await stored.bucket.upload(`${ulid}/index`, index);
  stored.bucket.ranges.splice(0);
  await rejects(read(stored), CorruptionError);
  for (const { offset, length } of stored.bucket.ranges) ok(offset + length <= index.length);
});

test('an aggregate that is not there', async () => {
  using directory = temporaryDirectory();
  const part = { encoding: 1, data: Buffer.from('data') };
  const data = joinAggrChunk([part, undefined, part, undefined, undefined]);
  const handle = buildBlock(directory.path, [
    { labels: { __name__: 'm' }, chunks: [{ mint: 1, maxt: 2, encoding: 0xff, count: 1, data }] },
  ]);
  const stored = await storeBlock(handle.directory);
  equal((await read(stored, { request: { aggregates: 5 } }))[0]?.chunks.length, 1);
  // Thanos: populate chunk, downsample.ErrAggrNotExist.
  await rejects(read(stored, { request: { aggregates: 3 } }), {
    message: 'populate chunk: aggregate sum does not exist',
  });
});
