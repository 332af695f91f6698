/** What the remote write endpoints ask of whoever stores samples. */

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
}

/** Stores write requests. */
export interface WriteService {
  /**
   * Stores a remote write 1.0 request. The body is snappy-compressed and has an ArrayBuffer of its own, which passes
   * to the service (it may be transferred). Larger than `maxDecodedBytes` once decompressed is a 413.
   * What goes wrong with the request is in the outcome; a rejection is a bug or a shutdown.
   */
  write(
    body: Uint8Array<ArrayBuffer>,
    options: { readonly maxDecodedBytes: number },
  ): Promise<WriteOutcome>;
}
