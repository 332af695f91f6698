/** A proxy before a server that looks at signatures superficially or not at all: it refuses those that are wrong. */
import { createHash } from 'node:crypto';
import { createServer, type IncomingMessage, request, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { ReceivedRequest, SignatureCheck } from './s3-signatures.ts';

/** limit: bodies are held until they are checked. */
const BODY_BYTES_MAX = 256 * 1024 * 1024;

/** The proxy; `refused` lists what was wrong with requests. */
export type SignatureProxy = {
  readonly host: string;
  readonly refused: readonly string[];
  /** How many requests were good. */
  readonly passed: () => number;
} & AsyncDisposable;

/** Starts a proxy before a server of this machine. */
export async function startSignatureProxy(
  port: number,
  check: SignatureCheck,
): Promise<SignatureProxy> {
  const refused: string[] = [];
  let passed = 0;
  const handle = async (incoming: IncomingMessage, outgoing: ServerResponse): Promise<void> => {
    const body = await readBody(incoming);
    const problem = await check(receivedRequest(incoming), {
      sha256: createHash('sha256').update(body).digest('hex'),
      md5: createHash('md5').update(body).digest('base64'),
    });
    if (problem !== undefined) {
      refused.push(`${incoming.method} ${incoming.url}: ${problem}`);
      outgoing.writeHead(403, { 'content-type': 'application/xml' });
      outgoing.end('<Error><Code>SignatureDoesNotMatch</Code></Error>');
      return;
    }
    passed++;
    const { method, url, headers } = incoming;
    const inner = request({ host: '127.0.0.1', port, method, path: url, headers }, (answer) => {
      outgoing.writeHead(answer.statusCode ?? 500, answer.headers);
      answer.pipe(outgoing);
      outgoing.on('close', () => answer.destroy());
    });
    inner.on('error', () => outgoing.destroy());
    inner.end(body);
  };
  const server = createServer((incoming, outgoing) => {
    handle(incoming, outgoing).catch(() => outgoing.destroy());
  });
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve);
  });
  const address = server.address() as AddressInfo;
  return {
    host: `127.0.0.1:${address.port}`,
    refused,
    passed: () => passed,
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

/** What a check wants to know of a request. */
export function receivedRequest({ method, url, headers }: IncomingMessage): ReceivedRequest {
  const plain = Object.entries(headers).map(([name, value]) => [name, String(value)]);
  return {
    method: method ?? '',
    url: url ?? '',
    headers: Object.fromEntries(plain) as Record<string, string>,
  };
}

async function readBody(incoming: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of incoming as AsyncIterable<Buffer>) {
    chunks.push(chunk);
    length += chunk.length;
    if (length > BODY_BYTES_MAX) throw new Error('the body is too long');
  }
  return Buffer.concat(chunks);
}
