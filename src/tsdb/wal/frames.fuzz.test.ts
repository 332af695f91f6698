/** Mutated segments: records that were written or damage that is told; and frames around nonsense under right checksums. */
import { equal, ok } from 'node:assert/strict';
import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { ScratchFile, damage, mutate, testFuzz } from '../../../test/support/mutation-fuzz.ts';
import { temporaryDirectory } from '../../../test/support/temporary-directory.ts';
import { CorruptionError } from '../../lib/errors.ts';
import { Random } from '../../lib/prng.ts';
import { FrameBuilder } from './frame-builder.ts';
import { PAGE_BYTES, SNAPPY_FLAG, ZSTD_FLAG, segmentName } from './page-format.ts';
import { compressRecord } from './record-compression.ts';
import type { RecordCompression } from './record-compression.ts';
import { rewriteSegment } from './rewrite-segment.ts';
import { readSegment } from './wal-reader.ts';
import { systemFiles } from '../../lib/file-layer.ts';

const directory = temporaryDirectory();
const path = join(directory.path, segmentName(0));
const scratch = new ScratchFile(path);
after(() => {
  scratch[Symbol.dispose]();
  directory[Symbol.dispose]();
});

interface Segment {
  readonly records: readonly Buffer[];
  readonly bodies: readonly Buffer[];
  readonly bytes: Buffer;
}

/** Records of some sizes; of which a part does not compress. */
function segment(
  random: Random,
  sizes: readonly number[],
  compression: RecordCompression,
): Segment {
  const records = sizes.map((size) =>
    Buffer.from(
      Array.from({ length: size }, (_, i) => (i % 3 === 0 ? random.below(256) : i & 0x3f)),
    ),
  );
  const bodies = records.map((record) => Buffer.from(compressRecord(record, compression)));
  const flag = compression === 'none' ? 0 : compression === 'snappy' ? SNAPPY_FLAG : ZSTD_FLAG;
  return { records, bodies, bytes: Buffer.from(new FrameBuilder(flag).build(bodies, 0)) };
}

/** Reads the segment; answers the records and the first damage. */
function read(): { records: Buffer[]; problem: CorruptionError | undefined } {
  const records: Buffer[] = [];
  let problem: CorruptionError | undefined;
  readSegment(
    directory.path,
    0,
    (record) => records.push(Buffer.from(record)),
    ({ file, offset, reason, soundEnd }) => {
      ok(soundEnd <= offset);
      problem ??= new CorruptionError(reason, file, offset);
    },
  );
  return { records, problem };
}

const SMALL = [40, 25, 300, 90, 17, 60];
/** What zstd's contexts take is accounted for now and then, that of many cases at once. */
const ZSTD_BYTES = 64 << 20;
/** Some of several pages. */
const LARGE = [9000, 70_000, 200, 40_000, 17, 5000];
const fixed = new Random(11);
const SEGMENTS = (['none', 'snappy', 'zstd'] as const).flatMap((compression) => [
  { name: `${compression}, records in a page`, every: 1, of: segment(fixed, SMALL, compression) },
  { name: `${compression}, records of pages`, every: 20, of: segment(fixed, LARGE, compression) },
]);

for (const { name, every, of } of SEGMENTS) {
  const { records, bodies, bytes } = of;
  const known = new Set([...records, ...bodies].map((record) => record.toString('latin1')));
  testFuzz({
    name: `the frames of a segment: ${name}`,
    ...(name.startsWith('zstd') && { fixedBytes: ZSTD_BYTES }),
    every,
    run: (random, i) => {
      const mutated = i % 2 === 0 ? damage(bytes, random) : mutate(bytes, random);
      scratch.put(mutated);
      const found = read();
      for (const record of found.records) {
        // A bit that says how a record is compressed, or which part of it a fragment is, is covered by no checksum.
        const isKnown = known.has(record.toString('latin1'));
        ok(
          isKnown || [...records, ...bodies].some((body) => body.includes(record)),
          record.toString('hex'),
        );
      }
      if (found.problem !== undefined) throw found.problem;
      return mutated.length;
    },
  });
}

testFuzz({
  name: 'the bodies of records in a segment, under right checksums',
  fixedBytes: ZSTD_BYTES,
  run: (random) => {
    // Of records within a page.
    const { bodies } = (SEGMENTS[random.below(3) * 2] as (typeof SEGMENTS)[number]).of;
    const n = random.below(bodies.length);
    const mutated = bodies.map((body, i) => (i === n ? mutate(body, random) : body));
    const flags = [0, SNAPPY_FLAG, ZSTD_FLAG, SNAPPY_FLAG | ZSTD_FLAG, 0xe0];
    const flag = flags[random.below(flags.length)];
    const bytes = new FrameBuilder(flag).build(mutated, 0);
    scratch.put(bytes);
    const { records, problem } = read();
    ok(records.length <= bodies.length);
    for (const record of records) ok(record.length < 1 << 20, `${record.length} bytes`);
    if (problem !== undefined) throw problem;
    return bytes.length;
  },
});

testFuzz({
  name: 'segments that are repaired',
  every: 50,
  refused: [0, 0],
  run: (random) => {
    const { bytes } = segment(random, [...SMALL, PAGE_BYTES, ...SMALL], 'snappy');
    const mutated = mutate(bytes, random);
    writeFileSync(path, mutated);
    const before = read().records;
    rewriteSegment(systemFiles, directory.path, 0);
    const repaired = read();
    equal(repaired.problem, undefined);
    ok(Buffer.concat(repaired.records).equals(Buffer.concat(before)));
    rmSync(`${path}.damaged`, { force: true });
    return mutated.length;
  },
});

test('a byte flipped in the data of a record costs that record only', () => {
  const { records, bytes } = segment(new Random(5), SMALL, 'snappy');
  let at = 0;
  for (const [n] of records.entries()) {
    const length = bytes.readUInt16BE(at + 1);
    for (let i = at + 3; i < at + 7 + length; i++) {
      const flipped = Buffer.from(bytes);
      flipped[i] = (flipped[i] as number) ^ 0x10;
      writeFileSync(path, flipped);
      const rest = records.filter((_, k) => k !== n);
      ok(Buffer.concat(read().records).equals(Buffer.concat(rest)), `record ${n}, byte ${i - at}`);
    }
    at += 7 + length;
  }
});
