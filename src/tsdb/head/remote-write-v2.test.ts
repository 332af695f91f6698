import assert from 'node:assert/strict';
import test from 'node:test';
import { CodedError } from '../../lib/errors.ts';
import { Random } from '../../lib/prng.ts';
import {
  contentsOf as all,
  doubleField as double,
  field,
  fieldsOf as fields,
  varint,
} from '../../../test/support/protobuf.ts';
import { FUZZ_CASES, FUZZ_SEED } from '../../../test/support/mutation-fuzz.ts';
import { hexOf as hex, meaningOfV1 } from '../../../test/support/remote-write-meaning.ts';
import type { Meaning } from '../../../test/support/remote-write-meaning.ts';
import { V2Translator } from './remote-write-v2.ts';

const translate = (body: Uint8Array, bytesMax = 1 << 20) => {
  const got = new V2Translator().translate(body, bytesMax);
  return { ...got, body: got.body.slice() };
};

const packed = (...values: number[]) => field(1, ...values.map(varint));
const symbols = (...texts: string[]) => Buffer.concat(texts.map((text) => field(4, text)));
const sample = (value: number, t: number) => field(2, double(1, value), field(2, t));
const series = (...parts: Buffer[]) => field(5, ...parts);

/** `up{job="a"}` with a sample, as 1 and 3 … of these symbols. */
const TABLE = ['', '__name__', 'up', 'job', 'a', 'Whether it is up.', 'seconds', 'trace_id', 'x'];
const UP = packed(1, 2, 3, 4);

test('forms that no known sender uses', () => {
  const f = (body: Buffer, want: Partial<Meaning['series'][number]>) => {
    const got = translate(body);
    assert.equal(got.firstProblem, '');
    const none = {
      labels: ['__name__', 'up', 'job', 'a'],
      exemplars: [],
      histograms: [],
      samples: [],
    };
    assert.deepEqual(meaningOfV1(got.body).series, [{ ...none, ...want }]);
  };
  const table = symbols(...TABLE);
  const at = (t: bigint, value = 0) => [hex(double(1, value).subarray(1)), t] as const;
  const samples = [at(1000n, 1.5)];
  f(Buffer.concat([table, series(UP, sample(1.5, 1000))]), { samples });
  // Symbols behind the series, labels behind the samples, refs one by one and in several runs.
  f(Buffer.concat([series(UP, sample(1.5, 1000)), table]), { samples });
  f(Buffer.concat([table, series(sample(1.5, 1000), UP)]), { samples });
  f(Buffer.concat([table, series(packed(1), sample(1.5, 1000), field(1, 2), packed(3, 4))]), {
    samples,
  });
  // Fields that a later version may add.
  const more = [field(9, 'text'), field(10, 7), double(11, 1), Buffer.of(12 * 8 + 5, 1, 2, 3, 4)];
  f(
    Buffer.concat([
      ...more,
      table,
      series(...more, UP, field(2, ...more, double(1, 1.5), field(2, 1000))),
    ]),
    { samples },
  );
  // Absent numbers are 0, the last of several counts.
  f(
    Buffer.concat([table, series(UP, field(2, ''), field(2, field(2, 5)), field(2, double(1, 2)))]),
    {
      samples: [at(0n), at(5n), at(0n, 2)],
    },
  );
  f(
    Buffer.concat([
      table,
      series(UP, field(2, double(1, 9), field(2, 3), double(1, 2), field(2, 4))),
    ]),
    {
      samples: [at(4n, 2)],
    },
  );
  f(Buffer.concat([table, series(UP, field(4, packed(7, 8), double(2, 1), field(3, 9)))]), {
    exemplars: [[['trace_id', 'x'], at(9n, 1)]],
  });
  // A stale marker keeps its bits.
  const stale = field(2, Buffer.from([9, 2, 0, 0, 0, 0, 0, 0xf0, 0x7f]), field(2, 1));
  f(Buffer.concat([table, series(UP, stale)]), { samples: [['020000000000f07f', 1n]] });
});

test('start timestamps are counted and dropped', () => {
  const started = field(2, double(1, 1), field(2, 1000), field(3, 500));
  const histogram = Buffer.concat([field(1, 3), field(15, 1000)]);
  const body = Buffer.concat([
    symbols(...TABLE),
    series(UP, started, started, sample(1, 3000)),
    series(UP, field(3, histogram), field(3, histogram, field(17, 500))),
  ]);
  const got = translate(body);
  assert.equal(got.startTimestamps, 3);
  const plain = Buffer.concat([
    symbols(...TABLE),
    series(UP, sample(1, 1000), sample(1, 1000), sample(1, 3000)),
  ]);
  assert.deepEqual(meaningOfV1(got.body).series[0], meaningOfV1(translate(plain).body).series[0]);
});

test('what is refused, in the words of Prometheus', () => {
  const good = series(UP, sample(1, 1));
  const f = (bad: Buffer, samples: number, problem: string, table: readonly string[] = TABLE) => {
    const got = translate(Buffer.concat([symbols(...table), good, bad, bad, good]));
    assert.equal(got.firstProblem, problem);
    assert.deepEqual([got.series, got.refusedSeries, got.refusedSamples], [4, 2, 2 * samples]);
    assert.equal(meaningOfV1(got.body).series.length, 2);
  };
  f(
    series(packed(1, 2, 3), sample(1, 1)),
    1,
    'parsing labels for series [1 2 3]: invalid labelRefs length 3',
  );
  f(
    series(packed(1, 2, 3, 9), sample(1, 1), sample(1, 2)),
    2,
    'parsing labels for series [1 2 3 9]: labelRefs 3 (name) = 9 (value) outside of symbols table (size 9)',
  );
  f(
    series(packed(1, 2, 4_000_000_000, 0), sample(1, 1)),
    1,
    'parsing labels for series [1 2 4000000000 0]: labelRefs 4000000000 (name) = 0 (value) outside of symbols table (size 9)',
  );
  f(
    series(UP, sample(1, 1), field(5, field(1, 1), field(3, 9))),
    1,
    'parsing metadata for series [1 2 3 4]: metadata help_ref 9 outside of symbols table (size 9)',
  );
  f(
    series(UP, sample(1, 1), field(5, field(4, 10), field(3, 9))),
    1,
    'parsing metadata for series [1 2 3 4]: metadata unit_ref 10 outside of symbols table (size 9)',
  );
  const empty = 'TimeSeries must contain at least one sample or histogram for series';
  f(series(UP), 0, `${empty} {__name__="up", job="a"}`);
  f(series(packed(9, 10, 3, 4, 1, 2)), 0, `${empty} {__name__="up", "a.b"="\\"\\u200b", job="a"}`, [
    ...TABLE,
    'a.b',
    '"\u200b',
  ]);
  const bare = translate(series(packed(), sample(1, 1)));
  assert.match(bare.firstProblem, /^parsing metadata for series \[\]: metadata unit_ref 0 outside/);
  // Of an exemplar only itself is lost.
  const odd = translate(
    Buffer.concat([
      symbols(...TABLE),
      series(UP, sample(1, 1), field(4, packed(7)), field(4, packed(7, 8))),
    ]),
  );
  assert.equal(
    odd.firstProblem,
    'parsing exemplar for series {__name__="up", job="a"}: invalid labelRefs length 1',
  );
  assert.deepEqual([odd.refusedSeries, odd.refusedExemplars], [0, 1]);
  assert.equal(meaningOfV1(odd.body).series[0]?.exemplars.length, 1);
});

test('metadata is passed on when it is new', () => {
  const translator = new V2Translator();
  const table = [
    '',
    '__name__',
    'a_total',
    'h_bucket',
    'h_sum',
    's',
    'one',
    'other',
    'seconds',
    'h_gcount',
  ];
  const one = (name: number, type: number, help: number, unit: number) =>
    series(packed(1, name), sample(1, 1), field(5, field(1, type), field(3, help), field(4, unit)));
  const f = (list: Buffer[], want: string[]) => {
    const { body } = translator.translate(Buffer.concat([symbols(...table), ...list]), 1 << 20);
    assert.deepEqual(meaningOfV1(body).metadata, want);
  };
  f([one(2, 1, 6, 0), one(2, 1, 6, 0)], ['1|a_total|one|']);
  f([one(2, 1, 6, 0)], []);
  f([one(2, 1, 7, 8), one(2, 1, 7, 8)], ['1|a_total|other|seconds']);
  f([one(2, 1, 6, 0)], ['1|a_total|one|']);
  // All series of a histogram or summary tell the same.
  f([one(3, 3, 6, 8), one(4, 3, 6, 8)], ['3|h|one|seconds']);
  f([one(3, 2, 6, 0), one(4, 2, 6, 0)], ['2|h_bucket|one|', '2|h_sum|one|']);
  f([one(9, 4, 6, 0)], ['4|h|one|']);
  f([one(5, 99, 0, 0)], []);
  f([one(5, 99, 6, 0)], ['0|s|one|']);
  f([series(packed(1, 5), sample(1, 1), field(5, ''))], []);
  // A request may be lost after its translation: so all is said again now and then.
  let repeated = 0;
  for (let i = 0; i < 1000; i++) {
    const { body } = translator.translate(
      Buffer.concat([symbols(...table), one(2, 1, 6, 0)]),
      1 << 20,
    );
    repeated += meaningOfV1(body).metadata.length;
  }
  assert.equal(repeated, 1);
});

test('lengths that need one byte, two, three and more', () => {
  const f = (size: number) => {
    const text = 'x'.repeat(size);
    const body = Buffer.concat([
      symbols(...TABLE, text),
      series(packed(1, 2, 3, 9), sample(1, 1), field(4, packed(7, 9), field(3, 1))),
      series(packed(1, 9), sample(2, 2)),
    ]);
    const [first, second] = meaningOfV1(translate(body, 1 << 24).body).series;
    assert.deepEqual(first?.labels, ['__name__', 'up', 'job', text]);
    assert.deepEqual(first?.exemplars, [
      [
        ['trace_id', text],
        [hex(undefined), 1n],
      ],
    ]);
    assert.deepEqual(second?.labels, ['__name__', text]);
  };
  for (const size of [
    0, 1, 3, 4, 5, 90, 95, 96, 97, 127, 128, 300, 16_300, 16_384, 70_000, 2_097_152,
  ])
    f(size);
});

test('a translation beyond the limit', () => {
  const text = 'x'.repeat(1000);
  const table = symbols(...TABLE, text);
  const refs1000 = Array.from({ length: 1000 }, () => 9);
  const body = Buffer.concat([table, series(packed(...refs1000), sample(1, 1))]);
  assert.equal(translate(body, 2_000_000).body.length > 1_000_000, true);
  assert.throws(
    () => translate(body, 400_000),
    (thrown) => {
      assert.ok(thrown instanceof CodedError && thrown.code === 'too_large');
      return thrown.message === 'write request as prometheus.WriteRequest exceeds 400000 bytes';
    },
  );
  assert.throws(
    () => translate(Buffer.concat([symbols(...TABLE), series(UP, sample(1, 1))]), 20),
    /exceeds 20 bytes/,
  );
});

test('malformed bodies say where', () => {
  const f = (body: Buffer, at: number) => {
    const text = `malformed write request: not an io.prometheus.write.v2.Request at byte ${at} of ${body.length}`;
    assert.throws(
      () => translate(body),
      (thrown) => {
        assert.ok(thrown instanceof CodedError && thrown.code === 'bad_data');
        assert.equal(thrown.message, text);
        return true;
      },
    );
  };
  f(Buffer.from('hello'), 3);
  f(Buffer.of(0), 0);
  f(Buffer.of(4 * 8 + 3), 1);
  f(Buffer.of(0x22, 5, 1), 1);
  f(Buffer.of(0x22), 1);
  f(Buffer.of(0x20, 0xff, 0xff), 1);
  f(Buffer.of(0x2a, 2, 0x12, 1), 3);
  f(Buffer.from([0x08, ...Array<number>(10).fill(0xff)]), 1);
  // A table of one text, a series with one odd field.
  f(Buffer.of(0x22, 0, 0x2a, 3, 0x12, 1, 0x09), 7);
  f(Buffer.of(0x22, 0, 0x2a, 5, 0x12, 0, 0x1a, 1, 0x07), 8);
});

test(`${FUZZ_CASES} mutated bodies are translated or refused, seed ${FUZZ_SEED}`, () => {
  const seed = 20_261_120 + FUZZ_SEED;
  const random = new Random(seed);
  const body = Buffer.concat([
    symbols(...TABLE),
    series(UP, sample(1, 1000), sample(2, 2000), field(5, field(1, 1), field(3, 5), field(4, 6))),
    series(
      UP,
      field(3, field(1, 3), double(3, 1), field(11, field(1, 1), field(2, 2)), field(15, 9)),
      field(4, packed(7, 8), double(2, 1), field(3, 9)),
    ),
  ]);
  const translator = new V2Translator();
  const fates = { translated: 0, refused: 0 };
  for (let round = 0; round < FUZZ_CASES; round++) {
    const mutant = Buffer.from(
      body.subarray(0, round % 5 === 0 ? random.below(body.length) : body.length),
    );
    for (let k = random.below(4); k >= 0 && mutant.length > 0; k--)
      mutant[random.below(mutant.length)] = random.below(256);
    try {
      const got = translator.translate(mutant, 1 << 20);
      // What comes out is a request that a plain reader gets through.
      const series1 = all(fields(got.body), 1).map(fields);
      assert.equal(series1.length, got.series - got.refusedSeries, `seed ${seed} round ${round}`);
      fates.translated++;
    } catch (thrown) {
      assert.ok(
        thrown instanceof CodedError && thrown.code === 'bad_data',
        `seed ${seed} round ${round}: ${String(thrown)}`,
      );
      fates.refused++;
    }
  }
  assert.ok(fates.translated > FUZZ_CASES / 10 && fates.refused > FUZZ_CASES / 10);
});
