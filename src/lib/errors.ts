/**
 * The errors that cross layers. One base class with a machine code, so that one table maps a code to an HTTP
 * status (http/) and one to an exit code (cmd/).
 */

/** What kind of failure an error is; tables at the edges turn it into a status. */
export type ErrorCode =
  /** The caller asked for something wrong: bad flag, bad query, bad body. */
  | 'bad_data'
  /** The query is fine but cannot be evaluated on this data. */
  | 'execution'
  /** Part of the interface that this version does not have yet. */
  | 'not_implemented'
  /** The caller went away or the process stops. */
  | 'canceled'
  | 'timeout'
  | 'not_found'
  /** A budget said no: "X of Y". */
  | 'too_large'
  /** Out-of-order samples or duplicates with another value. */
  | 'conflict'
  /** The disk, a peer or a queue refuses for now: worth a retry. */
  | 'unavailable'
  /** Bytes that are not what their format says. */
  | 'corrupt'
  | 'internal';

/** An error with a machine-readable code. The message is a sentence without a full stop. */
export class CodedError extends Error {
  readonly code: ErrorCode;

  constructor(code: ErrorCode, message: string, options?: { cause?: unknown }) {
    super(message, options);
    this.code = code;
    this.name = 'CodedError';
  }
}

/** Bytes that do not follow their format: which file or body, and at which byte offset. */
export class CorruptionError extends CodedError {
  readonly where: string;
  readonly offset: number;

  constructor(message: string, where: string, offset: number) {
    super('corrupt', `${message} (${where}, offset ${offset})`);
    this.name = 'CorruptionError';
    this.where = where;
    this.offset = offset;
  }
}

/** The text of any thrown value, for logs and answers. */
export function errorText(thrown: unknown): string {
  if (thrown instanceof Error) return thrown.message;
  return String(thrown);
}

/** The code of any thrown value; what is not ours is internal. */
export function errorCode(thrown: unknown): ErrorCode {
  return thrown instanceof CodedError ? thrown.code : 'internal';
}
