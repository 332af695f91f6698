/**
 * The tracing interface that every level may use; ops/tracing/ implements it on OpenTelemetry, and where no tracing is
 * configured {@link nopTracer} costs nothing.
 */

/** What is known about a span, by OpenTelemetry's or OpenTracing's names. */
export type SpanAttributes = Readonly<Record<string, string | number | boolean>>;

/** Work whose time is taken. */
export interface Span {
  /** Adds what was not known at the start. */
  set(attributes: SpanAttributes): void;
  /** Ends it, as failed when there is an error. Further calls do nothing. */
  end(error?: unknown): void;
}

/** Work for somebody else's request. */
export interface ServerSpan extends Span {
  /** The id of the trace in hexadecimal; undefined when it is not recorded. */
  readonly traceId: string | undefined;
}

/** Starts spans. Which one others are below is a matter of the asynchronous context: see {@link Tracer.within}. */
export interface Tracer {
  /** A span below the active one. */
  startSpan(name: string, attributes?: SpanAttributes): Span;
  /**
   * A span for a request, below the caller's that its headers name (W3C traceparent). `header` answers the value of a
   * header by its lower-case name.
   */
  startServerSpan(
    name: string,
    header: (name: string) => string | undefined,
    attributes?: SpanAttributes,
  ): ServerSpan;
  /** Runs work with a span active: those that it starts, also behind its awaits, are below that one. */
  within<T>(span: Span, work: () => T): T;
  /** The headers that tell a callee about the active span; none when there is none. */
  headers(): Record<string, string>;
}

/** Set to 'true' when a span starts: its trace is recorded whatever the sampler says. Name: thanos pkg/tracing/migration. */
export const FORCE_TRACING = 'thanos.force_tracing';

const nopSpan: ServerSpan = {
  traceId: undefined,
  set: () => undefined,
  end: () => undefined,
};

/** A tracer that records nothing. */
export const nopTracer: Tracer = {
  startSpan: () => nopSpan,
  startServerSpan: () => nopSpan,
  within: (_span, work) => work(),
  headers: () => ({}),
};
