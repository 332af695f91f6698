/**
 * The TLS part of a web configuration: certificates, authorities and rules as they are at the moment of a handshake.
 * Behaviour: prometheus/exporter-toolkit web/tls_config.go, and Go's crypto/tls for the kinds of client
 * authentication.
 */
import { X509Certificate } from 'node:crypto';
import {
  type SecureContextOptions,
  type TLSSocket,
  type TlsOptions,
  createSecureContext,
} from 'node:tls';
import { CodedError, errorText } from '../lib/errors.ts';
import { FreshFile } from '../lib/fresh-file.ts';
import { alternativeNames } from './alternative-names.ts';
import type { PemSource, WebTlsSettings } from './web-settings.ts';

/** What handshakes are made with; another object as soon as anything has changed. */
export interface TlsState {
  readonly options: TlsOptions;
  /** Why a connection whose handshake is done must end after all; undefined when it may stay. */
  refusal(socket: TLSSocket): string | undefined;
}

/** The contents of the files, and a text that changes when one of them does. */
interface Material {
  readonly stamp: string;
  readonly cert: string;
  readonly key: string;
  readonly ca: string | undefined;
}

/** The TLS of a web configuration. */
export class WebTls {
  /** Whether clients may speak HTTP/2. */
  readonly http2: boolean;
  readonly #settings: () => Promise<WebTlsSettings | undefined>;
  readonly #files = new Map<string, FreshFile>();
  #last: { settings: WebTlsSettings; stamp: string; state: TlsState } | undefined;

  /** `settings` answers what the configuration says now, undefined where it has lost its TLS part. */
  constructor(settings: () => Promise<WebTlsSettings | undefined>, http2: boolean) {
    this.#settings = settings;
    this.http2 = http2;
  }

  /** The present state. @throws CodedError bad_data for files that are missing or cannot be used. */
  async current(): Promise<TlsState> {
    const settings = await this.#settings();
    if (settings === undefined) throw new CodedError('bad_data', 'TLS config is not present');
    const material = await this.#read(settings);
    const last = this.#last;
    if (last?.settings === settings && last.stamp === material.stamp) return last.state;
    const state = this.#makeState(settings, material);
    this.#last = { settings, stamp: material.stamp, state };
    return state;
  }

  async #read(settings: WebTlsSettings): Promise<Material> {
    // One after the other: where several cannot be read, the same one is named each time.
    const cert = await this.#pem(settings.cert, 'cert_file');
    const key = await this.#pem(settings.key, 'key_file');
    const ca = settings.clientCa && (await this.#pem(settings.clientCa, 'client_ca_file'));
    const stamp = [cert, key, ca].map((file) => file?.version ?? 0).join(' ');
    return { stamp, cert: cert.text, key: key.text, ca: ca?.text };
  }

  async #pem(source: PemSource, field: string): Promise<{ text: string; version: number }> {
    if ('text' in source) return { text: source.text, version: 0 };
    let file = this.#files.get(source.path);
    if (file === undefined) {
      file = new FreshFile(source.path);
      this.#files.set(source.path, file);
    }
    try {
      return await file.read();
    } catch (thrown) {
      const message = `failed to read ${field} (${source.path}): ${errorText(thrown)}`;
      throw new CodedError('bad_data', message, { cause: thrown });
    }
  }

  #makeState(settings: WebTlsSettings, { cert, key, ca }: Material): TlsState {
    const { clientAuth, limits } = settings;
    const context: SecureContextOptions = { ...limits, cert, key };
    if (ca !== undefined) context.ca = checkedAuthorities(ca);
    try {
      createSecureContext(context);
    } catch (thrown) {
      const message = `failed to load X509KeyPair: ${errorText(thrown)}`;
      throw new CodedError('bad_data', message, { cause: thrown });
    }
    const options: TlsOptions = {
      ...context,
      requestCert: clientAuth !== 'NoClientCert',
      // Who may stay is decided by more than one rule, once the certificate is there.
      rejectUnauthorized: false,
      ALPNProtocols: this.http2 ? ['h2', 'http/1.1'] : ['http/1.1'],
    };
    return { options, refusal: (socket) => refusalOf(socket, settings) };
  }
}

/** @throws CodedError bad_data when there is no certificate, or one that cannot be read. */
function checkedAuthorities(text: string): string {
  const blocks = text.split('-----BEGIN CERTIFICATE-----').slice(1);
  try {
    if (blocks.length === 0) throw new Error('no PEM block of a certificate');
    for (const block of blocks) void new X509Certificate(`-----BEGIN CERTIFICATE-----${block}`);
  } catch (thrown) {
    const message = `failed to read the client CA: ${errorText(thrown)}`;
    throw new CodedError('bad_data', message, { cause: thrown });
  }
  return text;
}

function refusalOf(socket: TLSSocket, settings: WebTlsSettings): string | undefined {
  const { clientAuth, allowedSans } = settings;
  if (clientAuth === 'NoClientCert') return undefined;
  const certificate = socket.getPeerX509Certificate();
  if (certificate === undefined) {
    const required =
      clientAuth === 'RequireAnyClientCert' || clientAuth === 'RequireAndVerifyClientCert';
    if (required) return "client didn't provide a certificate";
    // compat: Go's connection breaks where a name is asked of a certificate that is not there.
    return allowedSans && 'client without a certificate has none of the allowed SANs';
  }
  const verified =
    clientAuth === 'VerifyClientCertIfGiven' || clientAuth === 'RequireAndVerifyClientCert';
  if (verified && !socket.authorized) {
    return `failed to verify certificate: ${String(socket.authorizationError)}`;
  }
  if (allowedSans === undefined) return undefined;
  const names = alternativeNames(certificate.subjectAltName);
  if (names.some((name) => allowedSans.includes(name))) return undefined;
  return `could not find allowed SANs in client cert, found: ${names.join(' ')}`;
}
