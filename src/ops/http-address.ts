/** Listen addresses as Go writes them (`host:port`, `:port`, `[::1]:port`), and what goes wrong with them. */
import { networkInterfaces } from 'node:os';
import { CodedError, errorText } from '../lib/errors.ts';

/** A host and a port; the host is undefined for all interfaces, the port 0 for any free one. */
export interface ListenAddress {
  readonly host: string | undefined;
  readonly port: number;
}

/** @throws CodedError bad_data when the text is no address. */
export function parseListenAddress(text: string): ListenAddress {
  const match = /^(?:\[([^\]]*)\]|([^:]*)):(\d{1,5})$/.exec(text);
  const port = Number(match?.[3]);
  if (match === null || port > 65_535) {
    throw new CodedError(
      'bad_data',
      `not a listen address: ${JSON.stringify(text)}, expected host:port such as 127.0.0.1:10902`,
    );
  }
  const host = match[1] ?? match[2] ?? '';
  return { host: host === '' ? undefined : host, port };
}

/** The host that means all interfaces: both families where the machine has IPv6, as Go does. */
export function anyHost(): string {
  const interfaces = Object.values(networkInterfaces()).flat();
  return interfaces.some((i) => i?.family === 'IPv6') ? '::' : '0.0.0.0';
}

const REASONS: Readonly<Record<string, string>> = {
  EADDRINUSE: 'the address is already in use by another process',
  EACCES: 'no permission to bind the port',
  EADDRNOTAVAIL: 'no interface of this machine has the address',
  ENOTFOUND: 'the host name does not resolve',
};

/** One sentence for a listen that failed. */
export function listenError(address: string, thrown: unknown): CodedError {
  const code = thrown instanceof Error && 'code' in thrown ? String(thrown.code) : '';
  const reason = REASONS[code] ?? errorText(thrown);
  return new CodedError('unavailable', `listen on ${address}: ${reason}`, { cause: thrown });
}
