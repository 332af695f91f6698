import assert from 'node:assert/strict';
import test from 'node:test';
import fc from 'fast-check';
import { goBytes, goText, quoteGo, quoteGoRune, unquoteGo } from './go-strings.ts';

// Outputs of Go 1.26's strconv.
test('quotes as strconv.Quote', () => {
  const f = (text: string, want: string, ascii = want) => {
    assert.equal(quoteGo(text), want);
    assert.equal(quoteGo(text, { ascii: true }), ascii);
  };
  f('', '""');
  f('a"b\\c', String.raw`"a\"b\\c"`);
  f("'`", `"'\`"`);
  f(
    'é😀\u00a0\u200b\ufeff\0\u007f\u0007\b\f\n\r\t\v',
    String.raw`"é😀\u00a0\u200b\ufeff\x00\x7f\a\b\f\n\r\t\v"`,
    String.raw`"\u00e9\U0001f600\u00a0\u200b\ufeff\x00\x7f\a\b\f\n\r\t\v"`,
  );
  f(goText(Uint8Array.of(0xff, 0xc3)), String.raw`"\xff\xc3"`);
  f('\u2028', String.raw`"\u2028"`);
  assert.equal(quoteGoRune('x'), "'x'");
  assert.equal(quoteGoRune("'"), String.raw`'\''`);
  assert.equal(quoteGoRune('"'), `'"'`);
});

test('unquotes as strconv.Unquote', () => {
  const f = (literal: string, want: string | undefined) =>
    assert.equal(unquoteGo(literal), want, literal);
  f(String.raw`"a\x41\u00e9\U0001F600\101\n"`, 'aAé😀A\n');
  f('`a\r\n\\b`', 'a\n\\b');
  f("'a'", 'a');
  f(String.raw`'\''`, "'");
  f(String.raw`"\xc3\xa9"`, 'é');
  f(String.raw`"\xff"`, goText(Uint8Array.of(0xff)));
  f('"it\'s"', "it's");
  f('"a', undefined);
  f('"', undefined);
  f('', undefined);
  f('a', undefined);
  f('aa', undefined);
  f(String.raw`"\q"`, undefined);
  f(String.raw`"\'"`, undefined);
  f(String.raw`'\"'`, undefined);
  f("'ab'", undefined);
  f("''", undefined);
  f('"a"b"', undefined);
  f('`a`b`', undefined);
  f(String.raw`"\400"`, undefined);
  f(String.raw`"\ud800"`, undefined);
  f(String.raw`"\U00110000"`, undefined);
  f('"a\nb"', undefined);
  f('"\\', undefined);
});

test('bytes and texts, quoted and back', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 12 }), (bytes) => {
      const text = goText(bytes);
      assert.deepEqual(Uint8Array.from(goBytes(text)), Uint8Array.from(bytes));
      assert.equal(unquoteGo(quoteGo(text)), text);
      assert.equal(unquoteGo(quoteGo(text, { ascii: true })), text);
    }),
  );
});
