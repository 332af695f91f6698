/** Differences between engine and naive evaluator that are known, with the reason. The list should be empty. */

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

const DUPLICATE = /^found duplicate series for the match group/;

/** All of them. */
export const KNOWN_DIFFERENCES: readonly KnownDifference[] = [
  {
    // Which two series are told depends on their order, which Prometheus takes from a Go map after most operations.
    what: 'other two of several duplicate series of a match group are told',
    matches: ({ want, got }) => DUPLICATE.test(want) && DUPLICATE.test(got),
  },
];
