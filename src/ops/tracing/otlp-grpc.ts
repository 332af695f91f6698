/** OTLP over gRPC. Behaviour: the OTLP specification, section OTLP/gRPC, and Go's otlptracegrpc for what is repeated. */
import { GrpcChannel } from '../grpc/channel.ts';
import { GrpcMetadata } from '../grpc/metadata.ts';
import { type GrpcCode, GrpcError } from '../grpc/status.ts';
import type { ClientTls } from '../tls-files.ts';
import { OtlpRefusal, type OtlpTransport } from './otlp-sink.ts';

const EXPORT = '/opentelemetry.proto.collector.trace.v1.TraceService/Export';

/** Statuses that mean: later. */
const RETRYABLE: ReadonlySet<GrpcCode> = new Set([
  'Canceled',
  'DeadlineExceeded',
  'Aborted',
  'OutOfRange',
  'Unavailable',
  'DataLoss',
]);

/** How requests are made. */
export interface OtlpGrpcOptions {
  /** `host:port`. */
  readonly address: string;
  /** Undefined for a connection without TLS. */
  readonly tls: ClientTls | undefined;
  readonly headers: Readonly<Record<string, string>>;
  readonly timeoutMs: number;
  readonly gzip: boolean;
  /** The longest wait between attempts to connect; 0 for gRPC's own. */
  readonly reconnectionPeriodMs: number;
}

/** A transport to one collector. */
export class OtlpGrpc implements OtlpTransport {
  readonly #channel: GrpcChannel;
  readonly #metadata: GrpcMetadata;
  readonly #timeoutMs: number;

  /** @throws CodedError bad_data when the address is none, or a header cannot be sent. */
  constructor(options: OtlpGrpcOptions) {
    const { address, tls, headers, timeoutMs, gzip, reconnectionPeriodMs } = options;
    this.#metadata = new GrpcMetadata(headers);
    this.#timeoutMs = timeoutMs;
    this.#channel = new GrpcChannel(address, {
      tls,
      compression: gzip ? 'gzip' : 'identity',
      ...(reconnectionPeriodMs > 0 && { backoff: { maxMs: reconnectionPeriodMs } }),
    });
  }

  async send(request: Uint8Array, signal: AbortSignal): Promise<Uint8Array> {
    const options = { signal, timeoutMs: this.#timeoutMs, metadata: this.#metadata };
    try {
      return await this.#channel.unary(EXPORT, request, options);
    } catch (thrown) {
      if (!(thrown instanceof GrpcError)) throw thrown;
      if (signal.aborted || !RETRYABLE.has(thrown.grpcCode)) {
        throw new Error(thrown.rpcText, { cause: thrown });
      }
      throw new OtlpRefusal(thrown.rpcText);
    }
  }

  close(): void {
    this.#channel.close();
  }
}
