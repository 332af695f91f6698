/** Prometheus 3.14's parse_query answers to 2,052 expressions, replayed against our parser. */
import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { test } from 'node:test';
import { gunzipSync } from 'node:zlib';
import { isDeepStrictEqual } from 'node:util';
import { errorText } from '../src/lib/errors.ts';
import { ALL_FEATURES } from '../src/promql/parse/options.ts';
import { parseExpr } from '../src/promql/parse/parse.ts';
import { printExpr } from '../src/promql/parse/print.ts';
import { parseTree } from './support/parse-tree.ts';

const FILE = new URL('../../shared/golden/queries/parse.jsonl.gz', import.meta.url);
const skip = existsSync(FILE) ? false : 'the golden data (../shared/golden) are not here';

/** What passes today: may only grow. */
const PASSED_MIN = 2052;

interface Case {
  readonly query: string;
  readonly parse: { readonly error?: string } | null;
  readonly format: string | object;
}

function readCases(): Case[] {
  const lines = gunzipSync(readFileSync(FILE)).toString().trim().split('\n');
  return lines.map((line) => JSON.parse(line) as Case);
}

/** What is wrong with our answer, or undefined. */
function check({ query, parse }: Case): string | undefined {
  let tree: unknown;
  try {
    tree = parseTree(parseExpr(query, ALL_FEATURES));
  } catch (thrown) {
    const got = `invalid parameter "query": ${errorText(thrown)}`;
    return got === parse?.error ? undefined : `got the error ${got}, want ${JSON.stringify(parse)}`;
  }
  // Prometheus' own JSON fails on the three fill values that JSON cannot hold.
  if (parse === null) return /fill\(-?(NaN|Inf)\)/.test(query) ? undefined : 'want null';
  return isDeepStrictEqual(tree, parse)
    ? undefined
    : `got ${JSON.stringify(tree)}, want ${JSON.stringify(parse)}`;
}

test('golden parse trees and errors', { skip }, (t) => {
  const cases = readCases();
  const failures: string[] = [];
  for (const item of cases) {
    const wrong = check(item);
    if (wrong !== undefined) failures.push(`${item.query}\n  ${wrong}`);
  }
  const passed = cases.length - failures.length;
  t.diagnostic(`${passed} passed, ${failures.length} failed`);
  for (const failure of failures.slice(0, 20)) t.diagnostic(failure);
  assert.ok(passed >= PASSED_MIN, `${passed} passed, at least ${PASSED_MIN} must`);
});

test('printed expressions', { skip }, () => {
  for (const { query, format } of readCases()) {
    // A short expression is formatted as it is printed; longer ones get line breaks.
    if (typeof format !== 'string' || format.includes('\n')) continue;
    const printed = printExpr(parseExpr(query, ALL_FEATURES));
    assert.equal(printed, format);
    assert.equal(printExpr(parseExpr(printed, ALL_FEATURES)), format);
  }
});
