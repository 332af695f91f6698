/**
 * What one kind of store must say so that http-bucket.ts makes a Bucket of it: the requests of its interface, their
 * signatures, and what its answers mean. Retries, streams, splitting of uploads and errors are the same for all.
 */
import type { BucketProvider } from '../bucket.ts';
import type { Payload } from './payload.ts';

/** A request before it is signed. */
export interface StoreRequest {
  readonly method: 'GET' | 'HEAD' | 'PUT' | 'POST' | 'DELETE';
  /** The object's or upload's name as the API's paths have it, not encoded; undefined for the bucket itself. */
  readonly object?: string | undefined;
  /** Not encoded, in any order. A value of undefined stands for a parameter without `=`. */
  readonly query?: Readonly<Record<string, string | undefined>>;
  /** Names in lower case. */
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: Payload;
  /** For APIs whose requests go to more than one place. */
  readonly scope?: string;
  /** Statuses of 300 or more that are no failure. */
  readonly accepts?: readonly number[];
}

/** A request as it goes out. */
export interface WireRequest {
  /** `https://host:port`. */
  readonly origin: string;
  /** Encoded, with its query. */
  readonly path: string;
  /** Names in lower case; without content-length. */
  readonly headers: Readonly<Record<string, string>>;
}

/** Headers of an answer: names in lower case. */
export type StoreHeaders = Readonly<Record<string, string | string[] | undefined>>;

/** An answer that is small. */
export interface StoreAnswer {
  readonly status: number;
  readonly headers: StoreHeaders;
  readonly body: Buffer;
}

/** What a store says about a request that it did not carry out. */
export interface StoreFailure {
  readonly status: number;
  /** The store's own code; '' when it gave none. */
  readonly code: string;
  readonly message: string;
  readonly requestId: string;
  /** The object, or an upload, is not there; not the bucket. */
  readonly notFound: boolean;
  /** Whether the same request may succeed later. */
  readonly retriable: boolean;
  /** Further things that a store's own code wants, as the region. */
  readonly details?: Readonly<Record<string, string>>;
}

/** Sends a request, tries again as often as configured, and throws what {@link StoreFailure} says as a CodedError. */
export type Send = (request: StoreRequest, operation: string) => Promise<StoreAnswer>;

/** One page of a listing. */
export interface ListPage {
  readonly objects: readonly {
    readonly name: string;
    /** Bytes. */
    readonly size?: number | undefined;
    /** ms since the epoch. */
    readonly lastModified?: number | undefined;
  }[];
  /** With a slash at their ends. */
  readonly directories: readonly string[];
  /** What to ask the next page by; undefined at the end. */
  readonly next?: string | undefined;
}

/** Which page of a listing. */
export interface ListQuestion {
  /** '' or with a slash at its end. */
  readonly prefix: string;
  readonly recursive: boolean;
  readonly next: string | undefined;
}

/** A part on its way. */
export interface PartToUpload {
  /** From 1 on. */
  readonly number: number;
  /** Where it lies in the object, in bytes. */
  readonly offset: number;
  readonly body: Payload;
  /** Known to be the last one. Of a stream it may turn out later that the one before was the last. */
  readonly isLast: boolean;
}

/** A part that was uploaded. */
export interface UploadedPart {
  /** From 1 on. */
  readonly number: number;
  readonly etag: string;
  /** Bytes. */
  readonly size: number;
}

/** An upload in parts that has begun. */
export interface PartedUpload {
  readonly name: string;
  readonly id: string;
  /** For stores that want it again at the end. */
  readonly contentType: string | undefined;
}

/** Uploads in parts. */
export interface MultipartApi {
  begin(name: string, contentType: string | undefined, send: Send): Promise<PartedUpload>;
  /** Writes one part and answers its ETag. */
  upload(upload: PartedUpload, part: PartToUpload, send: Send): Promise<string>;
  /** Makes the object of its parts, which are in order. Must throw when the store says no in a 200. */
  complete(upload: PartedUpload, parts: readonly UploadedPart[], send: Send): Promise<void>;
  /** Removes the parts; `parts` may lack some that are there. */
  abort(upload: PartedUpload, parts: readonly UploadedPart[], send: Send): Promise<void>;
}

/** How uploads are cut. */
export interface UploadLimits {
  /** Bytes from which on an object goes in parts of this size; Infinity for never. */
  readonly partBytes: number;
  /** Most parts of one object. */
  readonly partsMax: number;
  /** Parts of one object under way at once; 1 for stores that want them in order. */
  readonly partsAtOnce: number;
}

/** How requests are tried again. */
export interface RetryPolicy {
  /** Most tries of one request, the first included. */
  readonly triesMax: number;
  /** Milliseconds before the second try, doubled with each. */
  readonly firstMs: number;
  /** Most milliseconds between tries. */
  readonly mostMs: number;
  /** Milliseconds within which an answer must begin; undefined for what the connection allows. */
  readonly tryMs?: number | undefined;
}

/** The interface of one bucket. */
export interface ObjectApi {
  readonly provider: BucketProvider;
  /** The bucket's name. */
  readonly name: string;
  readonly limits: UploadLimits;
  readonly multipart: MultipartApi;
  readonly retries: RetryPolicy;
  get(name: string): StoreRequest;
  head(name: string): StoreRequest;
  put(name: string, contentType: string | undefined, body: Payload): StoreRequest;
  /** Removes an object; may throw not_found. */
  delete(name: string, send: Send): Promise<void>;
  list(question: ListQuestion, send: Send): Promise<ListPage>;
  /** Adds what proves who we are. Called for every try. `now` is ms since the epoch. */
  sign(request: StoreRequest, now: number, signal: AbortSignal | undefined): Promise<WireRequest>;
  /** Understands an answer of status 300 or more. The body is empty for HEAD. */
  failure(request: StoreRequest, answer: StoreAnswer): StoreFailure;
  /** Learns from a failure, as a new token or region; true when the request should go out again at once. */
  recover?(failure: StoreFailure, signal: AbortSignal | undefined): Promise<boolean>;
  /** For error messages about access; '' when there is nothing to say. */
  accessHint?(): string;
}
