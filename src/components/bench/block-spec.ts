/**
 * What a plan says about one block, and the names of its fields in YAML: those of Go's yaml.v2 for
 * blockgen.BlockSpec (thanosbench pkg/blockgen, thanos pkg/block/metadata, prometheus tsdb/block.go), so that plans go
 * from either program to the other.
 */

/** How values of a series come about: anything, growing, or steady for a while. */
export type GeneratorType = 'RANDOM' | 'COUNTER' | 'GAUGE';

/** The generators, as plans name them. */
export const GENERATOR_TYPES: readonly GeneratorType[] = ['RANDOM', 'COUNTER', 'GAUGE'];

/** Series that differ in one label only, the number of their target. */
export interface SeriesSpec {
  /** By name in UTF-8 byte order; the label of the target is not among them. */
  readonly labels: readonly (readonly [string, string])[];
  /** How many series there are, numbered from 1; 0 stands for a single one with the number 0. */
  readonly targets: number;
  readonly type: GeneratorType;
  /** ms; the first sample is one scrape interval later. */
  readonly minTime: number;
  /** ms; the last sample is less than one scrape interval later. */
  readonly maxTime: number;
  /** How far the value of a gauge wanders when it changes. */
  readonly jitter: number;
  /** ms between samples. */
  readonly scrapeIntervalMs: number;
  /** ms between changes of value. */
  readonly changeIntervalMs: number;
  readonly max: number;
  readonly min: number;
}

/** One block of a plan. */
export interface BlockSpec {
  /** ms, for the progress line only: the samples decide what the block covers. */
  readonly minTime: number;
  readonly maxTime: number;
  /** Written into the plan; a generated block has level 1 whatever it says. */
  readonly level: number;
  /** The part of meta.json that is Thanos' own. */
  readonly thanos: {
    readonly version: number;
    /** External labels by name, as given; they are no labels of the series. */
    readonly labels: readonly (readonly [string, string])[];
    /** ms. */
    readonly resolution: number;
    readonly source: string;
  };
  readonly series: readonly SeriesSpec[];
}

/** The label that tells the series of one {@link SeriesSpec} apart. */
export const TARGET_LABEL = '__blockgen_target__';
