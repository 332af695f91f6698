/** Formats as Go prints them: test/golden/go-template/PROVENANCE.md. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import test from 'node:test';
import { gunzipSync } from 'node:zlib';
import { sprint, sprintf, sprintln } from './format.ts';
import { GoFunction, GoList, GoMap, GoStruct } from './value.ts';
import type { GoValue } from './value.ts';

const GOLDEN = new URL('../../../test/golden/go-template/format.jsonl.gz', import.meta.url);

interface Argument {
  readonly i?: string;
  readonly f?: string;
  readonly s?: string;
  readonly b?: boolean;
  readonly il?: readonly string[];
  readonly sl?: readonly string[];
  readonly m?: Readonly<Record<string, string>>;
}

function valueOf({ i, f, s, b, il, sl, m }: Argument): GoValue {
  if (i !== undefined) return BigInt(i);
  if (f !== undefined) return Buffer.from(f, 'hex').readDoubleBE();
  if (s !== undefined) return s;
  if (b !== undefined) return b;
  if (il !== undefined) return new GoList(il.map(BigInt), '[]int');
  if (sl !== undefined) return new GoList(sl, '[]string');
  if (m !== undefined) return new GoMap(new Map(Object.entries(m)), { type: 'map[string]string' });
  return null;
}

test('every verb and flag as Go prints it', (t) => {
  const lines = gunzipSync(readFileSync(GOLDEN)).toString().trim().split('\n');
  for (const line of lines) {
    const { format, args, want } = JSON.parse(line) as {
      readonly format: string;
      readonly args: readonly Argument[];
      readonly want: string;
    };
    assert.equal(sprintf(format, args.map(valueOf)), want, line);
  }
  assert.ok(lines.length > 7000);
  t.diagnostic(`${lines.length} formats`);
});

// What Go 1.26 prints of the same values.
test('structs, texts of their own, functions, nothing', () => {
  const inner = new GoStruct({ type: 'main.Inner', fields: { N: 7n, Name: 'x' } });
  const text = new GoStruct({ type: '*main.Text', fields: { V: 'v' }, text: () => '<v>' });
  const f = (format: string, value: GoValue, want: string) =>
    assert.equal(sprintf(format, [value]), want, format);
  f('%v', inner, '{7 x}');
  f('%+v', inner, '{N:7 Name:x}');
  f('%#v', inner, 'main.Inner{N:7, Name:"x"}');
  f('%d', inner, '{7 %!d(string=x)}');
  f('%s', inner, '{%!s(int=7) x}');
  f('%v', text, '<v>');
  f('%6s|', text, '   <v>|');
  f('%q', text, '"<v>"');
  f('%#v', text, 'main.Text{V:"v"}');
  f('%v', new GoList([text, null, inner]), '[<v> <nil> {7 x}]');
  f('%v', new GoFunction([], () => 1n), 'func');
  f('%v', undefined, '<nil>');
  assert.equal(
    sprint([1n, 2n, 'a', 'b', 3n, true, null]),
    '1 2a b3 true <nil>'.replace('a b', 'ab'),
  );
  assert.equal(sprintln([1n, 'a', 'b', null]), '1 a b <nil>\n');
});
