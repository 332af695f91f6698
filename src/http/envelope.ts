/** The envelope of API answers, `{"status":…}`, and the table from error codes to error types and statuses. */
import type { FastifyReply, FastifyRequest } from 'fastify';
import { CodedError, type ErrorCode, errorText } from '../lib/errors.ts';
import type { Logger } from '../lib/log.ts';
import { sendPieces } from '../ops/http-body.ts';
import { requestId } from '../ops/request-id.ts';
import type { Dialect } from './dialect.ts';
import type { QueryAnswer } from './query-service.ts';

const JSON_TYPE = 'application/json';

interface ApiError {
  readonly errorType: string;
  readonly status: number;
}

/** What clients see of each error code. Canceled is 499 in one dialect and 503 in the other. */
const API_ERRORS: Readonly<Record<ErrorCode, ApiError>> = {
  bad_data: { errorType: 'bad_data', status: 400 },
  execution: { errorType: 'execution', status: 422 },
  not_implemented: { errorType: 'execution', status: 422 },
  too_large: { errorType: 'execution', status: 422 },
  conflict: { errorType: 'execution', status: 422 },
  canceled: { errorType: 'canceled', status: 499 },
  timeout: { errorType: 'timeout', status: 503 },
  unavailable: { errorType: 'unavailable', status: 503 },
  not_found: { errorType: 'not_found', status: 404 },
  corrupt: { errorType: 'internal', status: 500 },
  internal: { errorType: 'internal', status: 500 },
};

/** An error whose status is not that of its code. */
export class AnswerError extends CodedError {
  readonly status: number;

  constructor(code: ErrorCode, status: number, message: string) {
    super(code, message);
    this.status = status;
  }
}

/** Sends `{"status":"success","data":…}` with warnings and infos; without data it is a 204. */
export function sendAnswer(
  request: FastifyRequest,
  reply: FastifyReply,
  dialect: Dialect,
  answer: QueryAnswer,
): Promise<void> {
  if (answer.data.length === 0) {
    reply.code(204).send();
    return Promise.resolve();
  }
  const warnings = dialect.infos ? answer.warnings : [...answer.warnings, ...answer.infos];
  let tail = '';
  if (warnings.length > 0) tail += `,"warnings":${JSON.stringify(warnings)}`;
  if (dialect.infos && answer.infos.length > 0) tail += `,"infos":${JSON.stringify(answer.infos)}`;
  // A warning that is not about the query says that something is missing: such an answer is not to be cached.
  if (answer.warnings.some((text) => !text.startsWith('PromQL '))) {
    reply.header('cache-control', 'no-store');
  }
  const pieces = [
    Buffer.from('{"status":"success","data":'),
    ...answer.data,
    Buffer.from(`${tail}}`),
  ];
  return sendPieces(request, reply, 200, JSON_TYPE, pieces);
}

/** Sends `{"status":"success","data":…}` for plain data. */
export function sendData(
  request: FastifyRequest,
  reply: FastifyReply,
  dialect: Dialect,
  data: unknown,
): Promise<void> {
  const bytes = Buffer.from(JSON.stringify(data));
  return sendAnswer(request, reply, dialect, { data: [bytes], warnings: [], infos: [] });
}

/** Sends `{"status":"error",…}` for anything thrown. What is not a CodedError is a bug: it is logged, not shown. */
export function sendError(
  request: FastifyRequest,
  reply: FastifyReply,
  dialect: Dialect,
  log: Logger,
  thrown: unknown,
): Promise<void> {
  if (!(thrown instanceof CodedError)) {
    const id = requestId(request);
    const stack = thrown instanceof Error ? thrown.stack : undefined;
    const path = request.url.split('?', 1)[0];
    log.error('request failed', { path, request_id: id, err: errorText(thrown), stack });
    const text = `internal error, the log has it under request_id ${id}`;
    return sendErrorText(request, reply, API_ERRORS.internal, text);
  }
  const { errorType, status } = API_ERRORS[thrown.code];
  return sendErrorText(
    request,
    reply,
    { errorType, status: shownStatus(thrown, status, dialect) },
    thrown.message,
  );
}

function shownStatus(thrown: CodedError, status: number, dialect: Dialect): number {
  if (thrown instanceof AnswerError) return thrown.status;
  return thrown.code === 'canceled' ? dialect.canceledStatus : status;
}

/** Sends the answer of an endpoint that this version does not have. */
export function sendNotImplemented(request: FastifyRequest, reply: FastifyReply): Promise<void> {
  const path = request.url.split('?', 1)[0] ?? '';
  const error = { errorType: 'not_implemented', status: 501 };
  return sendErrorText(request, reply, error, `${path} is not implemented yet`);
}

function sendErrorText(
  request: FastifyRequest,
  reply: FastifyReply,
  { errorType, status }: ApiError,
  error: string,
): Promise<void> {
  const text = JSON.stringify({ status: 'error', errorType, error });
  reply.header('cache-control', 'no-store');
  return sendPieces(request, reply, status, JSON_TYPE, [Buffer.from(text)]);
}
