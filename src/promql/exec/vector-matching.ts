/**
 * Binary operators between two vectors. Series find each other by a signature, the labels that on() or ignoring()
 * leave; signatures are computed once a series, and each signature is worked through step by step.
 */
import { CodedError } from '../../lib/errors.ts';
import { must } from '../../lib/assert.ts';
import type { Labels } from '../../model/labels.ts';
import { compareUtf8 } from '../../lib/utf8.ts';
import { ARITHMETIC, COMPARISON } from '../funcs/arithmetic.ts';
import type { Operand, OperatorResult } from '../funcs/histogram-operators.ts';
import { isSetOperator, type VectorMatching } from '../parse/ast.ts';
import { isInstant, type BinaryNode } from '../plan/node.ts';
import type { ExecContext } from './context.ts';
import { Signatures, dropMetadata, printLabels } from './metric-labels.ts';
import { hasSameLabels, mergeResult, refuseTwice } from './same-labels.ts';
import { firstFault, type JoinSide } from './matching-faults.ts';
import { operateNoted } from './operate.ts';
import {
  FLOAT,
  HISTOGRAM,
  VectorBuilder,
  countPresent,
  histogramOf,
  isFull,
  newVectors,
  renumber,
  vectorsOf,
  type StepVectors,
} from './step-vectors.ts';

/** Evaluates an operator between two vectors. */
export function matchVectors(
  ctx: ExecContext,
  node: BinaryNode,
  lhs: StepVectors,
  rhs: StepVectors,
): StepVectors {
  const matching = must(node.matching, 'vectors are matched');
  const signatures = new Signatures(matching.labels, matching.on);
  const left = lhs.labels.map((labels) => signatures.id(labels));
  const right = rhs.labels.map((labels) => signatures.id(labels));
  if (isSetOperator(node.op)) {
    return mergeResult(ctx, node, combineSets(node.op, { lhs, rhs, left, right }));
  }
  return mergeResult(
    ctx,
    node,
    new Join(ctx, node, matching, signatures).run(lhs, rhs, left, right),
  );
}

interface Sides {
  readonly lhs: StepVectors;
  readonly rhs: StepVectors;
  readonly left: readonly number[];
  readonly right: readonly number[];
}

/** Which signatures have a value at which step. */
function presence(
  { present, steps }: StepVectors,
  ids: readonly number[],
  count: number,
): Uint8Array {
  const has = new Uint8Array(count * steps);
  for (const [row, id] of ids.entries()) {
    for (let s = 0; s < steps; s++) {
      if (present[row * steps + s] !== 0) has[id * steps + s] = 1;
    }
  }
  return has;
}

function combineSets(op: 'and' | 'or' | 'unless', { lhs, rhs, left, right }: Sides): StepVectors {
  const count = Math.max(-1, ...left, ...right) + 1;
  const { steps } = lhs;
  if (op === 'or') {
    const taken = presence(lhs, left, count);
    mask(rhs, right, taken, 0);
    return concat(lhs, rhs);
  }
  const other = presence(rhs, right, count);
  mask(lhs, left, other, op === 'and' ? 1 : 0);
  return steps === 0 ? newVectors([], 0) : lhs;
}

/** Keeps values whose signature has, or has not, a value on the other side. */
function mask(
  { present, steps }: StepVectors,
  ids: readonly number[],
  other: Uint8Array,
  wanted: 0 | 1,
): void {
  for (const [row, id] of ids.entries()) {
    for (let s = 0; s < steps; s++) {
      if (other[id * steps + s] !== wanted) present[row * steps + s] = 0;
    }
  }
}

function concat(a: StepVectors, b: StepVectors): StepVectors {
  const histograms = [...a.histograms, ...b.histograms];
  const all = { ...newVectors([...a.labels, ...b.labels], a.steps), histograms };
  const size = a.labels.length * a.steps;
  all.values.set(a.values);
  all.values.set(b.values, size);
  all.present.set(a.present);
  all.present.set(b.present, size);
  all.dropName.set(a.dropName);
  all.dropName.set(b.dropName, a.labels.length);
  if (b.histograms.length > 0) {
    for (let row = a.labels.length; row < all.labels.length; row++)
      renumber(all, row, a.histograms.length);
  }
  return all;
}

/** The value of a cell that has one. */
function operandOf(vectors: StepVectors, cell: number): Operand {
  if (vectors.present[cell] === HISTOGRAM) return histogramOf(vectors, cell);
  return vectors.values[cell] as number;
}

/** Rows by signature. */
function rowsBySignature(ids: readonly number[]): number[][] {
  const rows: number[][] = [];
  for (const [row, id] of ids.entries()) {
    const list = rows[id];
    if (list === undefined) rows[id] = [row];
    else list.push(row);
  }
  return rows;
}

/** The rows of the many and of the one side that meet, by signature; undefined when a signature has several of one side. */
function onlyPairs(
  manyIds: readonly number[],
  oneIds: readonly number[],
): (readonly [number, number])[] | undefined {
  const [manyRows, oneRows] = [rowsBySignature(manyIds), rowsBySignature(oneIds)];
  const pairs: (readonly [number, number])[] = [];
  for (let id = 0; id < Math.max(manyRows.length, oneRows.length); id++) {
    const [m, o] = [manyRows[id] ?? [], oneRows[id] ?? []];
    if (m.length > 1 || o.length > 1) return undefined;
    if (m.length === 1 && o.length === 1) pairs.push([m[0] as number, o[0] as number]);
  }
  return pairs;
}

function refuseMatches(isOneToOne: boolean): never {
  const what = isOneToOne
    ? 'many-to-one matching must be explicit (group_left/group_right)'
    : 'grouping labels must ensure unique matches';
  throw new CodedError('execution', `multiple matches for labels: ${what}`);
}

/** What series that are not there count for. */
interface Fills {
  readonly many: number | undefined;
  readonly one: number | undefined;
}

interface JoinJob {
  readonly many: StepVectors;
  readonly one: StepVectors;
  readonly manyIds: readonly number[];
  readonly oneIds: readonly number[];
  readonly fills: Fills;
  /** Steps at which anything can match; counted when they are asked for: pairs of single series never do. */
  readonly active: () => Uint8Array;
}

/** The cells of one row. */
type Cells = Pick<StepVectors, 'values' | 'present'>;

function rowOf({ values, present, steps }: StepVectors, row: number): Cells {
  const [from, to] = [row * steps, (row + 1) * steps];
  return { values: values.subarray(from, to), present: present.subarray(from, to) };
}

/** perf: the four operators that most joins have, each in a loop without a call. */
function combineRows(
  op: string,
  combine: (a: number, b: number) => number,
  a: Float64Array,
  b: Float64Array,
  out: Float64Array,
): void {
  const n = out.length;
  if (op === '/') for (let s = 0; s < n; s++) out[s] = (a[s] as number) / (b[s] as number);
  else if (op === '*') for (let s = 0; s < n; s++) out[s] = (a[s] as number) * (b[s] as number);
  else if (op === '-') for (let s = 0; s < n; s++) out[s] = (a[s] as number) - (b[s] as number);
  else if (op === '+') for (let s = 0; s < n; s++) out[s] = (a[s] as number) + (b[s] as number);
  else for (let s = 0; s < n; s++) out[s] = combine(a[s] as number, b[s] as number);
}

/** One join of a "many" with a "one" side; in one-to-one the left side plays the many. */
class Join {
  readonly #ctx: ExecContext;
  readonly #node: BinaryNode;
  readonly #matching: VectorMatching;
  readonly #signatures: Signatures;
  readonly #delayed: boolean;
  readonly #combine: ((a: number, b: number) => number) | undefined;
  readonly #compare: ((a: number, b: number) => boolean) | undefined;
  /** Whether results of equal labels stay apart. */
  #keepsSameLabels = false;
  /** Result rows by the labels of the two sides. */
  readonly #rows = new Map<string, number>();
  #builder = new VectorBuilder(0);
  #swapped = false;

  constructor(
    ctx: ExecContext,
    node: BinaryNode,
    matching: VectorMatching,
    signatures: Signatures,
  ) {
    this.#ctx = ctx;
    this.#node = node;
    this.#matching = matching;
    this.#signatures = signatures;
    this.#delayed = ctx.options.delayedNames;
    this.#combine = ARITHMETIC.get(node.op);
    this.#compare = COMPARISON.get(node.op);
  }

  run(
    lhs: StepVectors,
    rhs: StepVectors,
    left: readonly number[],
    right: readonly number[],
  ): StepVectors {
    const { card, fillLeft, fillRight } = this.#matching;
    this.#swapped = card === 'one-to-many';
    const [many, one] = this.#swapped ? [rhs, lhs] : [lhs, rhs];
    const [manyIds, oneIds] = this.#swapped ? [right, left] : [left, right];
    // compat: which side a fill belongs to does not change when the sides are swapped.
    const fills = { many: fillLeft, one: fillRight };
    this.#builder = new VectorBuilder(lhs.steps, Math.max(1, many.labels.length));
    let counted: Uint8Array | undefined;
    const active = (): Uint8Array => (counted ??= this.#activeSteps(many, one));
    this.#keepsSameLabels = this.#delayed && isInstant(this.#node.grid);
    const job = { many, one, manyIds, oneIds, fills, active };
    const full = this.#joinFull(job);
    if (full !== undefined) return full;
    try {
      this.#join(job);
    } catch (thrown) {
      const sides = { many: { vectors: many, ids: manyIds }, one: { vectors: one, ids: oneIds } };
      this.#refuse(sides, fills, active());
      throw thrown;
    }
    return this.#builder.finish();
  }

  /**
   * perf: the join where nothing can go wrong: numbers everywhere on both sides, one series of each side a signature, and
   * results of different labels. It may write to the many side. Undefined for any other.
   */
  #joinFull({ many, one, manyIds, oneIds, fills }: JoinJob): StepVectors | undefined {
    const { steps } = many;
    const combine = this.#combine;
    const isPlain = combine !== undefined && fills.many === undefined && fills.one === undefined;
    if (!isPlain || steps === 0 || !isFull(many.present) || !isFull(one.present)) return undefined;
    const pairs = onlyPairs(manyIds, oneIds);
    if (pairs === undefined) return undefined;
    const labels = pairs.map(([m, o]) =>
      this.#resultLabels(many.labels[m] as Labels, one.labels[o] as Labels),
    );
    if (hasSameLabels(labels)) return undefined;
    this.#ctx.check();
    const inPlace = pairs.length === many.labels.length && pairs.every(([m], row) => m === row);
    const values = inPlace ? many.values : new Float64Array(pairs.length * steps);
    for (const [row, [m, o]] of pairs.entries()) {
      const [a, b] = [rowOf(many, m).values, rowOf(one, o).values];
      const out = values.subarray(row * steps, (row + 1) * steps);
      if (this.#swapped) combineRows(this.#node.op, combine, b, a, out);
      else combineRows(this.#node.op, combine, a, b, out);
    }
    const present = inPlace ? many.present : new Uint8Array(values.length).fill(FLOAT);
    return vectorsOf(labels, steps, { values, present });
  }

  #join({ many, one, manyIds, oneIds, fills, active }: JoinJob): void {
    const manyRows = rowsBySignature(manyIds);
    const oneRows = rowsBySignature(oneIds);
    const count = Math.max(manyRows.length, oneRows.length);
    for (let id = 0; id < count; id++) {
      this.#ctx.check();
      const m = manyRows[id] ?? [];
      const o = oneRows[id] ?? [];
      if (m.length === 0 && fills.many === undefined && o.length < 2) continue;
      if (o.length === 0 && fills.one === undefined) continue;
      if (m.length === 1 && o.length === 1 && fills.many === undefined && fills.one === undefined) {
        this.#pair(many, m[0] as number, one, o[0] as number);
      } else this.#signature(many, m, one, o, fills, active());
    }
  }

  /** Throws for the fault that Prometheus would meet first. */
  #refuse(sides: { many: JoinSide; one: JoinSide }, fills: Fills, active: Uint8Array): void {
    const { many, one } = sides;
    const labelsOf = ({ vectors }: JoinSide, row: number): Labels => vectors.labels[row] as Labels;
    const isOneToOne = this.#matching.card === 'one-to-one';
    const fault = firstFault({
      ...sides,
      isOneToOne,
      active,
      fills: { many: fills.many !== undefined, one: fills.one !== undefined },
      refusesSameLabels: !this.#keepsSameLabels,
      result: (m, o, s) => {
        const a = m < 0 ? fills.many : operandOf(many.vectors, m * active.length + s);
        const b = o < 0 ? fills.one : operandOf(one.vectors, o * active.length + s);
        const result = this.#operate(a as Operand, b as Operand);
        if (result === undefined) return undefined;
        const left = m < 0 ? this.#matched(labelsOf(one, o)) : labelsOf(many, m);
        const right = o < 0 ? this.#matched(labelsOf(many, m)) : labelsOf(one, o);
        const isKept = result.keep || this.#node.returnBool;
        return { labels: this.#resultLabels(left, right), isKept };
      },
    });
    if (fault?.kind === 'duplicate')
      this.#refuseDuplicate(labelsOf(one, fault.first), labelsOf(one, fault.second));
    if (fault?.kind === 'many matches') refuseMatches(isOneToOne);
    if (fault?.kind === 'same labels') refuseTwice();
  }

  /** Steps at which anything can match: without fills an empty side ends it before any error is noticed. */
  #activeSteps(many: StepVectors, one: StepVectors): Uint8Array {
    const { fillLeft, fillRight } = this.#matching;
    const active = new Uint8Array(many.steps);
    if (fillLeft !== undefined || fillRight !== undefined) return active.fill(1);
    const [a, b] = [many, one].map(({ present, steps, labels }) => {
      const any = new Uint8Array(steps);
      for (let row = 0; row < labels.length; row++) {
        const base = row * steps;
        for (let s = 0; s < steps; s++) any[s] = (any[s] as number) | (present[base + s] as number);
      }
      return any.map((flags) => (flags === 0 ? 0 : 1));
    });
    for (let s = 0; s < active.length; s++) active[s] = (a?.[s] ?? 0) & (b?.[s] ?? 0);
    return active;
  }

  /** The common case: one series on each side, nothing to refuse but equal results. */
  #pair(many: StepVectors, m: number, one: StepVectors, o: number): void {
    const { steps } = many;
    const combine = this.#combine;
    if (combine === undefined || many.histograms.length + one.histograms.length > 0) {
      for (let s = 0; s < steps; s++) {
        const [i, j] = [m * steps + s, o * steps + s];
        if (many.present[i] === 0 || one.present[j] === 0) continue;
        const pair = this.#operate(operandOf(many, i), operandOf(one, j));
        if (pair !== undefined)
          this.#emit(many.labels[m] as Labels, one.labels[o] as Labels, s, pair, undefined);
      }
      return;
    }
    this.#pairNumbers(combine, rowOf(many, m), rowOf(one, o), () =>
      this.#builder.cells(this.#row(many.labels[m] as Labels, one.labels[o] as Labels)),
    );
  }

  /** perf: a row of numbers each; the result's row is made when there is a value for it. */
  #pairNumbers(
    combine: (a: number, b: number) => number,
    many: Cells,
    one: Cells,
    resultRow: () => Cells,
  ): void {
    const swapped = this.#swapped;
    let out: Cells | undefined;
    // perf: mostly both have a number at every step, and nothing is there that could be in the way.
    const isPlain = many.present.length > 0 && isFull(many.present) && isFull(one.present);
    if (isPlain && countPresent((out = resultRow()).present) === 0) {
      const [a, b] = swapped ? [one.values, many.values] : [many.values, one.values];
      combineRows(this.#node.op, combine, a, b, out.values);
      out.present.fill(FLOAT);
      return;
    }
    for (let s = 0; s < many.present.length; s++) {
      if (many.present[s] !== FLOAT || one.present[s] !== FLOAT) continue;
      out ??= resultRow();
      if (out.present[s] !== 0) refuseTwice();
      const a = many.values[s] as number;
      const b = one.values[s] as number;
      out.values[s] = swapped ? combine(b, a) : combine(a, b);
      out.present[s] = 1;
    }
  }

  /** What the operator gives for a value of the many and one of the one side; undefined for nothing at all. */
  #operate(many: Operand, one: Operand): OperatorResult | undefined {
    const [a, b] = this.#swapped ? [one, many] : [many, one];
    if (typeof a === 'number' && typeof b === 'number') {
      if (this.#combine !== undefined) return { value: this.#combine(a, b), keep: true };
      if (this.#compare !== undefined) return { value: a, keep: this.#compare(a, b) };
    }
    const result = operateNoted(this.#ctx, this.#node, a, b);
    return result.value === undefined ? undefined : result;
  }

  #signature(
    many: StepVectors,
    manyRows: readonly number[],
    one: StepVectors,
    oneRows: readonly number[],
    fills: Fills,
    active: Uint8Array,
  ): void {
    const { steps } = many;
    for (let s = 0; s < steps; s++) {
      if (active[s] !== 1) continue;
      const partner = this.#onlyOne(one, oneRows, s);
      let matched = false;
      const seen = manyRows.length > 1 ? new Set<string>() : undefined;
      for (const row of manyRows) {
        const i = row * steps + s;
        if (many.present[i] === 0) continue;
        const labels = many.labels[row] as Labels;
        if (partner < 0 && fills.one === undefined) continue;
        const other = partner < 0 ? this.#matched(labels) : (one.labels[partner] as Labels);
        const value = partner < 0 ? (fills.one as number) : operandOf(one, partner * steps + s);
        const result = this.#operate(operandOf(many, i), value);
        if (result === undefined) continue;
        if (matched && this.#matching.card === 'one-to-one') refuseMatches(true);
        matched = true;
        this.#emit(labels, other, s, result, seen);
      }
      if (!matched && partner >= 0 && fills.many !== undefined) {
        const labels = one.labels[partner] as Labels;
        const result = this.#operate(fills.many, operandOf(one, partner * steps + s));
        if (result !== undefined) this.#emit(this.#matched(labels), labels, s, result, undefined);
      }
    }
  }

  /** The row of the one side that has a value at the step, -1 when none has. */
  #onlyOne(one: StepVectors, rows: readonly number[], s: number): number {
    let found = -1;
    for (const row of rows) {
      if (one.present[row * one.steps + s] === 0) continue;
      if (found >= 0) this.#refuseDuplicate(one.labels[found] as Labels, one.labels[row] as Labels);
      found = row;
    }
    return found;
  }

  #refuseDuplicate(a: Labels, b: Labels): never {
    const group = printLabels(this.#matched(b));
    const side = this.#matching.card === 'one-to-many' ? 'left' : 'right';
    const pair = [printLabels(a), printLabels(b)].sort(compareUtf8).join(', ');
    throw new CodedError(
      'execution',
      `found duplicate series for the match group ${group} on the ${side} hand-side of the operation: [${pair}];many-to-many matching not allowed: matching labels must be unique on one side`,
    );
  }

  /** The labels that two series agree in. */
  #matched(labels: Labels): Labels {
    return this.#signatures.reduce(labels);
  }

  #emit(
    many: Labels,
    one: Labels,
    s: number,
    { value = NaN, keep }: OperatorResult,
    seen: Set<string> | undefined,
  ): void {
    const { returnBool } = this.#node;
    const row = this.#row(many, one);
    if (seen !== undefined) {
      const { key } = this.#builder.labels(row);
      if (seen.has(key)) refuseMatches(false);
      seen.add(key);
    }
    if (!keep && !returnBool) return;
    if (this.#builder.has(row, s)) refuseTwice();
    if (returnBool) this.#builder.set(row, s, keep ? 1 : 0);
    else if (typeof value === 'number') this.#builder.set(row, s, value);
    else this.#builder.setHistogram(row, s, value);
  }

  /** The result row of a pair. */
  #row(many: Labels, one: Labels): number {
    const pair = `${many.key}\ufffe${one.key}`;
    let row = this.#rows.get(pair);
    if (row !== undefined) return row;
    const labels = this.#resultLabels(many, one);
    const key = `=${labels.key}`;
    // compat: with delayed removal an instant query tells equal labels apart only at its end.
    const other = this.#keepsSameLabels ? undefined : this.#rows.get(key);
    row = other ?? this.#builder.add(labels, this.#node.returnBool ? 1 : 0);
    this.#rows.set(key, row);
    this.#rows.set(pair, row);
    return row;
  }

  #resultLabels(many: Labels, one: Labels): Labels {
    const { card, include, on, labels: names } = this.#matching;
    const drop = this.#combine !== undefined || (this.#node.returnBool && !this.#delayed);
    let labels = drop ? dropMetadata(many) : many;
    if (card === 'one-to-one') {
      const set = new Set(names);
      labels = on ? labels.keep(set) : labels.drop(set);
    }
    for (const name of include) labels = labels.with(name, one.get(name));
    return labels;
  }
}
