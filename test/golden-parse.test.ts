/** Prometheus 3.14's answers to 2,052 expressions at parse_query and format_query, replayed over our HTTP handlers. */
import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { test } from 'node:test';
import { gunzipSync } from 'node:zlib';
import { isDeepStrictEqual } from 'node:util';
import fastify from 'fastify';
import { registerApi } from '../src/http/api.ts';
import { prometheusDialect } from '../src/http/dialect.ts';
import { FakeClock } from '../src/lib/clock.ts';
import { nopLogger } from '../src/lib/log.ts';
import { ALL_FEATURES } from '../src/promql/parse/options.ts';
import { parseExpr } from '../src/promql/parse/parse.ts';
import { prettyExpr } from '../src/promql/parse/pretty.ts';
import { printExpr } from '../src/promql/parse/print.ts';

const FILE = new URL('../../shared/golden/queries/parse.jsonl.gz', import.meta.url);
const skip = existsSync(FILE) ? false : 'the golden data (../shared/golden) are not here';

interface Case {
  readonly query: string;
  readonly parse: { readonly error?: string } | null;
  readonly format: string | { readonly error: string };
}

function readCases(): Case[] {
  const lines = gunzipSync(readFileSync(FILE)).toString().trim().split('\n');
  return lines.map((line) => JSON.parse(line) as Case);
}

/** The API alone, without anything that evaluates. */
function newApp() {
  const app = fastify({ exposeHeadRoutes: false });
  app.removeAllContentTypeParsers();
  const unused = () => Promise.reject(new Error('nothing is evaluated here'));
  registerApi(app, {
    service: {
      instant: unused,
      range: unused,
      explain: unused,
      series: unused,
      labelNames: unused,
      labelValues: unused,
    },
    status: {
      build: {
        version: '',
        revision: '',
        branch: '',
        buildUser: '',
        buildDate: '',
        goVersion: '',
      },
      flags: {},
      startTimeMs: 0,
      workingDirectory: '',
      storageRetention: '',
    },
    dialect: prometheusDialect,
    clock: new FakeClock(0),
    log: nopLogger,
    queryTimeoutMs: 1,
    disableCors: true,
    promqlFeatures: ALL_FEATURES,
  });
  return app;
}

/** The fill values that Prometheus' JSON cannot hold, on the three lines where it answers 500. */
const FILLS: Readonly<Record<string, string>> = {
  'left_vector + fill(NaN) right_vector': 'NaN',
  'left_vector + fill(Inf) right_vector': '+Inf',
  'left_vector + fill(-Inf) right_vector': '-Inf',
};

/** What an endpoint must answer: data, or what is in the file as `{error}`. */
function expected(want: unknown): object {
  const { error } = (want ?? {}) as { readonly error?: string };
  if (error === undefined) return { status: 200, body: { status: 'success', data: want } };
  return { status: 400, body: { status: 'error', errorType: 'bad_data', error } };
}

test('golden parse trees, texts and errors', { skip }, async (t) => {
  const app = newApp();
  t.after(() => app.close());
  const get = (path: string, query: string) =>
    app.inject({ url: `/api/v1/${path}?query=${encodeURIComponent(query)}` });
  const post = (path: string, query: string) =>
    app.inject({
      method: 'POST',
      url: `/api/v1/${path}`,
      headers: { 'content-type': 'application/x-www-form-urlencoded' },
      payload: new URLSearchParams({ query }).toString(),
    });
  const cases = readCases();
  assert.equal(cases.length, 2052);
  const failures: string[] = [];
  const compare = (query: string, answer: Awaited<ReturnType<typeof get>>, want: unknown) => {
    const got = { status: answer.statusCode, body: answer.json<unknown>() };
    if (isDeepStrictEqual(got, expected(want))) return;
    failures.push(`${query}\n  got ${JSON.stringify(got)}\n  want ${JSON.stringify(want)}`);
  };
  for (const [i, { query, parse, format }] of cases.entries()) {
    const send = i % 2 === 0 ? get : post;
    const tree = await send('parse_query', query);
    if (parse === null) {
      const fill = FILLS[query];
      const { data } = tree.json<{ data: { matching: { fillValues: unknown } } }>();
      assert.deepEqual(data.matching.fillValues, { lhs: fill, rhs: fill }, query);
    } else compare(query, tree, parse);
    compare(query, await send('format_query', query), format);
  }
  t.diagnostic(`${cases.length} lines, ${failures.length} failures`);
  assert.deepEqual(failures.slice(0, 20), []);
});

test('printed expressions', { skip }, () => {
  for (const { query, format } of readCases()) {
    if (typeof format !== 'string') continue;
    const expr = parseExpr(query, ALL_FEATURES);
    // A short expression is formatted as it is printed; longer ones get line breaks.
    const printed = printExpr(expr);
    if (!format.includes('\n')) assert.equal(printed, format);
    assert.equal(printExpr(parseExpr(printed, ALL_FEATURES)), printed);
    assert.equal(prettyExpr(parseExpr(format, ALL_FEATURES)), format);
  }
});
