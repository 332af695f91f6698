/**
 * Spans by the OpenTelemetry protocol: encoded by the library, carried by a transport, repeated where the collector
 * asks for it. Behaviour: the OTLP specification, and Go's otlptracehttp and otlptracegrpc for the defaults.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { ProtobufTraceSerializer } from '@opentelemetry/otlp-transformer';
import type { ReadableSpan } from '@opentelemetry/sdk-trace';
import { errorText } from '../../lib/errors.ts';
import type { Logger } from '../../lib/log.ts';
import type { SpanSink } from './span-batcher.ts';

/** Carries one ExportTraceServiceRequest: over HTTP or gRPC. */
export interface OtlpTransport {
  /**
   * Sends a request and answers the bytes of the response.
   * @throws OtlpRefusal when it may be sent again later; anything else when not.
   */
  send(request: Uint8Array, signal: AbortSignal): Promise<Uint8Array>;
  close(): void;
}

/** The collector is busy, or something between here and there is. */
export class OtlpRefusal extends Error {
  /** When the collector wants it again; undefined when it did not say. */
  readonly retryAfterMs: number | undefined;

  constructor(message: string, retryAfterMs?: number) {
    super(message);
    this.name = 'OtlpRefusal';
    this.retryAfterMs = retryAfterMs;
  }
}

/** How often, and for how long, a request is repeated. */
export interface RetryLimits {
  readonly initialMs: number;
  readonly maxMs: number;
  readonly elapsedMs: number;
}

/** Go's defaults. */
export const DEFAULT_RETRY: RetryLimits = { initialMs: 5000, maxMs: 30_000, elapsedMs: 60_000 };

/** Each wait is so much longer than the one before, as in Go. */
const GROWTH = 1.5;

/** Sends to one collector. */
export class OtlpSink implements SpanSink {
  readonly #transport: OtlpTransport;
  readonly #retry: RetryLimits;
  readonly #log: Logger;

  constructor(transport: OtlpTransport, retry: RetryLimits, log: Logger) {
    this.#transport = transport;
    this.#retry = retry;
    this.#log = log;
  }

  async send(spans: readonly ReadableSpan[], signal: AbortSignal): Promise<void> {
    const request = ProtobufTraceSerializer.serializeRequest([...spans]);
    if (request === undefined) throw new Error('spans cannot be encoded');
    const { initialMs, maxMs, elapsedMs } = this.#retry;
    const until = performance.now() + elapsedMs;
    for (let wait = initialMs; ; wait = Math.min(wait * GROWTH, maxMs)) {
      try {
        this.#look(await this.#transport.send(request, signal));
        return;
      } catch (thrown) {
        if (!(thrown instanceof OtlpRefusal)) throw thrown;
        // Some spread, so that not everybody comes back at once.
        const pause = thrown.retryAfterMs ?? wait * (0.5 + Math.random());
        if (performance.now() + pause > until) throw thrown;
        await sleep(pause, undefined, { signal, ref: false });
      }
    }
  }

  close(): void {
    this.#transport.close();
  }

  /** A collector may have taken some of the spans only. */
  #look(response: Uint8Array): void {
    if (response.length === 0) return;
    try {
      const { partialSuccess } = ProtobufTraceSerializer.deserializeResponse(response);
      const rejected = partialSuccess?.rejectedSpans ?? 0;
      const err = partialSuccess?.errorMessage ?? '';
      if (rejected > 0 || err !== '') {
        this.#log.warn('the collector did not take all spans', { spans: rejected, err });
      }
    } catch (thrown) {
      this.#log.debug('the answer of the collector is no OTLP', { err: errorText(thrown) });
    }
  }
}
