import assert from 'node:assert/strict';
import path from 'node:path';
import test from 'node:test';

import { references } from './imports.ts';
import { scan } from './scan.ts';
import { readTree } from './tree.ts';

test('code without comments, strings and regular expressions', () => {
  const f = (text: string, want: string): void => {
    const { code } = scan(text);
    assert.equal(code.length, text.length);
    assert.equal(code.replaceAll(/ +/g, ' ').trim(), want);
  };
  f('a // b', 'a');
  f('a /* b\nc */ d', 'a \n d');
  f(`x = 'it\\'s' + "a//b";`, `x = ' ' + " ";`);
  f('`a ${b + `c ${"d"}`} e`; f', '` ${b + ` ${" "}`} `; f');
  f('`${ {a: {}} }` + g', '`${ {a: {}} }` + g');
  f('x = a / b / c', 'x = a / b / c');
  f('x = /[/"]\\//g.test(y)', 'x = / /g.test(y)');
  f('return /"/;', 'return / /;');
  f('f(a) / 2; "s"', 'f(a) / 2; " "');
  f('x = y; // /\n/"/', 'x = y; \n/ /');
  f('#!/usr/bin/env node\nx', 'x');
  f("'open\nx", "' \nx");
});

test('references of a module', () => {
  const f = (text: string, want: string): void => {
    const found = references(scan(text));
    assert.equal(
      found.map((r) => `${r.line} ${r.kind} ${r.specifier} ${r.names.join('+')}`).join(', '),
      want,
    );
  };
  f("import { a, type b as c } from './x.ts';", '1 static ./x.ts a+b');
  f("import {\n  a,\n  b,\n} from './x.ts';", '4 static ./x.ts a+b');
  f("import type { a } from './x.ts';", '1 static ./x.ts a');
  f("import d, { e } from './x.ts';", '1 static ./x.ts default+e');
  f("import * as all from './x.ts';", '1 static ./x.ts *');
  f("import './x.ts';", '1 static ./x.ts ');
  f(
    "export * from './x.ts';\nexport { y } from './z.ts';",
    '1 re-export ./x.ts *, 2 re-export ./z.ts y',
  );
  f("const x = await import('./x.ts');", '1 dynamic ./x.ts *');
  f("let x: import('./x.ts').X;", '1 dynamic ./x.ts *');
  f("new Worker(new URL('./w.ts', import.meta.url));", '1 url ./w.ts *');
  f("import j from './j.json' with { type: 'json' };", '1 static ./j.json default');
  f("// import './x.ts'\nconst s = \"import './y.ts'\";", '');
  f("export const a = 1;\nexport function from() {}\nf(from, 'x');", '');
  f("import.meta.url; foo.import('./x.ts')", '');
});

test('scanning this repository keeps every line where it is', () => {
  const tree = readTree(path.resolve(import.meta.dirname, '../..'));
  assert.ok(tree.modules.size > 20);
  for (const { file, text, code } of tree.modules.values()) {
    assert.equal(code.length, text.length, file);
    assert.equal(code.split('\n').length, text.split('\n').length, file);
    // A scanner that lost its way in a string or regexp leaves braces open.
    assert.equal(code.split('{').length, code.split('}').length, `${file}: braces`);
  }
});
