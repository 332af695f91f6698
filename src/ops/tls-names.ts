/** Versions, cipher suites and curves of TLS by Go's names, and what OpenSSL calls them. Texts: thanos pkg/tls. */
import type { SecureContextOptions } from 'node:tls';
import { CodedError } from '../lib/errors.ts';
import { compareUtf8 } from '../lib/utf8.ts';

const VERSIONS = new Map<string, NonNullable<SecureContextOptions['minVersion']>>([
  ['1.0', 'TLSv1'],
  ['1.1', 'TLSv1.1'],
  ['1.2', 'TLSv1.2'],
  ['1.3', 'TLSv1.3'],
]);

/** The suites of TLS 1.3, which Go neither turns off nor orders. OpenSSL has the same names. */
const SUITES_13: readonly string[] = [
  'TLS_AES_128_GCM_SHA256',
  'TLS_AES_256_GCM_SHA384',
  'TLS_CHACHA20_POLY1305_SHA256',
];

/** Those of TLS 1.0 to 1.2 that Go's crypto/tls lists as secure. */
const SUITES_12: ReadonlyMap<string, string> = new Map([
  ['TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA', 'ECDHE-ECDSA-AES128-SHA'],
  ['TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA', 'ECDHE-ECDSA-AES256-SHA'],
  ['TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA', 'ECDHE-RSA-AES128-SHA'],
  ['TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA', 'ECDHE-RSA-AES256-SHA'],
  ['TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256', 'ECDHE-ECDSA-AES128-GCM-SHA256'],
  ['TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384', 'ECDHE-ECDSA-AES256-GCM-SHA384'],
  ['TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256', 'ECDHE-RSA-AES128-GCM-SHA256'],
  ['TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384', 'ECDHE-RSA-AES256-GCM-SHA384'],
  ['TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256', 'ECDHE-RSA-CHACHA20-POLY1305'],
  ['TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256', 'ECDHE-ECDSA-CHACHA20-POLY1305'],
]);

const CURVES: ReadonlyMap<string, string> = new Map([
  ['CurveP256', 'P-256'],
  ['CurveP384', 'P-384'],
  ['CurveP521', 'P-521'],
  ['X25519', 'X25519'],
  ['X25519MLKEM768', 'X25519MLKEM768'],
  ['SecP256r1MLKEM768', 'SecP256r1MLKEM768'],
  ['SecP384r1MLKEM1024', 'SecP384r1MLKEM1024'],
]);

/** OpenSSL signs no handshake of TLS 1.0 or 1.1 at its default security level; whoever asks for them gets them. */
const OLD_VERSIONS_LEVEL = '@SECLEVEL=0';

/** What connections may use; absent and empty parts mean the library's choice. */
export interface TlsLimits {
  /** `1.0` to `1.3`. */
  readonly minVersion?: string | undefined;
  /** `1.0` to `1.3`. */
  readonly maxVersion?: string | undefined;
  /** Go's names. As in Go, those of TLS 1.3 are always allowed. */
  readonly cipherSuites?: readonly string[] | undefined;
  /** Go's names. */
  readonly curves?: readonly string[] | undefined;
}

/** The limits as Node takes them. @throws CodedError bad_data with the valid values when a name is not one. */
export function tlsLimits(limits: TlsLimits): SecureContextOptions {
  const { minVersion = '', maxVersion = '', cipherSuites = [], curves = [] } = limits;
  const options: SecureContextOptions = {};
  if (minVersion !== '') options.minVersion = tlsVersion(minVersion);
  if (maxVersion !== '') options.maxVersion = tlsVersion(maxVersion);
  const old = minVersion === '1.0' || minVersion === '1.1';
  if (cipherSuites.length > 0) {
    const names = cipherSuites.map(cipherName);
    options.ciphers = [
      ...new Set([...SUITES_13, ...names]),
      ...(old ? [OLD_VERSIONS_LEVEL] : []),
    ].join(':');
  } else if (old) {
    options.ciphers = `DEFAULT:${SUITES_13.join(':')}:${OLD_VERSIONS_LEVEL}`;
  }
  if (curves.length > 0) options.ecdhCurve = curves.map(curveName).join(':');
  return options;
}

function tlsVersion(name: string): NonNullable<SecureContextOptions['minVersion']> {
  return VERSIONS.get(name) ?? invalid('TLS version', name, VERSIONS.keys());
}

function cipherName(name: string): string {
  if (SUITES_13.includes(name)) return name;
  return SUITES_12.get(name) ?? invalid('cipher suite', name, [...SUITES_13, ...SUITES_12.keys()]);
}

function curveName(name: string): string {
  return CURVES.get(name) ?? invalid('curve', name, CURVES.keys());
}

function invalid(what: string, name: string, valid: Iterable<string>): never {
  const names = [...valid].toSorted(compareUtf8).join(', ');
  throw new CodedError('bad_data', `invalid ${what}: ${name}, valid values are ${names}`);
}
