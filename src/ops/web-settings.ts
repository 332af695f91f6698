/**
 * What a file of `--http.config` says. Behaviour and error texts: prometheus/exporter-toolkit web/tls_config.go and
 * web/handler.go, docs/web-configuration.md.
 */
import { validateHeaderValue } from 'node:http';
import { isAbsolute, join } from 'node:path';
import type { SecureContextOptions } from 'node:tls';
import { errorText } from '../lib/errors.ts';
import { parseStrictYaml } from '../lib/strict-yaml.ts';
import type { StrictYaml, YamlPath, YamlSource } from '../lib/strict-yaml.ts';
import { booleanScalar, durationScalar, integerScalar } from '../lib/yaml-scalars.ts';
import { tlsLimits } from './tls-names.ts';

/** Whom a server asks for a certificate, weakest first. */
export type ClientAuth =
  | 'NoClientCert'
  | 'RequestClientCert'
  | 'RequireAnyClientCert'
  | 'VerifyClientCertIfGiven'
  | 'RequireAndVerifyClientCert';

/** PEM from a file, or as it stands in the configuration. */
export type PemSource = { readonly path: string } | { readonly text: string };

/** The part about TLS. */
export interface WebTlsSettings {
  readonly cert: PemSource;
  readonly key: PemSource;
  readonly clientCa: PemSource | undefined;
  readonly clientAuth: ClientAuth;
  /** One of these must be a name of the client's certificate; undefined: any will do. */
  readonly allowedSans: readonly string[] | undefined;
  /** Versions, cipher suites and curves. */
  readonly limits: SecureContextOptions;
}

/** A token bucket. */
export interface RateLimit {
  readonly intervalMs: number;
  readonly burst: number;
}

/** All of it. */
export interface WebSettings {
  readonly tls: WebTlsSettings | undefined;
  readonly http2: boolean;
  /** Headers of every answer. */
  readonly headers: ReadonlyMap<string, string>;
  /** bcrypt hashes of passwords by user; nobody is asked when there is none. */
  readonly users: ReadonlyMap<string, string>;
  readonly rateLimit: RateLimit | undefined;
}

/** The headers that may be set, and the values that they may have. */
const HEADERS: ReadonlyMap<string, readonly string[]> = new Map([
  ['Strict-Transport-Security', []],
  ['X-Content-Type-Options', ['nosniff']],
  ['X-Frame-Options', ['deny', 'sameorigin']],
  ['X-XSS-Protection', []],
  ['Content-Security-Policy', []],
]);

const CLIENT_AUTH: ReadonlyMap<string, ClientAuth> = new Map([
  ['', 'NoClientCert'],
  ['NoClientCert', 'NoClientCert'],
  ['RequestClientCert', 'RequestClientCert'],
  ['RequireAnyClientCert', 'RequireAnyClientCert'],
  // compat: an older name of the same.
  ['RequireClientCert', 'RequireAnyClientCert'],
  ['VerifyClientCertIfGiven', 'VerifyClientCertIfGiven'],
  ['RequireAndVerifyClientCert', 'RequireAndVerifyClientCert'],
]);

const VERSIONS: ReadonlyMap<string, string> = new Map([
  ['TLS10', '1.0'],
  ['TLS11', '1.1'],
  ['TLS12', '1.2'],
  ['TLS13', '1.3'],
]);

/** One of these is needed for HTTP/2 over TLS 1.2 (RFC 9113, 9.2.2). */
const HTTP2_SUITES: readonly string[] = [
  'TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256',
  'TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256',
];

const TLS = 'tls_server_config';

/**
 * Reads the text of a file; relative paths in it are relative to `directory`.
 * @throws CodedError bad_data with file, line and field.
 */
export async function parseWebSettings(
  source: YamlSource,
  directory: string,
): Promise<WebSettings> {
  const yaml = await parseStrictYaml(source);
  const raw = readRaw(yaml);
  const http2 = raw?.http_server_config?.http2 ?? true;
  const limit = raw?.rate_limit;
  return {
    tls: tlsOf(yaml, raw?.[TLS] ?? {}, directory, http2),
    http2,
    headers: headersOf(yaml, raw?.http_server_config?.headers ?? {}),
    users: new Map(Object.entries(raw?.basic_auth_users ?? {}).map(([k, v]) => [k, v ?? ''])),
    rateLimit:
      (limit?.interval ?? 0) === 0
        ? undefined
        : { intervalMs: limit?.interval ?? 0, burst: limit?.burst ?? 0 },
  };
}

function readRaw(yaml: StrictYaml) {
  return yaml.read([], (z) => {
    const tls = z.strictObject({
      cert: z.string().optional(),
      key: z.string().optional(),
      client_ca: z.string().optional(),
      cert_file: z.string().optional(),
      key_file: z.string().optional(),
      client_auth_type: z.string().optional(),
      client_ca_file: z.string().optional(),
      cipher_suites: z.array(z.string()).optional(),
      curve_preferences: z.array(z.string()).optional(),
      min_version: z.string().optional(),
      max_version: z.string().optional(),
      prefer_server_cipher_suites: booleanScalar(z).optional(),
      client_allowed_sans: z.array(z.string()).optional(),
    });
    const server = z.strictObject({
      http2: booleanScalar(z).optional(),
      headers: z.record(z.string(), z.string()).optional(),
    });
    const limit = z.strictObject({
      burst: integerScalar(z).optional(),
      interval: durationScalar(z).optional(),
    });
    return z
      .strictObject({
        [TLS]: tls.optional(),
        http_server_config: server.optional(),
        rate_limit: limit.optional(),
        basic_auth_users: z.record(z.string(), z.string().optional()).optional(),
      })
      .optional();
  });
}

type RawTls = NonNullable<NonNullable<ReturnType<typeof readRaw>>[typeof TLS]>;

function headersOf(
  yaml: StrictYaml,
  headers: Readonly<Record<string, string>>,
): ReadonlyMap<string, string> {
  for (const [name, value] of Object.entries(headers)) {
    const at = ['http_server_config', 'headers', name];
    const values = HEADERS.get(name);
    if (values === undefined) {
      const names = [...HEADERS.keys()].join(', ');
      throw yaml.errorAt(at, `HTTP header "${name}" can not be configured, expected ${names}`);
    }
    if (values.length > 0 && !values.includes(value)) {
      const expected = values.map((v) => JSON.stringify(v)).join(' ');
      const what = `invalid value for ${name}. Expected one of: [${expected}], but got: ${JSON.stringify(value)}`;
      throw yaml.errorAt(at, what);
    }
    try {
      validateHeaderValue(name, value);
    } catch (thrown) {
      throw yaml.errorAt(at, errorText(thrown));
    }
  }
  return new Map(Object.entries(headers));
}

/** Undefined where no field says that there is TLS. */
function tlsOf(
  yaml: StrictYaml,
  raw: RawTls,
  directory: string,
  http2: boolean,
): WebTlsSettings | undefined {
  const limits = limitsOf(yaml, raw);
  const cert = pem(raw.cert_file, raw.cert, directory);
  const key = pem(raw.key_file, raw.key, directory);
  const clientCa = pem(raw.client_ca_file, raw.client_ca, directory);
  const auth = raw.client_auth_type ?? '';
  if (cert === undefined && key === undefined && clientCa === undefined && auth === '') {
    return undefined;
  }
  if (cert === undefined) throw yaml.errorAt([TLS], 'missing one of cert or cert_file');
  if (key === undefined) throw yaml.errorAt([TLS], 'missing one of key or key_file');
  const clientAuth = CLIENT_AUTH.get(auth);
  if (clientAuth === undefined) {
    const names = [...new Set(CLIENT_AUTH.values())].join(', ');
    const what = `invalid ClientAuth: ${auth.slice(0, 100)}, expected ${names}`;
    throw yaml.errorAt([TLS, 'client_auth_type'], what);
  }
  if (clientCa !== undefined && clientAuth === 'NoClientCert') {
    const what = "client CA's have been configured without a Client Auth Policy";
    throw yaml.errorAt([TLS, raw.client_ca_file ? 'client_ca_file' : 'client_ca'], what);
  }
  const suites = raw.cipher_suites ?? [];
  const needsSuite = http2 && suites.length > 0 && raw.min_version !== 'TLS13';
  if (needsSuite && !suites.some((name) => HTTP2_SUITES.includes(name))) {
    const what = `http2: TLSConfig.CipherSuites is missing an HTTP/2-required AES_128_GCM_SHA256 cipher (need at least one of ${HTTP2_SUITES.join(' or ')})`;
    throw yaml.errorAt([TLS, 'cipher_suites'], what);
  }
  return { cert, key, clientCa, clientAuth, allowedSans: raw.client_allowed_sans, limits };
}

/** compat: a file goes before a text. */
function pem(path = '', text = '', directory: string): PemSource | undefined {
  if (path !== '') return { path: isAbsolute(path) ? path : join(directory, path) };
  return text === '' ? undefined : { text };
}

function limitsOf(yaml: StrictYaml, raw: RawTls): SecureContextOptions {
  const version = (field: 'min_version' | 'max_version', fallback: string): string => {
    const name = raw[field] ?? fallback;
    const found = VERSIONS.get(name);
    if (found !== undefined) return found;
    const names = [...VERSIONS.keys()].join(', ');
    throw yaml.errorAt([TLS, field], `unknown TLS version: ${name}, expected ${names}`);
  };
  const minVersion = version('min_version', 'TLS12');
  const maxVersion = version('max_version', 'TLS13');
  if (minVersion > maxVersion) {
    throw yaml.errorAt([TLS, 'min_version'], 'is above max_version, so there is no TLS version');
  }
  const { cipher_suites: cipherSuites = [], curve_preferences: curves = [] } = raw;
  // One by one first, so that an error names its place.
  for (const [i, name] of cipherSuites.entries()) {
    checked(yaml, [TLS, 'cipher_suites', i], 'unknown cipher', name, { cipherSuites: [name] });
  }
  for (const [i, name] of curves.entries()) {
    checked(yaml, [TLS, 'curve_preferences', i], 'unknown curve', name, { curves: [name] });
  }
  return {
    ...tlsLimits({ minVersion, maxVersion, cipherSuites, curves }),
    honorCipherOrder: raw.prefer_server_cipher_suites ?? true,
  };
}

function checked(
  yaml: StrictYaml,
  at: YamlPath,
  what: string,
  name: string,
  limits: Parameters<typeof tlsLimits>[0],
): void {
  try {
    tlsLimits(limits);
  } catch (thrown) {
    throw yaml.errorAt(at, `${what}: ${name} (${errorText(thrown)})`);
  }
}
