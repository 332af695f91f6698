/**
 * Takes ended spans and sends them in batches, one batch at a time. Nobody ever waits for it: what does not fit the
 * queue or cannot be sent is dropped, and the log says how much, once a minute at most.
 */
import type { ReadableSpan, SpanProcessor } from '@opentelemetry/sdk-trace';
import type { Clock } from '../../lib/clock.ts';
import { errorText } from '../../lib/errors.ts';
import type { Logger } from '../../lib/log.ts';

/** Where spans go. */
export interface SpanSink {
  /** Resolves when they have arrived. Rejects when they will not; retries are over by then. */
  send(spans: readonly ReadableSpan[], signal: AbortSignal): Promise<void>;
  /** Gives its connections back. */
  close(): void;
}

/** Sizes and times. Defaults: the OpenTelemetry specification, as in Go's SDK. */
export interface BatchLimits {
  /** limit: spans that wait. */
  readonly queueMax: number;
  /** limit: spans in one request. */
  readonly batchMax: number;
  /** How long the first span of a batch waits for others. */
  readonly delayMs: number;
}

/** OpenTelemetry's. */
export const DEFAULT_BATCH: BatchLimits = { queueMax: 2048, batchMax: 512, delayMs: 5000 };

/** How often the log says that spans were dropped. */
const WARN_EVERY_MS = 60_000;

/** How long a stop waits for the last spans; as in Go. */
const CLOSE_MS = 5000;

/** The end of the SDK that spans come out of. */
export class SpanBatcher implements SpanProcessor {
  readonly #sink: SpanSink;
  readonly #limits: BatchLimits;
  readonly #clock: Clock;
  readonly #log: Logger;
  readonly #stop = new AbortController();
  #queue: ReadableSpan[] = [];
  #timer: NodeJS.Timeout | undefined;
  #sending: Promise<void> | undefined;
  #closed = false;
  #dropped = 0;
  #warnedAt = -Infinity;

  constructor(sink: SpanSink, limits: BatchLimits, clock: Clock, log: Logger) {
    this.#sink = sink;
    this.#limits = limits;
    this.#clock = clock;
    this.#log = log;
  }

  onStart(): void {
    // Spans are looked at when they end.
  }

  onEnd(span: ReadableSpan): void {
    if (this.#closed || (span.spanContext().traceFlags & 1) === 0) return;
    if (this.#queue.length >= this.#limits.queueMax) {
      this.#drop(1, 'the queue is full');
      return;
    }
    this.#queue.push(span);
    if (this.#sending !== undefined) return;
    if (this.#queue.length >= this.#limits.batchMax) void this.#sendAll();
    else this.#timer ??= setTimeout(() => void this.#sendAll(), this.#limits.delayMs).unref();
  }

  /** Resolves when everything that has ended so far is sent or dropped. */
  async forceFlush(): Promise<void> {
    while (this.#queue.length > 0 || this.#sending !== undefined) await this.#sendAll();
  }

  /** Sends what is left, for some seconds at most. */
  async shutdown(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    const timer = setTimeout(() => this.#stop.abort(), CLOSE_MS);
    try {
      await this.forceFlush();
    } finally {
      clearTimeout(timer);
      this.#sink.close();
      if (this.#dropped > 0) this.#warn('the process stops');
    }
  }

  /** Sends until the queue is empty; whoever comes meanwhile waits for the same. */
  #sendAll(): Promise<void> {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#sending ??= this.#drain().finally(() => (this.#sending = undefined));
    return this.#sending;
  }

  async #drain(): Promise<void> {
    while (this.#queue.length > 0) {
      const batch = this.#queue.slice(0, this.#limits.batchMax);
      this.#queue = this.#queue.slice(batch.length);
      try {
        this.#stop.signal.throwIfAborted();
        await this.#sink.send(batch, this.#stop.signal);
      } catch (thrown) {
        this.#drop(batch.length, errorText(thrown));
      }
    }
  }

  #drop(spans: number, reason: string): void {
    this.#dropped += spans;
    if (this.#clock.monotonic() - this.#warnedAt >= WARN_EVERY_MS) this.#warn(reason);
  }

  #warn(reason: string): void {
    this.#log.warn('spans were dropped', { spans: this.#dropped, err: reason });
    this.#dropped = 0;
    this.#warnedAt = this.#clock.monotonic();
  }
}
