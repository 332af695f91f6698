import { deepEqual, equal, match, throws } from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { temporaryDirectory } from '../../test/support/temporary-directory.ts';
import { lockDirectory } from './directory-lock.ts';

const withFlock = {
  skip: spawnSync('flock', ['--version']).error === undefined ? false : 'there is no flock program',
};

/** Whether a program that locks as Prometheus does gets the lock. */
function othersGetIt(directory: string): boolean {
  return spawnSync('flock', ['-n', join(directory, 'lock'), 'true']).status === 0;
}

test(
  'a lock keeps others out for as long as it is held, and leaves nothing behind',
  withFlock,
  () => {
    using directory = temporaryDirectory();
    const lock = lockDirectory(directory.path);
    equal(lock.kind, 'flock');
    equal(othersGetIt(directory.path), false);
    throws(
      () => lockDirectory(directory.path),
      (thrown: Error) =>
        thrown.message === `directory ${directory.path} is in use by process ${process.pid} (lock)`,
    );
    lock.release();
    deepEqual(readdirSync(directory.path), []);
    equal(othersGetIt(directory.path), true);
  },
);

test(
  'a lock that another process holds is respected until it ends, however it ends',
  withFlock,
  async () => {
    using directory = temporaryDirectory();
    const path = join(directory.path, 'lock');
    const holder = spawn('flock', ['-n', '-o', path, 'sh', '-c', 'echo held; exec sleep 60'], {
      stdio: ['ignore', 'pipe', 'inherit'],
      detached: true,
    });
    await once(holder.stdout, 'data');
    throws(() => lockDirectory(directory.path), /is in use by process \d+ \(lock\)$/);
    process.kill(-(holder.pid ?? 0), 'SIGKILL');
    await once(holder, 'exit');
    lockDirectory(directory.path).release();
  },
);

test('a lock file that a crash left behind is no lock', withFlock, () => {
  using directory = temporaryDirectory();
  writeFileSync(join(directory.path, 'lock'), '');
  lockDirectory(directory.path).release();
});

test('without a flock program a file stands in', () => {
  using directory = temporaryDirectory();
  const path = process.env['PATH'];
  process.env['PATH'] = directory.path;
  try {
    const lock = lockDirectory(directory.path);
    equal(lock.kind, 'file');
    match(readdirSync(directory.path).join(), /^thanos\.lock$/);
    throws(() => lockDirectory(directory.path), /is in use by process \d+ \(thanos\.lock\)$/);
    lock.release();
    deepEqual(readdirSync(directory.path), []);
    // A process that is gone holds nothing, nor does one that got the id of one that is gone.
    writeFileSync(join(directory.path, 'thanos.lock'), `${process.pid} 1\n`);
    lockDirectory(directory.path).release();
  } finally {
    process.env['PATH'] = path;
  }
});
