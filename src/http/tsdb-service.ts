/** What the endpoints about a TSDB ask of whoever owns it. All of it is plain data, so that answers may come from a worker. */

/** A matcher as plain data: {@link Matcher} is made of it where it is used. */
export interface MatcherSpec {
  readonly type: '=' | '!=' | '=~' | '!~';
  readonly name: string;
  readonly value: string;
}

/** Metadata of a metric family, one of perhaps several that senders told. */
export interface MetadataEntry {
  readonly family: string;
  /** `counter`, `gauge`, … or `unknown`. */
  readonly type: string;
  readonly help: string;
  readonly unit: string;
}

/** A series with exemplars. Labels are name, value, … sorted by name. */
export interface SeriesExemplars {
  readonly seriesLabels: readonly string[];
  /** In order of time; there is at least one. */
  readonly exemplars: readonly {
    readonly labels: readonly string[];
    readonly value: number;
    readonly timestampMs: number;
  }[];
}

/** How often something occurs, or how much it takes. */
export interface NamedCount {
  readonly name: string;
  readonly value: number;
}

/** Cardinality of a head, as `/api/v1/status/tsdb` shows it. Lists are sorted by value, the largest first. */
export interface HeadCardinality {
  readonly numSeries: number;
  /** Pairs of label name and value that occur. */
  readonly numLabelPairs: number;
  readonly chunkCount: number;
  /** Times of the oldest and the newest sample in ms; undefined in an empty head. */
  readonly minTime: number | undefined;
  readonly maxTime: number | undefined;
  readonly seriesCountByMetricName: readonly NamedCount[];
  readonly labelValueCountByLabelName: readonly NamedCount[];
  /** Bytes of a label's name and values, each as often as there are series with it. */
  readonly memoryInBytesByLabelName: readonly NamedCount[];
  /** Names are `label=value`. */
  readonly seriesCountByLabelValuePair: readonly NamedCount[];
}

/** How far the replay of the log is: numbers of segments. */
export interface ReplayStatus {
  readonly min: number;
  readonly max: number;
  readonly current: number;
}

/** A TSDB that can be asked about itself and be changed. Promises reject with CodedError. */
export interface TsdbService {
  /** Metadata of all families, or of the one with a name; any order. */
  metadata(metric: string | undefined): Promise<readonly MetadataEntry[]>;
  /**
   * Exemplars with startMs <= timestampMs <= endMs of the series that match any of the matcher sets, of which there is
   * at least one; series in order of their labels, external labels among them.
   */
  exemplars(
    matcherSets: readonly (readonly MatcherSpec[])[],
    startMs: number,
    endMs: number,
  ): Promise<readonly SeriesExemplars[]>;
  /** Cardinality of the head, each list with at most so many entries. */
  headStats(limit: number): Promise<HeadCardinality>;
  /** The meta.json of each block that is there, but for Thanos' part, in order of minTime. */
  blocks(): Promise<readonly object[]>;
  /** Answers at any time, also while the log is replayed. */
  replayStatus(): Promise<ReplayStatus>;
  /** Deletes samples with mint <= t <= maxt (ms) of the series that match any of the matcher sets. */
  deleteSeries(
    matcherSets: readonly (readonly MatcherSpec[])[],
    mint: number,
    maxt: number,
  ): Promise<void>;
  /** Writes blocks anew without what was deleted. */
  cleanTombstones(): Promise<void>;
  /** Hard-links all blocks, and the head as a block unless told not to, to `snapshots/<name>`; answers the name. */
  snapshot(skipHead: boolean): Promise<string>;
}
