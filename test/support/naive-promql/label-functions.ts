/** Functions of labels alone. */
import { RE2JS } from 're2js';
import { compareLabels, METRIC_NAME, type Labels } from '../../../src/model/labels.ts';
import { compareUtf8 } from '../../../src/lib/utf8.ts';
import type { CallExpr, Expr } from '../../../src/promql/parse/ast.ts';
import type { Evaluation, Grid } from './query.ts';
import { NaiveError, Unspecified, refuseSameLabels, type Sample, type Vector } from './sample.ts';

/** The text of an argument that is a string. */
export function stringOf(arg: Expr | undefined): string {
  let inner = arg;
  while (inner?.kind === 'paren') inner = inner.expr;
  return inner?.kind === 'string' ? inner.value : '';
}

function relabel(vector: Vector, name: string, valueOf: (labels: Labels) => string | undefined) {
  const samples = vector.map((sample): Sample => {
    const value = valueOf(sample.labels);
    if (value === undefined) return sample;
    const labels = sample.labels.with(name, value);
    return { ...sample, labels, dropName: name === METRIC_NAME ? false : sample.dropName };
  });
  refuseSameLabels(samples);
  return samples;
}

/** label_replace(v, dst, replacement, src, regex). */
export function labelReplace(evaluation: Evaluation, { args }: CallExpr, grid: Grid): Vector[] {
  const [vector, ...texts] = args;
  const [dst = '', replacement = '', src = '', regex = ''] = texts.map(stringOf);
  let pattern: RE2JS;
  try {
    pattern = RE2JS.compile(`^(?s:${regex})$`);
  } catch {
    throw new NaiveError(`invalid regular expression in label_replace(): ${regex}`);
  }
  if (dst === '') throw new NaiveError('invalid destination label name in label_replace(): ');
  const vectors = evaluation.vectors(vector as Expr, grid);
  return vectors.map((samples) =>
    relabel(samples, dst, (labels) => replaced(pattern, labels.get(src), replacement)),
  );
}

/** The replacement with $1, ${1}, $name and $$ filled in; undefined when the value does not match. */
function replaced(pattern: RE2JS, value: string, replacement: string): string | undefined {
  const matcher = pattern.matcher(value);
  if (!matcher.find()) return undefined;
  return replacement.replaceAll(
    /\$(?:(\$)|\{(\w+)\}|(\w+))/g,
    (_, dollar?: string, braced?: string, bare?: string) => {
      if (dollar !== undefined) return '$';
      const group = braced ?? bare ?? '';
      if (!/^\d+$/.test(group)) return matcher.group(group) ?? '';
      const number = Number(group);
      return number <= matcher.groupCount() ? (matcher.group(number) ?? '') : '';
    },
  );
}

/** label_join(v, dst, separator, src…). */
export function labelJoin(evaluation: Evaluation, { args }: CallExpr, grid: Grid): Vector[] {
  const [vector, ...texts] = args;
  const [dst = '', separator = '', ...sources] = texts.map(stringOf);
  if (sources.includes('')) throw new NaiveError('invalid source label name in label_join(): ');
  if (dst === '') throw new NaiveError('invalid destination label name in label_join(): ');
  const vectors = evaluation.vectors(vector as Expr, grid);
  return vectors.map((samples) =>
    relabel(samples, dst, (labels) => sources.map((name) => labels.get(name)).join(separator)),
  );
}

/** Samples by labels in natural order, then by all labels. */
export function sortByLabels(vector: Vector, names: readonly string[], sign: 1 | -1): Vector {
  return vector.toSorted((a, b) => {
    for (const name of names) {
      const [x, y] = [a.labels.get(name), b.labels.get(name)];
      // Go's comparison takes neither for less when one is missing.
      if (x !== y && (x === '' || y === '')) throw new Unspecified('where a missing label sorts');
      if (x !== y) return naturallyLess(x, y) ? -sign : sign;
    }
    return sign * compareLabels(a.labels, b.labels);
  });
}

/** Whether a text sorts before another one, digits counting as numbers. */
function naturallyLess(a: string, b: string): boolean {
  const [x, y] = [a.match(/\d+|\D+/g) ?? [], b.match(/\d+|\D+/g) ?? []];
  for (const [i, part] of x.entries()) {
    const other = y[i];
    if (other === undefined) return false;
    const isSame = /^\d/.test(part) && /^\d/.test(other) ? +part === +other : part === other;
    if (isSame && i === x.length - 1) return true;
    if (isSame) continue;
    if (/^\d/.test(part) && /^\d/.test(other)) return +part < +other;
    return compareUtf8(part, other) < 0;
  }
  return false;
}
