/** Series that the kernel makes are those that TypeScript makes: labels, postings, refs and records of the log. */
import { deepEqual, equal, ok } from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { openHead, walRecords } from '../../../test/support/head-probe.ts';
import { temporaryDirectory } from '../../../test/support/temporary-directory.ts';
import { encodeWriteRequest } from '../../../test/support/write-request.ts';
import { H } from './arena-layout.ts';
import { PostingsReader } from './postings-reader.ts';

const text = fc.oneof(
  { weight: 6, arbitrary: fc.constantFrom('a', 'ab', 'b', 'job', 'instance', 'zzzzzzzz', 'pod') },
  { weight: 2, arbitrary: fc.string({ maxLength: 12 }) },
  {
    weight: 1,
    arbitrary: fc.constantFrom('', 'é', '😀', 'x'.repeat(127), 'y'.repeat(128), 'w'.repeat(300)),
  },
);
/** Labels as they come: names are mostly sorted and apart, values mostly not empty. */
const labels = fc
  .record({
    metric: fc.constantFrom('m', 'n', 'o'),
    rest: fc.array(fc.tuple(text, text), { maxLength: 6 }),
    sorted: fc.integer({ min: 0, max: 5 }),
    named: fc.integer({ min: 0, max: 20 }),
  })
  .map(({ metric, rest, sorted, named }): [string, string][] => {
    const all: [string, string][] = named === 0 ? rest : [['__name__', metric], ...rest];
    if (sorted === 0) return all;
    const unique = [...new Map(all)].filter(([name, value]) => name !== '' && value !== '');
    return unique.sort(([a], [b]) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
  });
const requests = fc.array(fc.array(labels, { maxLength: 12 }), { minLength: 1, maxLength: 6 });

interface Found {
  readonly series: string[];
  readonly refs: number[];
  readonly postings: Record<string, number[]>;
  readonly records: string[];
}

function write(plan: readonly [string, string][][][], twin: boolean): Found {
  using directory = temporaryDirectory();
  using opened = openHead(directory.path, { twin });
  for (const [n, request] of plan.entries()) {
    const samples: [number, number][] = [[n + 1, n]];
    opened.head.write(encodeWriteRequest(request.map((pairs) => ({ labels: pairs, samples }))));
  }
  const [ingest] = opened.head.arenas;
  ok(ingest !== undefined);
  const { arena } = ingest;
  const reader = new PostingsReader(arena);
  const postings: Found['postings'] = {};
  for (const name of reader.names()) {
    for (const value of reader.values(name))
      postings[`${name}=${value}`] = [...reader.postings(name, value)];
  }
  const addresses = Array.from({ length: arena.header(H.seriesCount) }, (_, i) =>
    arena.record(arena.header(H.seriesSlabs), 128, i),
  );
  return {
    series: addresses.map((at) => ingest.describe(at)),
    refs: addresses.map((at) => arena.getI64(at + 16)),
    postings,
    records: walRecords(directory.path),
  };
}

test('series: the kernel and TypeScript make the same ones', () => {
  fc.assert(
    fc.property(requests, (plan) => deepEqual(write(plan, false), write(plan, true))),
    { numRuns: 150 },
  );
});

test('series: thousands, over slabs and growing tables', () => {
  const plan = Array.from({ length: 3 }, (_, n) =>
    Array.from({ length: 3000 }, (_s, i): [string, string][] => [
      ['__name__', `m${i % 7}`],
      ['instance', `host-${(n * 3000 + i).toString(36)}`],
      ['job', `job${i % 13}`],
    ]),
  );
  const [kernel, twin] = [write(plan, false), write(plan, true)];
  deepEqual(kernel, twin);
  equal(kernel.series.length, 9000);
  equal(new Set(kernel.series).size, 9000);
  deepEqual(
    kernel.refs,
    Array.from({ length: 9000 }, (_, i) => i + 1),
  );
  equal(
    kernel.postings['job=job3']?.length,
    plan.flat().filter(([, , job]) => job?.[1] === 'job3').length,
  );
});
