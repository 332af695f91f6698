import { deepEqual, equal, ok } from 'node:assert/strict';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { temporaryDirectory } from '../../../test/support/temporary-directory.ts';
import { FakeClock } from '../../lib/clock.ts';
import { nopLogger } from '../../lib/log.ts';
import type { LogValue, Logger } from '../../lib/log.ts';
import { ActiveQueries, activeEntry, unfinishedQueries } from './active-queries.ts';

/** A log that remembers its lines. */
function memoryLog() {
  const lines: [string, Record<string, LogValue> | undefined][] = [];
  const add = (msg: string, fields?: Record<string, LogValue>) => void lines.push([msg, fields]);
  const log: Logger = { ...nopLogger, info: add, error: add };
  return { lines, log };
}

test('active queries: entries as Prometheus writes them', () => {
  const f = (query: string, want: string) => {
    const entry = activeEntry(query, 1_700_000_000);
    equal(entry.length, 1000);
    equal(Buffer.from(entry).toString().replaceAll('\0', ''), `${want},`);
    equal(entry[999], 0x2c);
  };
  f('up', '{"query":"up","timestamp_sec":1700000000}');
  f('a{b="\\c"}\n', '{"query":"a{b=\\"\\\\c\\"}\\n","timestamp_sec":1700000000}');
  f('a < b & c > d', '{"query":"a \\u003c b \\u0026 c \\u003e d","timestamp_sec":1700000000}');
  // 1000 bytes less the comma and the 38 of an empty entry.
  f('x'.repeat(5000), `{"query":"${'x'.repeat(960)}","timestamp_sec":1700000000}`);
  // Nothing is cut inside a character, nor inside what stands for it.
  f(`${'x'.repeat(959)}ä`, `{"query":"${'x'.repeat(959)}","timestamp_sec":1700000000}`);
  f(`${'x'.repeat(958)}"`, `{"query":"${'x'.repeat(958)}\\"","timestamp_sec":1700000000}`);
  f(`${'x'.repeat(959)}"`, `{"query":"${'x'.repeat(959)}","timestamp_sec":1700000000}`);
});

test('active queries: what a file says was left', () => {
  const f = (content: string, want: string | undefined) =>
    equal(unfinishedQueries(Buffer.from(content)), want);
  // The cases of Prometheus' own TestParseBrokenJSON.
  f('', undefined);
  f('\0\0', undefined);
  f('\0[\0', undefined);
  f('\0[]\0', '[]');
  f('["up == 0","rate(http_requests[2w]"]\0\0\0', '["up == 0","rate(http_requests[2w]"]');
  // What a run leaves has commas and gaps.
  f('[{"x":1}\0,\0\0{"y":2}\0,\0', '[{"x":1},{"y":2}]');
});

test('active queries: the file through a run, a crash and the next start', async () => {
  using directory = temporaryDirectory();
  const path = join(directory.path, 'new/queries.active');
  const clock = new FakeClock(1_700_000_000_900);
  const first = memoryLog();
  const run = await ActiveQueries.open(join(directory.path, 'new'), 2, { clock, log: first.log });
  ok(run !== undefined);
  deepEqual([...readFileSync(path)], [0x5b, ...new Uint8Array(2000)]);
  const [a, b] = [run.insert('a'), run.insert('b')];
  equal(run.insert('one too many'), -1);
  run.remove(-1);
  run.remove(a);
  const c = run.insert('c');
  equal(c, a);
  await run.close();
  const entries = readFileSync(path);
  equal(entries.length, 2001);
  equal(
    Buffer.from(activeEntry('c', 1_700_000_000)).compare(
      entries.subarray(1 + c * 1000, 1001 + c * 1000),
    ),
    0,
  );
  deepEqual(first.lines, []);

  const second = memoryLog();
  const next = await ActiveQueries.open(join(directory.path, 'new'), 2, { clock, log: second.log });
  const at = '"timestamp_sec":1700000000}';
  const left = b > c ? ['c', 'b'] : ['b', 'c'];
  deepEqual(second.lines, [
    [
      "These queries didn't finish in prometheus' last run:",
      { queries: `[${left.map((q) => `{"query":"${q}",${at}`).join(',')}]` },
    ],
  ]);
  deepEqual([...readFileSync(path)], [0x5b, ...new Uint8Array(2000)]);
  const d = next?.insert('d') ?? -1;
  next?.remove(d);
  await next?.close();
  deepEqual([...readFileSync(path)], [0x5b, ...new Uint8Array(2000)]);
});

test('active queries: a file that cannot be made is a line in the log', async () => {
  using directory = temporaryDirectory();
  const { lines, log } = memoryLog();
  const clock = new FakeClock(0);
  mkdirSync(join(directory.path, 'queries.active'));
  equal(await ActiveQueries.open(directory.path, 2, { clock, log }), undefined);
  writeFileSync(join(directory.path, 'file'), '');
  equal(await ActiveQueries.open(join(directory.path, 'file'), 2, { clock, log }), undefined);
  deepEqual(
    lines.map(([msg]) => msg),
    ['active queries are not tracked', 'active queries are not tracked'],
  );
});
