/** What a thread needs to read a block: plain data, so it can be posted to workers and kept as JSON. */
export interface BlockHandle {
  readonly ulid: string;
  readonly directory: string;
  /** ms, inclusive. */
  readonly mint: number;
  /** ms, exclusive. */
  readonly maxt: number;
  /**
   * The page cache's number of the file `index`; segment k (1, 2, …) is firstFile + k. Numbers of other files must not
   * be in this range, nor a number be given out again before the process ends.
   */
  readonly firstFile: number;
  /** How many chunk segments there are. */
  readonly segments: number;
  /** How often its tombstones were changed since it is known: readers read them again when it has. */
  readonly revision: number;
}
