/** Differences between engine and naive evaluator that are known, with the reason. The list should be empty. */
import { SAME_LABELS } from './sample.ts';

/** What both said: error texts, '' for an answer. */
export interface Said {
  readonly want: string;
  readonly got: string;
  readonly delayedNames: boolean;
}

/** A kind of difference that is counted apart. */
export interface KnownDifference {
  readonly what: string;
  matches(said: Said): boolean;
}

const MATCHING = /^(?:found duplicate series for the match group|multiple matches for labels:)/;

/** Equal labels of a result are a fault that the sides of the operation may have brought about. */
function isMatchingFault(text: string): boolean {
  return MATCHING.test(text) || text === SAME_LABELS;
}

/** All of them. */
export const KNOWN_DIFFERENCES: readonly KnownDifference[] = [
  {
    // Prometheus looks through the whole "one" side, in the order of its series, before it matches anything; the engine
    // goes from group to group. Both refuse, but a query with several faults is told of another one.
    what: 'another one of several faults of vector matching is reported',
    matches: ({ want, got }) => isMatchingFault(want) && isMatchingFault(got),
  },
  {
    // A NaN among the parameters of the steps makes the greatest of them NaN, which is not below 1; the engine takes the
    // greatest of the others.
    what: 'a parameter of topk that is NaN at some steps, and below 1 at all others, is not refused',
    matches: ({ want, got }) => want === 'Parameter value is NaN' && got === '',
  },
  {
    // Prometheus checks the factors wherever there is a sample, the engine where there is a result: two samples.
    what: 'factors of double_exponential_smoothing are not checked where windows have one sample',
    matches: ({ want }) => /^invalid (?:smoothing|trend) factor/.test(want),
  },
  {
    // At an instant, names that go at the end are told apart at the end, of what is left then.
    what: 'equal labels inside an instant query are refused too early with delayed name removal',
    matches: ({ want, got, delayedNames }) => delayedNames && want === '' && got === SAME_LABELS,
  },
];
