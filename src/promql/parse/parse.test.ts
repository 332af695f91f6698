import assert from 'node:assert/strict';
import { test } from 'node:test';
import { errorText } from '../../lib/errors.ts';
import type { Expr } from './ast.ts';
import { ALL_FEATURES, NO_FEATURES, type ParseOptions } from './options.ts';
import { parseExpr, parseMetricSelector } from './parse.ts';
import { printExpr } from './print.ts';

test('errors name the place and what was expected', () => {
  const f = (query: string, want: string, options: ParseOptions = ALL_FEATURES) => {
    assert.throws(
      () => parseExpr(query, options),
      (thrown) => {
        assert.equal(errorText(thrown), want);
        return true;
      },
      query,
    );
  };
  f('', 'unknown position: parse error: no expression found in input');
  f('foo bar', '1:5: parse error: unexpected identifier "bar"');
  f('foo\nbar baz', '2:1: parse error: unexpected identifier "bar"');
  f('"é" bar', '1:6: parse error: unexpected identifier "bar"');
  f('sum(a', '1:6: parse error: unclosed left parenthesis');
  f('a)', "1:3: parse error: unexpected right parenthesis ')'");
  f('a[5m', '1:5: parse error: unclosed left bracket');
  f('"a', '1:1: parse error: unterminated quoted string');
  f('a{b="c"', '1:8: parse error: unexpected end of input inside braces');
  f('sum by a (b)', '1:8: parse error: unexpected identifier "a" in grouping opts, expected "("');
  f(
    'sum by (a b) (c)',
    '1:11: parse error: unexpected identifier "b" in grouping opts, expected "," or ")"',
  );
  f(
    'a offset foo',
    '1:10: parse error: unexpected identifier "foo" in offset, expected number, duration, step(), or range()',
  );
  f('rate(a[5m],)', '1:11: parse error: trailing commas not allowed in function call args');
  f(
    '1 + "a"',
    '1:5: parse error: binary expression must contain only scalar and instant vector types',
  );
  f(
    'limitk(1, a)',
    '1:1: parse error: limitk() is experimental and must be enabled with --enable-feature=promql-experimental-functions',
    NO_FEATURES,
  );
  f(
    'mad_over_time(a[5m])',
    '1:1: parse error: function "mad_over_time" is not enabled',
    NO_FEATURES,
  );
  f('a[5m * 2]', '1:3: parse error: experimental duration expression is not enabled', NO_FEATURES);
  f('a[1h / 0]', '1:6: parse error: division by zero');
});

test('operators bind as in Prometheus', () => {
  const shape = (expr: Expr): string => {
    if (expr.kind === 'binary') return `(${shape(expr.lhs)} ${expr.op} ${shape(expr.rhs)})`;
    return expr.kind === 'unary' ? `(${expr.op}${shape(expr.expr)})` : printExpr(expr);
  };
  const f = (query: string, want: string) => assert.equal(shape(parseExpr(query)), want);
  f('a + b * c', '(a + (b * c))');
  f('a - b - c', '((a - b) - c)');
  f('a ^ b ^ c', '(a ^ (b ^ c))');
  f('-a ^ b', '(-(a ^ b))');
  f('-a * b', '((-a) * b)');
  f('a or b and c', '(a or (b and c))');
  f('a == b + c', '(a == (b + c))');
  f('a offset 2 ^ b', '(a offset 2s ^ b)');
});

test('every node knows its place', () => {
  const query = 'sum by (a) (rate(x{b="c"}[5m] offset 1m)) > bool (y @ start())';
  const f = (expr: Expr, want: string) => assert.equal(query.slice(expr.start, expr.end), want);
  const root = parseExpr(query);
  f(root, query);
  assert.equal(root.kind, 'binary');
  f(root.lhs, 'sum by (a) (rate(x{b="c"}[5m] offset 1m))');
  f(root.rhs, '(y @ start())');
  assert.equal(root.lhs.kind, 'aggregate');
  f(root.lhs.expr, 'rate(x{b="c"}[5m] offset 1m)');
  assert.equal(root.lhs.expr.kind, 'call');
  f(root.lhs.expr.args[0] as Expr, 'x{b="c"}[5m] offset 1m');
});

test('literals', () => {
  const f = (text: string, want: number) => {
    const expr = parseExpr(text, ALL_FEATURES);
    assert.equal(expr.kind, 'number');
    assert.ok(Object.is(expr.value, want), `${text} is ${expr.value}`);
  };
  f('1_000', 1000);
  f('0x1f', 31);
  f('017', 15);
  f('1e-3', 0.001);
  f('.5', 0.5);
  f('-0', -0);
  f('InF', Infinity);
  f('nan', NaN);
  f('1h30m', 5400);
  f('5ms', 0.005);
  // In the last bit as Go adds seconds and nanoseconds.
  f('1001ms', 1 + 0.001);
  f('3389ms', 3 + 0.389);
  f('0_17', 15);
  f('08', 8);
  f('1e5_0', 1e50);
  f('0x_1F', 31);
  f('0x7fffffffffffffff', 2 ** 63);
  f('0777777777777777777777', 2 ** 63);
  f('07777777777777777777777', 7.777777777777777e21);
  f('9223372036854775808', 2 ** 63);
});

test('strings', () => {
  const f = (literal: string, want: string) => {
    const expr = parseExpr(literal);
    assert.equal(expr.kind, 'string');
    assert.equal(expr.value, want);
  };
  f(String.raw`"a\n\"b\""`, 'a\n"b"');
  f(String.raw`'a\'b"'`, 'a\'b"');
  f('`a\\n`', 'a\\n');
  f(String.raw`"\u00e9\xc3\xa9\303\251"`, 'ééé');
});

test('keywords as names', () => {
  const f = (query: string, want = query) => assert.equal(printExpr(parseExpr(query)), want);
  f('sum by (by, on, bool) (sum)');
  f('offset offset 5m');
  f('start + end');
  f('{"foo.bar", "a b"="c"}', '{"a b"="c",__name__="foo.bar"}');
  f('sum # by\n(a)', 'sum(a)');
  f('sum # by (a)', 'sum');
  f('1001ms + 4185ms', '1s1ms + 4s185ms');
});

test('durations are cut to milliseconds as Go cuts them', () => {
  const f = (text: string, want: number) => {
    const expr = parseExpr(`x offset ${text}`);
    assert.equal(expr.kind === 'selector' ? expr.offsetMs : undefined, want, text);
  };
  f('1.0009999', 1000);
  f('-1.0009999', -1000);
  f('8000000.000999999', 8_000_000_000);
  f('9223372036.30', 9_223_372_036_299);
  f('0.0000000001', 0);
  f('NaN', -9_223_372_036_854);
});

test('selectors of match[]', () => {
  const f = (text: string, want: string) =>
    assert.equal(parseMetricSelector(text).map(String).join(' '), want);
  f('up', '__name__="up"');
  f('{job=~"a|b"}', 'job=~"a|b"');
  assert.throws(
    () => parseMetricSelector(' '),
    /^ParseError: 1:2: parse error: unexpected end of input$/,
  );
  assert.throws(() => parseMetricSelector('up + 1'), /1:4: parse error: unexpected <op:\+>/);
});
