/** The connections of one bucket, by its `http_config`. HTTP/1.1, as Go's client has it. */
import { type ConnectionOptions, createSecureContext } from 'node:tls';
import { Agent, buildConnector, type Dispatcher, EnvHttpProxyAgent } from 'undici';
import { ClientTls } from '../../ops/tls-files.ts';
import type { HttpConfig } from './http-config.ts';

/** limit: 30 s to reach a host, as Go's client waits. */
const DIAL_TIMEOUT_MS = 30_000;

/**
 * Connections for requests. The variables HTTP_PROXY, HTTPS_PROXY and NO_PROXY of the environment are followed. The
 * caller closes it.
 * @throws CodedError bad_data when a certificate file cannot be used.
 */
export async function openAgent(
  config: HttpConfig,
  env: Readonly<Record<string, string | undefined>>,
): Promise<Dispatcher> {
  const tls = await ClientTls.open({ ...config.tls, skipVerify: config.insecureSkipVerify });
  const options = {
    allowH2: false,
    connections: config.maxConnsPerHost === 0 ? null : config.maxConnsPerHost,
    keepAliveTimeout: Math.max(1, config.idleConnTimeoutMs),
    keepAliveMaxTimeout: Math.max(1, config.idleConnTimeoutMs),
    // What a server may fall silent for is the same as for its headers: Go would wait for ever.
    headersTimeout: config.responseHeaderTimeoutMs,
    bodyTimeout: config.responseHeaderTimeoutMs,
  };
  const httpProxy = firstOf(env['HTTP_PROXY'], env['http_proxy']);
  const httpsProxy = firstOf(env['HTTPS_PROXY'], env['https_proxy']);
  if (httpProxy === undefined && httpsProxy === undefined) {
    return new Agent({ ...options, connect: reloadingConnector(config, tls) });
  }
  // A proxied connection takes its certificates once.
  const connect = connectOptions(config, await tls.connectOptions());
  return new EnvHttpProxyAgent({
    ...options,
    connect,
    requestTls: connect,
    ...(httpProxy === undefined ? {} : { httpProxy }),
    ...(httpsProxy === undefined ? {} : { httpsProxy }),
    noProxy: env['NO_PROXY'] ?? env['no_proxy'] ?? '',
  });
}

function firstOf(...values: readonly (string | undefined)[]): string | undefined {
  return values.find((value) => value !== undefined && value !== '');
}

/** perf: the authorities are parsed here, once, and not for each connection (140 of them take 5 ms). */
function connectOptions(config: HttpConfig, tls: ConnectionOptions): buildConnector.BuildOptions {
  const { servername, checkServerIdentity, rejectUnauthorized = true } = tls;
  return {
    ...(servername === undefined ? {} : { servername }),
    ...(checkServerIdentity === undefined ? {} : { checkServerIdentity }),
    rejectUnauthorized,
    secureContext: createSecureContext(tls),
    timeout: DIAL_TIMEOUT_MS + config.tlsHandshakeTimeoutMs,
    allowH2: false,
  };
}

/** Looks before each new connection whether certificates have changed. */
function reloadingConnector(config: HttpConfig, tls: ClientTls): buildConnector.connector {
  let used: ConnectionOptions | undefined;
  let connector: buildConnector.connector | undefined;
  return (options, callback) => {
    void tls.connectOptions().then(
      (current) => {
        if (connector === undefined || !isSame(current, used)) {
          connector = buildConnector(connectOptions(config, current));
          used = current;
        }
        connector(options, callback);
      },
      (thrown: unknown) =>
        callback(thrown instanceof Error ? thrown : new Error(String(thrown)), null),
    );
  };
}

function isSame(a: ConnectionOptions, b: ConnectionOptions | undefined): boolean {
  return a.ca === b?.ca && a.cert === b?.cert && a.key === b?.key;
}
