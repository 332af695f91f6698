/** What the remote write endpoints ask of whoever stores samples. */

/** Versions of the remote write protocol: prometheus.WriteRequest and io.prometheus.write.v2.Request. */
export type RemoteWriteVersion = 1 | 2;

/**
 * What of a request is stored, for the answer of remote write 2.0. Samples that were there already, bit by bit, count: a
 * sender must not take them for lost (Prometheus' appender says yes to them, too).
 */
export interface WrittenCounts {
  /** Float samples. */
  readonly samples: number;
  readonly histograms: number;
  readonly exemplars: number;
}

/** How a request ended: the status that its sender sees, and what was in it. */
export interface WriteOutcome {
  /**
   * 200 stored, 400 bad bytes or labels, 409 out of order or duplicate, 413 above a limit, 500 a bug,
   * 503 not now: the sender should send the same request again.
   */
  readonly status: 200 | 400 | 409 | 413 | 500 | 503;
  /** The sentence for the sender; '' for 200. */
  readonly message: string;
  /** Series in the request, as far as it was understood. */
  readonly series: number;
  /** Samples in the request, histograms included, as far as it was understood. */
  readonly samples: number;
  /** What is stored, also when the rest was refused; absent: nothing. */
  readonly written?: WrittenCounts;
}

/** How a body is to be read. */
export interface WriteOptions {
  /** Larger than this once decompressed is a 413. */
  readonly maxDecodedBytes: number;
  readonly version: RemoteWriteVersion;
}

/** Stores write requests. */
export interface WriteService {
  /**
   * Stores a remote write request. The body is snappy-compressed and has an ArrayBuffer of its own, which passes to the
   * service (it may be transferred).
   * What goes wrong with the request is in the outcome; a rejection is a bug or a shutdown.
   */
  write(body: Uint8Array<ArrayBuffer>, options: WriteOptions): Promise<WriteOutcome>;
}
