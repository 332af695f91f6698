/** Failures of cache servers. They never leave this folder: whoever asks a cache sees a miss. */
import { CodedError } from '../lib/errors.ts';
import type { CacheFailure } from './cache.ts';

/** A failed operation on a cache server, with the value of the label `reason`. */
export class RemoteCacheError extends CodedError {
  readonly reason: CacheFailure;

  constructor(reason: CacheFailure, message: string, options?: { cause?: unknown }) {
    super(reason === 'timeout' ? 'timeout' : 'unavailable', message, options);
    this.name = 'RemoteCacheError';
    this.reason = reason;
  }
}

/** The label `reason` of any thrown value. */
export function failureReason(thrown: unknown): CacheFailure {
  return thrown instanceof RemoteCacheError ? thrown.reason : 'other';
}
