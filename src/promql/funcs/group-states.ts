/**
 * Aggregation by states: sum, avg, min, max, count and group over rows of steps.
 *
 * A cell is one group at one step, at index `group * steps + step`. Rows are added in label order; states of shards
 * are merged in the order of the shards, so the answer depends on how series are cut into shards, which is fixed,
 * and not on who computed which.
 *
 *   op          a          b              n       meaning
 *   sum         sum        compensation   count   a + b
 *   avg         sum        compensation   count   a/n + b/n, while incremental is 0
 *               mean       compensation   count   a + b, once the sum would overflow
 *   min, max    extreme    -              count
 *   count       -          -              count
 *   group       -          -              count
 */
import { unreachable } from '../../lib/assert.ts';
import { sumError } from '../../lib/kahan.ts';

/** Aggregations whose states can be merged. */
export type StateOp = 'sum' | 'avg' | 'min' | 'max' | 'count' | 'group';

/** Which aggregations are done by states. */
export const STATE_OPS: ReadonlySet<string> = new Set([
  'sum',
  'avg',
  'min',
  'max',
  'count',
  'group',
]);

/** The states of all groups at all steps: plain data, to be transferred between threads. */
export interface GroupStates {
  readonly op: StateOp;
  readonly groups: number;
  readonly steps: number;
  readonly a: Float64Array;
  readonly b: Float64Array;
  readonly n: Uint32Array;
  /** avg only: which cells have gone over to a running mean. */
  readonly incremental: Uint8Array;
}

/** Empty states. */
export function newStates(op: StateOp, groups: number, steps: number): GroupStates {
  const size = groups * steps;
  const summing = op === 'sum' || op === 'avg';
  const valued = summing || op === 'min' || op === 'max';
  return {
    op,
    groups,
    steps,
    // Each array has a buffer of its own: states are transferred between threads.
    a: new Float64Array(valued ? size : 0),
    b: new Float64Array(summing ? size : 0),
    n: new Uint32Array(size),
    incremental: new Uint8Array(op === 'avg' ? size : 0),
  };
}

/** The states of the groups from … to (exclusive): views. */
export function statesOf(states: GroupStates, from: number, to: number): GroupStates {
  const { op, steps, a, b, n, incremental } = states;
  const [first, end] = [from * steps, to * steps];
  return {
    op,
    groups: to - from,
    steps,
    a: a.subarray(first, end),
    b: b.subarray(first, end),
    n: n.subarray(first, end),
    incremental: incremental.subarray(first, end),
  };
}

/**
 * Adds one series' row to its group. `present` has 1 for numbers; other values than 0 stand for what only count and group
 * count.
 */
export function addRow(
  states: GroupStates,
  group: number,
  values: Float64Array,
  present: Uint8Array,
): void {
  const base = group * states.steps;
  switch (states.op) {
    case 'sum':
      addSum(states, base, values, present);
      break;
    case 'avg':
      for (let s = 0; s < states.steps; s++) {
        if (present[s] === 1) addToMean(states, base + s, values[s] as number);
      }
      break;
    case 'max':
    case 'min':
      addExtreme(states, base, values, present);
      break;
    case 'count':
    case 'group': {
      const { n, steps } = states;
      for (let s = 0; s < steps; s++)
        if (present[s] !== 0) n[base + s] = (n[base + s] as number) + 1;
    }
  }
}

function addSum(
  { a, b, n, steps }: GroupStates,
  base: number,
  values: Float64Array,
  present: Uint8Array,
): void {
  for (let s = 0; s < steps; s++) {
    if (present[s] !== 1) continue;
    const i = base + s;
    const value = values[s] as number;
    const sum = a[i] as number;
    const total = sum + value;
    a[i] = total;
    n[i] = (n[i] as number) + 1;
    if (total === Infinity || total === -Infinity) b[i] = 0;
    else b[i] = (b[i] as number) + sumError(sum, value, total);
  }
}

function addToMean(states: GroupStates, i: number, value: number): void {
  const { a, b, n, incremental } = states;
  const count = (n[i] as number) + 1;
  n[i] = count;
  const sum = a[i] as number;
  if (count === 1) {
    a[i] = value;
    return;
  }
  if (incremental[i] === 0) {
    const total = sum + value;
    if (total !== Infinity && total !== -Infinity) {
      a[i] = total;
      b[i] = (b[i] as number) + sumError(sum, value, total);
      return;
    }
    incremental[i] = 1;
    a[i] = sum / (count - 1);
    b[i] = (b[i] as number) / (count - 1);
  }
  const q = (count - 1) / count;
  addCompensated(a, b, i, q * (a[i] as number), q * (b[i] as number), value / count);
}

function addCompensated(
  a: Float64Array,
  b: Float64Array,
  i: number,
  sum: number,
  comp: number,
  value: number,
): void {
  const total = sum + value;
  a[i] = total;
  b[i] = Math.abs(total) === Infinity ? 0 : comp + sumError(sum, value, total);
}

function addExtreme(
  { a, n, op, steps }: GroupStates,
  base: number,
  values: Float64Array,
  present: Uint8Array,
): void {
  const max = op === 'max';
  for (let s = 0; s < steps; s++) {
    if (present[s] !== 1) continue;
    const i = base + s;
    const value = values[s] as number;
    const best = a[i] as number;
    const count = n[i] as number;
    n[i] = count + 1;
    // The first value counts whatever it is; NaN gives way to anything.
    if (count === 0 || (max ? best < value : best > value) || Number.isNaN(best)) a[i] = value;
  }
}

/**
 * Adds the states of a later shard to those of the earlier ones. `groupOf` gives the group in `into` of each group in
 * `from`, for a shard counts only the groups that occur in it; `touched` has 1 for groups that were merged before.
 */
export function mergeStates(
  into: GroupStates,
  from: GroupStates,
  groupOf: Uint32Array,
  touched: Uint8Array,
): void {
  const { n, steps } = into;
  for (let g = 0; g < from.groups; g++) {
    const group = groupOf[g] as number;
    const base = group * steps;
    if (touched[group] === 0) {
      copyGroup(into, base, from, g * steps);
      touched[group] = 1;
      continue;
    }
    for (let s = 0; s < steps; s++) {
      const more = from.n[g * steps + s] as number;
      if (more === 0) continue;
      mergeCell(into, base + s, from, g * steps + s);
      n[base + s] = (n[base + s] as number) + more;
    }
  }
}

/** The states of a group that has none yet. */
function copyGroup(into: GroupStates, i: number, from: GroupStates, j: number): void {
  const end = j + into.steps;
  into.n.set(from.n.subarray(j, end), i);
  if (into.a.length > 0) into.a.set(from.a.subarray(j, end), i);
  if (into.b.length > 0) into.b.set(from.b.subarray(j, end), i);
  if (into.incremental.length > 0) into.incremental.set(from.incremental.subarray(j, end), i);
}

function mergeCell(into: GroupStates, i: number, from: GroupStates, j: number): void {
  const { a, b, n, op } = into;
  const empty = n[i] === 0;
  const value = from.a[j] as number;
  const best = a[i] as number;
  switch (op) {
    case 'sum':
      addCompensated(a, b, i, best, (b[i] as number) + (from.b[j] as number), value);
      break;
    case 'avg':
      mergeMeans(into, i, from, j);
      break;
    case 'max':
      if (empty || best < value || Number.isNaN(best)) a[i] = value;
      break;
    case 'min':
      if (empty || best > value || Number.isNaN(best)) a[i] = value;
      break;
    case 'count':
    case 'group':
  }
}

function mergeMeans(into: GroupStates, i: number, from: GroupStates, j: number): void {
  const { a, b, n, incremental } = into;
  const countA = n[i] as number;
  const countB = from.n[j] as number;
  if (countA === 0) {
    a[i] = from.a[j] as number;
    b[i] = from.b[j] as number;
    incremental[i] = from.incremental[j] as number;
    return;
  }
  const sumB = from.a[j] as number;
  const compB = from.b[j] as number;
  const finite = Math.abs((a[i] as number) + sumB) !== Infinity;
  if (incremental[i] === 0 && from.incremental[j] === 0 && finite) {
    addCompensated(a, b, i, a[i] as number, (b[i] as number) + compB, sumB);
    return;
  }
  const all = countA + countB;
  const weightA = (incremental[i] === 0 ? 1 : countA) / all;
  const weightB = (from.incremental[j] === 0 ? 1 : countB) / all;
  const comp = (b[i] as number) * weightA + compB * weightB;
  addCompensated(a, b, i, (a[i] as number) * weightA, comp, sumB * weightB);
  incremental[i] = 1;
}

/** Turns states into values: row-major by group, with a flag for each cell that has one. */
export function finishStates(states: GroupStates): { values: Float64Array; present: Uint8Array } {
  const { n } = states;
  const values = new Float64Array(n.length);
  const present = new Uint8Array(n.length);
  for (let i = 0; i < n.length; i++) present[i] = n[i] === 0 ? 0 : 1;
  finishValues(states, values);
  return { values, present };
}

/** Cells without a value get any number. perf: one loop an operation, that does one thing. */
function finishValues({ op, a, b, n, incremental }: GroupStates, values: Float64Array): void {
  switch (op) {
    case 'sum':
      for (let i = 0; i < n.length; i++) values[i] = (a[i] as number) + (b[i] as number);
      break;
    case 'avg':
      for (let i = 0; i < n.length; i++) {
        const count = incremental[i] === 1 ? 1 : (n[i] as number);
        values[i] = (a[i] as number) / count + (b[i] as number) / count;
      }
      break;
    case 'min':
    case 'max':
      values.set(a);
      break;
    case 'count':
      values.set(n);
      break;
    case 'group':
      values.fill(1);
      break;
    default:
      unreachable(op);
  }
}
