import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import test from 'node:test';

const BIN = path.resolve(import.meta.dirname, '../bin');
const PRINT = `
const { UV_THREADPOOL_SIZE, NODE_COMPILE_CACHE } = process.env;
const [, main, ...args] = process.argv;
const flags = process.execArgv;
console.log(JSON.stringify({ main, flags, args, UV_THREADPOOL_SIZE, NODE_COMPILE_CACHE }));
process.exit(7);
`;

interface Started {
  readonly code: number | null;
  readonly error: string;
  readonly said: Readonly<Record<string, unknown>>;
}

/** A root with the launcher and these files, run through the program given by its path in the root. */
function launch(
  options: { files: readonly string[]; pinned?: string; program?: string; env?: NodeJS.ProcessEnv },
  ...args: string[]
): Started {
  const root = mkdtempSync(path.join(tmpdir(), 'launch-'));
  try {
    cpSync(BIN, path.join(root, 'bin'), { recursive: true });
    for (const file of options.files) {
      mkdirSync(path.dirname(path.join(root, file)), { recursive: true });
      writeFileSync(path.join(root, file), PRINT);
    }
    if (options.pinned !== undefined) {
      mkdirSync(path.dirname(path.join(root, options.pinned)), { recursive: true });
      symlinkSync(process.execPath, path.join(root, options.pinned));
    }
    mkdirSync(path.join(root, 'links'));
    symlinkSync('../bin/thanos', path.join(root, 'links/first'));
    symlinkSync('first', path.join(root, 'links/second'));
    const { status, stdout, stderr } = spawnSync(
      path.join(root, options.program ?? 'bin/thanos'),
      args,
      {
        encoding: 'utf8',
        env: { PATH: '/usr/bin:/bin', HOME: root, ...options.env },
      },
    );
    const text = stdout.replaceAll(root, '<root>');
    const said = text === '' ? {} : (JSON.parse(text) as Record<string, unknown>);
    return { code: status, error: stderr.replaceAll(root, '<root>'), said };
  } finally {
    rmSync(root, { recursive: true, force: true });
  }
}

const CHECKOUT = { files: ['src/cmd/main.ts'], pinned: 'node_modules/.bin/node' };
const INSTALLED = { files: ['dist/main.js'] };

test('a checkout runs its sources with the pinned Node', () => {
  const { code, said } = launch(CHECKOUT, 'all', '--x=a b', '');
  assert.equal(code, 7);
  const { UV_THREADPOOL_SIZE: threads, ...rest } = said;
  assert.ok(Number(threads) > 4, String(threads)); // and some for each core
  assert.deepEqual(rest, {
    main: '<root>/src/cmd/main.ts',
    flags: ['--initial-old-space-size=128'],
    args: ['all', '--x=a b', ''],
    NODE_COMPILE_CACHE: '<root>/.cache/thanos/compile',
  });
});

test('symlinks are followed', () => {
  assert.equal(
    launch({ ...CHECKOUT, program: 'links/second' }).said['main'],
    '<root>/src/cmd/main.ts',
  );
});

test('an installed package runs its bundle with the Node beside or on PATH', () => {
  const beside = launch({
    ...INSTALLED,
    pinned: 'node_modules/node/bin/node',
    env: { PATH: '/usr/bin:/bin' },
  });
  assert.deepEqual([beside.code, beside.said['main']], [7, '<root>/dist/main.js']);
  const onPath = launch({
    ...INSTALLED,
    env: { PATH: `${path.dirname(process.execPath)}:/usr/bin:/bin` },
  });
  assert.deepEqual([onPath.code, onPath.said['main']], [7, '<root>/dist/main.js']);
  // Built, then stripped of the development dependencies.
  const stripped = launch({
    files: ['src/cmd/main.ts', 'dist/main.js'],
    env: { PATH: `${path.dirname(process.execPath)}:/usr/bin:/bin` },
  });
  assert.deepEqual([stripped.code, stripped.said['main']], [7, '<root>/dist/main.js']);
});

test('what is set already stays, and a cache that cannot be made is left out', () => {
  const f = (env: NodeJS.ProcessEnv, cache: string | undefined): void => {
    assert.equal(launch({ ...CHECKOUT, env }).said['NODE_COMPILE_CACHE'], cache);
  };
  f({ XDG_CACHE_HOME: undefined }, '<root>/.cache/thanos/compile');
  f({ NODE_COMPILE_CACHE: '/dev/null/mine' }, '/dev/null/mine');
  f({ XDG_CACHE_HOME: '/dev/null' }, undefined);
  f({ HOME: '/proc/nowhere' }, undefined);
  f({ HOME: undefined }, undefined);
  const { said } = launch({ ...CHECKOUT, env: { UV_THREADPOOL_SIZE: '9' } });
  assert.equal(said['UV_THREADPOOL_SIZE'], '9');
});

test('what is missing is said in a sentence', () => {
  const f = (options: Parameters<typeof launch>[0], want: RegExp): void => {
    const { code, error } = launch(options);
    assert.equal(code, 1);
    assert.match(error, want);
  };
  f(
    { files: ['src/cmd/main.ts'] },
    /^thanos: the dependencies .* not installed; run `npm ci` in <root>\n$/,
  );
  f(
    { ...CHECKOUT, files: ['src/cmd/main.ts', 'src/kernels/x.as.ts'] },
    /^thanos: the kernels .* not built; run `npm ci` in <root>\n$/,
  );
  f({ files: [] }, /^thanos: <root>\/dist\/main\.js is missing; install the package again\n$/);
});
