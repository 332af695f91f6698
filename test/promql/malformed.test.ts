/** The texts of malformed.txt through the parser, and inputs too large to stand there. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { MemoryStorage } from '../support/memory-storage.ts';
import { Form } from '../../src/http/form.ts';
import { treeData } from '../../src/http/json-tree.ts';
import { errorText } from '../../src/lib/errors.ts';
import { Engine } from '../../src/promql/engine.ts';
import { ParseError } from '../../src/promql/parse/parse-error.ts';
import { ALL_FEATURES, NO_FEATURES, type ParseOptions } from '../../src/promql/parse/options.ts';
import { parseExpr } from '../../src/promql/parse/parse.ts';
import { prettyExpr } from '../../src/promql/parse/pretty.ts';

interface Case {
  readonly line: string;
  readonly query: string;
  readonly options: ParseOptions;
  readonly error: string;
}

/** Bytes as a client sends them: what is no UTF-8 comes out of the form as U+FFFD. */
function fromBytes(hex: string): string {
  return new Form(`query=${hex.replaceAll(' ', '').replaceAll(/../g, '%$&')}`).get('query');
}

function toCase(line: string, error: string): Case {
  const [, word = '', rest = ''] = /^(json|bytes|default) (.*)$/.exec(line) ?? ['', '', line];
  let query = rest;
  if (word === 'json') query = JSON.parse(rest) as string;
  if (word === 'bytes') query = fromBytes(rest);
  return { line, query, error, options: word === 'default' ? NO_FEATURES : ALL_FEATURES };
}

function readCases(): Case[] {
  const text = readFileSync(new URL('malformed.txt', import.meta.url), 'utf8');
  const lines = text.split('\n').filter((line) => line !== '' && !line.startsWith('#'));
  const cases: Case[] = [];
  for (let i = 0; i < lines.length; i += 2) {
    const [line = '', error = ''] = lines.slice(i, i + 2);
    assert.match(error, /^ {2}\S/, line);
    cases.push(toCase(line, error.slice(2)));
  }
  return cases;
}

/** The error of a query. Anything but a ParseError is a bug. */
function refusal(query: string, options: ParseOptions = ALL_FEATURES): string | undefined {
  try {
    parseExpr(query, options);
    return undefined;
  } catch (thrown) {
    if (thrown instanceof ParseError) return errorText(thrown);
    throw thrown;
  }
}

test('malformed queries get Prometheus’ errors', (t) => {
  const cases = readCases();
  assert.equal(cases.length, 708);
  const failures = cases.flatMap(({ line, query, options, error }) => {
    const got = refusal(query, options);
    return got === error ? [] : [`${line}\n  want ${error}\n  got  ${got}`];
  });
  t.diagnostic(`${cases.length} queries, ${failures.length} failures`);
  assert.deepEqual(failures, []);
});

/** A text of about ten million characters. */
function large(part: string): string {
  return part.repeat(10_000_000 / part.length);
}

test('large queries are taken, or refused with a sentence', () => {
  const f = (query: string, want: string | undefined) => {
    const got = refusal(query);
    assert.equal(got?.slice(0, 150), want, query.slice(0, 40));
  };
  // What Prometheus takes.
  f(`"${large('x')}"`, undefined);
  f(`\`${large('\n')}\``, undefined);
  f(large('x'), undefined);
  f(`${large('#\n')}up`, undefined);
  f(`0.${large('1')}`, undefined);
  f(`up{pod=~"${large('pod-1|')}"}`, undefined);
  f(`up ${'# '.repeat(5000)}`, undefined);
  f('up{a=~"(x+x+)+y",b=~"(a|a)*$",c=~"(.*)*"}', undefined);
  // What Prometheus refuses.
  f(large(' '), '1:1: parse error: no expression found in input');
  f(`up${large(' ')}up`, '1:10000003: parse error: unexpected identifier "up"');
  f(`${large('\n')}up up`, '10000001:4: parse error: unexpected identifier "up"');
  f(`"${large('x')}`, '1:1: parse error: unterminated quoted string');
  f(large('{'), "1:2: parse error: unexpected left brace '{'");
  f(large('😀'), "1:1: parse error: unexpected character: '😀'");
  f(`up ${large('"x"')}`, String.raw`1:4: parse error: unexpected string "\"x\""`);
  f(`up "${large('x')}"`, String.raw`1:4: parse error: unexpected string "\"xxxxxxxxx"...`);
  // compat: our own limits. Where exactly they are reached does not matter.
  const g = (query: string, detail: string) => {
    const got = refusal(query)?.replace(/^1:\d+: parse error: /, '');
    assert.equal(got, detail, query.slice(0, 40));
  };
  const deep = 'expression is nested too deeply';
  for (const part of ['(', '-', 'abs(', 'sum by (a) (']) g(large(part), deep);
  for (const part of ['+up', '^up', ' == up', '[5m:1m]']) g(`up${large(part)}`, deep);
  for (const part of ['(', '-', '1+', 'max_of(1,']) g(`up[${large(part)}1]`, deep);
  g(`up offset ${large('-')}1`, deep);
  g(`up offset ${large('(')}1`, deep);
  const long = 'expression has more than 100000 tokens';
  g(`up(${large('1,')}1)`, long);
  g(`{${large('a="b",')}}`, long);
  g(`sum by (${large('a,')}) (up)`, long);
  const regexps = 'regular expressions of the query are too large';
  g(`up{a=~"${large('x.')}"}`, regexps);
  g(`up{a=~"${'x{1000}'.repeat(1000)}"}`, regexps);
  g(`{${'a=~"x{1000}y",'.repeat(1000)}}`, regexps);
});

test('whatever depth the parser takes, everything behind it takes', async () => {
  const engine = new Engine({ features: ALL_FEATURES });
  const f = async (depth: number, query: (n: number) => string) => {
    const text = query(depth);
    const expr = parseExpr(text, ALL_FEATURES);
    const pretty = prettyExpr(expr);
    assert.equal(prettyExpr(parseExpr(pretty, ALL_FEATURES)), pretty);
    assert.notEqual(JSON.stringify(treeData(expr)), '');
    await engine.instant(new MemoryStorage(), text, 0);
    assert.match(refusal(query(depth + 10)) ?? '', /nested too deeply/, text.slice(0, 40));
  };
  const nest = (open: string, close: string) => (n: number) =>
    `${open.repeat(n)}up${close.repeat(n)}`;
  await f(1099, nest('(', ')'));
  await f(1099, nest('-', ''));
  await f(1099, nest('up^', ''));
  await f(1099, nest('', ' or up'));
  await f(274, nest('abs(', ')'));
  await f(274, nest('sum by (a) (', ')'));
  await f(137, nest('max_over_time(', '[5m:1m])'));
  await f(549, nest('(up+', ')'));
  await f(549, nest('(', '+up)'));
  await f(1098, (n) => `rate(up[${'('.repeat(n - 4)}1m${')'.repeat(n - 4)}])`);
  await f(1098, (n) => `up offset ${'('.repeat(n)}1m${')'.repeat(n)}`);
});
