/**
 * The servers that configured addresses stand for, as they were found last. An address that cannot be looked up keeps
 * what it had. Behaviour: thanos pkg/discovery/dns/provider.go, pkg/discovery/memcache/provider.go.
 */
import { errorText } from '../../lib/errors.ts';
import type { QuietLog } from '../quiet-log.ts';
import { type ResolveAddresses, isLookup } from '../resolve-addresses.ts';
import { discoverServers } from './auto-discovery.ts';
import type { MemcachedConfig } from './config.ts';
import type { MemcachedMetrics } from './metrics.ts';

/** limit: of one lookup. */
const LOOKUP_MS_MAX = 10_000;

/** What finding servers takes. */
export interface ServerListDeps {
  readonly resolve: ResolveAddresses;
  readonly metrics: MemcachedMetrics;
  readonly log: QuietLog;
}

/** Finds servers when it is told to. */
export class ServerList {
  readonly #config: MemcachedConfig;
  readonly #deps: ServerListDeps;
  readonly #found = new Map<string, readonly string[]>();

  constructor(config: MemcachedConfig, deps: ServerListDeps) {
    this.#config = config;
    this.#deps = deps;
  }

  /** All servers, in the order of the addresses; one may be there twice. */
  get servers(): string[] {
    return this.#config.addresses.flatMap((address) => this.#found.get(address) ?? []);
  }

  /** Looks all addresses up. Never rejects. */
  async refresh(): Promise<void> {
    await Promise.all(
      this.#config.addresses.map(async (address) => {
        const servers = await this.#find(address);
        if (servers === undefined) return;
        this.#found.set(address, servers);
        this.#deps.metrics.found(address).set(servers.length);
      }),
    );
  }

  /** Undefined when the lookup failed. */
  async #find(address: string): Promise<readonly string[] | undefined> {
    const { autoDiscovery, timeoutMs } = this.#config;
    const { metrics, resolve, log } = this.#deps;
    if (!autoDiscovery && !isLookup(address)) return [address];
    metrics.lookups.inc();
    try {
      if (!autoDiscovery) return await inTime(resolve([address]));
      const { version, servers } = await discoverServers(address, timeoutMs || LOOKUP_MS_MAX);
      metrics.configVersion(address).set(version);
      return servers;
    } catch (thrown) {
      metrics.lookupFailures.inc();
      log.warn('failed to resolve addresses for memcached', thrown, { address });
      return undefined;
    }
  }
}

/** Resolvers have no way to be told to stop. */
async function inTime<T>(work: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error('no answer in time')), LOOKUP_MS_MAX);
  });
  try {
    return await Promise.race([work, late]);
  } catch (thrown) {
    throw new Error(errorText(thrown), { cause: thrown });
  } finally {
    clearTimeout(timer);
  }
}
