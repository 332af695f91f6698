/** OTLP over HTTP, in protobuf. Behaviour: the OTLP specification, section OTLP/HTTP. */
import { promisify } from 'node:util';
import { gzip } from 'node:zlib';
import { HttpPost } from './http-post.ts';
import type { HttpPostOptions } from './http-post.ts';
import { OtlpRefusal, type OtlpTransport } from './otlp-sink.ts';

const pack = promisify(gzip);

/** Statuses that mean: later. */
const RETRYABLE: ReadonlySet<number> = new Set([429, 502, 503, 504]);

/** A transport to one URL, which is the whole path. */
export class OtlpHttp implements OtlpTransport {
  readonly #post: HttpPost;
  readonly #gzip: boolean;

  constructor(options: HttpPostOptions & { readonly gzip: boolean }) {
    this.#post = new HttpPost(options);
    this.#gzip = options.gzip;
  }

  async send(request: Uint8Array, signal: AbortSignal): Promise<Uint8Array> {
    const headers: Record<string, string> = { 'content-type': 'application/x-protobuf' };
    let body = request;
    if (this.#gzip) {
      body = await pack(request);
      headers['content-encoding'] = 'gzip';
    }
    const answer = await this.#post.send(body, headers, signal);
    const { status } = answer;
    if (status >= 200 && status < 300) return answer.body;
    const text = answer.body.subarray(0, 200).toString('utf8').trim();
    const message = `the collector answered ${status}${text === '' ? '' : `: ${text}`}`;
    if (!RETRYABLE.has(status)) throw new Error(message);
    throw new OtlpRefusal(message, retryAfter(answer.headers['retry-after']));
  }

  close(): void {
    this.#post.close();
  }
}

/** Seconds, or a date. */
function retryAfter(header: string | undefined): number | undefined {
  if (header === undefined) return undefined;
  if (/^\d+$/.test(header)) return Number(header) * 1000;
  const at = Date.parse(header);
  return Number.isNaN(at) ? undefined : Math.max(0, at - Date.now());
}
