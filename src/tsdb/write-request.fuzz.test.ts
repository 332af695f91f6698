/** Mutated write requests: compressed bodies, and bodies of remote write 2.0. */
import { equal, ok, throws } from 'node:assert/strict';
import { test } from 'node:test';
import { compressSync } from 'snappy';
import { damage, mutate, testFuzz } from '../../test/support/mutation-fuzz.ts';
import { doubleField, field, varint } from '../../test/support/protobuf.ts';
import { encodeWriteRequest } from '../../test/support/write-request.ts';
import { decompressRequest } from './decompress-request.ts';
import { V2Translator } from './head/remote-write-v2.ts';

/** As `--web.remote-write-max-bytes` might be. */
const BYTES_MAX = 32 << 20;

const request = encodeWriteRequest(
  Array.from({ length: 40 }, (_, i) => ({
    labels: [
      ['__name__', 'requests_total'],
      ['path', `/api/${i % 7}`],
    ] as const,
    samples: [[1_700_000_000_000 + i, i]] as const,
  })),
);
const compressed = Buffer.from(compressSync(request, { copyOutputData: true }));

testFuzz({
  name: 'compressed write requests',
  run: (random) => {
    const bytes = (random.below(2) === 0 ? mutate : damage)(compressed, random, {
      // The claimed size alone now and then.
      ...(random.below(4) === 0 && { to: 2 }),
    });
    const out = decompressRequest(bytes, BYTES_MAX);
    ok(out.length <= bytes.length * 22);
    return bytes.length;
  },
});

test('a request of few bytes that claims to hold many is refused before they are set aside', () => {
  const body = Buffer.concat([varint(BYTES_MAX), Buffer.alloc(10)]);
  throws(() => decompressRequest(body, BYTES_MAX), {
    code: 'bad_data',
    message: 'snappy: corrupt input',
  });
  // As good as snappy gets: a run of one byte.
  const run = Buffer.alloc(1 << 20, 'x');
  equal(run.equals(decompressRequest(compressSync(run), BYTES_MAX)), true);
});

const packed = (number: number, ...values: number[]): Buffer =>
  field(number, ...values.map(varint));
const sample = field(2, doubleField(1, 1.5), field(2, 1_700_000_000_000), field(3, 5));
const exemplar = field(4, packed(1, 7, 8), doubleField(2, 0.5), field(3, 1_700_000_000_000));
const metadata = field(5, field(1, 1), field(3, 5), field(4, 6));
const bodyV2 = Buffer.concat([
  ...['', '__name__', 'up', 'job', 'a', 'Whether it is up.', 's', 'trace_id', 'x'].map((text) =>
    field(4, text),
  ),
  ...Array.from({ length: 5 }, () => field(5, packed(1, 1, 2, 3, 4), sample, exemplar, metadata)),
]);

testFuzz({
  name: 'requests of remote write 2.0',
  run: (random) => {
    const bytes = (random.below(2) === 0 ? mutate : damage)(bodyV2, random);
    // A text that is named once may be used by each series.
    const { body, series } = new V2Translator().translate(bytes, BYTES_MAX);
    ok(body.length <= bytes.length ** 2);
    ok(series <= bytes.length / 2);
    return bytes.length;
  },
});
