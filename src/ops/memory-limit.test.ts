import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import test from 'node:test';
import { Worker } from 'node:worker_threads';
import { temporaryDirectory } from '../../test/support/temporary-directory.ts';
import { detectMemory, limitWorkerHeaps, memoryLimitBytes } from './memory-limit.ts';

const GIB = 1024 ** 3;

/** A root with files, and what is found there on a machine with 8 GiB. */
function detect(files: Readonly<Record<string, string>>) {
  using directory = temporaryDirectory();
  for (const [name, text] of Object.entries(files)) {
    const path = join(directory.path, name);
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, text);
  }
  return detectMemory({ root: directory.path, totalBytes: 8 * GIB });
}

test('the limit of a control group, of either version, else the memory of the machine', () => {
  const f = (files: Record<string, string>, bytes: number, source: string) =>
    assert.deepEqual(detect(files), { bytes, source });
  f({}, 8 * GIB, 'system');
  f({ '/sys/fs/cgroup/memory.max': `${GIB}\n`, '/proc/self/cgroup': '0::/\n' }, GIB, 'cgroup v2');
  f({ '/sys/fs/cgroup/memory.max': 'max\n' }, 8 * GIB, 'system');
  f({ '/sys/fs/cgroup/memory.max': `${16 * GIB}\n` }, 8 * GIB, 'system');
  f({ '/sys/fs/cgroup/memory.max': 'garbage' }, 8 * GIB, 'system');
  f({ '/sys/fs/cgroup/memory.max': '0\n' }, 8 * GIB, 'system');
  f(
    {
      '/proc/self/cgroup': '0::/system.slice/thanos.service\n',
      '/sys/fs/cgroup/system.slice/thanos.service/memory.max': 'max\n',
      '/sys/fs/cgroup/system.slice/memory.max': `${2 * GIB}\n`,
    },
    2 * GIB,
    'cgroup v2',
  );
  const v1 = '12:cpu,cpuacct:/docker/abc\n4:memory:/docker/abc\n0::/\n';
  const none = '9223372036854771712\n';
  f(
    {
      '/proc/self/cgroup': v1,
      '/sys/fs/cgroup/memory/docker/abc/memory.limit_in_bytes': `${GIB}\n`,
    },
    GIB,
    'cgroup v1',
  );
  // In a container the group's own directory is what is mounted.
  f(
    { '/proc/self/cgroup': v1, '/sys/fs/cgroup/memory/memory.limit_in_bytes': `${3 * GIB}\n` },
    3 * GIB,
    'cgroup v1',
  );
  f(
    { '/proc/self/cgroup': v1, '/sys/fs/cgroup/memory/memory.limit_in_bytes': none },
    8 * GIB,
    'system',
  );
  f(
    { '/proc/self/cgroup': '0::/../../up\n', '/sys/fs/cgroup/up/memory.max': '1048576' },
    1048576,
    'cgroup v2',
  );
});

test('so much of it', () => {
  const f = (ratio: number, bytes: number) => {
    using directory = temporaryDirectory();
    assert.equal(memoryLimitBytes({ ratio, root: directory.path, totalBytes: 1001 }), bytes);
  };
  f(1, 1001);
  f(0.9, 900);
  f(0.5, 500);
  for (const ratio of [0, -1, 1.01, NaN, Infinity]) {
    assert.throws(
      () => memoryLimitBytes({ ratio }),
      /--auto-gomemlimit\.ratio must be greater than 0 and less than or equal to 1\./,
    );
  }
});

test('the machine that this runs on has some', () => {
  assert.ok(detectMemory().bytes > 64 * 1024 * 1024);
});

test('workers that start later have the heap that they are given', async () => {
  const limitOf = async (): Promise<number> => {
    const code = `const { parentPort } = require('node:worker_threads');
      parentPort.postMessage(require('node:v8').getHeapStatistics().heap_size_limit);`;
    const worker = new Worker(code, { eval: true });
    const [bytes] = (await once(worker, 'message')) as [number];
    await worker.terminate();
    return bytes;
  };
  const before = await limitOf();
  try {
    limitWorkerHeaps(200 * 1024 * 1024);
    const limited = await limitOf();
    // The young generation comes on top.
    assert.ok(limited >= 200 * 1024 * 1024 && limited < 400 * 1024 * 1024, String(limited));
  } finally {
    limitWorkerHeaps(0);
  }
  assert.equal(await limitOf(), before);
});
