import { deepEqual, equal, match, rejects } from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { test } from 'node:test';
import fc from 'fast-check';
import type { ZodType } from 'zod';
import { CodedError, errorText } from './errors.ts';
import type { Zod } from './strict-yaml.ts';
import { parseStrictYaml, readStrictYaml } from './strict-yaml.ts';

/** The value of a text without a schema. */
async function valueOf(text: string): Promise<unknown> {
  return readStrictYaml({ text, name: 'x.yaml' }, (z) => z.unknown());
}

test('strict yaml: scalars stay what was written', async () => {
  const f = async (text: string, want: unknown): Promise<void> => {
    // Mappings have no prototype, which deepEqual would see.
    equal(JSON.stringify(await valueOf(text)), JSON.stringify(want));
  };
  await f('a: 0123\nb: 1e5\nc: 2026-01-01\nd: yes\ne: 0x1F', {
    a: '0123',
    b: '1e5',
    c: '2026-01-01',
    d: 'yes',
    e: '0x1F',
  });
  await f('a: "null"\nb: \'~\'\nc: ""\nd: |\n  x\n  y\n', {
    a: 'null',
    b: '~',
    c: '',
    d: 'x\ny\n',
  });
  await f('a:\nb: ~\nc: null\nd: NULL # nothing\ne: 1', { e: '1' });
  await f('- a\n-\n- ~\n- [b, {c: d}]', ['a', '', '', ['b', { c: 'd' }]]);
  await f('{"a": [1, 2]}', { a: ['1', '2'] });
  await f('\ufeffa: 1\r\nb: 2\r\n', { a: '1', b: '2' });
  await f('%YAML 1.1\n---\na: on\n...\n', { a: 'on' });
  await f(
    '__proto__: {a: 1}\nconstructor: 2',
    JSON.parse('{"__proto__":{"a":"1"},"constructor":"2"}'),
  );
  equal(await valueOf(''), undefined);
  equal(await valueOf('# a comment\n'), undefined);
});

test('strict yaml: anchors, aliases and merge keys', async () => {
  const f = async (text: string, want: unknown): Promise<void> => {
    equal(JSON.stringify(await valueOf(text)), JSON.stringify(want));
  };
  await f('a: &x {q: 1}\nb: *x', { a: { q: '1' }, b: { q: '1' } });
  await f('a: &x {q: 1, r: 1}\nb: {r: 2, <<: *x}', {
    a: { q: '1', r: '1' },
    b: { q: '1', r: '2' },
  });
  await f('a: &x {q: 1}\nb: &y {q: 2, r: 2}\nc:\n  <<: [*x, *y]', {
    a: { q: '1' },
    b: { q: '2', r: '2' },
    c: { q: '1', r: '2' },
  });
  await f('"<<": 1', { '<<': '1' });
});

test('strict yaml: what is no YAML, with line and column', async () => {
  const f = async (text: string, want: string): Promise<void> => {
    await rejects(
      valueOf(text),
      (thrown) => {
        deepEqual([errorText(thrown), (thrown as CodedError).code], [want, 'bad_data']);
        return true;
      },
      text,
    );
  };
  await f('a:\n\tb: 1\n', 'x.yaml:2:1: a tab is no indentation, use spaces');
  await f('a: 1\nb: 2\na: 3\n', 'x.yaml:3:1: the field is there twice');
  await f('a: 1\n---\nb: 2\n', 'x.yaml:2:1: a second document begins here, expected one');
  await f('? [a]\n: 1\n', 'x.yaml:1:3: the name of a field is a text');
  await f('a: 1\nb: *nope\n', 'x.yaml:2:4: no anchor is called nope');
  await f('a: &x [1, *x]\n', 'x.yaml:1:11: the anchor x contains itself');
  await f('a:\n  <<: text\n', 'x.yaml:2:7: what is merged is a mapping');
  // From here on the package's own words.
  await f('a: @x\n', 'x.yaml:1:4: plain value cannot start with reserved character @');
  await f('a: 1\nb: !foo x\n', 'x.yaml:2:4: unresolved tag: !foo');
  await f('a: b: c\n', 'x.yaml:1:4: nested mappings are not allowed in compact mappings');
});

test('strict yaml: a few aliases that stand for billions of values', async () => {
  const names = 'abcdefghi';
  const lines = ['a: &a [x, x, x, x, x, x, x, x, x, x]'];
  for (let i = 1; i < names.length; i++) {
    const inner = Array.from({ length: 10 }, () => `*${names[i - 1]}`).join(', ');
    lines.push(`${names[i]}: &${names[i]} [${inner}]`);
  }
  await rejects(
    valueOf(lines.join('\n')),
    /^CodedError: x\.yaml:\d+:\d+: aliases stand for more than 100000 values$/,
  );
});

const schema = (z: Zod): ZodType =>
  z.strictObject({
    name: z.string(),
    mode: z.enum(['fast', 'safe']).optional(),
    targets: z.array(z.strictObject({ host: z.string(), port: z.string().optional() })).optional(),
    labels: z.record(z.string(), z.string()).optional(),
    either: z.union([z.string(), z.array(z.string())]).optional(),
    size: z.string().regex(/^\d+$/, 'expected a number of bytes').transform(Number).optional(),
  });

test('strict yaml: what a schema finds, with line and field', async () => {
  const f = async (text: string, want: string): Promise<void> => {
    const reading = readStrictYaml({ text, name: 'conf.yml' }, schema);
    await rejects(reading, { code: 'bad_data', message: want }, text);
  };
  await f('nam: x\nname: y', 'conf.yml:1: nam: unknown field, expected name');
  await f('nam:\nname: y', 'conf.yml:1: nam: unknown field, expected name');
  await f(
    'name: y\nbogus: 1',
    'conf.yml:2: bogus: unknown field, expected name, mode, targets, labels, either or size',
  );
  await f('mode: fast', 'conf.yml:1: name: missing, expected a text');
  await f('', 'conf.yml:1: missing, expected a mapping');
  await f('text', 'conf.yml:1: expected a mapping, is a text');
  await f('- a', 'conf.yml:1: expected a mapping, is a list');
  await f('name: [a]', 'conf.yml:1: name: expected a text, is a list');
  await f('name: x\nmode: slow', 'conf.yml:2: mode: expected fast or safe, is "slow"');
  await f(
    'name: x\ntargets:\n- host: a\n- hots: b\n',
    'conf.yml:4: targets[1].hots: unknown field, expected host',
  );
  await f(
    'name: x\ntargets:\n- host: a\n- port: 1\n',
    'conf.yml:4: targets[1].host: missing, expected a text',
  );
  await f(
    'name: x\ntargets:\n- host: a\n- host: b\n  prot: 1\n',
    'conf.yml:5: targets[1].prot: unknown field, expected port',
  );
  await f('name: x\ntargets: a', 'conf.yml:2: targets: expected a list, is a text');
  await f('name: x\nlabels:\n  a: b\n  c: [d]', 'conf.yml:4: labels.c: expected a text, is a list');
  await f('name: x\neither: {a: b}', 'conf.yml:2: either: expected a text or a list, is a mapping');
  await f('name: x\n\nsize: 1 MB', 'conf.yml:3: size: expected a number of bytes');
  await f('labels: 3\nname: [x]', 'conf.yml:1: labels: expected a mapping, is a text');
});

test('strict yaml: what a schema makes of it', async () => {
  const text = 'name: 007\nsize: 12\neither: [a]\nlabels: {a: 1e5}\ntargets: [{host: h, port: ~}]';
  const got = await readStrictYaml({ text, name: 'conf.yml' }, schema);
  deepEqual(JSON.parse(JSON.stringify(got)), {
    name: '007',
    size: 12,
    either: ['a'],
    labels: { a: '1e5' },
    targets: [{ host: 'h' }],
  });
});

test('strict yaml: a document in pieces, and errors of the caller’s own', async () => {
  const yaml = await parseStrictYaml({ text: 'kind: a\nbody:\n  x: 1\n  y: 2', name: 'c' });
  equal(
    yaml.read(['kind'], (z) => z.string()),
    'a',
  );
  deepEqual(
    yaml.read(['body'], (z) => z.strictObject({ x: z.string(), y: z.string() })),
    {
      x: '1',
      y: '2',
    },
  );
  const wrong = (): unknown => yaml.read(['body'], (z) => z.strictObject({ x: z.string() }));
  await rejects(async () => wrong(), /^CodedError: c:4: body\.y: unknown field, expected x$/);
  equal(yaml.errorAt(['body', 'y'], 'is wrong').message, 'c:4: body.y: is wrong');
  equal(yaml.errorAt(['body', 'none'], 'is missing').message, 'c:2: body.none: is missing');
  equal(yaml.errorAt([], 'is wrong').message, 'c:1: is wrong');
});

/** `_` stands for a space, `/` for a line feed, `>` for a tab. */
const PIECES = `a:_ -_ ?_ <<:_ &x_ *x !t_ |/ #_c/ ---/ .../ / > __ { } [ ] ,_ " ' % @ ~ b ü😀`
  .split(' ')
  .map((piece) => piece.replaceAll('_', ' ').replaceAll('/', '\n').replaceAll('>', '\t'));

test('strict yaml: any text gives a value or a sentence with a line', async () => {
  const piece = fc.constantFrom(...PIECES);
  const texts = fc.oneof(
    fc.array(piece, { maxLength: 30 }).map((pieces) => pieces.join('')),
    fc.string({ unit: 'binary', maxLength: 40 }),
  );
  await fc.assert(
    fc.asyncProperty(texts, async (text) => {
      try {
        JSON.stringify(await readStrictYaml({ text, name: 'x' }, schema));
      } catch (thrown) {
        equal((thrown as CodedError).code, 'bad_data', String(thrown));
        match(errorText(thrown), /^x:[1-9]\d*:(?:[1-9]\d*:)? ./);
      }
    }),
    { numRuns: 2000 },
  );
});

test('strict yaml: neither package is loaded before it is needed', () => {
  const url = new URL('./strict-yaml.ts', import.meta.url).href;
  const script = `
    import { registerHooks } from 'node:module';
    const seen = [];
    registerHooks({ resolve: (name, context, next) => (seen.push(name), next(name, context)) });
    const { readStrictYaml } = await import('${url}');
    const before = seen.filter((name) => name === 'yaml' || name === 'zod');
    await readStrictYaml({ text: 'a: 1', name: 'x' }, (z) => z.unknown());
    const after = seen.filter((name) => name === 'yaml' || name === 'zod');
    console.log(before.length, after.toSorted().join());
  `;
  const { stdout, stderr } = spawnSync(process.execPath, ['--input-type=module', '-e', script], {
    encoding: 'utf8',
  });
  equal(stdout, '0 yaml,zod\n', stderr);
});
