/** What each node of a plan took: collected when a query is to be analyzed, and never otherwise. */
import { unreachable } from '../../lib/assert.ts';
import type { Clock } from '../../lib/clock.ts';
import type { PlanNode } from '../plan/node.ts';
import { planChildren } from '../plan/node.ts';
import { describeNode } from '../plan/print-plan.ts';
import type { Value } from './step-vectors.ts';

/** What a node took, its children included. */
export interface NodeCost {
  readonly timeMs: number;
  /** Series of its value: 1 for a scalar. */
  readonly series: number;
  /** Samples that selectors looked at. */
  readonly samplesTotal: number;
  /** The most samples that were held at one time, beyond those that were held before. */
  readonly samplesPeak: number;
}

/** A node with what it took; nothing where there was nothing to evaluate, as for constants. */
export interface ProfiledNode extends NodeCost {
  /** As `describeNode` of plan/print-plan.ts gives it. */
  readonly name: string;
  readonly children: readonly ProfiledNode[];
}

/** The counters of an evaluation. */
interface Counters {
  readonly samplesTotal: number;
  samplesPeak: number;
  readonly held: number;
}

const NOTHING: NodeCost = { timeMs: 0, series: 0, samplesTotal: 0, samplesPeak: 0 };

/** Collects the costs of one evaluation, whose nodes begin and end like brackets. */
export class Profiler {
  readonly #clock: Clock;
  readonly #costs = new Map<PlanNode, NodeCost>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** A node begins; what is returned is called with its value. The counter of the peak begins anew in between. */
  begin(node: PlanNode, counters: Counters): (value: Value) => void {
    const began = this.#clock.monotonic();
    const { samplesTotal, samplesPeak, held } = counters;
    counters.samplesPeak = held;
    return (value) => {
      this.#costs.set(node, {
        timeMs: this.#clock.monotonic() - began,
        series: seriesOf(value),
        samplesTotal: counters.samplesTotal - samplesTotal,
        samplesPeak: counters.samplesPeak - held,
      });
      counters.samplesPeak = Math.max(samplesPeak, counters.samplesPeak);
    };
  }

  /** The nodes of a plan with what they took. */
  tree(node: PlanNode): ProfiledNode {
    const children = planChildren(node).map((child) => this.tree(child));
    return { name: describeNode(node), ...(this.#costs.get(node) ?? NOTHING), children };
  }
}

function seriesOf(value: Value): number {
  switch (value.kind) {
    case 'string':
      return 0;
    case 'scalars':
      return 1;
    case 'raw':
    case 'vectors':
      return value.labels.length;
    default:
      return unreachable(value);
  }
}
