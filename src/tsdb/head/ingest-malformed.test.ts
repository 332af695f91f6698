/** What the ingest kernel and its twin make of bodies that are no write requests: an answer, inside their buffers. */
import { deepEqual, equal, ok } from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import {
  labelField,
  messageField,
  openHead,
  sampleField,
} from '../../../test/support/head-probe.ts';
import { FUZZ_CASES, FUZZ_SEED } from '../../../test/support/mutation-fuzz.ts';
import { temporaryDirectory } from '../../../test/support/temporary-directory.ts';
import { CodedError } from '../../lib/errors.ts';
import { Random } from '../../lib/prng.ts';
import type { ArenaIngest } from './arena-ingest.ts';
import { H, HEADER, S, STAGE, STAGED_BYTES } from './arena-layout.ts';

const KNOWN = ['a', 'b'];
/** perf: a case compares all memory around the buffers, so that there are fewer than elsewhere. */
const MUTATED = Math.ceil(FUZZ_CASES / 16);
/** Bodies that one head is given: what of them is accepted fills its memory. */
const BODIES_A_HEAD = 1500;

/** A value and a time; a count and a time; a type and a name. */
const EXEMPLAR = Buffer.from([0x11, 0, 0, 0, 0, 0, 0, 0xf0, 0x3f, 0x18, 5]);
const HISTOGRAM = Buffer.from([0x08, 0, 0x78, 5]);
const METADATA = Buffer.from([0x08, 1, 0x12, 1, 0x6d]);

/** A body with everything that the kernel looks at. */
function sampleBody(): { body: Buffer; ends: number[] } {
  const series = [...KNOWN, 'unknown'].map((text, i) =>
    messageField(
      1,
      Buffer.concat([
        labelField('__name__', text),
        labelField('l', 'x'.repeat(i * 70)),
        sampleField([1_700_000_000_000 + i, 0x3ff00000, 1]),
        sampleField([1_700_000_015_000 + i, 0x7ff00000, 2]),
        messageField(3, EXEMPLAR),
        messageField(4, HISTOGRAM),
        Buffer.from([0x38, 0x80, 0x01]),
        messageField(300, 'unknown'),
      ]),
    ),
  );
  const parts = [...series.slice(0, 2), messageField(3, METADATA), ...series.slice(2)];
  let end = 0;
  return { body: Buffer.concat(parts), ends: [0, ...parts.map((part) => (end += part.length))] };
}

/** Everything in the arena but what stage may change: header, staged samples, record, the stage fields of series. */
function untouched({ arena }: ArenaIngest): Buffer {
  const copy = Buffer.from(arena.u8.slice(0, arena.header(H.bump) + 65536));
  const staged = arena.header(H.staged);
  copy.fill(0, staged, staged + arena.header(H.stagedCapacity) * STAGED_BYTES);
  const record = arena.header(H.record);
  copy.fill(0, record, record + arena.header(H.recordCapacity));
  for (let i = 0; i < arena.header(H.seriesCount); i++) {
    const series = arena.record(arena.header(H.seriesSlabs), S.bytes, i);
    copy.fill(0, series + S.stagedT, series + S.stagedV + 8);
  }
  const body = arena.header(H.body);
  copy.fill(0, body, body + arena.header(H.bodyCapacity));
  copy.fill(0, HEADER + H.stagedCount, HEADER + H.stagedCount + 4);
  copy.fill(0, HEADER + H.recordLength, HEADER + H.recordLength + 4);
  copy.fill(0, HEADER + H.epoch, HEADER + H.epoch + 4);
  copy.fill(0, HEADER + H.errorOffset, HEADER + H.cut);
  copy.fill(0, HEADER + H.touched, HEADER + H.ahead + 256);
  return copy;
}

for (const twin of [false, true]) {
  const name = twin ? 'twin' : 'kernel';

  /** Stages a body directly and checks the answer and where it points; answers it. */
  const stage = (ingest: ArenaIngest, body: Buffer, before: Buffer): number => {
    const { arena, kernel } = ingest;
    ingest.begin();
    ingest.copyIn(body);
    const answer = kernel.stage(HEADER, 0, body.length);
    ok((Object.values(STAGE) as number[]).includes(answer), `answer ${answer}`);
    const start = arena.header(H.body);
    const resume = arena.header(H.resume);
    if (answer === STAGE.malformed) ok(arena.header(H.errorOffset) < body.length);
    if (answer === STAGE.miss || answer === STAGE.irregular) {
      const at = arena.header(H.missPtr);
      ok(at >= start && at + arena.header(H.missLength) <= start + body.length);
      ok(resume <= body.length);
    }
    if (answer === STAGE.full) ok(resume + arena.header(H.missLength) <= body.length);
    ok(arena.header(H.stagedCount) <= arena.header(H.stagedCapacity));
    ok(arena.header(H.recordLength) <= arena.header(H.recordCapacity));
    equal(Buffer.compare(untouched(ingest), before), 0, 'memory outside of the buffers');
    return answer;
  };

  /** A head that knows two of the three series, with room for few samples. */
  const withHead = (room: number, run: (ingest: ArenaIngest, before: Buffer) => void): void => {
    using directory = temporaryDirectory();
    using opened = openHead(directory.path, { twin, arenaBytes: 8 << 20 });
    const { body, ends } = sampleBody();
    opened.head.write(body.subarray(0, ends[2]));
    equal(opened.head.stats().series, KNOWN.length);
    const ingest = opened.head.arenas[0] as ArenaIngest;
    const capacity = ingest.arena.header(H.stagedCapacity);
    const recordCapacity = ingest.arena.header(H.recordCapacity);
    ingest.arena.setHeader(H.stagedCapacity, room);
    ingest.arena.setHeader(H.recordCapacity, room * 28 + 32);
    // Without room for its record, the kernel makes no series: what is new is a miss.
    const seriesRecordCapacity = ingest.arena.header(H.seriesRecordCapacity);
    ingest.arena.setHeader(H.seriesRecordCapacity, 0);
    run(ingest, untouched(ingest));
    ingest.arena.setHeader(H.stagedCapacity, capacity);
    ingest.arena.setHeader(H.recordCapacity, recordCapacity);
    ingest.arena.setHeader(H.seriesRecordCapacity, seriesRecordCapacity);
    ingest.begin();
  };

  test(`malformed ${name}: every truncation is malformed or ends between two messages`, () => {
    const { body, ends } = sampleBody();
    withHead(1000, (ingest, before) => {
      for (let size = 0; size < body.length; size++) {
        const answer = stage(ingest, body.subarray(0, size), before);
        const want = ends.includes(size) ? STAGE.done : STAGE.malformed;
        equal(answer, want, `cut at ${size}`);
      }
      equal(stage(ingest, body, before), STAGE.miss);
    });
  });

  test(`malformed ${name}: what is staged when room runs out can be resumed to the same end`, () => {
    const { body, ends } = sampleBody();
    const known = body.subarray(0, ends[2]);
    withHead(1000, (ingest, before) => {
      equal(stage(ingest, known, before), STAGE.done);
      const want = Buffer.from(ingest.record);
      const { arena } = ingest;
      // A TimeSeries of 60 bytes behind its labels could hold 30 samples.
      arena.setHeader(H.stagedCapacity, 40);
      const tight = untouched(ingest);
      equal(stage(ingest, known, tight), STAGE.done);
      arena.setHeader(H.stagedCapacity, 31);
      equal(stage(ingest, known, untouched(ingest)), STAGE.full);
      arena.setHeader(H.stagedCapacity, 1000);
      const recordCapacity = arena.header(H.recordCapacity);
      arena.setHeader(H.recordCapacity, 31 * 28);
      equal(stage(ingest, known, untouched(ingest)), STAGE.full);
      arena.setHeader(H.recordCapacity, recordCapacity);
      equal(ingest.kernel.stage(HEADER, arena.header(H.resume), known.length), STAGE.done);
      deepEqual(Buffer.from(ingest.record), want);
    });
  });

  test(`malformed ${name}: ${MUTATED} mutated bodies give an answer and leave everything else alone, seed ${FUZZ_SEED}`, () => {
    const { body } = sampleBody();
    const mutation = fc.record({
      at: fc.nat(body.length - 1),
      byte: fc.oneof(fc.nat(255), fc.constantFrom(0, 0x0a, 0x12, 0x7f, 0x80, 0xff)),
      kind: fc.constantFrom('set', 'insert', 'remove'),
    });
    // With room for 34 samples the second series may not fit, with room for 1,000 the third is not known.
    const f = (room: number, wanted: number) =>
      withHead(room, (ingest, before) => {
        const seen = new Set<number>();
        fc.assert(
          fc.property(fc.array(mutation, { minLength: 1, maxLength: 6 }), (mutations) => {
            const bytes = [...body];
            for (const { at, byte, kind } of mutations) {
              if (kind === 'set') bytes[at] = byte;
              else
                bytes.splice(at, kind === 'remove' ? 1 : 0, ...(kind === 'insert' ? [byte] : []));
            }
            seen.add(stage(ingest, Buffer.from(bytes), before));
          }),
          { numRuns: MUTATED, seed: FUZZ_SEED },
        );
        ok(seen.has(STAGE.malformed) && seen.has(wanted), [...seen].join());
      });
    f(34, STAGE.full);
    f(1000, STAGE.miss);
  });

  test(`malformed ${name}: tags that are none`, () => {
    const m = labelField('__name__', 'a');
    const l = labelField('l', '');
    withHead(1000, (ingest, before) => {
      const f = (field: readonly number[], want: number): void => {
        const bytes = Buffer.from(field);
        equal(stage(ingest, bytes, before), want, `request: ${bytes.toString('hex')}`);
        const inSeries = messageField(1, Buffer.concat([m, l, bytes]));
        equal(stage(ingest, inSeries, before), want, `series: ${bytes.toString('hex')}`);
        const inSample = messageField(1, Buffer.concat([m, l, messageField(2, bytes)]));
        equal(stage(ingest, inSample, before), want, `sample: ${bytes.toString('hex')}`);
      };
      f([0x48, 0x01], STAGE.done);
      f([0xf8, 0xff, 0xff, 0xff, 0x0f, 0x01], STAGE.done);
      // Field 0, groups, wire types that there are not.
      for (const tag of [0x00, 0x02, 0x4b, 0x4c, 0x4e, 0x4f]) f([tag, 0x00], STAGE.malformed);
      // Overlong tags, of fields that we know and that we do not; a field number beyond 2^29.
      f([0x8a, 0x00, 0x00], STAGE.malformed);
      f([0xc8, 0x00, 0x00], STAGE.malformed);
      f([0xf8, 0xff, 0xff, 0xff, 0x1f, 0x01], STAGE.malformed);
      // Varints of eleven bytes, and contents that reach over the end.
      f([0x48, ...Array.from({ length: 10 }, () => 0xff), 0x01], STAGE.malformed);
      f([0x4a, 0x01], STAGE.malformed);
      f([0x49, 1, 2, 3, 4, 5, 6, 7], STAGE.malformed);
      f([0x4d, 1, 2, 3], STAGE.malformed);
      f([0x4a, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01], STAGE.malformed);
    });
  });

  test(`malformed ${name}: heads survive ${FUZZ_CASES} bodies, and take good ones afterwards, seed ${FUZZ_SEED}`, () => {
    const { body } = sampleBody();
    const random = new Random(20 + FUZZ_SEED);
    let refused = 0;
    for (let done = 0; done < FUZZ_CASES; done += BODIES_A_HEAD) {
      using directory = temporaryDirectory();
      using opened = openHead(directory.path, { twin, arenas: 2, arenaBytes: 32 << 20 });
      for (let i = Math.min(BODIES_A_HEAD, FUZZ_CASES - done); i > 0; i--) {
        const bytes = Buffer.from(body);
        for (let n = random.below(4); n >= 0; n--) bytes[random.below(body.length)] = random.u32();
        try {
          opened.head.write(bytes);
        } catch (thrown) {
          ok(thrown instanceof CodedError && thrown.code === 'bad_data', String(thrown));
          refused++;
        }
      }
      const late = sampleField([2 ** 45, 0, 0]);
      const good = messageField(1, Buffer.concat([labelField('__name__', 'good'), late]));
      equal(opened.head.write(good).accepted, 1);
    }
    ok(refused > FUZZ_CASES / 5, `${refused} were refused`);
  });
}
