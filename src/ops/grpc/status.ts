/** Status codes of gRPC, the error that carries one, and the tables from and to other kinds of failure. */
import { CodedError, type ErrorCode, errorText } from '../../lib/errors.ts';
import type { GrpcMetadata } from './metadata.ts';

/** The names of the codes as Go prints them, by number. */
const CODE_NAMES = [
  'OK',
  'Canceled',
  'Unknown',
  'InvalidArgument',
  'DeadlineExceeded',
  'NotFound',
  'AlreadyExists',
  'PermissionDenied',
  'ResourceExhausted',
  'FailedPrecondition',
  'Aborted',
  'OutOfRange',
  'Unimplemented',
  'Internal',
  'Unavailable',
  'DataLoss',
  'Unauthenticated',
] as const;

/** A status code, by Go's name. */
export type GrpcCode = (typeof CODE_NAMES)[number];

/** All codes in the order of their numbers. */
export const GRPC_CODES: readonly GrpcCode[] = CODE_NAMES;

/** The number of a code on the wire. */
export function grpcCodeNumber(code: GrpcCode): number {
  return CODE_NAMES.indexOf(code);
}

/** The code of a number; numbers that gRPC does not define are Unknown. */
export function grpcCodeOf(number: number): GrpcCode {
  return CODE_NAMES[number] ?? 'Unknown';
}

const FROM_ERROR: Readonly<Record<ErrorCode, GrpcCode>> = {
  bad_data: 'InvalidArgument',
  execution: 'Aborted',
  not_implemented: 'Unimplemented',
  canceled: 'Canceled',
  timeout: 'DeadlineExceeded',
  not_found: 'NotFound',
  too_large: 'ResourceExhausted',
  conflict: 'AlreadyExists',
  unavailable: 'Unavailable',
  corrupt: 'DataLoss',
  internal: 'Internal',
};

const TO_ERROR: Readonly<Record<GrpcCode, ErrorCode>> = {
  OK: 'internal',
  Canceled: 'canceled',
  Unknown: 'internal',
  InvalidArgument: 'bad_data',
  DeadlineExceeded: 'timeout',
  NotFound: 'not_found',
  AlreadyExists: 'conflict',
  PermissionDenied: 'bad_data',
  ResourceExhausted: 'too_large',
  FailedPrecondition: 'execution',
  Aborted: 'execution',
  OutOfRange: 'bad_data',
  Unimplemented: 'not_implemented',
  Internal: 'internal',
  Unavailable: 'unavailable',
  DataLoss: 'corrupt',
  Unauthenticated: 'bad_data',
};

/**
 * The end of a call that is not OK. Handlers throw it to answer with that code; clients get it from every call that
 * fails, whatever the reason. The message is gRPC's description alone.
 */
export class GrpcError extends CodedError {
  readonly grpcCode: GrpcCode;
  /** What came, or is to go, with the status. */
  readonly metadata: GrpcMetadata | undefined;

  constructor(
    grpcCode: GrpcCode,
    message: string,
    options: { readonly metadata?: GrpcMetadata; readonly cause?: unknown } = {},
  ) {
    super(TO_ERROR[grpcCode], message, options.cause === undefined ? {} : { cause: options.cause });
    this.name = 'GrpcError';
    this.grpcCode = grpcCode;
    this.metadata = options.metadata;
  }

  /** As Go prints it, in logs and in warnings of partial answers: `rpc error: code = Unavailable desc = …`. */
  get rpcText(): string {
    return `rpc error: code = ${this.grpcCode} desc = ${this.message}`;
  }
}

/** The error that answers what a handler threw; undefined for what only a bug throws. */
export function grpcErrorOf(thrown: unknown): GrpcError | undefined {
  if (thrown instanceof GrpcError) return thrown;
  if (!(thrown instanceof CodedError)) return undefined;
  return new GrpcError(FROM_ERROR[thrown.code], thrown.message, { cause: thrown });
}

/** Why a call ended whose signal fired: by its deadline or by who made it. Texts: Go's context. */
export function abortedCall(reason: unknown): GrpcError {
  if (reason instanceof GrpcError) return reason;
  const late =
    (reason instanceof CodedError && reason.code === 'timeout') ||
    (reason instanceof Error && reason.name === 'TimeoutError');
  return late
    ? new GrpcError('DeadlineExceeded', 'context deadline exceeded', { cause: reason })
    : new GrpcError('Canceled', 'context canceled', { cause: reason });
}

/** Error codes of HTTP/2 by number: Go's name, and the code of a stream that ends with it. */
const RESETS: readonly (readonly [name: string, code: GrpcCode])[] = [
  ['NO_ERROR', 'Internal'],
  ['PROTOCOL_ERROR', 'Internal'],
  ['INTERNAL_ERROR', 'Internal'],
  ['FLOW_CONTROL_ERROR', 'ResourceExhausted'],
  ['SETTINGS_TIMEOUT', 'Internal'],
  ['STREAM_CLOSED', 'Internal'],
  ['FRAME_SIZE_ERROR', 'Internal'],
  ['REFUSED_STREAM', 'Unavailable'],
  ['CANCEL', 'Canceled'],
  ['COMPRESSION_ERROR', 'Internal'],
  ['CONNECT_ERROR', 'Internal'],
  ['ENHANCE_YOUR_CALM', 'ResourceExhausted'],
  ['INADEQUATE_SECURITY', 'PermissionDenied'],
  ['HTTP_1_1_REQUIRED', 'Internal'],
];

/** A stream that the peer reset. Behaviour: grpc-go internal/transport. */
export function resetError(rstCode: number): GrpcError {
  const [name, code] = RESETS[rstCode] ?? [
    `unknown error code 0x${rstCode.toString(16)}`,
    'Unknown',
  ];
  return new GrpcError(code, `stream terminated by RST_STREAM with error code: ${name}`);
}

const FROM_HTTP = new Map<number, GrpcCode>([
  [400, 'Internal'],
  [401, 'Unauthenticated'],
  [403, 'PermissionDenied'],
  [404, 'Unimplemented'],
  [429, 'Unavailable'],
  [502, 'Unavailable'],
  [503, 'Unavailable'],
  [504, 'Unavailable'],
]);

/** The code for an HTTP answer that is no gRPC. */
export function grpcCodeOfHttp(status: number): GrpcCode {
  return FROM_HTTP.get(status) ?? 'Unknown';
}

/** limit: bytes of a `grpc-message`. Clients on Node take 64 KiB of headers, and drop the call above that. */
const MESSAGE_BYTES_MAX = 32 * 1024;

/** A `grpc-message`: UTF-8, what is not printable ASCII and `%` as `%XX`; what is too long is cut. */
export function encodeGrpcMessage(text: string): string {
  if (text.length <= MESSAGE_BYTES_MAX && /^[ -$&-~]*$/.test(text)) return text;
  let out = '';
  for (const char of text) {
    let next = '';
    for (const byte of Buffer.from(char, 'utf8')) {
      const plain = byte >= 0x20 && byte <= 0x7e && byte !== 0x25;
      next += plain
        ? String.fromCharCode(byte)
        : `%${byte.toString(16).toUpperCase().padStart(2, '0')}`;
    }
    if (out.length + next.length > MESSAGE_BYTES_MAX) break;
    out += next;
  }
  return out;
}

/** The text of a `grpc-message`; broken escapes stay as they are. */
export function decodeGrpcMessage(text: string): string {
  if (!text.includes('%')) return text;
  const bytes = text.replaceAll(/%([0-9a-fA-F]{2})/g, (_, hex: string) =>
    String.fromCharCode(Number.parseInt(hex, 16)),
  );
  return Buffer.from(bytes, 'latin1').toString('utf8');
}

/** The reason in an error of the system as Go words it, where Node's differs. */
export function systemErrorText(thrown: unknown): string {
  const code = thrown instanceof Error && 'code' in thrown ? String(thrown.code) : '';
  const words: Readonly<Record<string, string>> = {
    ECONNREFUSED: 'connection refused',
    ECONNRESET: 'connection reset by peer',
    ETIMEDOUT: 'i/o timeout',
    EHOSTUNREACH: 'no route to host',
    ENETUNREACH: 'network is unreachable',
    ENOTFOUND: 'no such host',
    EPIPE: 'broken pipe',
  };
  return words[code] ?? errorText(thrown);
}
