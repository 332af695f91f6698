/** Where messages go. */
export interface FrameSink {
  /** Takes a copy of messages one behind the other; `ends` are their ends in `bytes`; the first is chunk `from`. */
  append(bytes: Uint8Array, ends: ArrayLike<number>, from: number): void;
}
