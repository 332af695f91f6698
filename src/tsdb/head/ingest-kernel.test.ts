/** The ingest kernel and its twin under the same tests: what they make of requests, judged by the tests' own reading. */
import { deepEqual, equal, ok } from 'node:assert/strict';
import { readFileSync, readdirSync } from 'node:fs';
import { test } from 'node:test';
import fc from 'fast-check';
import { uncompressSync } from 'snappy';
import {
  ReferenceSeries,
  chunksOf,
  decodeSamplesRecord,
  labelField,
  messageField,
  openHead,
  sampleField,
  walRecords,
} from '../../../test/support/head-probe.ts';
import type { BitSample } from '../../../test/support/head-probe.ts';
import { temporaryDirectory } from '../../../test/support/temporary-directory.ts';
import { readNaively } from '../../../test/support/naive-write-request.ts';
import { loadKernel } from '../../kernels/load.ts';
import { createArenaMemory } from './arena.ts';
import { H, HEADER } from './arena-layout.ts';
import type { HeadWriter } from './head-writer.ts';

const IMPLEMENTATIONS = [false, true].map((twin) => ({ twin, name: twin ? 'twin' : 'kernel' }));

const SWITCHED_OFF = process.env['THANOS_KERNELS'] === 'off' && 'kernels are switched off';

test(
  'ingest kernel: it is built, so that the twin is not compared with itself',
  { skip: SWITCHED_OFF },
  () => {
    ok(loadKernel('ingest', createArenaMemory(1 << 20)) !== undefined);
  },
);

/** Value bits that numbers do not carry or that end windows of bits, beside any others. */
const halves = fc.oneof(
  { weight: 3, arbitrary: fc.constantFrom([0x40590000, 0], [0x40598000, 0], [0x40591000, 1]) },
  {
    weight: 1,
    arbitrary: fc.constantFrom([0x7ff00000, 2], [0x80000000, 0], [0, 0], [0, 1], [0xfff80000, 1]),
  },
  { weight: 2, arbitrary: fc.tuple(fc.nat(0xffffffff), fc.nat(0xffffffff)) },
) as fc.Arbitrary<[number, number]>;
/** Steps from one sample of a series to the next; not all go forward. */
const step = fc.oneof(
  { weight: 8, arbitrary: fc.constant(15_000) },
  { weight: 6, arbitrary: fc.integer({ min: 14_990, max: 15_010 }) },
  { weight: 1, arbitrary: fc.integer({ min: -20_000, max: 0 }) },
  { weight: 1, arbitrary: fc.integer({ min: 0, max: 2 ** 36 }) },
);
/** A series of a request: which one, how its labels are ordered, its samples as steps and values, what else it holds. */
const entry = fc.record({
  series: fc.nat(3),
  reversed: fc.boolean(),
  samples: fc.array(fc.tuple(step, halves), { maxLength: 40 }),
  exemplars: fc.nat(2),
  histograms: fc.nat(2),
  unknown: fc.boolean(),
  repeat: fc.boolean(),
});
const requests = fc.array(fc.array(entry, { maxLength: 4 }), { minLength: 1, maxLength: 12 });
type Entry = typeof entry extends fc.Arbitrary<infer T> ? T : never;

/** Fields that a later version of the protocol could have, of each wire type, one with a two-byte tag. */
const UNKNOWN_FIELDS = Buffer.concat([
  messageField(9, 'later'),
  Buffer.from([0x38, 0xff, 0x01]),
  Buffer.from([0x41, 1, 2, 3, 4, 5, 6, 7, 8]),
  Buffer.from([0x4d, 1, 2, 3, 4]),
  messageField(2000, 'much later'),
]);

/** A value and a time: passed over, because these heads keep no exemplars. */
const EXEMPLAR = Buffer.from([0x11, 0, 0, 0, 0, 0, 0, 0xf0, 0x3f, 0x18, 5]);
/** An observation and no bucket that holds it. */
const BAD_HISTOGRAM = Buffer.from([0x08, 1, 0x78, 5]);
const METADATA = Buffer.from([0x08, 1, 0x12, 1, 0x6d]);

interface Verdicts {
  accepted: number;
  identical: number;
  outOfOrder: number;
  conflicts: number;
  invalidHistograms: number;
  timeseries: number;
}

/** Plays requests: their bytes, and what must become of them by Prometheus' rules. */
class Model {
  readonly #times = [1_700_000_000_000, -5_000_000, 0, 1_700_000_003_000];
  readonly #last: (BitSample | undefined)[] = [];
  readonly chunks: Record<string, ReferenceSeries> = {};
  readonly refs = new Map<number, number>();
  readonly logged: [ref: number, ...BitSample][] = [];

  request(entries: readonly Entry[]): { body: Buffer; want: Verdicts } {
    const want: Verdicts = {
      accepted: 0,
      identical: 0,
      outOfOrder: 0,
      conflicts: 0,
      invalidHistograms: 0,
      timeseries: entries.length,
    };
    const body = entries.map((one) => this.#series(one, want));
    return { body: Buffer.concat([...body, messageField(3, METADATA)]), want };
  }

  #series(one: Entry, want: Verdicts): Buffer {
    if (!this.refs.has(one.series)) this.refs.set(one.series, this.refs.size + 1);
    this.chunks[`{__name__="m", i="${one.series}"}`] ??= new ReferenceSeries();
    const labels = [labelField('__name__', 'm'), labelField('i', `${one.series}`)];
    if (one.reversed) labels.reverse();
    const samples: Buffer[] = [];
    for (const [delta, [high, low]] of one.samples) {
      const t = (this.#times[one.series] as number) + delta;
      this.#times[one.series] = Math.max(t, this.#times[one.series] as number);
      for (let n = 0; n <= (one.repeat ? 1 : 0); n++) {
        samples.push(sampleField([t, high, low]));
        this.#judge(one.series, [t, high, low], want);
      }
    }
    want.invalidHistograms += one.histograms;
    return messageField(
      1,
      Buffer.concat([
        ...labels,
        ...samples,
        ...Array.from({ length: one.exemplars }, () => messageField(3, EXEMPLAR)),
        ...(one.unknown ? [UNKNOWN_FIELDS] : []),
        ...Array.from({ length: one.histograms }, () => messageField(4, BAD_HISTOGRAM)),
      ]),
    );
  }

  #judge(series: number, sample: BitSample, want: Verdicts): void {
    const last = this.#last[series];
    if (last !== undefined && sample[0] <= last[0]) {
      if (sample[0] < last[0]) want.outOfOrder++;
      else if (sample[1] === last[1] && sample[2] === last[2]) want.identical++;
      else want.conflicts++;
      return;
    }
    want.accepted++;
    this.#last[series] = sample;
    this.chunks[`{__name__="m", i="${series}"}`]?.append(sample);
    this.logged.push([this.refs.get(series) as number, ...sample]);
  }
}

test('ingest: requests become the chunks and records that Prometheus would make, to the bit', () => {
  const run = (plan: Entry[][], twin: boolean): string[] => {
    using directory = temporaryDirectory();
    using opened = openHead(directory.path, { twin });
    const model = new Model();
    for (const entries of plan) {
      const { body, want } = model.request(entries);
      const { accepted, identical, outOfOrder, conflicts, invalidHistograms, timeseries } =
        opened.head.write(body);
      deepEqual(
        { accepted, identical, outOfOrder, conflicts, invalidHistograms, timeseries },
        want,
      );
    }
    deepEqual(
      chunksOf(opened),
      Object.fromEntries(Object.entries(model.chunks).map(([key, one]) => [key, one.chunks])),
    );
    const records = walRecords(directory.path);
    const samples = records.filter((record) => record.startsWith('02'));
    deepEqual(samples.flatMap(decodeSamplesRecord), model.logged);
    return records;
  };
  fc.assert(
    fc.property(requests, (plan) => {
      deepEqual(run(plan, true), run(plan, false));
    }),
    { numRuns: 60 },
  );
});

/**
 * The same with one spelling a series: with several arenas, another spelling of a series of the same request may be
 * staged behind it, whatever the order in the body.
 */
function alike(entries: readonly Entry[]): Entry[] {
  return entries.map((one) => {
    const reversed = entries.find(({ series }) => series === one.series)?.reversed ?? false;
    return { ...one, reversed };
  });
}

/** The chunks of all series by labels after a replay. */
function reopened(directory: string, arenas: number, twin: boolean): Record<string, string[]> {
  using opened = openHead(directory, { arenas, twin });
  return Object.fromEntries(
    Object.entries(chunksOf(opened)).map(([key, chunks]) => [key, chunks.map((c) => c.bytes)]),
  );
}

for (const { twin, name } of IMPLEMENTATIONS) {
  test(`ingest ${name}: any number of arenas holds the same, and the same again after replay`, () => {
    fc.assert(
      fc.property(
        requests,
        fc.constantFrom(1, 2, 4),
        fc.constantFrom(1, 2, 4),
        (plan, arenas, arenasLater) => {
          using directory = temporaryDirectory();
          const model = new Model();
          {
            using opened = openHead(directory.path, { arenas, twin });
            for (const entries of plan) opened.head.write(model.request(alike(entries)).body);
          }
          const want = Object.fromEntries(
            Object.entries(model.chunks).map(([key, one]) => [key, one.chunks.map((c) => c.bytes)]),
          );
          deepEqual(reopened(directory.path, arenasLater, twin), want);
        },
      ),
      { numRuns: 25 },
    );
  });

  test(`ingest ${name}: labels behind samples are found, whether or not what is before them is a series`, () => {
    using directory = temporaryDirectory();
    using opened = openHead(directory.path, { twin });
    const at = (t: number): Buffer => sampleField([t, 0x3ff00000, 0]);
    const m = labelField('__name__', 'm');
    const a = labelField('a', '1');
    const f = (t: number, ...fields: Buffer[]): void => {
      const body = messageField(1, Buffer.concat(fields));
      const { accepted, timeseries } = opened.head.write(body);
      deepEqual({ accepted, timeseries }, { accepted: 1, timeseries: 1 }, `t=${t}`);
    };
    f(1, m, at(1), a);
    f(2, m, a, at(2));
    // From here on {__name__="m"} is a series of its own, and the bytes in front are its.
    f(3, m, at(3));
    f(4, m, at(4), a);
    f(5, at(5), m, a);
    f(6, m, a, at(6));
    const times = Object.entries(chunksOf(opened)).map(([key, [chunk]]) => [key, chunk?.mint]);
    deepEqual(times, [
      ['{__name__="m", a="1"}', 1],
      ['{__name__="m"}', 3],
    ]);
    equal(opened.head.stats().samples, 6);
  });

  test(`ingest ${name}: an unusual spelling gets no more than four aliases and goes on working`, () => {
    using directory = temporaryDirectory();
    using opened = openHead(directory.path, { twin });
    const labels = ['a', 'b', 'c', 'd'].map((text) => labelField(text, text));
    let t = 0;
    for (let round = 0; round < 2; round++) {
      for (let first = 0; first < labels.length; first++) {
        for (let second = 0; second <= labels.length; second++) {
          const order = [...labels.slice(first), ...labels.slice(0, first)];
          order.splice(second, 0, labelField('__name__', 'm'));
          const body = messageField(1, Buffer.concat([...order, sampleField([++t, 0, t])]));
          equal(opened.head.write(body).accepted, 1);
        }
      }
    }
    equal(opened.head.stats().series, 1);
    equal(opened.head.stats().samples, t);
    const { arena } = opened.head.arenas[0] as (typeof opened.head.arenas)[number];
    equal(arena.header(H.tableUsed), 5);
  });

  test(`ingest ${name}: samples before the minimum are out of bounds, whatever their series holds`, () => {
    using directory = temporaryDirectory();
    using opened = openHead(directory.path, { twin });
    const write = (t: number): string => {
      const body = messageField(
        1,
        Buffer.concat([labelField('__name__', 'm'), sampleField([t, 0, t])]),
      );
      const { accepted, outOfOrder, tooOld } = opened.head.write(body);
      return `${accepted} ${outOfOrder} ${tooOld}`;
    };
    equal(write(2000), '1 0 0');
    const { arena } = opened.head.arenas[0] as (typeof opened.head.arenas)[number];
    arena.setI64(HEADER + H.minValidTime, 1000);
    equal(write(999), '0 0 1');
    equal(write(1000), '0 1 0');
    equal(write(2001), '1 0 0');
  });

  test(`ingest ${name}: addresses beyond 2 GiB`, { skip: !hasLargeMemory() }, () => {
    using directory = temporaryDirectory();
    const times = Array.from({ length: 700 }, (_, i) => i * 15_000);
    const request = (t: number): Buffer =>
      Buffer.concat(
        Array.from({ length: 3 }, (_, i) =>
          messageField(
            1,
            Buffer.concat([
              ...(t % 2 === 0
                ? [labelField('__name__', 'm'), labelField('i', `${i}`)]
                : [labelField('i', `${i}`), labelField('__name__', 'm')]),
              sampleField([t, 0x40000000, t]),
            ]),
          ),
        ),
      );
    const high = (head: HeadWriter): void => {
      for (const { arena } of head.arenas) arena.setHeader(H.bump, 0x9000_0000);
    };
    const want = new ReferenceSeries();
    for (const t of times) want.append([t, 0x40000000, t]);
    using opened = openHead(directory.path, { twin, arenaBytes: 2 ** 32, prepare: high });
    for (const t of times) equal(opened.head.write(request(t)).accepted, 3);
    const one = chunksOf(opened)['{__name__="m", i="1"}'];
    deepEqual(one, want.chunks);
    opened.head.close();
    using again = openHead(directory.path, { twin, arenaBytes: 2 ** 32, prepare: high });
    deepEqual(chunksOf(again)['{__name__="m", i="1"}'], want.chunks);
    equal(again.head.write(request(times.length * 15_000)).accepted, 3);
  });
}

/** Whether the system grants an arena of full size. */
function hasLargeMemory(): boolean {
  return createArenaMemory(2 ** 32).buffer.byteLength === 2 ** 32;
}

const GOLDEN = new URL('../../../test/golden/remote-write/', import.meta.url);

test('ingest: bodies that Prometheus sent hold what a naive reading of them finds', () => {
  const files = readdirSync(GOLDEN).filter((file) => file.endsWith('.snappy'));
  ok(files.length >= 2);
  let samples = 0;
  for (const file of files) {
    const body = uncompressSync(readFileSync(new URL(file, GOLDEN))) as Buffer;
    const want = readNaively(body);
    samples += want.samples;
    for (const { twin } of IMPLEMENTATIONS) {
      using directory = temporaryDirectory();
      using opened = openHead(directory.path, { twin, exemplarsMax: 10_000 });
      const counts = opened.head.write(body);
      equal(counts.timeseries, want.series, file);
      equal(counts.accepted + counts.identical, want.samples, file);
      equal(counts.exemplars, want.exemplars, file);
      equal(counts.histograms, want.histograms, file);
      deepEqual(
        Object.keys(chunksOf(opened)).toSorted((a, b) => (a < b ? -1 : 1)),
        want.labelSets,
        file,
      );
    }
  }
  ok(samples > 0);
});
