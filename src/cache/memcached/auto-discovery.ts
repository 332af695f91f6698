/**
 * Servers of a memcached cluster, asked of its configuration endpoint, as AWS ElastiCache has it:
 *
 *   CONFIG cluster 0 BYTES \r\n
 *   VERSION \n HOST|IP|PORT HOST|IP|PORT … \n \r\n
 *   END \r\n
 *
 * Behaviour: thanos pkg/discovery/memcache/resolver.go.
 */
import { RemoteCacheError } from '../remote-error.ts';
import { garbage } from './answer-parser.ts';
import { MemcachedConnection } from './connection.ts';
import type { MemcachedRequest } from './requests.ts';

/** What an endpoint says. */
export interface ClusterConfig {
  readonly version: number;
  /** `host:port`. */
  readonly servers: readonly string[];
}

/** Asks one endpoint. @throws RemoteCacheError. */
export async function discoverServers(endpoint: string, timeoutMs: number): Promise<ClusterConfig> {
  const request = new ClusterConfigRequest();
  const nothing = (): void => undefined;
  const connection = new MemcachedConnection(endpoint, timeoutMs, {
    onAnswer: nothing,
    onEnd: nothing,
  });
  try {
    connection.send(request);
    return parseClusterConfig(await request.result);
  } finally {
    connection.destroy();
  }
}

class ClusterConfigRequest implements MemcachedRequest {
  readonly wire: readonly Buffer[] = [Buffer.from('config get cluster\r\n')];
  readonly result: Promise<string>;
  readonly #outcome = Promise.withResolvers<string>();
  #text: string | undefined;
  done = false;

  constructor() {
    this.result = this.#outcome.promise;
  }

  onLine(line: string): number {
    const match = /^CONFIG cluster \d+ (\d{1,7})$/.exec(line);
    if (match !== null && this.#text === undefined) return Number(match[1]);
    if (line !== 'END' || this.#text === undefined) {
      throw garbage(`unexpected line ${JSON.stringify(line.slice(0, 100))}`);
    }
    this.done = true;
    return -1;
  }

  onBlock(block: Uint8Array): void {
    this.#text = Buffer.from(block).toString();
  }

  settle(error: RemoteCacheError | undefined): void {
    if (error === undefined) this.#outcome.resolve(this.#text ?? '');
    else this.#outcome.reject(error);
  }
}

function parseClusterConfig(text: string): ClusterConfig {
  const [version = '', nodes = '', ...rest] = text.split('\n');
  if (!/^\d+$/.test(version.trim()) || rest.join('').trim() !== '') {
    throw garbage(`no cluster configuration: ${JSON.stringify(text.slice(0, 100))}`);
  }
  const names = nodes
    .trim()
    .split(' ')
    .filter((name) => name !== '');
  const servers = names.map((node) => {
    const [host = '', , port = '', more] = node.split('|');
    if (host === '' || more !== undefined || !/^\d{1,5}$/.test(port)) {
      throw garbage(`no node of a cluster: ${JSON.stringify(node.slice(0, 100))}`);
    }
    return `${host}:${port}`;
  });
  return { version: Number(version), servers };
}
