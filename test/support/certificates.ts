/** X.509 certificates for tests of TLS, made on the spot: an authority, and what it signs. P-256 and ECDSA unless RSA is asked for. */
import { type KeyObject, createHash, generateKeyPairSync, randomBytes, sign } from 'node:crypto';
import { isIP } from 'node:net';

/** A certificate with its key, both as PEM. */
export interface Credentials {
  readonly cert: string;
  readonly key: string;
}

/** What a certificate is made for. */
export interface CertificateRequest {
  readonly commonName: string;
  /** DNS names and IP addresses. */
  readonly names?: readonly string[];
  /** An RSA key of 2048 bits, for cipher suites that need one. */
  readonly rsa?: boolean;
  /** Its last day was yesterday. */
  readonly expired?: boolean;
}

const DAY_MS = 24 * 60 * 60 * 1000;

/** An authority that signs certificates of servers and clients. */
export class CertificateAuthority {
  /** Its own certificate, as PEM. */
  readonly cert: string;
  readonly #name: string;
  readonly #keys = generateKeyPairSync('ec', { namedCurve: 'P-256' });

  constructor(name: string) {
    this.#name = name;
    const extensions = [basicConstraints(true), keyIdentifier(this.#keys.publicKey)];
    this.cert = this.#sign({ commonName: name }, this.#keys.publicKey, extensions);
  }

  /** A certificate for servers and clients alike. */
  issue(request: CertificateRequest): Credentials {
    const keys = makeKeys(request.rsa === true);
    const extensions = [basicConstraints(false), usages()];
    if (request.names !== undefined) extensions.push(alternativeNames(request.names));
    return {
      cert: this.#sign(request, keys.publicKey, extensions),
      key: keys.privateKey.export({ type: 'pkcs8', format: 'pem' }),
    };
  }

  #sign(request: CertificateRequest, publicKey: KeyObject, extensions: readonly Buffer[]): string {
    const ecdsaWithSha256 = sequence(oid('2a8648ce3d040302'));
    const now = Date.now();
    const until = request.expired === true ? now - DAY_MS : now + 30 * DAY_MS;
    const body = sequence(
      tagged(0xa0, Buffer.from([0x02, 0x01, 0x02])),
      tagged(0x02, Buffer.concat([Buffer.from([0x01]), randomBytes(15)])),
      ecdsaWithSha256,
      distinguishedName(this.#name),
      sequence(time(now - 30 * DAY_MS), time(until)),
      distinguishedName(request.commonName),
      publicKey.export({ type: 'spki', format: 'der' }),
      tagged(0xa3, sequence(...extensions)),
    );
    const signature = sign('sha256', body, this.#keys.privateKey);
    const bits = tagged(0x03, Buffer.from([0]), signature);
    return pem(sequence(body, ecdsaWithSha256, bits));
  }
}

function makeKeys(rsa: boolean): { publicKey: KeyObject; privateKey: KeyObject } {
  return rsa
    ? generateKeyPairSync('rsa', { modulusLength: 2048 })
    : generateKeyPairSync('ec', { namedCurve: 'P-256' });
}

function pem(der: Buffer): string {
  const lines = der.toString('base64').replaceAll(/.{64}/g, '$&\n');
  return `-----BEGIN CERTIFICATE-----\n${lines.trimEnd()}\n-----END CERTIFICATE-----\n`;
}

/** A DER value: tag, length, content. */
function tagged(tag: number, ...parts: readonly Buffer[]): Buffer {
  const content = Buffer.concat(parts);
  const n = content.length;
  const length = n < 128 ? [n] : n < 256 ? [0x81, n] : [0x82, n >> 8, n & 255];
  return Buffer.concat([Buffer.from([tag, ...length]), content]);
}

function sequence(...parts: readonly Buffer[]): Buffer {
  return tagged(0x30, ...parts);
}

function oid(hex: string): Buffer {
  return tagged(0x06, Buffer.from(hex, 'hex'));
}

/** A name of one part, the common name. */
function distinguishedName(commonName: string): Buffer {
  return sequence(tagged(0x31, sequence(oid('550403'), tagged(0x0c, Buffer.from(commonName)))));
}

function time(ms: number): Buffer {
  const text = new Date(ms).toISOString().replaceAll(/[-:T]|\.\d+/g, '');
  return tagged(0x18, Buffer.from(text));
}

function extension(id: string, content: Buffer, critical = false): Buffer {
  const flag = critical ? [Buffer.from([0x01, 0x01, 0xff])] : [];
  return sequence(oid(id), ...flag, tagged(0x04, content));
}

function basicConstraints(authority: boolean): Buffer {
  const content = sequence(...(authority ? [Buffer.from([0x01, 0x01, 0xff])] : []));
  return extension('551d13', content, true);
}

function keyIdentifier(key: KeyObject): Buffer {
  const digest = createHash('sha1')
    .update(key.export({ type: 'spki', format: 'der' }))
    .digest();
  return extension('551d0e', tagged(0x04, digest));
}

/** Server and client authentication. */
function usages(): Buffer {
  return extension('551d25', sequence(oid('2b06010505070301'), oid('2b06010505070302')));
}

function alternativeNames(names: readonly string[]): Buffer {
  const entries = names.map((name) =>
    isIP(name) === 4
      ? tagged(0x87, Buffer.from(name.split('.').map(Number)))
      : tagged(0x82, Buffer.from(name)),
  );
  return extension('551d11', sequence(...entries));
}
