/** The tracer of a process, on OpenTelemetry's SDK. Loaded only where tracing is configured. */
import { AsyncLocalStorage } from 'node:async_hooks';
import {
  type Context,
  ROOT_CONTEXT,
  type Span as OtelApiSpan,
  SpanKind,
  SpanStatusCode,
  type TextMapPropagator,
  TraceFlags,
  defaultTextMapSetter,
  trace,
} from '@opentelemetry/api';
import {
  CompositePropagator,
  W3CBaggagePropagator,
  W3CTraceContextPropagator,
} from '@opentelemetry/core';
import { resourceFromAttributes } from '@opentelemetry/resources';
import {
  type Sampler,
  SamplingDecision,
  type SpanProcessor,
  TracerProvider,
} from '@opentelemetry/sdk-trace';
import { errorText } from '../../lib/errors.ts';
import { FORCE_TRACING } from '../../lib/tracing.ts';
import type { ServerSpan, Span, SpanAttributes, Tracer } from '../../lib/tracing.ts';

/** What a tracer is made of. */
export interface OtelTracerOptions {
  readonly sampler: Sampler;
  readonly processor: SpanProcessor;
  /** Attributes of the process, `service.name` among them. */
  readonly resource: Readonly<Record<string, string>>;
  /** Which headers carry the context; by default both. Names: OTEL_PROPAGATORS. */
  readonly propagators?: readonly ('tracecontext' | 'baggage')[];
}

/** Spans by the SDK; which one is active is kept by Node for each asynchronous context. */
export class OtelTracer implements Tracer {
  readonly #active = new AsyncLocalStorage<Context>();
  readonly #provider: TracerProvider;
  readonly #propagator: TextMapPropagator;

  constructor(options: OtelTracerOptions) {
    this.#provider = new TracerProvider({
      sampler: forceable(options.sampler),
      spanProcessors: [options.processor],
      resource: resourceFromAttributes(options.resource),
    });
    const names = options.propagators ?? ['tracecontext', 'baggage'];
    this.#propagator = new CompositePropagator({
      propagators: names.map((name) =>
        name === 'baggage' ? new W3CBaggagePropagator() : new W3CTraceContextPropagator(),
      ),
    });
  }

  startSpan(name: string, attributes: SpanAttributes = {}): Span {
    return this.#start(name, SpanKind.INTERNAL, this.#context, attributes);
  }

  startServerSpan(
    name: string,
    header: (name: string) => string | undefined,
    attributes: SpanAttributes = {},
  ): ServerSpan {
    const parent = this.#propagator.extract(ROOT_CONTEXT, header, {
      get: (carrier, key) => carrier(key.toLowerCase()),
      keys: () => [],
    });
    return this.#start(name, SpanKind.SERVER, parent, attributes);
  }

  within<T>(span: Span, work: () => T): T {
    return span instanceof OtelSpan ? this.#active.run(span.context, work) : work();
  }

  headers(): Record<string, string> {
    const headers: Record<string, string> = {};
    this.#propagator.inject(this.#context, headers, defaultTextMapSetter);
    return headers;
  }

  /** Sends what has ended. */
  close(): Promise<void> {
    return this.#provider.shutdown();
  }

  get #context(): Context {
    return this.#active.getStore() ?? ROOT_CONTEXT;
  }

  #start(name: string, kind: SpanKind, parent: Context, attributes: SpanAttributes): OtelSpan {
    const tracer = this.#provider.getTracer('thanos');
    const span = tracer.startSpan(name, { kind, attributes }, parent);
    return new OtelSpan(span, trace.setSpan(parent, span));
  }
}

class OtelSpan implements ServerSpan {
  readonly context: Context;
  readonly #span: OtelApiSpan;
  #ended = false;

  constructor(span: OtelApiSpan, context: Context) {
    this.#span = span;
    this.context = context;
  }

  get traceId(): string | undefined {
    const { traceFlags, traceId } = this.#span.spanContext();
    return (traceFlags & TraceFlags.SAMPLED) === 0 ? undefined : traceId;
  }

  set(attributes: SpanAttributes): void {
    this.#span.setAttributes(attributes);
  }

  end(error?: unknown): void {
    if (this.#ended) return;
    this.#ended = true;
    if (error !== undefined) {
      const message = errorText(error);
      // As OpenTracing's log of an error, which Go's spans have.
      this.#span.addEvent('error', { message });
      this.#span.setStatus({ code: SpanStatusCode.ERROR, message });
    }
    this.#span.end();
  }
}

/** Behaviour: thanos pkg/tracing/migration, SamplerWithOverride. */
function forceable(sampler: Sampler): Sampler {
  return {
    shouldSample: (context, traceId, name, kind, attributes, links) =>
      attributes[FORCE_TRACING] === undefined
        ? sampler.shouldSample(context, traceId, name, kind, attributes, links)
        : { decision: SamplingDecision.RECORD_AND_SAMPLED },
    toString: () => `SamplerWithOverride{${FORCE_TRACING}}`,
  };
}
