import { deepEqual, equal, throws } from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { RE2JS } from 're2js';
import { Matcher } from './matcher.ts';
import type { MatchType } from './matcher.ts';

test('matcher: the four operators', () => {
  const f = (type: MatchType, pattern: string, value: string, want: boolean): void =>
    equal(new Matcher(type, 'a', pattern).matches(value), want, `${value} ${type} ${pattern}`);
  f('=', 'x', 'x', true);
  f('=', 'x', 'xy', false);
  f('=', '', '', true);
  f('!=', 'x', '', true);
  f('!=', 'x', 'x', false);
  f('=~', 'x', 'xy', false);
  f('=~', 'x|xy', 'xy', true);
  f('=~', '(x|y)', 'y', true);
  f('=~', 'x|', '', true);
  f('=~', '.*', '', true);
  f('=~', '.+', '', false);
  f('=~', 'a.*', 'a\nb', true);
  f('=~', 'a.b', 'a\nb', true);
  f('=~', 'a.+', 'a', false);
  f('=~', '.*lit.+', 'xxlit', false);
  f('=~', '.+lit.*', 'litlit', true);
  f('=~', 'ab*', 'a', true);
  f('=~', '(?i)abc', 'ABC', true);
  f('=~', 'a{2}', 'aa', true);
  f('=~', '5\\.\\d+', '5.12', true);
  f('=~', '😀.*', '😀!', true);
  f('!~', 'x|y', 'y', false);
  f('!~', 'x|y', 'z', true);
  // A quotation without an end does not swallow the anchors.
  f('=~', 'a\\Qb.*', 'ab.*', true);
  f('=~', 'a\\Qb.*', 'abc', false);
  f('=~', 'x|x', 'x', true);
  f('=~', 'x|x', 'x|x', false);
  f('=~', '\udcff|b', '\udcff', true);
  const thousand = Array.from({ length: 1000 }, (_, i) => `v${i}`).join('|');
  f('=~', thousand, 'v999', true);
  f('=~', thousand, 'v1000', false);
});

test('matcher: whatever form a pattern takes inside, it means what RE2 says', () => {
  const atom = fc.constantFrom(
    'a',
    'b',
    'ab',
    '.',
    '.*',
    '.+',
    'b*',
    'a?',
    '(a|b)',
    '[ab]',
    'a|b',
    'é',
  );
  const pattern = fc.array(atom, { maxLength: 4 }).map((parts) => parts.join(''));
  const value = fc
    .array(fc.constantFrom('a', 'b', 'é', '\n'), { maxLength: 5 })
    .map((parts) => parts.join(''));
  fc.assert(
    fc.property(pattern, value, (p, v) => {
      const want = RE2JS.compile(`(?s:${p})`).matches(v);
      equal(new Matcher('=~', 'l', p).matches(v), want);
      equal(new Matcher('!~', 'l', p).matches(v), !want);
    }),
    { numRuns: 3000 },
  );
});

test('matcher: bad patterns are refused with their own text', () => {
  const f = (pattern: string, want: RegExp): void => {
    throws(() => new Matcher('=~', 'a', pattern), { code: 'bad_data', message: want });
  };
  f('a(', /missing closing \).*`a\(`/);
  f('a)(b', /unexpected \)|missing/);
  f('*', /missing argument to repetition operator: `\*`/);
  f('\\8', /invalid escape sequence/);
  f('a)(b', /^error parsing regexp: unexpected \): `a\)\(b`$/);
  f('a\\', /^error parsing regexp: trailing backslash at end of expression: ``$/);
  f('\udcff.*', /^error parsing regexp: invalid UTF-8: `\ufffd\.\*`$/);
  const deep = `${'('.repeat(2000)}a${')'.repeat(2000)}`;
  f(deep, /^error parsing regexp: expression nests too deeply: `\(+a\)+`$/);
});

test('matcher: finite sets and prefixes are known', () => {
  // More literals than are looked up one by one are still compared with as a whole.
  const many = Array.from({ length: 600 }, (_, i) => `v${i}`);
  const matcher = new Matcher('=~', 'a', `(?:${many.join('|')}|)`);
  equal(matcher.setMatches, undefined);
  deepEqual(
    ['v0', 'v599', '', 'v', 'v600', 'v0|v1'].map((value) => matcher.matches(value)),
    [true, true, true, false, false, false],
  );
  const set = (pattern: string) => new Matcher('=~', 'a', pattern).setMatches;
  deepEqual(set('x|y|x'), ['x', 'y']);
  deepEqual(set('(x|y)'), ['x', 'y']);
  deepEqual(set('x'), ['x']);
  equal(set('x.'), undefined);
  const prefix = (pattern: string) => new Matcher('=~', 'a', pattern).prefix;
  equal(prefix('abc.*'), 'abc');
  equal(prefix('abc*d'), 'ab');
  equal(prefix('abc|d'), '');
  equal(prefix('abc[de]f'), 'abc');
});

test('matcher: a pattern that takes backtracking engines minutes is answered at once', () => {
  equal(new Matcher('=~', 'a', '(x+)+y').matches('x'.repeat(5000)), false);
});
