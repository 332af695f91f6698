/**
 * Answers remote read requests out of a storage, in pages: a page is bytes in order, and where the next one begins. Runs
 * where the storage is (a compute worker); it keeps nothing between pages, so each may come from another thread.
 * Behaviour: prometheus storage/remote/read_handler.go.
 */
import type { Queryable } from '../storage/storage.ts';
import { streamChunks } from './remote-read-chunks.ts';
import { parseReadRequest } from './remote-read-request.ts';
import { readSamples } from './remote-read-samples.ts';
import type { ReadCursor, ReadOptions } from './remote-read-select.ts';

/** A part of an answer. */
export interface ReadPage {
  readonly contentType: string;
  /** '' or `snappy`. */
  readonly contentEncoding: string;
  /** In order; memory of the caller's own, which may be transferred. */
  readonly pieces: readonly Uint8Array<ArrayBuffer>[];
  /** Where the next page begins; undefined when there is none. */
  readonly next: ReadCursor | undefined;
}

/** The beginning of an answer. */
export const FIRST_PAGE: ReadCursor = { query: 0, after: undefined };

/**
 * Answers a page of a request, which is snappy-compressed.
 * @throws CodedError bad_data for what is no request, for a matcher that does not parse, and beyond the sample limit;
 * canceled when the signal fires; what the storage throws.
 */
export async function readPage(
  queryable: Queryable,
  body: Uint8Array,
  cursor: ReadCursor,
  options: ReadOptions,
): Promise<ReadPage> {
  const { queries, responseType } = parseReadRequest(body);
  if (responseType === 'samples') {
    const pieces = await readSamples(queryable, queries, options);
    const contentType = 'application/x-protobuf';
    return { contentType, contentEncoding: 'snappy', pieces, next: undefined };
  }
  const page = await streamChunks(queryable, queries, cursor, options);
  const contentType = 'application/x-streamed-protobuf; proto=prometheus.ChunkedReadResponse';
  return { contentType, contentEncoding: '', ...page };
}
