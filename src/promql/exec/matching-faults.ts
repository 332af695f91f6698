/**
 * Which fault of a vector matching is told. The join goes from signature to signature and stops at any fault; Prometheus goes
 * from step to step and through the series in their order (promql/engine.go, VectorBinop), and so may meet another one first.
 */
import type { Labels } from '../../model/labels.ts';
import type { StepVectors } from './step-vectors.ts';

/** One side of a join: its series and the signature of each. */
export interface JoinSide {
  readonly vectors: StepVectors;
  readonly ids: readonly number[];
}

/** A join, as far as its faults go. */
export interface FaultyJoin {
  readonly many: JoinSide;
  readonly one: JoinSide;
  readonly isOneToOne: boolean;
  /** 1 for steps at which anything can match. */
  readonly active: Uint8Array;
  /** Whether a series of the many, or one, side matches one that is not there. */
  readonly fills: { readonly many: boolean; readonly one: boolean };
  /** Whether results of equal labels are refused at once. */
  readonly refusesSameLabels: boolean;
  /**
   * The labels of the result of two rows at a step, -1 standing for a fill; undefined when there is no result at all. `isKept` says
   * whether it is part of the answer.
   */
  result(many: number, one: number, step: number): { labels: Labels; isKept: boolean } | undefined;
}

/** A fault: two series of the one side with one signature, more matches than one, or equal results. */
export type Fault =
  | { readonly kind: 'duplicate'; readonly first: number; readonly second: number }
  | { readonly kind: 'many matches' }
  | { readonly kind: 'same labels' };

/** The first fault; undefined when there is none. */
export function firstFault(join: FaultyJoin): Fault | undefined {
  for (let s = 0; s < join.active.length; s++) {
    const fault = join.active[s] === 1 ? new FaultyStep(join, s).find() : undefined;
    if (fault !== undefined) return fault;
  }
  return undefined;
}

class FaultyStep {
  readonly #join: FaultyJoin;
  readonly #step: number;
  /** The row of the one side by signature. */
  readonly #partners = new Map<number, number>();
  /** The labels of the results by signature. */
  readonly #matched = new Map<number, Set<string>>();
  readonly #kept: string[] = [];

  constructor(join: FaultyJoin, step: number) {
    this.#join = join;
    this.#step = step;
  }

  find(): Fault | undefined {
    const { many, one, fills } = this.#join;
    for (const row of this.#rows(one)) {
      const first = this.#partners.get(one.ids[row] as number);
      if (first !== undefined) return { kind: 'duplicate', first, second: row };
      this.#partners.set(one.ids[row] as number, row);
    }
    for (const row of this.#rows(many)) {
      const id = many.ids[row] as number;
      const partner = this.#partners.get(id) ?? -1;
      if (partner < 0 && !fills.one) continue;
      if (this.#isFault(id, row, partner)) return { kind: 'many matches' };
    }
    for (const row of fills.many ? this.#rows(one) : []) {
      const id = one.ids[row] as number;
      if (!this.#matched.has(id) && this.#isFault(id, -1, row)) return { kind: 'many matches' };
    }
    const isDistinct = new Set(this.#kept).size === this.#kept.length;
    return isDistinct || !this.#join.refusesSameLabels ? undefined : { kind: 'same labels' };
  }

  /** The rows of a side that have a value. */
  #rows({ vectors, ids }: JoinSide): number[] {
    const { present, steps } = vectors;
    return ids.flatMap((_, row) => (present[row * steps + this.#step] === 0 ? [] : [row]));
  }

  #isFault(id: number, many: number, one: number): boolean {
    const result = this.#join.result(many, one, this.#step);
    if (result === undefined) return false;
    const { key } = result.labels;
    const before = this.#matched.get(id);
    if (before !== undefined && (this.#join.isOneToOne || before.has(key))) return true;
    this.#matched.set(id, (before ?? new Set()).add(key));
    if (result.isKept) this.#kept.push(key);
    return false;
  }
}
