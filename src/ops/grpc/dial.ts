/** Opens HTTP/2 sessions of clients. Texts: grpc-go, as they stand in warnings of partial answers. */
import { once } from 'node:events';
import { type ClientHttp2Session, connect as connectHttp2 } from 'node:http2';
import { type Socket, connect as connectTcp, isIP } from 'node:net';
import { type TLSSocket, connect as connectTls } from 'node:tls';
import { CodedError, errorText } from '../../lib/errors.ts';
import type { ClientTls } from '../tls-files.ts';
import { SESSION_OPTIONS, widenWindow } from './http2-settings.ts';
import { GrpcError, systemErrorText } from './status.ts';

/** A host and a port to connect to. */
export interface DialAddress {
  readonly host: string;
  readonly port: number;
}

/** Parses `host:port` or `[::1]:port`. @throws CodedError bad_data when the text is no such address. */
export function parseDialAddress(text: string): DialAddress {
  const match = /^(?:\[([^\]]+)\]|([^:/\s]+)):(\d{1,5})$/.exec(text);
  const port = Number(match?.[3]);
  const host = match?.[1] ?? match?.[2];
  if (host === undefined || port > 65_535 || port === 0) {
    const message = `not an address to connect to: ${JSON.stringify(text)}, expected host:port such as store.example:10901`;
    throw new CodedError('bad_data', message);
  }
  return { host, port };
}

/** How to connect. */
export interface DialOptions {
  /** As the user wrote it: the authority of requests. */
  readonly address: string;
  readonly tls: ClientTls | undefined;
  /** limit: until the server's settings are here. */
  readonly timeoutMs: number;
}

/** A session whose server has sent its settings. @throws GrpcError Unavailable with what went wrong. */
export async function dial(options: DialOptions): Promise<ClientHttp2Session> {
  const { address, tls, timeoutMs } = options;
  const { host, port } = parseDialAddress(address);
  const timeout = AbortSignal.timeout(timeoutMs);
  const socket = connectTcp({ host, port, noDelay: true });
  try {
    await stage(`transport: Error while dialing: dial tcp ${address}`, async () => {
      await once(socket, 'connect', { signal: timeout });
    });
    if (tls === undefined) return await openSession(address, socket, timeout);
    const secure = await handshake(socket, tls, host, timeout);
    return await openSession(address, secure, timeout);
  } catch (thrown) {
    socket.destroy();
    throw thrown;
  }
}

async function handshake(
  socket: Socket,
  tls: ClientTls,
  host: string,
  signal: AbortSignal,
): Promise<TLSSocket> {
  return stage('transport: authentication handshake failed', async () => {
    const secure = connectTls({
      socket,
      // Checked against the certificate; an address is not sent as a server's name.
      host,
      ...(isIP(host) === 0 ? { servername: host } : {}),
      ...(await tls.connectOptions()),
      ALPNProtocols: ['h2'],
    });
    await once(secure, 'secureConnect', { signal });
    if (secure.alpnProtocol !== 'h2') {
      throw new Error('credentials: cannot check peer: missing selected ALPN property');
    }
    return secure;
  });
}

async function openSession(
  address: string,
  socket: Socket,
  signal: AbortSignal,
): Promise<ClientHttp2Session> {
  const session = connectHttp2(`http://${address}`, {
    ...SESSION_OPTIONS,
    createConnection: () => socket,
  });
  const lost = Promise.withResolvers<never>();
  lost.promise.catch(() => undefined);
  // Errors reach the streams; without a listener they would end the process.
  session.on('error', lost.reject);
  session.on('close', () => lost.reject(new Error('EOF')));
  // An alert of TLS, such as that for a missing certificate, comes after the handshake, and the session does not see it.
  socket.on('error', (error: Error) => {
    lost.reject(error);
    session.destroy(error);
  });
  try {
    await stage('error reading server preface', async () => {
      await Promise.race([once(session, 'remoteSettings', { signal }), lost.promise]);
    });
  } catch (thrown) {
    session.destroy();
    throw thrown;
  }
  widenWindow(session);
  return session;
}

/** Runs a step of the dialling; its failure says which it was. */
async function stage<T>(name: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (thrown) {
    const reason = `${name}: ${reasonOf(thrown)}`;
    throw new GrpcError('Unavailable', `connection error: desc = ${JSON.stringify(reason)}`, {
      cause: thrown,
    });
  }
}

function reasonOf(thrown: unknown): string {
  // Of several addresses of a host the last one tried tells.
  const error: unknown = thrown instanceof AggregateError ? thrown.errors.at(-1) : thrown;
  if (!(error instanceof Error)) return errorText(error);
  if (error.name === 'AbortError') return 'context deadline exceeded';
  // OpenSSL's own word, without where in its sources it was said.
  if ('library' in error && 'reason' in error) return `tls: ${String(error.reason)}`;
  const syscall = 'syscall' in error ? String(error.syscall) : '';
  if (syscall === 'getaddrinfo') return `lookup: ${systemErrorText(error)}`;
  return syscall === '' ? systemErrorText(error) : `${syscall}: ${systemErrorText(error)}`;
}
