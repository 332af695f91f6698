/** What Google's store has and S3 has not, over test/support/s3-server.ts: tokens for signed claims, and sessions. */
import { createVerify, generateKeyPairSync, randomUUID } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { S3Server } from './s3-server.ts';
import { startS3Server } from './s3-server.ts';

/** A server with a service account. */
export interface GoogleServer extends AsyncDisposable {
  readonly server: S3Server;
  /** The key of the account as JSON. */
  readonly serviceAccount: string;
  /** Ends all tokens that were given out. */
  revokeTokens(): void;
  /** How many tokens were given out. */
  readonly tokensGiven: () => number;
  /** Sessions that have neither ended nor been given up. */
  readonly sessions: ReadonlyMap<string, unknown>;
}

interface Session {
  readonly name: string;
  readonly chunks: Buffer[];
  size: number;
}

/** Starts a server. Requests without a token that it has given out are refused. */
export async function startGoogleServer(pageMax = 3): Promise<GoogleServer> {
  const { publicKey, privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
  const tokens = new Set<string>();
  let given = 0;
  const sessions = new Map<string, Session>();
  const issue = async (request: IncomingMessage, answer: ServerResponse): Promise<void> => {
    const form = new URLSearchParams((await bodyOf(request)).toString());
    const problem = claimsProblem(form, publicKey, `http://${server.host}/token`);
    if (problem !== undefined) {
      answer.writeHead(400);
      answer.end(JSON.stringify({ error: 'invalid_grant', error_description: problem }));
      return;
    }
    const token = randomUUID();
    tokens.add(token);
    given++;
    answer.end(JSON.stringify({ access_token: token, expires_in: 3599, token_type: 'Bearer' }));
  };
  const server = await startS3Server({
    pageMax,
    intercept: async (request, answer) => {
      if (request.url === '/token') {
        await issue(request, answer);
        return true;
      }
      const [scheme, token = ''] = (request.headers.authorization ?? '').split(' ');
      if (scheme !== 'Bearer' || !tokens.has(token)) {
        answer.writeHead(401);
        answer.end('<Error><Code>AuthenticationRequired</Code><Message>Login.</Message></Error>');
        return true;
      }
      return handleSession(request, answer, { server, sessions });
    },
  });
  return {
    server,
    sessions,
    tokensGiven: () => given,
    revokeTokens: () => tokens.clear(),
    serviceAccount: JSON.stringify({
      type: 'service_account',
      client_email: 'thanos@project.iam.gserviceaccount.com',
      private_key_id: 'key1',
      private_key: privateKey.export({ type: 'pkcs8', format: 'pem' }),
      token_uri: `http://${server.host}/token`,
    }),
    [Symbol.asyncDispose]: () => server[Symbol.asyncDispose](),
  };
}

/** What is wrong with claims, by RFC 7523 and Google's documentation; undefined when nothing is. */
function claimsProblem(
  form: URLSearchParams,
  key: Parameters<ReturnType<typeof createVerify>['verify']>[0],
  audience: string,
): string | undefined {
  if (form.get('grant_type') !== 'urn:ietf:params:oauth:grant-type:jwt-bearer') return 'grant type';
  const [header = '', payload = '', signature = ''] = (form.get('assertion') ?? '').split('.');
  const isSigned = createVerify('RSA-SHA256')
    .update(`${header}.${payload}`)
    .verify(key, signature, 'base64url');
  if (!isSigned) return 'signature';
  const { alg, kid } = decode(header);
  if (alg !== 'RS256' || kid !== 'key1') return 'header';
  const { iss, aud, scope, iat, exp } = decode(payload);
  const now = Date.now() / 1000;
  if (iss !== 'thanos@project.iam.gserviceaccount.com' || aud !== audience) return 'issuer';
  if (
    !String(scope).split(' ').includes('https://www.googleapis.com/auth/devstorage.full_control')
  ) {
    return 'scope';
  }
  if (Number(iat) > now + 1 || Number(exp) < now || Number(exp) - Number(iat) > 3600) return 'time';
  return undefined;
}

function decode(part: string): Readonly<Record<string, unknown>> {
  return JSON.parse(Buffer.from(part, 'base64url').toString()) as Record<string, unknown>;
}

/** Resumable uploads. Answers whether the request was about one. */
async function handleSession(
  request: IncomingMessage,
  answer: ServerResponse,
  { server, sessions }: { readonly server: S3Server; readonly sessions: Map<string, Session> },
): Promise<boolean> {
  const { method, headers } = request;
  const { pathname, searchParams } = new URL(`http://host${request.url ?? ''}`);
  const name = decodeURIComponent(pathname.replace(/^\/[^/]*\//, ''));
  if (method === 'POST' && headers['x-goog-resumable'] === 'start') {
    const id = randomUUID();
    sessions.set(id, { name, chunks: [], size: 0 });
    answer.writeHead(201, { location: `http://${server.host}${pathname}?upload_id=${id}` });
    answer.end();
    return true;
  }
  const id = searchParams.get('upload_id');
  if (id === null) return false;
  const session = sessions.get(id);
  const body = await bodyOf(request);
  if (session === undefined) {
    answer.writeHead(404);
    answer.end();
  } else if (method === 'DELETE') {
    sessions.delete(id);
    answer.writeHead(499);
    answer.end();
  } else {
    const range = /^bytes (?:(\d+)-(\d+)|\*)\/(\d+|\*)$/.exec(headers['content-range'] ?? '');
    const [, from, to, total] = range ?? [];
    const isLast = total !== '*';
    const fits =
      from === undefined ||
      (Number(from) === session.size && Number(to) - Number(from) + 1 === body.length);
    if (range === null || !fits || (!isLast && body.length % (256 * 1024) !== 0)) {
      answer.writeHead(400);
      answer.end('<Error><Code>InvalidArgument</Code><Message>Bad range.</Message></Error>');
      return true;
    }
    session.chunks.push(body);
    session.size += body.length;
    if (isLast && Number(total) === session.size) {
      sessions.delete(id);
      server.objects.put(name, Buffer.concat(session.chunks));
      answer.writeHead(200);
    } else answer.writeHead(308, { range: `bytes=0-${session.size - 1}` });
    answer.end();
  }
  return true;
}

async function bodyOf(request: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of request as AsyncIterable<Buffer>) chunks.push(chunk);
  return Buffer.concat(chunks);
}
