/**
 * Spans for a collector of Jaeger: batches in Thrift's binary protocol over HTTP. Behaviour: go.opentelemetry.io's
 * exporters/jaeger; the format is jaeger.thrift.
 *
 * ```
 * Batch   1 Process  2 list<Span>
 * Process 1 service  2 list<Tag>
 * Span    1 low half of the trace id  2 high half  3 span id  4 parent's  5 name  7 flags  8 start µs  9 duration µs
 *         10 list<Tag>  11 list<Log>
 * Tag     1 key  2 type (0 text, 1 double, 2 bool, 3 long)  3 text  4 double  5 bool  6 long
 * Log     1 time µs  2 list<Tag>
 * ```
 */
import { type Attributes, SpanKind, SpanStatusCode } from '@opentelemetry/api';
import { hrTimeToMicroseconds } from '@opentelemetry/core';
import type { ReadableSpan } from '@opentelemetry/sdk-trace';
import { HttpPost } from './http-post.ts';
import type { Environment } from './otlp-environment.ts';
import type { SpanSink } from './span-batcher.ts';
import { ThriftWriter } from './thrift-writer.ts';

const TIMEOUT_MS = 10_000;

/** As SpanKind, in the words of OpenTracing. */
const KINDS: Readonly<Record<number, string>> = {
  [SpanKind.SERVER]: 'server',
  [SpanKind.CLIENT]: 'client',
  [SpanKind.PRODUCER]: 'producer',
  [SpanKind.CONSUMER]: 'consumer',
};

/** Sends to one collector. */
export class JaegerSink implements SpanSink {
  readonly #post: HttpPost;

  constructor(options: { readonly url: URL; readonly user: string; readonly password: string }) {
    const { url, user, password } = options;
    const login = Buffer.from(`${user}:${password}`).toString('base64');
    this.#post = new HttpPost({
      url,
      headers: user === '' && password === '' ? {} : { authorization: `Basic ${login}` },
      timeoutMs: TIMEOUT_MS,
    });
  }

  async send(spans: readonly ReadableSpan[], signal: AbortSignal): Promise<void> {
    const headers = { 'content-type': 'application/x-thrift' };
    const { status } = await this.#post.send(encodeBatch(spans), headers, signal);
    if (status < 200 || status > 299) throw new Error(`the collector answered ${status}`);
  }

  close(): void {
    this.#post.close();
  }
}

/** All spans are of one process. */
export function encodeBatch(spans: readonly ReadableSpan[]): Uint8Array {
  const writer = new ThriftWriter();
  const { 'service.name': service = '', ...tags } = spans[0]?.resource.attributes ?? {};
  writer.struct(1, () => {
    writer.text(1, String(service));
    writeTags(writer, 2, tags);
  });
  writer.list(2, spans, (span) => writeSpan(writer, span));
  return writer.finish();
}

function writeSpan(writer: ThriftWriter, span: ReadableSpan): void {
  const { traceId, spanId, traceFlags } = span.spanContext();
  writer.id(1, traceId.slice(16));
  writer.id(2, traceId.slice(0, 16));
  writer.id(3, spanId);
  writer.id(4, span.parentSpanContext?.spanId ?? '0000000000000000');
  writer.text(5, span.name);
  writer.int32(7, traceFlags);
  writer.int64(8, hrTimeToMicroseconds(span.startTime));
  writer.int64(9, hrTimeToMicroseconds(span.duration));
  writeTags(writer, 10, { ...span.attributes, ...statusTags(span) });
  writer.list(11, span.events, ({ time, name, attributes }) => {
    writer.int64(1, hrTimeToMicroseconds(time));
    writeTags(writer, 2, { event: name, ...attributes });
  });
}

function statusTags({ kind, status }: ReadableSpan): Attributes {
  const named = KINDS[kind];
  return {
    ...(named !== undefined && { 'span.kind': named }),
    ...(status.code === SpanStatusCode.ERROR && {
      error: true,
      'otel.status_code': 'ERROR',
      'otel.status_description': status.message ?? '',
    }),
  };
}

function writeTags(writer: ThriftWriter, field: number, tags: Attributes): void {
  writer.list(field, Object.entries(tags), ([key, value]) => {
    writer.text(1, key);
    if (Number.isSafeInteger(value)) {
      writer.int32(2, 3);
      writer.int64(6, Number(value));
    } else if (typeof value === 'number') {
      writer.int32(2, 1);
      writer.double(4, value);
    } else if (typeof value === 'boolean') {
      writer.int32(2, 2);
      writer.bool(5, value);
    } else {
      writer.int32(2, 0);
      writer.text(3, typeof value === 'string' ? value : JSON.stringify(value));
    }
  });
}

/** `key=value,…`, where a value may be `${VARIABLE:default}`. */
export function parseTags(text: string, env: Environment): Record<string, string> {
  const tags: Record<string, string> = {};
  for (const pair of text.split(',')) {
    const at = pair.indexOf('=');
    if (at < 0) continue;
    const value = pair.slice(at + 1).trim();
    const [, name = '', fallback = ''] = /^\$\{([^:]*)(?::(.*))?\}$/.exec(value) ?? [];
    tags[pair.slice(0, at).trim()] = name === '' ? value : env[name] || fallback;
  }
  return tags;
}
