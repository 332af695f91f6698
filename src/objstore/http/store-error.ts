/** Failures of stores as the errors that Bucket promises: one sentence with operation, object, bucket and reason. */
import { abortError } from '../../lib/abort.ts';
import { CodedError, errorText } from '../../lib/errors.ts';
import { AccessDeniedError } from '../bucket.ts';
import type { StoreFailure } from './object-api.ts';

/** Where something failed. */
export interface RequestContext {
  /** A verb, as `get`. */
  readonly operation: string;
  /** The object's or directory's name, if it is about one. */
  readonly object: string | undefined;
  readonly bucket: string;
}

/** A failure that keeps what the store said, so that callers can look at its code. */
export class StoreError extends CodedError {
  readonly failure: StoreFailure;

  constructor(failure: StoreFailure, message: string) {
    super(failure.notFound ? 'not_found' : failure.retriable ? 'unavailable' : 'internal', message);
    this.name = 'StoreError';
    this.failure = failure;
  }
}

/** Statuses that may be others later. Behaviour: minio-go retry.go. */
const RETRIED = new Set([408, 429, 499, 500, 502, 503, 504, 520]);

/** Whether an answer of that status may be another one later. */
export function isRetriedStatus(status: number): boolean {
  return RETRIED.has(status);
}

/** limit: of what a store says, in characters. */
const MESSAGE_MAX = 300;

/** The error for an answer that says no. `tries` were made in all. */
export function storeError(
  failure: StoreFailure,
  context: RequestContext & { readonly tries: number; readonly hint: string },
): CodedError {
  const { status, code, message, requestId } = failure;
  const said = [
    `the store answers ${status}${code === '' ? '' : ` ${code}`}`,
    ...(message === '' ? [] : [oneLine(message)]),
  ].join(': ');
  const notes = [
    ...(requestId === '' ? [] : [`request id ${requestId}`]),
    ...(context.tries > 1 ? [`after ${context.tries} tries`] : []),
  ];
  const text = `${contextText(context)}: ${said}${notes.length > 0 ? ` (${notes.join(', ')})` : ''}`;
  if (failure.notFound) return new StoreError(failure, text);
  if (status === 401 || status === 403) {
    return new AccessDeniedError(context.hint === '' ? text : `${text}; ${context.hint}`);
  }
  // What is neither denied nor missing may be cured by a later try, by another configuration at the latest.
  return new StoreError({ ...failure, retriable: true }, text);
}

/** The error for a connection that did not come about or broke. */
export function connectionError(
  thrown: unknown,
  context: RequestContext & { readonly tries: number },
  signal: AbortSignal | undefined,
): CodedError {
  if (signal?.aborted === true) return abortError(signal);
  if (thrown instanceof CodedError) return thrown;
  const tries = context.tries > 1 ? ` (after ${context.tries} tries)` : '';
  const text = `${contextText(context)}: ${causeText(thrown)}${tries}`;
  return new CodedError('unavailable', text, { cause: thrown });
}

/** `get "a/b" from bucket x`. */
export function contextText({ operation, object, bucket }: RequestContext): string {
  const what = object === undefined ? operation : `${operation} ${JSON.stringify(object)}`;
  return `${what}, bucket ${bucket}`;
}

/** The innermost reason: connection errors come wrapped, sometimes as a list of one for each address. */
function causeText(thrown: unknown): string {
  if (thrown instanceof AggregateError && thrown.errors.length > 0) {
    return thrown.errors.map(errorText).join(', ');
  }
  return oneLine(errorText(thrown));
}

function oneLine(text: string): string {
  return text.replaceAll(/\s+/g, ' ').trim().replace(/\.$/, '').slice(0, MESSAGE_MAX);
}
