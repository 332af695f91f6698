/** Sends bodies to one URL over kept connections, for the exporters of spans. */
import {
  type Agent,
  type IncomingHttpHeaders,
  Agent as HttpAgent,
  request as httpRequest,
} from 'node:http';
import { Agent as HttpsAgent, request as httpsRequest } from 'node:https';
import type { ConnectionOptions } from 'node:tls';

/** How requests are made. */
export interface HttpPostOptions {
  readonly url: URL;
  readonly headers: Readonly<Record<string, string>>;
  readonly timeoutMs: number;
  /** Asked for each new connection; for `https:` only. */
  readonly tls?: () => Promise<ConnectionOptions>;
}

/** An answer. */
export interface HttpPostAnswer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
}

/** limit: answers of collectors are short. */
const ANSWER_BYTES_MAX = 1024 * 1024;

/** One URL. */
export class HttpPost {
  readonly #options: HttpPostOptions;
  readonly #agent: Agent;

  constructor(options: HttpPostOptions) {
    this.#options = options;
    const kept = { keepAlive: true, maxSockets: 2 };
    this.#agent = options.url.protocol === 'https:' ? new HttpsAgent(kept) : new HttpAgent(kept);
  }

  /** Sends a body. @throws Error for what prevented an answer, timeouts included. */
  async send(
    body: Uint8Array,
    headers: Readonly<Record<string, string>>,
    signal: AbortSignal,
  ): Promise<HttpPostAnswer> {
    const { url, timeoutMs, tls } = this.#options;
    const timeout = AbortSignal.timeout(timeoutMs);
    const secure = url.protocol === 'https:';
    const options = {
      method: 'POST',
      agent: this.#agent,
      headers: { ...this.#options.headers, ...headers, 'content-length': body.length },
      signal: AbortSignal.any([signal, timeout]),
      ...(secure && (await tls?.())),
    };
    try {
      return await post(secure ? httpsRequest : httpRequest, url, options, body);
    } catch (thrown) {
      if (!timeout.aborted) throw thrown;
      throw new Error(`no answer from ${url.host} in ${timeoutMs} ms`, { cause: thrown });
    }
  }

  close(): void {
    this.#agent.destroy();
  }
}

function post(
  send: typeof httpsRequest,
  url: URL,
  options: Parameters<typeof httpsRequest>[1],
  body: Uint8Array,
): Promise<HttpPostAnswer> {
  const { promise, resolve, reject } = Promise.withResolvers<HttpPostAnswer>();
  const request = send(url, options, (response) => {
    const chunks: Buffer[] = [];
    let bytes = 0;
    response.on('data', (chunk: Buffer) => {
      bytes += chunk.length;
      if (bytes > ANSWER_BYTES_MAX) request.destroy(new Error('the answer is too long'));
      else chunks.push(chunk);
    });
    response.on('error', reject);
    response.on('end', () => {
      const { statusCode: status = 0, headers } = response;
      resolve({ status, headers, body: Buffer.concat(chunks) });
    });
  });
  request.on('error', reject);
  request.end(body);
  return promise;
}
