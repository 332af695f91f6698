/** A collector of OpenTelemetry over HTTP for tests, which decodes what it gets by the field numbers of the protocol. */
import { once } from 'node:events';
import { type IncomingMessage, type ServerResponse, createServer } from 'node:http';
import { type ServerOptions, createServer as createHttps } from 'node:https';
import type { AddressInfo } from 'node:net';
import { gunzipSync } from 'node:zlib';
import { type Field, contentsOf, fieldsOf, intOf, lastOf } from './protobuf.ts';

/** A span as it arrived. */
export interface ReceivedSpan {
  readonly name: string;
  readonly traceId: string;
  readonly spanId: string;
  /** '' for a root. */
  readonly parentId: string;
  /** 1 internal, 2 server, 3 client. */
  readonly kind: number;
  readonly startNs: bigint;
  readonly endNs: bigint;
  readonly attributes: Readonly<Record<string, unknown>>;
  readonly events: readonly string[];
  /** 0 unset, 1 ok, 2 error. */
  readonly status: number;
  readonly resource: Readonly<Record<string, unknown>>;
}

/** One request to the collector. */
export interface ReceivedRequest {
  readonly path: string;
  readonly headers: IncomingMessage['headers'];
}

/** What is answered instead of 200. */
export type CollectorAnswer = (response: ServerResponse) => void;

/** Listens on a free port of the loopback interface. */
export class OtlpCollector implements AsyncDisposable {
  readonly spans: ReceivedSpan[] = [];
  readonly requests: ReceivedRequest[] = [];
  /** Answers of the next requests; those after them are 200. */
  readonly answers: CollectorAnswer[] = [];
  readonly #server;
  #waiting: (() => void)[] = [];

  private constructor(tls: ServerOptions | undefined) {
    const handle = (request: IncomingMessage, response: ServerResponse): void => {
      void this.#handle(request, response);
    };
    this.#server = tls === undefined ? createServer(handle) : createHttps(tls, handle);
  }

  static async start(tls?: ServerOptions): Promise<OtlpCollector> {
    const collector = new OtlpCollector(tls);
    collector.#server.listen(0, '127.0.0.1');
    await once(collector.#server, 'listening');
    return collector;
  }

  /** `host:port`. */
  get endpoint(): string {
    return `127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  /** Resolves once so many requests have come in. */
  async received(requests: number): Promise<void> {
    while (this.requests.length < requests) {
      await new Promise<void>((resolve) => this.#waiting.push(resolve));
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  async #handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    this.requests.push({ path: request.url ?? '', headers: request.headers });
    const answer = this.answers.shift();
    if (answer === undefined) {
      const body = Buffer.concat(chunks);
      const packed = request.headers['content-encoding'] === 'gzip';
      this.spans.push(...decodeSpans(packed ? gunzipSync(body) : body));
      response.setHeader('content-type', 'application/x-protobuf');
      response.end();
    } else answer(response);
    for (const resolve of this.#waiting.splice(0)) resolve();
  }
}

/** The spans of an ExportTraceServiceRequest. */
export function decodeSpans(bytes: Uint8Array): ReceivedSpan[] {
  return messages(fieldsOf(bytes), 1).flatMap((resourceSpans) => {
    const resource = attributesOf(messages(resourceSpans, 1)[0] ?? [], 1);
    return messages(resourceSpans, 2).flatMap((scope) =>
      messages(scope, 2).map((span) => decodeSpan(span, resource)),
    );
  });
}

function decodeSpan(span: readonly Field[], resource: ReceivedSpan['resource']): ReceivedSpan {
  const hex = (number: number): string => bytesOf(span, number).toString('hex');
  return {
    name: textOf(span, 5),
    traceId: hex(1),
    spanId: hex(2),
    parentId: hex(4),
    kind: intOf(span, 6),
    startNs: bytesOf(span, 7).readBigUInt64LE(),
    endNs: bytesOf(span, 8).readBigUInt64LE(),
    attributes: attributesOf(span, 9),
    events: messages(span, 11).map((event) => textOf(event, 2)),
    status: intOf(messages(span, 15)[0] ?? [], 3),
    resource,
  };
}

function messages(message: readonly Field[], number: number): Field[][] {
  return contentsOf(message, number).map((content) => fieldsOf(content));
}

function bytesOf(message: readonly Field[], number: number): Buffer {
  return (lastOf(message, number) as Buffer | undefined) ?? Buffer.alloc(0);
}

function textOf(message: readonly Field[], number: number): string {
  return bytesOf(message, number).toString('utf8');
}

function attributesOf(message: readonly Field[], number: number): Record<string, unknown> {
  return Object.fromEntries(
    messages(message, number).map((pair) => [textOf(pair, 1), valueOf(messages(pair, 2)[0] ?? [])]),
  );
}

function valueOf(value: readonly Field[]): unknown {
  const [number, content] = value[0] ?? [0, 0n];
  if (number === 1) return (content as Buffer).toString('utf8');
  if (number === 2) return content === 1n;
  if (number === 3) return Number(BigInt.asIntN(64, content as bigint));
  return number === 4 ? (content as Buffer).readDoubleLE() : undefined;
}
