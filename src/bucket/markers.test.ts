import { deepEqual, equal, rejects, throws } from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { FaultyBucket } from '../../test/support/faulty-bucket.ts';
import { tinyUlid } from '../../test/support/tiny-block.ts';
import type { CodedError } from '../lib/errors.ts';
import { encodeUtf8 } from '../lib/utf8.ts';
import { MemoryBucket } from '../objstore/memory.ts';
import { readObject } from '../objstore/read-object.ts';
import {
  type BlockMark,
  encodeMark,
  type MarkKind,
  markPath,
  parseMark,
  readMark,
  removeMark,
  writeMark,
} from './markers.ts';

const id = '01M7YF2Z91SGB2KEBY4MJJ0436';

/** Texts by the field order and names of thanos pkg/block/metadata/markers.go. */
const CASES: readonly (readonly [string, BlockMark])[] = [
  [
    `{"id":"${id}","version":1,"details":"source of compacted block","deletion_time":1790000000}`,
    {
      kind: 'deletion',
      id,
      time: 1_790_000_000_000,
      details: 'source of compacted block',
      reason: '',
    },
  ],
  [
    `{"id":"${id}","version":1,"deletion_time":5}`,
    { kind: 'deletion', id, time: 5000, details: '', reason: '' },
  ],
  [
    `{"id":"${id}","version":1,"details":"a \\u003c b \\"q\\"","no_compact_time":7,"reason":"manual"}`,
    { kind: 'no-compact', id, time: 7000, details: 'a < b "q"', reason: 'manual' },
  ],
  [
    `{"id":"${id}","version":1,"no_downsample_time":7,"reason":"manual"}`,
    { kind: 'no-downsample', id, time: 7000, details: '', reason: 'manual' },
  ],
];

test('marks: texts as Go writes them', () => {
  for (const [text, mark] of CASES) {
    deepEqual(parseMark(text, mark.kind, 'x'), mark);
    equal(encodeMark(mark), text);
  }
  const [, mark] = CASES[1] ?? [];
  equal(mark && encodeMark({ ...mark, time: 5999 }), CASES[1]?.[0]);
});

test('marks: what is wrong', () => {
  const f = (text: string, kind: MarkKind, message: string): void => {
    throws(() => parseMark(text, kind, 'p'), { code: 'corrupt', message }, text);
  };
  f('[]', 'deletion', 'the content is not an object (p)');
  f('{}', 'deletion', 'unexpected deletion-mark file version 0, expected 1 (p)');
  f('{"version":2}', 'no-compact', 'unexpected no-compact-mark file version 2, expected 1 (p)');
  f('{"version":1}', 'deletion', 'id is not a ULID (p)');
  f(
    `{"version":1,"id":"${id}","deletion_time":"5"}`,
    'deletion',
    'deletion_time is not a time in seconds (p)',
  );
  f(`{"version":1,"id":"${id}","details":5}`, 'deletion', 'details is not a text (p)');
  f(`{"version":1,"id":"${id}","reason":5}`, 'no-compact', 'reason is not a text (p)');
  throws(() => parseMark('{"id"', 'deletion', 'p'), {
    code: 'corrupt',
    message: /^not JSON: .*\(p\)$/,
  });
});

test('marks: in a bucket', async () => {
  const bucket = new FaultyBucket(new MemoryBucket());
  const ulid = tinyUlid(1);
  const mark: BlockMark = {
    kind: 'no-compact',
    id: ulid,
    time: 9000,
    details: 'd',
    reason: 'manual',
  };
  equal(await readMark(bucket, mark1(mark)), undefined);
  equal(await writeMark(bucket, mark), true);
  equal(markPath(ulid, 'no-compact'), `${ulid}/no-compact-mark.json`);
  const bytes = await readObject(bucket, `${ulid}/no-compact-mark.json`);
  equal(Buffer.from(bytes).toString(), encodeMark(mark));
  deepEqual(await readMark(bucket, mark1(mark)), mark);
  equal(await writeMark(bucket, { ...mark, details: 'other' }), false);
  deepEqual(await readMark(bucket, mark1(mark)), mark);
  equal(await removeMark(bucket, mark1(mark)), true);
  equal(await removeMark(bucket, mark1(mark)), false);
  await bucket.upload(markPath(ulid, 'deletion'), encodeUtf8('{"half'));
  await rejects(readMark(bucket, { ulid, kind: 'deletion' }), { code: 'corrupt' });
  bucket.plan = () => ({ kind: 'fail' });
  await rejects(readMark(bucket, mark1(mark)), { code: 'unavailable' });
});

function mark1({ id: ulid, kind }: BlockMark): { ulid: string; kind: MarkKind } {
  return { ulid, kind };
}

test('marks: mutated texts give a mark or a sentence', () => {
  const texts = fc.constantFrom(...CASES);
  const edit = fc.tuple(fc.nat(), fc.nat(3), fc.string({ maxLength: 3 }));
  fc.assert(
    fc.property(
      texts,
      fc.array(edit, { minLength: 1, maxLength: 3 }),
      ([text, { kind }], edits) => {
        let mutated = text;
        for (const [seed, removed, added] of edits) {
          const at = seed % (mutated.length + 1);
          mutated = mutated.slice(0, at) + added + mutated.slice(at + removed);
        }
        try {
          equal(parseMark(mutated, kind, 'p').kind, kind);
        } catch (thrown) {
          equal((thrown as CodedError).code, 'corrupt', String(thrown));
        }
      },
    ),
    { numRuns: 2000 },
  );
});
