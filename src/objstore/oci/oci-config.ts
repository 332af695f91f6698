/** Configuration of type OCI (Oracle). Fields, defaults and refusals: objstore providers/oci/oci.go. */
import type { StrictYaml } from '../../lib/strict-yaml.ts';
import { configFields, type ConfigFields } from '../config-fields.ts';
import { DEFAULT_HTTP_CONFIG, type HttpConfig } from '../http/http-config.ts';

/** Who signs, with which key. */
export interface OciKey {
  readonly tenancy: string;
  readonly user: string;
  readonly fingerprint: string;
  /** PEM. */
  readonly privateKey: string;
  /** '' for none. */
  readonly passphrase: string;
}

/** Where the key comes from. */
export type OciProvider =
  /** `~/.oci/config`. */
  | { readonly kind: 'default' }
  | { readonly kind: 'raw'; readonly key: OciKey; readonly region: string }
  | { readonly kind: 'instance-principal' | 'oke-workload-identity'; readonly region: string };

/** Configuration of a bucket of Oracle's, complete and checked. */
export interface OciConfig {
  readonly bucket: string;
  readonly provider: OciProvider;
  /** Bytes. */
  readonly partBytes: number;
  /** Tries of a request in all, 1 for no other one. */
  readonly triesMax: number;
  /** Milliseconds between tries. */
  readonly waitMs: number;
  readonly http: HttpConfig;
  /** Milliseconds within which an answer must begin. */
  readonly clientTimeoutMs: number;
}

const PART_BYTES = 128 * 1024 * 1024;

/** Reads `config` of a bucket. @throws CodedError bad_data with file, line and field. */
export function readOciConfig(yaml: StrictYaml): OciConfig {
  const given = yaml.read(['config'], (z) => {
    const fields = configFields(z);
    const { text, int } = fields;
    return z.strictObject({
      provider: text(),
      bucket: text(),
      compartment_ocid: text(),
      tenancy_ocid: text(),
      user_ocid: text(),
      region: text(),
      fingerprint: text(),
      privatekey: text(),
      passphrase: text(),
      part_size: int(),
      max_request_retries: int(),
      request_retry_interval: int(),
      http_config: ociHttpField(fields),
    });
  });
  if (given.bucket === '') throw yaml.errorAt(['config'], 'no OCI bucket specified');
  const { max_request_retries: tries, part_size: partSize, http_config: http } = given;
  return {
    bucket: given.bucket,
    provider: providerOf(yaml, given),
    partBytes: partSize > 0 ? partSize : PART_BYTES,
    triesMax: Math.max(1, tries),
    waitMs: Math.max(1, given.request_retry_interval * 1000),
    http: http.http,
    clientTimeoutMs: http.clientTimeoutMs,
  };
}

interface KeyFields {
  readonly provider: string;
  readonly tenancy_ocid: string;
  readonly user_ocid: string;
  readonly region: string;
  readonly fingerprint: string;
  readonly privatekey: string;
  readonly passphrase: string;
}

function providerOf(yaml: StrictYaml, given: KeyFields): OciProvider {
  const kind = given.provider.toLowerCase();
  const { region } = given;
  switch (kind) {
    case 'default':
      return { kind };
    case 'instance-principal':
    case 'oke-workload-identity':
      return { kind, region };
    case 'raw': {
      const names = ['tenancy_ocid', 'user_ocid', 'region', 'fingerprint', 'privatekey'] as const;
      const missing = names
        .filter((name) => given[name] === '')
        .map((name) => `no OCI ${name.replace('_', ' ')} specified`);
      if (missing.length > 0) throw yaml.errorAt(['config'], missing.join(', '));
      const key = {
        tenancy: given.tenancy_ocid,
        user: given.user_ocid,
        fingerprint: given.fingerprint,
        privateKey: given.privatekey,
        passphrase: given.passphrase,
      };
      return { kind, key, region };
    }
    default: {
      const expected = 'expected default, instance-principal, raw or oke-workload-identity';
      throw yaml.errorAt(
        ['config', 'provider'],
        `unsupported OCI provider: ${given.provider.slice(0, 100)}, ${expected}`,
      );
    }
  }
}

/** Unlike other types: without certificates, with a limit for a whole request. */
function ociHttpField({ z, bool, int, duration, goDuration }: ConfigFields) {
  const defaults = DEFAULT_HTTP_CONFIG;
  const shape = z.strictObject({
    idle_conn_timeout: duration(defaults.idleConnTimeoutMs),
    response_header_timeout: duration(defaults.responseHeaderTimeoutMs),
    insecure_skip_verify: bool(),
    tls_handshake_timeout: duration(defaults.tlsHandshakeTimeoutMs),
    expect_continue_timeout: duration(1000),
    max_idle_conns: int(100),
    max_idle_conns_per_host: int(100),
    max_conns_per_host: int(0),
    disable_compression: bool(),
    client_timeout: goDuration(90_000),
  });
  return shape.optional().transform((given) => ({
    http: {
      ...defaults,
      ...(given === undefined
        ? {}
        : {
            idleConnTimeoutMs: given.idle_conn_timeout,
            responseHeaderTimeoutMs: given.response_header_timeout,
            tlsHandshakeTimeoutMs: given.tls_handshake_timeout,
            maxConnsPerHost: given.max_conns_per_host,
            insecureSkipVerify: given.insecure_skip_verify,
          }),
    },
    clientTimeoutMs: given?.client_timeout ?? 90_000,
  }));
}
