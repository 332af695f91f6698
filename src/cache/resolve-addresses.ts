/**
 * Addresses of cache servers by DNS: `dns+host:port`, `dnssrv+_service._tcp.host`, `dnssrvnoa+…`, `dnsdualstack+…`;
 * others stand for themselves. Behaviour: thanos pkg/discovery/dns/resolver.go.
 */
import { lookup, resolveSrv } from 'node:dns/promises';
import { CodedError } from '../lib/errors.ts';

/**
 * Finds the servers that addresses stand for, each as `host:port`. @throws Error when one cannot be looked up; a name
 * that does not exist stands for nothing.
 */
export type ResolveAddresses = (addresses: readonly string[]) => Promise<string[]>;

/** Whether an address is looked up. */
export function isLookup(address: string): boolean {
  return address.includes('+');
}

/** The two questions that are asked of DNS. */
export interface DnsQuestions {
  lookup(host: string): Promise<readonly { readonly address: string }[]>;
  resolveSrv(name: string): Promise<readonly { readonly name: string; readonly port: number }[]>;
}

const SYSTEM: DnsQuestions = {
  lookup: (host) => lookup(host, { all: true }),
  resolveSrv,
};

/** Resolves by DNS, with the resolver of this machine by default. */
export function dnsResolver(dns: DnsQuestions = SYSTEM): ResolveAddresses {
  return async (addresses) => {
    const found = await Promise.all(
      addresses.map(async (address) => {
        const plus = address.indexOf('+');
        if (plus < 0) return [address];
        return resolveOne(dns, address.slice(0, plus), address.slice(plus + 1));
      }),
    );
    return found.flat();
  };
}

async function resolveOne(dns: DnsQuestions, kind: string, name: string): Promise<string[]> {
  const { host, port } = splitPort(name);
  if (kind === 'dnssrv' || kind === 'dnssrvnoa') {
    const records = await orNone(dns.resolveSrv(host));
    const servers = records.map(async (record) => {
      const at = port ?? String(record.port);
      if (kind === 'dnssrvnoa') return [join(record.name.replace(/\.+$/, ''), at)];
      return (await addressesOf(dns, record.name)).map((ip) => join(ip, at));
    });
    return (await Promise.all(servers)).flat();
  }
  if (kind !== 'dns' && kind !== 'dnsdualstack') {
    throw new CodedError('bad_data', `invalid lookup scheme ${JSON.stringify(kind)}`);
  }
  if (port === undefined) {
    const message = `missing port in address given for ${kind} lookup: ${name}`;
    throw new CodedError('bad_data', message);
  }
  return (await addressesOf(dns, host)).map((ip) => join(ip, port));
}

async function addressesOf(dns: DnsQuestions, host: string): Promise<string[]> {
  const found = await orNone(dns.lookup(host));
  return found.map(({ address }) => address);
}

/** What is not there is no failure. */
async function orNone<T>(answer: Promise<readonly T[]>): Promise<readonly T[]> {
  try {
    return await answer;
  } catch (thrown) {
    const { code } = thrown as NodeJS.ErrnoException;
    if (code === 'ENOTFOUND' || code === 'ENODATA') return [];
    throw thrown;
  }
}

function splitPort(name: string): { readonly host: string; readonly port: string | undefined } {
  const match = /^(?:\[([^\]]*)\]|([^:]*)):(\d+)$/.exec(name);
  if (match === null) return { host: name, port: undefined };
  return { host: match[1] ?? match[2] ?? '', port: match[3] };
}

function join(host: string, port: string): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
}
