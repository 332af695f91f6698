/**
 * Connections to redis by @redis/client: one server, a cluster, or the master that sentinels watch. Which one it is,
 * configuration and server decide as in Go's rueidis: sentinels when a master is named, a cluster when there are several
 * addresses or the only one says that it is a node of one.
 *
 * A connection to one server is never mended: when it is lost, all of it is thrown away and opened anew (link.ts).
 */
import type { ConnectionOptions } from 'node:tls';
import {
  createClient,
  createCluster,
  createSentinel,
  type RedisClientOptions,
  RESP_TYPES,
} from '@redis/client';
import { errorText } from '../../lib/errors.ts';
import type { RedisConfig } from './config.ts';

/** An open connection. Operations fail when it is lost; those that wait for an answer then, too. */
export interface RedisBackend {
  /** In the order of the keys; null for what is not there. */
  get(keys: readonly string[]): Promise<readonly unknown[]>;
  /** `ttlSeconds` is 1 or more. */
  set(key: string, value: Buffer, ttlSeconds: number): Promise<void>;
  /** Drops everything at once. */
  destroy(): void;
}

/** What a connection tells besides answers. */
export interface BackendEvents {
  /** It will answer no more. */
  readonly onLost: (error: Error) => void;
}

/** limit: commands of one connection that wait: those of ten thousand series, a hundred times. */
const COMMANDS_MAX = 1_000_000;
/** limit: of an attempt to connect that the configuration does not limit. */
const DIAL_MS_MAX = 60_000;
/** Between attempts of a cluster's or sentinel's connections. */
const RECONNECT_MS = 1000;

/** Connects. @throws Error when nothing answers within the dial timeout. */
export async function openBackend(
  config: RedisConfig,
  tls: ConnectionOptions | undefined,
  events: BackendEvents,
): Promise<RedisBackend> {
  const opening = new Opening(config, tls, events);
  if (config.masterName !== '') return opening.sentinel();
  return config.addresses.length > 1 ? opening.cluster() : opening.single();
}

class Opening {
  readonly #config: RedisConfig;
  readonly #tls: ConnectionOptions | undefined;
  readonly #events: BackendEvents;

  constructor(config: RedisConfig, tls: ConnectionOptions | undefined, events: BackendEvents) {
    this.#config = config;
    this.#tls = tls;
    this.#events = events;
  }

  async single(): Promise<RedisBackend> {
    const { addresses, db } = this.#config;
    const socket = this.#socket(addresses[0] ?? '', false);
    const client = createClient({ ...this.#options(), database: db, socket });
    let failure: Error | undefined;
    client.on('error', (error: Error) => {
      failure ??= error;
      this.#events.onLost(error);
    });
    const destroy = (): void => {
      if (client.isOpen) client.destroy();
    };
    const connected = client
      .connect()
      // What knows no INFO is no cluster.
      .then(() => client.sendCommand(['INFO', 'cluster']).catch(() => ''));
    let info: unknown;
    try {
      info = await this.#inTime(connected, destroy);
    } catch (thrown) {
      // The library reports what went wrong to whoever listens, and less to whoever waits.
      throw failure ?? thrown;
    }
    if (String(info).includes('cluster_enabled:1')) {
      destroy();
      return this.cluster();
    }
    const bytes = client.withTypeMapping({ [RESP_TYPES.BLOB_STRING]: Buffer });
    return {
      get: (keys) => bytes.mGet([...keys]),
      set: async (key, value, seconds) => {
        await client.set(key, value, { expiration: { type: 'EX', value: seconds } });
      },
      destroy,
    };
  }

  async cluster(): Promise<RedisBackend> {
    const nodes = this.#config.addresses.map((address) => ({
      ...this.#options(),
      socket: this.#socket(address, true),
    }));
    const socket = this.#socket('', true);
    const cluster = createCluster({
      RESP: 2,
      rootNodes: nodes,
      defaults: { ...this.#options(), socket },
      useReplicas: true,
    });
    // It mends itself; what is lost for good shows as operations that fail.
    cluster.on('error', () => undefined);
    await this.#inTime(cluster.connect(), () => cluster.destroy());
    const bytes = cluster.withTypeMapping({ [RESP_TYPES.BLOB_STRING]: Buffer });
    return {
      // One by one, since one MGET may not cross slots; they share packets all the same.
      get: (keys) => Promise.all(keys.map((key) => bytes.get(key))),
      set: async (key, value, seconds) => {
        await cluster.set(key, value, { expiration: { type: 'EX', value: seconds } });
      },
      destroy: () => cluster.destroy(),
    };
  }

  async sentinel(): Promise<RedisBackend> {
    const { addresses, masterName, db } = this.#config;
    const socket = this.#socket('', true);
    const sentinel = createSentinel({
      name: masterName,
      RESP: 2,
      sentinelRootNodes: addresses.map((address) => splitAddress(address)),
      nodeClientOptions: { ...this.#options(), database: db, socket },
      sentinelClientOptions: {
        disableClientInfo: true,
        socket,
      },
    });
    sentinel.on('error', () => undefined);
    await this.#inTime(sentinel.connect(), () => void sentinel.destroy().catch(() => undefined));
    const bytes = sentinel.withTypeMapping({ [RESP_TYPES.BLOB_STRING]: Buffer });
    return {
      get: (keys) => bytes.mGet([...keys]),
      set: async (key, value, seconds) => {
        await sentinel.set(key, value, { expiration: { type: 'EX', value: seconds } });
      },
      destroy: () => void sentinel.destroy().catch(() => undefined),
    };
  }

  #options() {
    const { username, password } = this.#config;
    return {
      // compat: what servers before 6 and proxies speak, too.
      RESP: 2 as const,
      ...(username === '' ? {} : { username }),
      ...(password === '' ? {} : { password }),
      disableOfflineQueue: true,
      disableClientInfo: true,
      commandsQueueMaxLength: COMMANDS_MAX,
    };
  }

  #socket(address: string, reconnect: boolean): SocketOptions {
    const { dialTimeoutMs } = this.#config;
    const common = {
      ...(dialTimeoutMs > 0 ? { connectTimeout: dialTimeoutMs } : {}),
      reconnectStrategy: reconnect ? RECONNECT_MS : (false as const),
    };
    if (address.includes('/')) return { ...common, path: address, tls: false };
    const where = address === '' ? {} : splitAddress(address);
    return this.#tls === undefined
      ? { ...common, ...where }
      : { ...common, ...this.#tls, ...where, tls: true };
  }

  /** Clusters and sentinels try on and on, and a server may accept connections and say nothing. */
  async #inTime<T>(connected: Promise<T>, giveUp: () => void): Promise<T> {
    const timeoutMs = this.#config.dialTimeoutMs || DIAL_MS_MAX;
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<never>((_, reject) => {
      const error = new Error(`no connection within ${timeoutMs} ms`);
      timer = setTimeout(() => reject(error), timeoutMs);
    });
    try {
      return await Promise.race([connected, late]);
    } catch (thrown) {
      connected.catch(() => undefined);
      giveUp();
      throw new Error(errorText(thrown), { cause: thrown });
    } finally {
      clearTimeout(timer);
    }
  }
}

type SocketOptions = NonNullable<RedisClientOptions['socket']>;

function splitAddress(address: string): { readonly host: string; readonly port: number } {
  const colon = address.lastIndexOf(':');
  const host = address.slice(0, Math.max(0, colon)).replace(/^\[(.*)\]$/, '$1');
  return { host, port: Number(address.slice(colon + 1)) };
}
