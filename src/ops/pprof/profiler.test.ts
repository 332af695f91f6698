import assert from 'node:assert/strict';
import { once } from 'node:events';
import test, { type TestContext } from 'node:test';
import { Worker } from 'node:worker_threads';
import { gunzipSync } from 'node:zlib';
import { type Field, contentsOf, fieldsOf, intOf } from '../../../test/support/protobuf.ts';
import { nopLogger } from '../../lib/log.ts';
import { HttpMetrics } from '../http-metrics.ts';
import { HttpServer } from '../http-server.ts';
import { ProcessMetrics } from '../metrics.ts';
import { Profiler } from './profiler.ts';

interface Decoded {
  readonly types: readonly string[];
  readonly samples: readonly {
    readonly stack: readonly string[];
    readonly values: readonly number[];
    readonly thread: string;
  }[];
}

/** By the field numbers of profile.proto. */
function decode(bytes: Uint8Array): Decoded {
  const profile = fieldsOf(gunzipSync(bytes));
  const texts = contentsOf(profile, 6).map((text) => text.toString('utf8'));
  const text = (message: readonly Field[], field: number) => texts[intOf(message, field)] ?? '?';
  const all = (field: number) => contentsOf(profile, field).map((content) => fieldsOf(content));
  const functions = new Map(all(5).map((f) => [intOf(f, 1), `${text(f, 2)}@${text(f, 4)}`]));
  const locations = new Map(
    all(4).map((location) => {
      const [line] = contentsOf(location, 4).map((content) => fieldsOf(content));
      assert.equal(intOf(location, 2), 1, 'of the mapping');
      return [intOf(location, 1), functions.get(intOf(line ?? [], 1)) ?? '?'];
    }),
  );
  return {
    types: all(1).map((type) => `${text(type, 1)}/${text(type, 2)}`),
    samples: all(2).map((sample) => {
      const [label] = contentsOf(sample, 3).map((content) => fieldsOf(content));
      assert.equal(text(label ?? [], 1), 'thread');
      return {
        stack: numbers(contentsOf(sample, 1)[0]).map((id) => locations.get(id) ?? '?'),
        values: numbers(contentsOf(sample, 2)[0]),
        thread: text(label ?? [], 2),
      };
    }),
  };
}

function numbers(packed: Buffer | undefined): number[] {
  const out: number[] = [];
  let value = 0;
  let factor = 1;
  for (const byte of packed ?? []) {
    value += (byte & 127) * factor;
    factor *= 128;
    if (byte >= 128) continue;
    out.push(value);
    [value, factor] = [0, 1];
  }
  return out;
}

/** Computes for about so many ms. */
function burnHere(ms: number): number {
  let x = 0;
  for (const end = performance.now() + ms; performance.now() < end;) x += Math.sqrt(x + 1);
  return x;
}

/** A worker that computes all the time. */
async function busyWorker(t: TestContext): Promise<void> {
  const code = `function burnThere(x) { for (let i = 0; i < 1000; i++) x += Math.sqrt(x + i); return x; }
    require('node:worker_threads').parentPort.postMessage('ready');
    for (let x = 0; ; ) x = burnThere(x);`;
  const worker = new Worker(code, { eval: true, name: 'busy' });
  t.after(() => worker.terminate());
  await once(worker, 'message');
}

test('CPU of the main thread and of a worker that never pauses', async (t) => {
  await busyWorker(t);
  const profiler = new Profiler();
  const stop = new AbortController();
  const taken = profiler.cpu('cpu', 60_000, stop.signal);
  const second = await profiler.cpu('cpu', 0, stop.signal).catch((thrown: unknown) => thrown);
  assert.match(String(second), /cpu profiling already in use/);
  for (let i = 0; i < 10; i++) {
    burnHere(30);
    await new Promise(setImmediate);
  }
  stop.abort();
  const { types, samples } = decode(await taken);
  assert.deepEqual(types, ['samples/count', 'cpu/nanoseconds']);
  const here = samples.filter(({ stack }) => stack[0]?.startsWith('burnHere@'));
  const there = samples.filter(({ thread }) => thread.includes('busy'));
  assert.ok(here.length > 0 && here.every(({ thread }) => thread === 'main'));
  assert.ok(here[0]?.stack[0]?.endsWith('profiler.test.ts'));
  // V8 does not know a loop that it optimized while it ran, before the profile: its time is the caller's.
  assert.ok(there.some(({ stack }) => stack.some((frame) => frame.includes('[worker eval]'))));
  assert.ok(there.every(({ stack }) => !stack[0]?.startsWith('burnHere@')));
  assert.ok(samples.every(({ values }) => values.length === 2));
  assert.ok(samples.every(({ stack }) => stack[0] !== '(idle)@'));
  const ns = here.reduce((sum, { values }) => sum + (values[1] ?? 0), 0);
  assert.ok(ns > 20e6, `300 ms of work were seen as ${ns} ns`);
});

test('the wall clock counts what is idle, too', async () => {
  const taken = await new Profiler().cpu('wall', 50, new AbortController().signal);
  const { types, samples } = decode(taken);
  assert.deepEqual(types, ['samples/count', 'time/nanoseconds']);
  assert.ok(samples.some(({ stack }) => stack[0] === '(idle)@'));
});

test('who allocates, and what of it is still there', async () => {
  const kept: unknown[] = [];
  const keep = (): void => {
    for (let i = 0; i < 100_000; i++) kept.push({ i, text: `${i}` });
  };
  const waste = (): number => {
    let n = 0;
    for (let i = 0; i < 1000; i++) n += Array.from({ length: 1000 }, (_, j) => ({ j })).length;
    return n;
  };
  const profiler = new Profiler();
  const take = async (scope: 'inuse' | 'alloc') => {
    const stop = new AbortController();
    const options = { scope, durationMs: 60_000, collect: true, signal: stop.signal };
    const taken = profiler.heap(options);
    await new Promise((resolve) => setTimeout(resolve, 10));
    keep();
    waste();
    stop.abort();
    return decode(await taken);
  };
  const bytesOf = ({ samples }: Decoded, name: string) =>
    samples
      .filter(({ stack }) => stack.some((frame) => frame.startsWith(`${name}@`)))
      .reduce((sum, { values }) => sum + (values[0] ?? 0), 0);
  const inuse = await take('inuse');
  assert.deepEqual(inuse.types, ['inuse_space/bytes']);
  assert.ok(bytesOf(inuse, 'keep') > 1e6);
  assert.ok(bytesOf(inuse, 'waste') < bytesOf(inuse, 'keep'));
  const alloc = await take('alloc');
  assert.deepEqual(alloc.types, ['alloc_space/bytes']);
  assert.ok(bytesOf(alloc, 'waste') > 1e6);
  assert.ok(kept.length > 0);
});

test('a heap that is watched from the start needs no wait, and workers that come later are in it', async (t) => {
  const profiler = new Profiler();
  t.after(() => profiler.close());
  await profiler.watchHeap();
  const kept: unknown[] = [];
  (function hoard() {
    for (let i = 0; i < 100_000; i++) kept.push({ i, text: `${i}` });
  })();
  const code = `const kept = [];
    (function hoardThere() { for (let i = 0; i < 200000; i++) kept.push({ i, text: String(i) }); })();
    const port = require('node:worker_threads').parentPort;
    port.on('message', () => {
      (function hoardLater() { for (let i = 0; i < 200000; i++) kept.push({ i, text: String(i) }); })();
      port.postMessage(kept.length);
    });
    port.postMessage('ready');`;
  const worker = new Worker(code, { eval: true, name: 'late' });
  t.after(() => worker.terminate());
  await once(worker, 'message');
  const never = new AbortController().signal;
  const options = { scope: 'inuse', durationMs: 1e9, collect: false, signal: never } as const;
  await profiler.heap(options);
  worker.postMessage('go');
  await once(worker, 'message');
  const { samples } = decode(await profiler.heap(options));
  const has = (name: string) =>
    samples.some(({ stack }) => stack.some((frame) => frame.startsWith(`${name}@`)));
  assert.ok(has('hoard'));
  assert.ok(has('hoardLater'));
  await assert.rejects(profiler.heap({ ...options, scope: 'alloc' }), /already in use/);
  assert.ok(kept.length > 0);
});

test('the endpoints', async (t) => {
  const profiler = new Profiler();
  const server = new HttpServer({
    log: nopLogger,
    httpMetrics: new HttpMetrics(new ProcessMetrics(), ''),
    gracePeriodMs: 1000,
    profiler,
  });
  const base = `http://${await server.listen('127.0.0.1:0')}`;
  t.after(() => server.close());
  const f = async (path: string, status: number, body: RegExp) => {
    const got = await fetch(base + path, { redirect: 'manual' });
    assert.equal(got.status, status, path);
    assert.match(await got.text(), body, path);
  };
  await f('/debug/pprof', 301, /^$/);
  await f('/debug/pprof/', 200, /<a href="profile">/);
  await f('/debug/pprof/cmdline', 404, /^Unknown profile\n$/);
  await f('/debug/pprof/__proto__', 404, /^Unknown profile\n$/);
  await f('/debug/pprof/symbol', 200, /^num_symbols: 0\n$/);
  for (const name of ['goroutine', 'block', 'mutex', 'threadcreate', 'trace']) {
    await f(`/debug/pprof/${name}`, 501, new RegExp(/^[a-z]+: not available, /));
  }
  await f('/debug/pprof/heap?debug=1', 400, /go tool pprof/);
  await f('/debug/pprof/heap?seconds=0', 400, /invalid value for "seconds"/);
  await f('/debug/fgprof?format=folded', 400, /unknown format: "folded"/);
  const got = await fetch(`${base}/debug/pprof/profile?seconds=1`);
  assert.equal(got.headers.get('content-type'), 'application/octet-stream');
  assert.equal(got.headers.get('content-disposition'), 'attachment; filename="profile"');
  assert.deepEqual(decode(await got.bytes()).types, ['samples/count', 'cpu/nanoseconds']);
  const other = await fetch(`${base}/debug/pprof/allocs?seconds=1`);
  assert.deepEqual(decode(await other.bytes()).types, ['alloc_space/bytes']);
});

test('a client that goes away ends its profile', async (t) => {
  const profiler = new Profiler();
  const server = new HttpServer({
    log: nopLogger,
    httpMetrics: new HttpMetrics(new ProcessMetrics(), ''),
    gracePeriodMs: 1000,
    profiler,
  });
  const base = `http://${await server.listen('127.0.0.1:0')}`;
  t.after(() => server.close());
  const stop = new AbortController();
  const asked = fetch(`${base}/debug/pprof/profile?seconds=600`, { signal: stop.signal });
  const busy = async () => (await fetch(`${base}/debug/pprof/profile?seconds=1`)).status === 500;
  while (!(await busy())) await new Promise(setImmediate);
  stop.abort();
  await assert.rejects(asked);
  while (await busy()) await new Promise(setImmediate);
});
