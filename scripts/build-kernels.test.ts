import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import test from 'node:test';

import { buildKernels } from './build-kernels.ts';

const LOCAL = '// kernel: memory=local\n';
const SHARED = '// kernel: memory=shared\n';
const ADD = 'export function add(a: i32, b: i32): i32 { return a + b; }\n';

async function inFolder(
  files: Readonly<Record<string, string>>,
  run: (folder: string) => Promise<void>,
): Promise<void> {
  const folder = mkdtempSync(path.join(tmpdir(), 'kernels-'));
  try {
    for (const [name, text] of Object.entries(files)) writeFileSync(path.join(folder, name), text);
    await run(folder);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

test('builds both kinds, skips what is up to date, removes what has no source', async () => {
  await inFolder({ 'one.as.ts': LOCAL + ADD, 'two.as.ts': SHARED + ADD }, async (folder) => {
    const states = async (): Promise<string[]> =>
      (await buildKernels(folder)).map((k) => `${k.name} ${k.memory} ${k.compiled}`);
    assert.deepEqual(await states(), ['one local true', 'two shared true']);
    assert.deepEqual(await states(), ['one local false', 'two shared false']);

    writeFileSync(path.join(folder, 'one.as.ts'), `${LOCAL}// changed\n${ADD}`);
    assert.deepEqual(await states(), ['one local true', 'two shared false']);

    // A cut-off output is built again, not trusted.
    writeFileSync(
      path.join(folder, 'wasm/two.wasm'),
      new Uint8Array([0, 97, 115, 109, 1, 0, 0, 0, 0]),
    );
    assert.deepEqual(await states(), ['one local false', 'two shared true']);

    rmSync(path.join(folder, 'one.as.ts'));
    assert.deepEqual(await states(), ['two shared false']);
    assert.deepEqual(readdirSync(path.join(folder, 'wasm')), ['two.wasm']);
  });
});

test('a built kernel runs over a memory that is passed in', async () => {
  const source = `${LOCAL}export function get(at: usize): i32 { return load<i32>(at); }\n`;
  await inFolder({ 'get.as.ts': source }, async (folder) => {
    await buildKernels(folder);
    const module = new WebAssembly.Module(readFileSync(path.join(folder, 'wasm/get.wasm')));
    const memory = new WebAssembly.Memory({ initial: 1 });
    new DataView(memory.buffer).setInt32(16, 42, true);
    const { get } = new WebAssembly.Instance(module, { env: { memory } }).exports;
    assert.equal((get as (at: number) => number)(16), 42);
  });
});

test('refuses kernels that break a rule, and leaves no output', async () => {
  const f = async (source: string, want: RegExp): Promise<void> => {
    await inFolder({ 'bad.as.ts': source }, async (folder) => {
      await assert.rejects(buildKernels(folder), want);
      assert.deepEqual(readdirSync(path.join(folder, 'wasm')), []);
    });
  };
  await f(ADD, /^Error: bad\.as\.ts: the first line must be/);
  await f(
    `${LOCAL}export function f(): i32 { return nope; }`,
    /bad\.as\.ts: does not compile\n.*nope/s,
  );
  await f(
    `${LOCAL}let n: i32 = 0;\nexport function next(): i32 { return n++; }`,
    /bad\.as\.ts: the kernel has 1 mutable global/,
  );
  await f(
    `${LOCAL}const table: StaticArray<i32> = [1, 2];\nexport function f(i: i32): i32 { return table[i]; }`,
    /static data segment/,
  );
  await f(
    `${LOCAL}@external("env", "log") declare function log(n: i32): void;\nexport function f(): void { log(1); }`,
    /an import of env\.log/,
  );
});
