/** Templates and their errors as Go has them: test/golden/go-template/PROVENANCE.md. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import test from 'node:test';
import { CodedError, errorText } from '../errors.ts';
import { Random } from '../prng.ts';
import { sprint } from './format.ts';
import { Template } from './template.ts';
import { GoFunction, GoList, GoMap, GoStruct, fromJson, typeOf } from './value.ts';
import type { GoValue } from './value.ts';

const GOLDEN = new URL('../../../test/golden/go-template/templates.jsonl', import.meta.url);

function textMap(object: Readonly<Record<string, string>>): GoMap {
  return new GoMap(new Map(Object.entries(object)), { type: 'map[string]string', zero: '' });
}

const root = new GoStruct({
  type: 'main.Root',
  fields: {
    I: 42n,
    F: 1.5,
    S: 'text',
    B: true,
    L: new GoList(['x', 'y', 'z'], '[]string'),
    N: new GoList([3n, 1n, 2n], '[]int'),
    M: textMap({ b: '2', a: '1', c: '' }),
    E: null,
    In: new GoStruct({
      type: 'main.Inner',
      fields: { N: 7n, Name: 'inner' },
      methods: {
        Hello: new GoFunction(['string'], (name) => `hello ${sprint([name])} from inner`),
        Fail: new GoFunction([], () => {
          throw new Error('it failed');
        }),
      },
    }),
    T: new GoStruct({ type: 'main.Text', fields: { V: 'tt' }, text: () => '<tt>' }),
    A: fromJson({ n: null, f: 2, s: 'str', l: [1, 'two', null], m: { k: 'v' } }),
    Z: textMap({}),
    Fn: new GoFunction(['int', 'string'], (i, s) => sprint([i, s])),
    Uni: 'héllo😀',
  },
});

function sum(a: GoValue, b: GoValue): GoValue {
  return typeof a === 'bigint' && typeof b === 'bigint' ? a + b : undefined;
}

const functions = new Map([
  ['add', new GoFunction(['int', 'int'], sum)],
  ['up', new GoFunction(['string'], (text) => sprint([text]).toUpperCase())],
  [
    'boom',
    new GoFunction([], () => {
      throw new Error('boom!');
    }),
  ],
  [
    'joinall',
    new GoFunction(
      ['string', 'string'],
      (by, ...texts) => texts.map((text) => sprint([text])).join(sprint([by])),
      {
        variadic: true,
      },
    ),
  ],
  ['half', new GoFunction(['float64'], (x) => (typeof x === 'number' ? x / 2 : undefined))],
  ['yes', new GoFunction(['bool'], (value) => sprint([value]))],
  ['any', new GoFunction(['any'], typeOf)],
]);

interface Case {
  readonly template: string;
  readonly output?: string;
  readonly parseError?: string;
  readonly executionError?: string;
}

async function run(text: string): Promise<Omit<Case, 'template'>> {
  let template: Template;
  try {
    template = new Template({ name: 't', text, functions });
  } catch (thrown) {
    if (!(thrown instanceof CodedError)) throw thrown;
    assert.equal(thrown.code, 'bad_data');
    return { parseError: errorText(thrown) };
  }
  try {
    return { output: await template.execute(root) };
  } catch (thrown) {
    if (!(thrown instanceof CodedError)) throw thrown;
    assert.equal(thrown.code, 'execution');
    return { executionError: errorText(thrown) };
  }
}

const cases = readFileSync(GOLDEN, 'utf8')
  .trim()
  .split('\n')
  .map((line) => JSON.parse(line) as Case);

test('outputs and errors as in Go', async (t) => {
  for (const { template, ...want } of cases) assert.deepEqual(await run(template), want, template);
  t.diagnostic(`${cases.length} templates`);
  assert.ok(cases.length > 300);
});

test('missing keys', async () => {
  const f = async (missingKey: 'default' | 'zero' | 'error', text: string, want: string) => {
    const template = new Template({ name: 'k', text, missingKey });
    const data = new GoMap(new Map<string, GoValue>([['m', textMap({ a: '1' })]]));
    assert.equal(await template.execute(data).catch(errorText), want);
  };
  await f('default', '{{.m.a}} {{.m.b}} {{.x}}', '1 <no value> <no value>');
  await f('zero', '{{.m.a}} {{.m.b}}|{{.x}}', '1 |<no value>');
  await f(
    'error',
    '{{.m.a}} {{.m.b}}',
    'template: k:1:13: executing "k" at <.m.b>: map has no entry for key "b"',
  );
});

test('functions may take their time, and replace those of Go', async () => {
  const own = new Map([
    ['later', new GoFunction(['int'], (n) => Promise.resolve(n))],
    ['fails', new GoFunction([], () => Promise.reject(new Error('too late')))],
    ['len', new GoFunction(['any'], () => 'mine')],
  ]);
  const f = async (text: string, want: string) => {
    const template = new Template({ name: 'f', text, functions: own });
    assert.equal(await template.execute(1n).catch(errorText), want);
  };
  await f('{{later 3}}{{range later 2}}{{.}}{{end}}{{if later 0}}x{{end}}', '301');
  await f('{{len .}}', 'mine');
  await f('a{{fails}}', 'template: f:1:3: executing "f" at <fails>: error calling fails: too late');
});

test('one template runs many times', async () => {
  const template = new Template({ name: 'm', text: '{{$x := .}}{{range 2}}{{$x}}{{end}}' });
  assert.deepEqual(await Promise.all([1n, 2n, 3n].map((n) => template.execute(n))), [
    '11',
    '22',
    '33',
  ]);
});

test('deep nesting and endless recursion are errors', async () => {
  const f = async (text: string, want: RegExp) => {
    const { parseError, executionError } = await run(text);
    assert.match(parseError ?? executionError ?? '', want);
  };
  await f('{{if true}}'.repeat(20_000), /nested deeper than 1000/);
  await f(`{{${'('.repeat(100_000)}`, /max expression depth exceeded/);
  await f('{{define "a"}}{{template "a"}}{{end}}{{template "a"}}', /maximum template depth/);
  await f(
    `{{define "a"}}${'{{if true}}'.repeat(20)}{{template "a"}}${'{{end}}'.repeat(20)}{{end}}{{template "a"}}`,
    /maximum template depth|nested too deeply/,
  );
});

test('damaged templates are templates or errors, never a crash', async () => {
  const random = new Random(11);
  const texts = cases.map(({ template }) => template);
  for (let i = 0; i < 4000; i++) {
    const text = texts[random.below(texts.length)] ?? '';
    const other = texts[random.below(texts.length)] ?? '';
    const at = random.below(text.length + 1);
    const from = random.below(other.length + 1);
    const mixed =
      text.slice(0, at) +
      other.slice(from, from + random.below(8)) +
      text.slice(at + random.below(3));
    // A loop over a large number is no crash, but takes long.
    if (/range[^}]*\d{3}/.test(mixed)) continue;
    const { parseError, executionError } = await run(mixed);
    const error = parseError ?? executionError;
    if (error !== undefined) assert.match(error, /^template: (?:t:\d+:|template: )/, mixed);
  }
});
