/** `http_config`: how a bucket's client connects. Behaviour and defaults: objstore exthttp/transport.go. */
import type { ZodType } from 'zod';
import type { ConfigFields } from '../config-fields.ts';

/** Certificates of connections; '' where none is configured. */
export interface TlsFiles {
  /** The authorities to trust, instead of the system's. */
  readonly caFile: string;
  readonly certFile: string;
  readonly keyFile: string;
  /** The name to verify the server by, instead of the host's. */
  readonly serverName: string;
}

/** Configuration of an HTTP client, complete. */
export interface HttpConfig {
  readonly idleConnTimeoutMs: number;
  /** From the last byte of the request on; 0 for no limit. */
  readonly responseHeaderTimeoutMs: number;
  readonly tlsHandshakeTimeoutMs: number;
  /** 0 for no limit. */
  readonly maxConnsPerHost: number;
  readonly insecureSkipVerify: boolean;
  readonly tls: TlsFiles;
}

/** What is configured when nothing is. */
export const DEFAULT_HTTP_CONFIG: HttpConfig = {
  idleConnTimeoutMs: 90_000,
  responseHeaderTimeoutMs: 120_000,
  tlsHandshakeTimeoutMs: 10_000,
  maxConnsPerHost: 0,
  insecureSkipVerify: false,
  tls: { caFile: '', certFile: '', keyFile: '', serverName: '' },
};

/**
 * The schema of `http_config`. These are accepted without effect: `expect_continue_timeout` (nothing here asks for
 * 100-continue), `disable_compression` (nothing here asks for compression), `max_idle_conns` and
 * `max_idle_conns_per_host` (an idle connection is closed by its timeout only).
 */
export function httpConfigField(fields: ConfigFields): ZodType<HttpConfig> {
  const { z, text, bool, int, duration } = fields;
  const defaults = DEFAULT_HTTP_CONFIG;
  const tls = z.strictObject({
    ca_file: text(),
    cert_file: text(),
    key_file: text(),
    server_name: text(),
    insecure_skip_verify: bool(),
  });
  const shape = z.strictObject({
    idle_conn_timeout: duration(defaults.idleConnTimeoutMs),
    response_header_timeout: duration(defaults.responseHeaderTimeoutMs),
    insecure_skip_verify: bool(),
    tls_handshake_timeout: duration(defaults.tlsHandshakeTimeoutMs),
    expect_continue_timeout: duration(1000),
    max_idle_conns: int(100),
    max_idle_conns_per_host: int(100),
    max_conns_per_host: int(0),
    tls_config: tls.optional(),
    disable_compression: bool(),
  });
  return shape.optional().transform((given, context): HttpConfig => {
    if (given === undefined) return defaults;
    const files = given.tls_config;
    if ((files?.cert_file === '') !== (files?.key_file === '')) {
      context.addIssue({
        code: 'custom',
        path: ['tls_config'],
        message: 'has one of cert_file and key_file, expected both or none',
      });
    }
    return {
      idleConnTimeoutMs: given.idle_conn_timeout,
      responseHeaderTimeoutMs: given.response_header_timeout,
      tlsHandshakeTimeoutMs: given.tls_handshake_timeout,
      maxConnsPerHost: given.max_conns_per_host,
      insecureSkipVerify: given.insecure_skip_verify || files?.insecure_skip_verify === true,
      tls: {
        caFile: files?.ca_file ?? '',
        certFile: files?.cert_file ?? '',
        keyFile: files?.key_file ?? '',
        serverName: files?.server_name ?? '',
      },
    };
  });
}
