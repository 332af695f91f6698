import assert from 'node:assert/strict';
import test from 'node:test';
import { Labels } from './labels.ts';
import { SELECTOR_ACTIONS, parseRelabelConfig } from './relabel-config.ts';
import { relabel } from './relabel.ts';

const labels = Labels.fromObject({ a: 'foo', b: 'bar', c: 'baz' });

async function run(text: string, from = labels): Promise<string> {
  return String(relabel(from, await parseRelabelConfig({ name: 'r.yaml', text })));
}

// Cases of prometheus model/relabel/relabel_test.go, and hashes by md5sum.
test('actions', async () => {
  const f = async (text: string, want: string, from = labels) =>
    assert.equal(await run(text, from), want, text);
  await f('', '{a="foo", b="bar", c="baz"}');
  await f(
    '[{source_labels: [a], regex: f(.*), target_label: d, separator: ;, replacement: "ch${1}-ch${1}"}]',
    '{a="foo", b="bar", c="baz", d="choo-choo"}',
  );
  await f(
    '[{source_labels: [a, b], regex: "f(.*);(.*)r", target_label: a, replacement: "b${1}${2}m"},' +
      ' {source_labels: [c, a], regex: "(b).*b(.*)ba(.*)", target_label: d, replacement: "$1$2$2$3"}]',
    '{a="boobam", b="bar", c="baz", d="boooom"}',
  );
  await f('[{source_labels: [a], regex: ".*o.*", action: drop}]', 'undefined');
  await f('[{source_labels: [a], regex: "f|o", action: drop}]', '{a="foo", b="bar", c="baz"}');
  await f('[{source_labels: [a], regex: no-match, action: keep}]', 'undefined');
  await f('[{source_labels: [a], regex: "f.*", action: KEEP}]', '{a="foo", b="bar", c="baz"}');
  await f(
    '[{source_labels: [a], regex: "no", target_label: a, replacement: x}]',
    labels.toString(),
  );
  await f('[{source_labels: [a], regex: f, target_label: b, replacement: bar}]', labels.toString());
  await f('[{source_labels: [a], target_label: b, replacement: ""}]', '{a="foo", c="baz"}');
  await f('[{regex: .*, target_label: d, replacement: x}]', '{a="foo", b="bar", c="baz", d="x"}');
  await f(
    '[{source_labels: [a], regex: "(?P<n>f)(?P<r>.*)", target_label: d, replacement: "${r}$n$zz$$"}]',
    '{a="foo", b="bar", c="baz", d="oof$"}',
  );
  await f(
    '[{source_labels: [a], regex: "(.*)", target_label: d, replacement: "$1x${1}x"}]',
    '{a="foo", b="bar", c="baz", d="foox"}',
  );
  await f(
    '[{source_labels: [c], target_label: d, action: hashmod, modulus: 1000}]',
    '{a="foo", b="bar", c="baz", d="976"}',
  );
  await f(
    '[{source_labels: [c], target_label: d, separator: ;, action: hashmod, modulus: 1000}]',
    '{a="foo\\nbar", c="baz\\nx", d="651"}',
    Labels.fromObject({ a: 'foo\nbar', c: 'baz\nx' }),
  );
  await f(
    '[{regex: "(b.*)", replacement: "bar_${1}", action: labelmap}]',
    '{a="foo", b1="bar", b2="baz", bar_b1="bar", bar_b2="baz"}',
    Labels.fromObject({ a: 'foo', b1: 'bar', b2: 'baz' }),
  );
  await f(
    '[{regex: "(b.*)", action: labeldrop}]',
    '{a="foo"}',
    Labels.fromObject({ a: 'foo', b1: 'bar', b2: 'baz' }),
  );
  await f(
    '[{regex: "(b.*)", action: labelkeep}]',
    '{b1="bar", b2="baz"}',
    Labels.fromObject({ a: 'foo', b1: 'bar', b2: 'baz' }),
  );
  await f(
    '[{source_labels: [a], target_label: d, action: uppercase}, {source_labels: [d], target_label: e, action: lowercase}]',
    '{a="foo", b="bar", c="baz", d="FOO", e="foo"}',
  );
  await f('[{source_labels: [a], target_label: b, action: dropequal}]', labels.toString());
  await f('[{source_labels: [a], target_label: a, action: dropequal}]', 'undefined');
  await f('[{source_labels: [a], target_label: b, action: keepequal}]', 'undefined');
  await f('[{source_labels: [zz], target_label: yy, action: keepequal}]', labels.toString());
});

test('what is wrong with a configuration', async () => {
  const f = (text: string, want: RegExp, actions = SELECTOR_ACTIONS) =>
    assert.rejects(parseRelabelConfig({ name: 'r.yaml', text }, actions), want);
  await f(
    '[{target_label: a}]',
    /^CodedError: r\.yaml:1: \[0\]\.action: unsupported relabel action: replace, expected keep, drop, hashmod$/,
  );
  await f(
    '- action: keep\n- action: explode',
    /r\.yaml:2: \[1\]\.action: unknown relabel action "explode"/,
  );
  await f('- action: keep\n  regexp: x', /r\.yaml:2: \[0\]\.regexp: unknown field, expected regex/);
  await f('- action: keep\n  regex: "("', /r\.yaml:2: \[0\]\.regex: .*missing closing \)/);
  await f('- action: keep\n  regex: "a)(b"', /r\.yaml:2: \[0\]\.regex: .*unexpected \)/);
  await f('- action: hashmod\n  target_label: x', /requires non-zero modulus/);
  await f('- action: hashmod\n  modulus: -1', /\[0\]\.modulus: expected a whole number, is "-1"/);
  await f('- action: hashmod\n  modulus: 2', /hashmod action requires 'target_label' value/);
  await f('- action: keep\n  source_labels: a', /source_labels: expected a list, is a text/);
  await f('action: keep', /r\.yaml:1: expected a list, is a mapping/);
  await f('- action: labeldrop\n  target_label: x', /labeldrop action requires only 'regex'/, [
    'labeldrop',
  ]);
  await f(
    '- action: keepequal\n  target_label: x\n  regex: y',
    /requires only 'source_labels' and/,
    ['keepequal'],
  );
  await f(
    '- action: lowercase\n  target_label: x\n  replacement: y',
    /'replacement' can not be set/,
    ['lowercase'],
  );
});
