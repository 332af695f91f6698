import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import test from 'node:test';

import { report } from './tidy/report.ts';
import { Tree, readTree } from './tidy/tree.ts';
import { tidy } from './tidy.ts';

type Files = Readonly<Record<string, string>>;

/** Findings of a tree as `file:line: rule: …` with messages cut to what a case compares. */
function found(files: Files, root = '/checkout/place/here'): string[] {
  const tree = new Tree(root, new Map(Object.entries(files)));
  return tidy(tree, []).map(
    ({ file, line, rule, message }) => `${file}:${line}: ${rule}: ${message}`,
  );
}

/** One file in src, another that it imports: the finding must match, or there must be none. */
function imports(from: string, to: string, want: RegExp | undefined): void {
  const relative = path.posix.relative(path.posix.dirname(from), to);
  const specifier = relative.startsWith('.') ? relative : `./${relative}`;
  const texts = [
    `import { x } from '${specifier}';\nx();\n`,
    `import type { x } from '${specifier}';\n`,
    `const { x } = await import('${specifier}');\n`,
    `new Worker(new URL('${specifier}', import.meta.url));\n`,
  ];
  for (const text of texts) {
    const findings = found({
      [from]: text,
      [to]: to.endsWith('.json') ? '{}' : 'export const x = 1;\n',
    });
    if (want === undefined) assert.deepEqual(findings, [], `${from} -> ${to}`);
    else {
      assert.equal(findings.length, 1, `${from} -> ${to}: ${findings.join('\n')}`);
      assert.match(findings[0] ?? '', want);
    }
  }
}

test('layers', () => {
  const f = imports;
  f('src/tsdb/db.ts', 'src/lib/clock.ts', undefined);
  f('src/lib/clock.ts', 'src/model/labels.ts', /lib \(L0\) imports only lower levels, model is L1/);
  f('src/lib/clock.ts', 'src/kernels/load.ts', /siblings on L0/);
  f('src/ops/log.ts', 'src/cache/lru.ts', /siblings on L3/);
  f('src/promql/engine.ts', 'src/tsdb/db.ts', /promql and tsdb are siblings/);
  f('src/promql/engine.ts', 'src/ops/log.ts', /promql sees only .*, not ops/);
  f('src/promql/engine.ts', 'src/storage/storage.ts', undefined);
  f('src/chunkenc/xor.ts', 'src/kernels/load.ts', undefined);
  f('src/tsdb/db.ts', 'src/gen/store.ts', /only rpc and http import gen/);
  f('src/rpc/client.ts', 'src/gen/store.ts', undefined);
  f('src/lib/clock.ts', 'src/other/x.ts', /no layer of src is called "other"/);
  f('src/lib/clock.ts', 'scripts/test.ts', /lies outside src/);
  f('src/lib/clock.ts', 'test/support/x.ts', /lies outside src/);
  f('src/lib/clock.test.ts', 'test/support/x.ts', undefined);
  f('src/lib/clock.ts', 'src/lib/x.test.ts', /no import from a test/);
  f('src/cmd/main.ts', 'package.json', undefined);
});

test('orders inside tsdb, promql and components', () => {
  const f = imports;
  f('src/tsdb/chunks/a.ts', 'src/tsdb/index/b.ts', /tsdb\/chunks lies below tsdb\/index/);
  f('src/tsdb/head/a.ts', 'src/tsdb/wal/b.ts', undefined);
  f('src/tsdb/head/a.ts', 'src/tsdb/block/b.ts', /siblings/);
  f('src/tsdb/compact/a.ts', 'src/tsdb/db.ts', /tsdb\/compact lies below tsdb\/db\.ts/);
  f('src/tsdb/db.ts', 'src/tsdb/compact/a.ts', undefined);
  f('src/tsdb/other/a.ts', 'src/lib/b.ts', /no place in the order inside tsdb/);
  f('src/promql/funcs/rate.ts', 'src/promql/parse/ast.ts', /funcs lies below promql\/parse/);
  f('src/promql/exec/scan.ts', 'src/promql/funcs/rate.ts', undefined);
  f('src/promql/plan/build.ts', 'src/promql/exec/scan.ts', /plan lies below promql\/exec/);
  f('src/components/ruler/a.ts', 'src/components/querier/b.ts', /siblings/);
  f('src/components/all/a.ts', 'src/components/querier/b.ts', undefined);
});

test('cycles, also of types only', () => {
  const a = "import type { b } from './b.ts';\n";
  const files = { 'src/lib/a.ts': a, 'src/lib/b.ts': "import { a } from './a.ts';\na();\n" };
  assert.deepEqual(found(files), [
    'src/lib/a.ts:1: cycles: import cycle: src/lib/a.ts -> src/lib/b.ts -> src/lib/a.ts',
  ]);
});

/** Files of a tree, and the places and rules of its findings. */
function rules(files: Files, want: readonly string[], root?: string): void {
  assert.deepEqual(
    found(files, root).map((line) => line.split(': ', 2).join(' ')),
    want,
  );
}

test('barrels', () => {
  const x = { 'src/lib/x.ts': 'export const y = 1;\n' };
  rules({ ...x, 'src/lib/index.ts': 'export const a = 1;\n' }, ['src/lib/index.ts:1 barrels']);
  rules({ ...x, 'src/lib/all.ts': "/** All. */\nexport * from './x.ts';\n" }, [
    'src/lib/all.ts:1 barrels',
  ]);
  rules({ ...x, 'src/lib/all.ts': "import { y } from './x.ts';\nexport { y };\n" }, [
    'src/lib/all.ts:1 barrels',
  ]);
  rules({ ...x, 'src/lib/own.ts': "export { y } from './x.ts';\nexport const a = 1;\n" }, []);
});

test('banned calls', () => {
  const f = (code: string, ...want: string[]): void =>
    rules({ 'src/tsdb/db.ts': `${code}\n` }, want);
  f('a.localeCompare(b);', 'src/tsdb/db.ts:1 locale-compare');
  f('a.sort();', 'src/tsdb/db.ts:1 bare-sort');
  f('[...b].toSorted();', 'src/tsdb/db.ts:1 bare-sort');
  f('a.sort(compareUtf8);');
  f('// tidy: bare-sort: typed array\na.sort();');
  f('a.sort(); // tidy: bare-sort:', 'src/tsdb/db.ts:1 bare-sort');
  f('Date.now();', 'src/tsdb/db.ts:1 date-now');
  f('const now = Date.now;', 'src/tsdb/db.ts:1 date-now');
  f('Math.random();', 'src/tsdb/db.ts:1 math-random');
  f('new RegExp(text);', 'src/tsdb/db.ts:1 bare-regexp');
  f("new RegExp('a+', 'g');");
  f("new RegExp('a' + b);", 'src/tsdb/db.ts:1 bare-regexp');
  f('// tidy: bare-regexp: our own constant\nnew RegExp(PATTERN);');
  f("'Date.now()'; // Math.random()");
  rules({ 'src/ops/x.ts': 'Date.now();\n', 'src/model/m.ts': 'new RegExp(text);\n' }, []);
});

test('names, sizes, open work and packages', () => {
  const f = (file: string, text: string, ...want: string[]): void => {
    rules({ 'package.json': '{"dependencies":{"@a/b":"1.0.0"}}', [file]: text }, want);
  };
  f('src/lib/looserTree.ts', '', 'src/lib/looserTree.ts:1 names');
  f('src/lib/utils.ts', '', 'src/lib/utils.ts:1 names');
  f('src/lib/a.corrupt.test.ts', '');
  f('src/lib/a.ts', 'x();\n'.repeat(800));
  f('src/lib/a.ts', 'x();\n'.repeat(801), 'src/lib/a.ts:801 sizes');
  f('src/lib/a.ts', '/* one\nTODO two */\n', 'src/lib/a.ts:2 open-work');
  f('src/lib/a.ts', '// TODO(#12): two\n"TODO"\n');
  f('src/lib/a.ts', "import { c } from '@a/b/c';\nimport fs from 'node:fs';\nc(fs);\n");
  f('src/lib/a.ts', "import { c } from 'other';\nc();\n", 'src/lib/a.ts:1 packages');
  f('src/lib/a.test.ts', "import { c } from 'other';\nc();\n");
});

test('links and marks in Markdown', () => {
  const f = (text: string, ...want: string[]): void => {
    rules({ 'docs/a.md': text, 'docs/format/b.md': '', 'README.md': '' }, want);
  };
  f('[b](format/b.md#part) [up](../README.md) [folder](format/) [web](https://x.y/z) [here](#a)');
  f('\n[gone](gone.md)', 'docs/a.md:2 links');
  f('![picture](p.png)', 'docs/a.md:1 links');
  f('[ref]\n\n[ref]: gone.md', 'docs/a.md:3 links');
  f('`[x](gone.md)`\n```\n[x](gone.md)\n```\n');
  f('```yaml run\na: 1\n```', 'docs/a.md:1 blocks');
});

test('versions, lockfile and paths', () => {
  rules({ 'package.json': '{\n"devDependencies": {\n"a": "^1.2.3", "b": "1.2.3-rc.1"}}' }, [
    'package.json:3 versions',
  ]);
  const address = '{\n"resolved": "https://registry/x.tgz"\n}';
  rules({ 'package-lock.json': address }, ['package-lock.json:2 lockfile']);
  rules({ 'package-lock.json': '{\n"resolved": "ui",\n"link": true }' }, []);
  rules({ 'a.md': 'see /checkout/place/other/x' }, ['a.md:1 paths']);
  rules({ 'a.md': 'see my/checkout/place/x and /checkout/placement/x' }, []);
  // Everybody has a /tmp; only the checkout itself is somebody's own.
  rules({ 'a.md': '/tmp/data and /tmp/clone/src' }, ['a.md:1 paths'], '/tmp/clone');
  rules({ 'a.md': '/tmp/data' }, [], '/tmp/clone');
});

test('an exception excuses its file and rule, and nothing else is left over', () => {
  const tree = new Tree(
    '/checkout/place',
    new Map([['src/tsdb/db.ts', 'Date.now();\na.sort();\n']]),
  );
  const excuse = { file: 'src/tsdb/db.ts', rule: 'date-now', reason: 'a test' };
  const unused = { file: 'src/tsdb/db.ts', rule: 'sizes', reason: 'a test' };
  assert.deepEqual(
    tidy(tree, [excuse, unused]).map(({ file, rule }) => `${file} ${rule}`),
    ['scripts/tidy.ts exceptions', 'src/tsdb/db.ts bare-sort'],
  );
});

test('reads what git tracks or would track, and source archives without history', () => {
  const root = mkdtempSync(path.join(tmpdir(), 'tidy-'));
  try {
    mkdirSync(path.join(root, 'node_modules/x'), { recursive: true });
    writeFileSync(path.join(root, '.gitignore'), 'node_modules/\nignored.ts\n');
    for (const file of ['a.ts', 'b.md', 'ignored.ts', 'node_modules/x/c.ts']) {
      writeFileSync(path.join(root, file), 'x();\n');
    }
    writeFileSync(path.join(root, 'binary.bin'), new Uint8Array([1, 0, 2]));
    const names = (): string[] =>
      [...readTree(root).files.keys()].filter((f) => !f.startsWith('.'));
    assert.deepEqual(names(), ['a.ts', 'b.md', 'ignored.ts']);
    execFileSync('git', ['init', '--quiet'], { cwd: root });
    assert.deepEqual(names(), ['a.ts', 'b.md']);
  } finally {
    rmSync(root, { recursive: true });
  }
});

test('the report finds what it counts', () => {
  const text = report(
    new Tree(
      '/checkout/place',
      new Map([
        [
          'src/lib/a.ts',
          '/** Said. */\nexport function long(): void {\n\n\n  x();\n}\nexport const bare = y as Z;\n',
        ],
        [
          'src/model/b.ts',
          "import { long } from '../lib/a.ts';\nlet v: any = w!.z;\nsetTimeout(long);\n",
        ],
        ['src/model/b.test.ts', "import { bare } from '../lib/a.ts';\nbare();\n"],
      ]),
    ),
  );
  const f = (want: RegExp): void => assert.match(text, want);
  f(/ 5 {2}long \(src\/lib\/a\.ts:2\)/);
  f(/any +1 /);
  f(/! +1 /);
  f(/as +1 /);
  f(/1 {2}src\/model\/b\.ts\n/);
  f(/without a sentence: 1\n {2}src\/lib\/a\.ts:7: bare\n/);
  f(/only tests import: 1\n {2}src\/lib\/a\.ts:7: bare\n/);
  f(/nobody imports: 0$/);
});
